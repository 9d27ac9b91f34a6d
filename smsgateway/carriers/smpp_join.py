"""Incoming texts of several parts, put together. Pure: `now` is an argument.

Parts are kept in memory, within bounds. The shell holds back the carrier's answer to a part for some seconds, so that a
carrier sends what a dead process had not put together again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.smpp_text import decode

MOST_TEXTS: Final = 5000  # that wait for parts; the oldest is given up for one more
GAP: Final = "[…]"  # stands for a part that never came


@dataclass(frozen=True, slots=True)
class Place:
    """A part's place in its text: `number` from 1 to `total`."""

    ref: int
    number: int
    total: int


def place_of(message: pdu.ShortMessage) -> tuple[Place | None, bytes]:
    """Where the part stands (None: it is whole) and its bytes without the header. A header that makes no sense is
    left out, and the part taken as a whole text."""
    raw = message.message
    tlvs = message.tlvs
    if message.esm_class & pdu.UDH_INDICATOR and raw:
        length = raw[0] + 1
        if length <= len(raw):
            place = _concatenation(raw[1:length])
            return place, raw[length:]
        return None, b""
    ref, total, number = (tlvs.get(t, b"") for t in (pdu.SAR_REF, pdu.SAR_TOTAL, pdu.SAR_SEQUENCE))
    if len(ref) == 2 and len(total) == len(number) == 1 and 0 < number[0] <= total[0] and total[0] > 1:
        return Place(int.from_bytes(ref, "big"), number[0], total[0]), raw
    return None, raw


def _concatenation(header: bytes) -> Place | None:
    at = 0
    while at + 2 <= len(header):
        element, size = header[at], header[at + 1]
        data = header[at + 2 : at + 2 + size]
        if (element, size) in ((0x00, 3), (0x08, 4)) and len(data) == size:
            ref, total, number = int.from_bytes(data[:-2], "big"), data[-2], data[-1]
            return Place(ref, number, total) if 0 < number <= total and total > 1 else None
        at += 2 + size
    return None


@dataclass(slots=True)
class _Waiting:
    total: int
    since: float
    parts: dict[int, str] = field(default_factory=dict)

    def text(self) -> str:
        out, missing = [], False
        for number in range(1, self.total + 1):
            if number in self.parts:
                out.append(self.parts[number])
                missing = False
            elif not missing:
                out.append(GAP)
                missing = True
        return "".join(out)


Key = tuple[str, str, int, int]  # from, to, reference, parts


class Joiner:
    """Puts parts together by sender, recipient, reference and number of parts."""

    def __init__(self, join_s: float, default: str) -> None:
        """`join_s`: how long a part waits for the others; `default`: what data_coding 0 is."""
        self.join_s, self.default = join_s, default
        self._waiting: dict[Key, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, message: pdu.ShortMessage, now: float) -> tuple[Key | None, str | None]:
        """The text if it is whole now, else the key under which it waits. A part that comes twice counts once."""
        place, raw = place_of(message)
        said = decode(message.data_coding, raw, default=self.default)
        if place is None:
            return None, said
        key = (message.source, message.destination, place.ref, place.total)
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= MOST_TEXTS:
                self._waiting.pop(next(iter(self._waiting)))
            waiting = self._waiting[key] = _Waiting(place.total, now)
        waiting.parts[place.number] = said
        if len(waiting.parts) < place.total:
            return key, None
        del self._waiting[key]
        return key, waiting.text()

    def overdue(self, now: float) -> list[tuple[Key, str]]:
        """Texts whose other parts have not come in time, with what there is of them. They are forgotten here."""
        late = [k for k, w in self._waiting.items() if now - w.since >= self.join_s]
        return [(key, self._waiting.pop(key).text()) for key in late]
