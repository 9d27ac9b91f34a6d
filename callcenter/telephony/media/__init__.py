"""The media process: plain G.711 RTP in, mixed or relayed out, recorded on the way.

Read `worker.py` for the process, `client.py` for what the engine holds of it.
"""
