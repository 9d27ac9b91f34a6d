"""The outbound dialer: campaigns, the hopper, pacing, recycling.

Read control.py for what happens to a dialed call, pacing/ for how many are dialed.
"""
