"""Key presses as RFC 4733 telephone events: telling received ones once each, and the packets of sent ones.

A press comes as many packets with the same RTP timestamp; the last is sent three times, and any of them may be lost.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"
_EVENT = struct.Struct("!BBH")
END_BIT = 0x80
VOLUME_DBM0 = 10
LOST_END_SAMPLES = 1600  # no packet for 200 ms: the end was lost
ON_SAMPLES = 800
GAP_SAMPLES = 480
STEP_SAMPLES = 160
END_COPIES = 3


@dataclass(frozen=True, slots=True)
class Event:
    """One packet's payload: `duration` in samples so far."""

    digit: str
    end: bool
    duration: int
    volume: int = VOLUME_DBM0


@dataclass(frozen=True, slots=True)
class Press:
    """A key press that is over. `duration_ms` as sent."""

    digit: str
    duration_ms: int


def parse(payload: bytes | bytearray | memoryview) -> Event | None:
    """The event in a payload, or None if it is no DTMF digit or too short."""
    if len(payload) < 4:
        return None
    code, flags, duration = _EVENT.unpack_from(payload)
    if code >= len(DIGITS):
        return None
    return Event(DIGITS[code], bool(flags & END_BIT), duration, flags & 0x3F)


def build(event: Event) -> bytes:
    """Four bytes."""
    flags = (END_BIT if event.end else 0) | (event.volume & 0x3F)
    return _EVENT.pack(DIGITS.index(event.digit), flags, min(event.duration, 0xFFFF))


class Receiver:
    """Turns event packets into presses, each told once. Times in samples of any steady clock."""

    def __init__(self) -> None:
        self._open: tuple[int, str] | None = None  # RTP timestamp and digit of the press going on
        self._duration = 0
        self._heard_at = 0
        self._done: tuple[int, str] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a press has begun whose end has not come: `overdue` wants to be asked."""
        return self._open is not None

    def receive(self, timestamp: int, event: Event, now: int) -> list[Press]:
        """Presses that this packet completes: none, its own, or a former one whose end was lost."""
        key = (timestamp, event.digit)
        if key == self._done:
            return []
        told = []
        if self._open is not None and self._open != key:
            if (timestamp - self._open[0]) & 0xFFFFFFFF >= 0x80000000:
                return []  # an older packet of a press that was overtaken
            told.append(self._finish())
        if self._open is None:
            self._open, self._duration = key, 0
        self._duration = max(self._duration, event.duration)
        self._heard_at = now
        if event.end:
            told.append(self._finish())
        return told

    def overdue(self, now: int) -> Press | None:
        """The press whose end was lost, once nothing more came of it for 200 ms."""
        if self._open is None or now - self._heard_at < LOST_END_SAMPLES:
            return None
        return self._finish()

    def _finish(self) -> Press:
        assert self._open is not None
        press = Press(self._open[1], self._duration // 8)
        self._done, self._open = self._open, None
        return press


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A packet to send now: `offset` samples before the present is the event's RTP timestamp."""

    payload: bytes
    marker: bool
    offset: int


class Sender:
    """Digits on their way out, asked once every 20 ms. 100 ms on, 60 ms apart, the end sent three times."""

    def __init__(self) -> None:
        self._digits: deque[str] = deque()
        self._digit = ""
        self._elapsed = 0
        self._gap = 0

    def push(self, digits: str) -> None:
        """Queue `digits`. Raises ValueError on anything but 0-9 * # A-D."""
        digits = digits.upper()
        if any(d not in DIGITS for d in digits):
            raise ValueError(f"not DTMF digits: {digits!r}")
        self._digits.extend(digits)

    @property
    def active(self) -> bool:
        """Whether anything is still to be sent, the gap after a digit included."""
        return bool(self._digits or self._digit or self._gap)

    def tick(self) -> list[Outgoing]:
        """The packets of this 20 ms: none in a gap, one while the key is down, three at its end."""
        if self._gap:
            self._gap -= STEP_SAMPLES
            return []
        if not self._digit:
            if not self._digits:
                return []
            self._digit = self._digits.popleft()
            self._elapsed = 0
        first = self._elapsed == 0
        before = self._elapsed
        self._elapsed += STEP_SAMPLES
        end = self._elapsed >= ON_SAMPLES
        payload = build(Event(self._digit, end, self._elapsed))
        if not end:
            return [Outgoing(payload, first, before)]
        self._digit = ""
        self._gap = GAP_SAMPLES
        return [Outgoing(payload, False, before)] * END_COPIES
