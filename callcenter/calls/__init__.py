"""Legs, calls and the floor they happen on. Read leg.py, call.py, then floor.py.

It knows no campaign and no queue: controllers do.
"""
