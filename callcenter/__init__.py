"""The call centre itself: tenants, users, calls, agents, media.

Answers: how a call is placed, connected, recorded and accounted for. Read `calls/call.py` first, then
`calls/floor.py`. It deliberately knows no feature: campaigns are in `dialer`, customers in `crm`.
"""
