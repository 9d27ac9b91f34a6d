"""Texts that come in: whose they are, what they mean, who is told, and what is answered by itself.

Read `taking.py` first (how a text is stored once and finds its enterprise), then `fold.py` (what it means, pure) with
`keywords.py` (no more, and yes again, in many languages), `conversations.py` (what people see) and `forwarding.py`
(other systems). How a text leaves is no affair of this package: answers are asked for like any other send.
"""
