"""Texts (SMS) and multimedia messages (MMS): checks, a prepaid purse, carriers, replies.

Read `texts.py` first (what a text is and the states it passes), then `checks/` (may it go), `purse/` (who pays),
`sending/` (from a send to its texts) and `carriers/` (how they leave). Pure modules know neither clock nor I/O.
"""
