"""Sippy behind `ports.SipPort`. Read `adapter.py` first. No other package imports sippy."""
