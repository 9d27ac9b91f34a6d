"""The changes that this package can make, one transaction each: rows, audit entry and outbox row together.

Start with `callbacks.py`. An action takes the session and the actor, checks what it is given, and never commits.
"""
