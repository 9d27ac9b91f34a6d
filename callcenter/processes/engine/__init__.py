"""The engine: one asyncio process that owns the live calls of its tenants. Run `python -m callcenter.processes.engine`.

Read `shell.py` first: it carries events to the floors and their effects out. `journal.py` makes what happened durable
in Redis, `dialing.py` takes leads (`placing.py` makes calls of them, `by_hand.py` does what agents ask for), `inbox.py`
reads commands, `restore.py` takes up what a dead engine left.
"""
