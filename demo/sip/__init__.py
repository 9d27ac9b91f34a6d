"""The demo carrier's own SIP user agent: RFC 3261 over UDP, without sockets, threads or a clock.

It shares no code with the engine's SIP stack on purpose: a peer that is written apart finds what a stack talking to
itself would not. Read `endpoint.py` first (calls to us), then `caller.py` (calls of ours); `message.py` and `sdp.py`
are the formats, `transactions.py` the retransmissions, `registrar.py` the digest. It does what a carrier needs: no TCP,
no TLS, no forking, no reliable provisional responses.
"""
