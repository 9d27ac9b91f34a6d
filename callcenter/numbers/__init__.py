"""Where does a call go that comes in on one of the enterprise's numbers (DIDs)? Product row I1.

Read `routing.py` first: the pure decision from the number's settings, the calendar and who calls.

Pure: `calendar` (open, closed, holiday at an instant), `caller` (who calls, as plain data), `routing`.
Shell: `models` and `actions` (the tables and their changes), `queries` (what points at a menu or queue), `asking` (how
the engine asks who calls, over Redis).

It does not look callers up (`crm.queries.callers`), does not take calls (`telephony.sip`), and does not carry a
destination out (`calls.floor`).
"""
