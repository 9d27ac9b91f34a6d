"""How do calls reach a carrier, and an agent's SIP phone? Sippy's transactions behind `ports.SipPort`. No other package
imports sippy.

Read `adapter.py` first, then `leg.py`: the pure book of what a leg may do, from which exactly one LegEnded follows.

Pure: `leg` (states and effects), `dialog` (what a dialog remembers, as text), `sdp`, `causes`, `bindings` (what a
REGISTER leads to), `challenge`, `gate`.
Shell: `adapter` (tables, what comes in), `calls` and `inbound` (one leg on the wire), `midcall` (hold and re-INVITE),
`registrar` (phones that register), `strays` (answers that nobody waits for), `trunk_book` and `trunk_agent` (names,
registration, OPTIONS), `transactions` and `udp` (Sippy on a datagram endpoint of the loop), `requests`, `messages`,
`digest` (what is sent and read).

It does not choose trunks (`telephony/trunks.py`), does not decide what happens to a call (`calls`), and touches no RTP.
SIP over TCP and TLS is a proxy's work (`TrunkSpec.outbound_proxy`).
"""
