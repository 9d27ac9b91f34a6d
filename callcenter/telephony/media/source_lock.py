"""Whose packets a port believes: locking to one source, so that a stranger cannot inject audio.

A port locks to the first source that sends valid RTP from the host it was told (from any host before it was told one).
It follows another source of that host only after `SILENCE_S` without a packet from the old one, or once it is told a
new remote. Source for the attack: https://www.rtpbleed.com.

A far end behind a NAT sends from another address than its SDP says. If nothing came from the host that was told for
`LATCH_S`, the first other source is latched to, and is sent to as well (symmetric RTP, RFC 4961). Only then: once the
told host was heard, or another one latched to, no further host gets in, however long the silence. And the told host
always takes its place back, so that who was merely faster than a slow far end loses it with that one's first packet.
"""

from __future__ import annotations

from dataclasses import dataclass

SILENCE_S = 0.5
LATCH_S = 0.5
PROVED_S = 5.0  # from here on a latched source is not expected to lose its place any more

Address = tuple[str, int]


@dataclass(slots=True)
class SourceLock:
    """`remote` is what we were told at `told_s`; `source` whom we are locked to, heard last at `heard_at_s`;
    `latched_s` since when that is another host than the remote's, else None. Times are seconds of a monotonic clock."""

    remote: Address | None = None
    source: Address | None = None
    heard_at_s: float = 0.0
    told_s: float = 0.0
    latched_s: float | None = None

    def set_remote(self, remote: Address, now_s: float) -> None:
        """Told a remote. A different one than before opens the lock."""
        if remote != self.remote:
            self.remote = remote
            self.source = self.latched_s = None
            self.told_s = now_s

    def accepts(self, address: Address, now_s: float) -> bool:
        """Whether a valid packet from `address` is taken; it locks, follows, latches and keeps the time."""
        if address != self.source:
            if not (self._told_host(address, now_s) or self._other_host(address, now_s)):
                return False
            self.source = address
        self.heard_at_s = now_s
        return True

    def _told_host(self, address: Address, now_s: float) -> bool:
        if self.remote is not None and address[0] != self.remote[0]:
            return False
        if self.latched_s is not None:
            self.latched_s = None
            return True
        return self.source is None or now_s - self.heard_at_s >= SILENCE_S

    def _other_host(self, address: Address, now_s: float) -> bool:
        if self.remote is None or address[0] == self.remote[0]:
            return False
        if self.source is None:
            if now_s - self.told_s < LATCH_S:
                return False
            self.latched_s = now_s
            return True
        # A NAT may give the latched host another port after a silence.
        return self.latched_s is not None and address[0] == self.source[0] and now_s - self.heard_at_s >= SILENCE_S

    @property
    def destination(self) -> Address | None:
        """Where to send: the remote, or who was latched to in its stead."""
        return self.remote if self.latched_s is None else self.source

    def sure(self, now_s: float) -> bool:
        """Whether the told host need not be listened for any more."""
        return self.latched_s is None or now_s - self.latched_s >= PROVED_S
