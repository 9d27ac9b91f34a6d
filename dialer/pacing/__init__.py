"""Pacing: how many numbers to dial now. One mode per file behind `registry`; pure: no clock, no I/O, no global random state."""
