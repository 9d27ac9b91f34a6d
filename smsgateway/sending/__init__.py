"""From what somebody asks for to texts that a carrier can take: who gets one, may they, who pays.

Read `new.py` and `actions.py` (asking for a send), then `audience.py` (whom it reaches, a page at a time), `judging.py`
(each page past the checks) and `preparer.py` (the loop that makes texts of sends, each batch in one transaction).
`counts.py` moves texts from state to state in the figures of their send; `sweeping.py` is how what has not gone is
cancelled or rejected. How texts leave is the business of `smsgateway.carriers`.
"""
