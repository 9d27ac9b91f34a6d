"""Menus: what a caller hears and keys before an agent. Read flow.py, then run.py."""
