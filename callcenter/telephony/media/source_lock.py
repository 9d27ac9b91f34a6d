"""Whose packets a port believes: locking to one source, so that a stranger cannot inject audio.

A port locks to the first source that sends valid RTP from the host it was told (from any host before it was told one).
It follows another source of an allowed host only after `SILENCE_S` without a packet from the old one, or once it is
told a new remote. Source for the attack: https://www.rtpbleed.com.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENCE_S = 0.5

Address = tuple[str, int]


@dataclass(slots=True)
class SourceLock:
    """`remote` is where we send and whose host may send to us; `source` whom we are locked to, heard last at
    `heard_at_s` on a monotonic clock."""

    remote: Address | None = None
    source: Address | None = None
    heard_at_s: float = 0.0

    def set_remote(self, remote: Address) -> None:
        """Told a remote. A different one than before opens the lock."""
        if remote != self.remote:
            self.remote = remote
            self.source = None

    def accepts(self, address: Address, now_s: float) -> bool:
        """Whether a valid packet from `address` is taken; it locks, follows and keeps the time."""
        if address != self.source:
            if self.remote is not None and address[0] != self.remote[0]:
                return False
            if self.source is not None and now_s - self.heard_at_s < SILENCE_S:
                return False
            self.source = address
        self.heard_at_s = now_s
        return True
