"""What callers hear: prompts that come with an installation, and those an enterprise uploads, records or has spoken.

Read `names.py` first: how a prompt is named in flows, queues and numbers. `installed.py` makes those that come with the
installation, `wav.py` joins several into one. Playing them is the media process's work, turning names into files the
engine's (`callcenter/processes/engine/voice.py`).
"""
