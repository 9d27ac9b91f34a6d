"""Opt-outs: who wants no marketing from an enterprise, since when, and how they said so.

An opt-out that was ended is kept with its end; a number has at most one that runs. Service texts and codes go all the
same (`smsgateway.checks.optouts`).
"""
