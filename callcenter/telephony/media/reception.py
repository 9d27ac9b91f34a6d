"""What is known of the RTP stream that a port receives: order, loss, jitter, and where its samples lie on our clock.

The port's fast path keeps the common case (the next packet of the known stream) up to date by itself; everything else
comes to `unusual`. Source: RFC 3550 sections 6.4.1, A.1, A.3 and A.8.
"""

from __future__ import annotations

from enum import Enum

from callcenter.telephony.media.g711 import SAMPLE_RATE

MAX_DROPOUT = 3000  # a larger jump ahead is another stream
MAX_MISORDER = 100
EARLY_SAMPLES = 80  # a packet may come this much before its place on our clock before the clock is shifted
LATE_SAMPLES = 4000  # … and this much after it
PUNCTUAL_SAMPLES = 160  # at most this late is on time
DRIFT_WINDOW = 250  # packets in a row that were later: the scale is shifted


class Order(Enum):
    """What a packet is to its stream."""

    NEXT = "next"  # in order, or after a loss
    OLD = "old"  # overtaken by a later one
    DUPLICATE = "duplicate"
    NEW_STREAM = "new stream"


class Reception:
    """One received stream. Times are in samples of the process's clock (monotonic seconds × 8000).

    `highest` is the extended highest sequence number, -1 before the first packet. `received` and `lost` count since
    creation, over all streams of the port. `anchor` + RTP timestamp = the sample's place on our clock; `late` is how
    much after its place the newest packet came, `behind` counts packets in a row that were not punctual.
    """

    __slots__ = (
        "_earliest",
        "_first",
        "_lost_before",
        "_since",
        "anchor",
        "behind",
        "duplicates",
        "highest",
        "jitter",
        "late",
        "received",
        "ssrc",
    )

    def __init__(self) -> None:
        self.ssrc = -1
        self.highest = -1
        self.received = 0
        self.duplicates = 0
        self.jitter = 0.0
        self.anchor = 0
        self.late = 0
        self._first = 0
        self._since = 0
        self._lost_before = 0
        self._earliest = 0
        self.behind = 0

    @property
    def lost(self) -> int:
        """Packets that never came, over all streams since creation."""
        return self._lost_before + self._lost_now()

    @property
    def expected(self) -> int:
        """Packets received and lost since creation."""
        return self.received + self.lost

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter by RFC 3550, in milliseconds."""
        return self.jitter / 8

    def _lost_now(self) -> int:
        if self.highest < 0:
            return 0
        return max(0, self.highest - self._first + 1 - (self.received - self._since))

    def unusual(self, ssrc: int, sequence: int, timestamp: int, now: int) -> Order:
        """Count a packet that need not be the next of the known stream. Duplicates are not counted as received."""
        if ssrc != self.ssrc or self.highest < 0:
            return self._begin(ssrc, sequence, timestamp, now)
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead == 0:
            self.duplicates += 1
            return Order.DUPLICATE
        if ahead < MAX_DROPOUT:
            self.highest += ahead
            self.received += 1
            self.arrival(timestamp, now)
            return Order.NEXT
        if ahead >= 0x10000 - MAX_MISORDER:
            self.received += 1
            return Order.OLD
        return self._begin(ssrc, sequence, timestamp, now)

    def arrival(self, timestamp: int, now: int) -> None:
        """Update the jitter by a packet that came in order."""
        late = now - self.anchor - timestamp
        self.jitter += (min(abs(late - self.late), SAMPLE_RATE) - self.jitter) / 16
        self.late = late

    def _begin(self, ssrc: int, sequence: int, timestamp: int, now: int) -> Order:
        self._lost_before += self._lost_now()
        self.ssrc = ssrc
        self.highest = self._first = sequence
        self._since = self.received
        self.received += 1
        self._re_anchor(now - timestamp)
        self.late = 0
        return Order.NEW_STREAM

    def place(self, timestamp: int, now: int) -> int:
        """Where the packet's first sample lies on our clock.

        The earliest packets set the scale: those that were held up on the way are put where they belong. The scale
        is shifted when a packet comes before its time, when one is out of all bounds, and when all of a window were
        late (the far end's clock is slow).
        """
        place = self.anchor + timestamp
        late = now - place
        if late < -EARLY_SAMPLES or late > LATE_SAMPLES:
            self._re_anchor(now - timestamp)
            return now
        if late <= PUNCTUAL_SAMPLES:
            self.behind = 0
            return place
        self._earliest = min(late, self._earliest) if self.behind else late
        self.behind += 1
        if self.behind >= DRIFT_WINDOW:
            self._re_anchor(self.anchor + self._earliest)
        return place

    def _re_anchor(self, anchor: int) -> None:
        self.late -= anchor - self.anchor
        self.anchor = anchor
        self.behind = 0
