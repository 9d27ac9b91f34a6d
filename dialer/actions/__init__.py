"""What changes campaigns and what they work by: dispositions, scripts, calling rules, trunks.

Each action takes the session of one transaction and the actor, changes rows, writes the audit entry and tells the
engine through the outbox. Read campaigns.py first. Nothing here talks to the engine, to Redis or to Flask.
"""
