"""Browser audio: DTLS-SRTP on one side, plain RTP on the other, no SIP in the browser.

Two implementations of `ports.EdgePort`: `client.py` speaks to our own edge process (`server.py`, `relay.py`,
`session.py`), where aiortc does ICE and DTLS; `rtpengine.py` speaks to an rtpengine. Read `session.py` first. What is
said in a call and who hears whom is not known here: that is the media process.
"""
