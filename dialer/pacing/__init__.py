"""Pacing: how many numbers to dial now.

One mode per file behind `registry`; read `progressive.py` first, then `predictive.py`. Pure: no clock, no I/O, no
global random state. It does not choose which leads are dialed, place calls or judge compliance.
"""
