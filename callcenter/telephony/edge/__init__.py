"""Browser audio: DTLS-SRTP on one side, plain RTP on the other. `relay.py` is the aiortc edge, `rtpengine.py` the other."""
