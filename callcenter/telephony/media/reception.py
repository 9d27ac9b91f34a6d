"""What is known of the RTP stream that a port receives: order, loss, jitter, and where its samples lie on our clock.

The port's fast path keeps the common case (the next packet of the known stream) up to date by itself; everything else
comes to `unusual`. Source: RFC 3550 sections 6.4.1, A.1, A.3 and A.8.
"""

from __future__ import annotations

from enum import Enum

from callcenter.telephony.media.g711 import FRAME_SAMPLES, SAMPLE_RATE

MAX_DROPOUT = 3000  # a larger jump ahead is another stream
MAX_MISORDER = 100
EARLY_SAMPLES = 80  # a packet may come this much before its place on our clock before the clock is shifted
LATE_SAMPLES = 4000  # … and this much after it
PUNCTUAL_SAMPLES = 160  # at most this late is on time
DRIFT_WINDOW = 250  # packets in a row that were later: the scale is shifted


NEXT = (1 << 32) + FRAME_SAMPLES
"""What the first eight bytes of a header grow by from one plain packet to the next."""


def key(word: int, sequence: int, timestamp: int) -> int:
    """The first eight bytes of a header as a number."""
    return (word << 48) | (sequence << 32) | timestamp


class Order(Enum):
    """What a packet is to its stream."""

    NEXT = "next"  # in order, or after a loss
    OLD = "old"  # overtaken by a later one
    DUPLICATE = "duplicate"
    NEW_STREAM = "new stream"


class Reception:
    """One received stream. Times are in samples of the process's clock (monotonic seconds × 8000).

    `expected` is the first eight bytes, as a number, of the packet that comes next if all goes on plainly, or -1; the
    fast path adds NEXT to it, and what was received is told by how far it came. `anchor` + RTP timestamp = a sample's
    place on our clock, `late` how much after its place the newest packet came, `behind` how many packets in a row were
    not punctual.
    """

    __slots__ = (
        "_ahead", "_armed", "_earliest", "_first", "_lost_before", "_received", "_since", "anchor", "behind",
        "duplicates", "expected", "jitter", "late", "ssrc",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ssrc = -1
        self.expected = -1
        self._received = 0  # without those that the fast path took since `_armed`
        self._armed = -1
        self.duplicates = 0
        self.jitter = 0.0
        self.anchor = 0
        self.late = 0
        self.behind = 0
        self._ahead = 0  # highest sequence number, extended, less `received`
        self._first = 0
        self._since = 0
        self._lost_before = 0
        self._earliest = 0

    @property
    def received(self) -> int:
        """Packets since creation, over all streams of the port."""
        return self._received + ((self.expected - self._armed) >> 32 if self.expected >= 0 else 0)

    @property
    def highest(self) -> int:
        """The extended highest sequence number of the present stream."""
        return self._ahead + self.received

    @property
    def begun(self) -> bool:
        """Whether anything was received."""
        return self.ssrc >= 0

    @property
    def lost(self) -> int:
        """Packets that never came, over all streams since creation."""
        return self._lost_before + self._lost_now()

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter by RFC 3550, in milliseconds."""
        return self.jitter / 8

    def _lost_now(self) -> int:
        if not self.begun:
            return 0
        return max(0, self.highest - self._first + 1 - (self.received - self._since))

    def unusual(
        self, ssrc: int, sequence: int, timestamp: int, now: int, *, audio: bool = True, plain_word: int = -1
    ) -> Order:
        """Count a packet that need not be the next of the known stream. Duplicates are not counted as received.

        `audio` is False for telephone events, whose timestamps stand still. `plain_word` is the first word of the
        header that further packets will have if this one was 20 ms of plain audio.
        """
        self._received = self.received
        self.expected = -1
        if ssrc != self.ssrc:
            order = Order.NEW_STREAM
        else:
            ahead = (sequence - self.highest) & 0xFFFF
            if ahead == 0:
                self.duplicates += 1
                return Order.DUPLICATE
            if ahead >= 0x10000 - MAX_MISORDER:
                self._received += 1
                self._ahead -= 1
                return Order.OLD
            order = Order.NEXT if ahead < MAX_DROPOUT else Order.NEW_STREAM
        if order is Order.NEW_STREAM:
            self._begin(ssrc, sequence, timestamp, now)
        else:
            self._received += 1
            self._ahead += ahead - 1
            if audio:
                self._arrive(timestamp, now)
        if plain_word >= 0 and sequence < 0xFFFF and timestamp <= 0xFFFFFFFF - FRAME_SAMPLES:
            self.expected = self._armed = key(plain_word, sequence, timestamp) + NEXT
        return order

    def _begin(self, ssrc: int, sequence: int, timestamp: int, now: int) -> None:
        self._lost_before += self._lost_now()
        self.ssrc = ssrc
        self._since = self.received
        self._received += 1
        self._first = sequence
        self._ahead = sequence - self.received
        self.anchor = now - timestamp
        self.late = self.behind = 0

    def _arrive(self, timestamp: int, now: int) -> None:
        late = now - self.anchor - timestamp
        if late > 1 << 31:  # the timestamps began anew from zero
            self.anchor += 1 << 32
            late -= 1 << 32
        self.jitter += (min(abs(late - self.late), SAMPLE_RATE) - self.jitter) / 16
        self.late = late
        self.settle()

    def settle(self) -> None:
        """To be called when `late` is not punctual.

        The earliest packets set the scale: those that were held up on the way are put where they belong. The scale
        is shifted when a packet comes before its time, when one is out of all bounds, and when all of a window were
        late (the far end's clock is slow).
        """
        late = self.late
        if -EARLY_SAMPLES <= late <= PUNCTUAL_SAMPLES:
            self.behind = 0
            return
        shift = late
        if PUNCTUAL_SAMPLES < late <= LATE_SAMPLES:
            shift = self._earliest = min(late, self._earliest) if self.behind else late
            self.behind += 1
            if self.behind < DRIFT_WINDOW:
                return
        self.behind = 0
        self.anchor += shift
        self.late -= shift
