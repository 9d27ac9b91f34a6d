"""Snapshots for tests: everything empty unless said."""

from dialer.pacing.interface import CampaignInfo, Snapshot

INFO = CampaignInfo(
    abandon_cap=0.03,
    patience_s=2.0,
    tick_s=1.0,
    ring_timeout_s=30.0,
    max_lines=1000,
    max_cps=100.0,
    shift_s=3600.0,
    amd=True,
)

EMPTY = Snapshot(
    now=0.0,
    ready_since=[],
    talk_since=[],
    wrap_since=[],
    paused_since=[],
    ringing_since=[],
    screening_since=[],
    waiting_since=[],
    placed=0,
    dialled=0,
    live=0,
    abandoned=0,
    events=[],
)
