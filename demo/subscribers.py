"""Who answers when the demo carrier is called: a number's behaviour, derived from the number alone.

Pure. The same number behaves the same on every machine and after every restart, so a demo list is a fixed cast. Dialing
`+8613900001234` or `8613900001234` reaches the same subscriber.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "+861390000"
"""A valid-looking Chinese mobile prefix; the four digits after it give 10,000 numbers. The demo carrier runs on
loopback, so none of them is ever dialed on a public network."""


class Kind(StrEnum):
    """What a subscriber does with a call."""

    PERSON = "person"  # rings, answers and talks
    BUSY = "busy"  # 486
    NO_ANSWER = "no_answer"  # rings until CANCEL
    INVALID = "invalid"  # 404
    MACHINE = "machine"  # rings, a long greeting, a beep, listens, hangs up
    EARLY_HANG_UP = "early_hang_up"  # rings, answers, says one word and is gone


WEIGHTS: tuple[tuple[Kind, int], ...] = (
    (Kind.PERSON, 45),
    (Kind.BUSY, 12),
    (Kind.NO_ANSWER, 20),
    (Kind.INVALID, 8),
    (Kind.MACHINE, 10),
    (Kind.EARLY_HANG_UP, 5),
)
"""Shares in percent."""


@dataclass(frozen=True)
class Pace:
    """Ranges (least, most) in seconds: until the answer, of a person's talk, of an early hang-up, of the time a machine
    listens after its beep, and until a busy or invalid number is refused."""

    ring_s: tuple[float, float] = (2.0, 8.0)
    talk_s: tuple[float, float] = (20.0, 90.0)
    early_s: tuple[float, float] = (0.8, 2.5)
    message_s: tuple[float, float] = (10.0, 25.0)
    refuse_s: tuple[float, float] = (0.3, 1.0)


NORMAL = Pace()
FAST = Pace(ring_s=(0.2, 0.6), talk_s=(1.0, 3.0), early_s=(0.2, 0.5), message_s=(0.5, 1.5), refuse_s=(0.02, 0.1))


@dataclass(frozen=True)
class Subscriber:
    """One number's behaviour. `number` is digits only; `language` is "zh" or "en"; `voice` one of "f", "m"; times in
    seconds. `hang_up_after_s` counts from the answer (a machine's from its beep); None: stays until BYE.
    `early_media`: the ringing is heard as audio (183 with SDP) rather than signalled only (180)."""

    number: str
    kind: Kind
    language: str
    voice: str
    ring_s: float
    early_media: bool
    hang_up_after_s: float | None


def digits(number: str) -> str:
    """The digits of `number`, ASCII only."""
    return "".join(c for c in number if c in "0123456789")


def subscriber(number: str, pace: Pace = NORMAL) -> Subscriber:
    """The subscriber behind `number`, any notation; anything that was ever dialed has one."""
    plain = digits(number)
    rng = random.Random(hashlib.sha256(b"demo carrier 1:" + plain.encode()).digest())
    kind = rng.choices([k for k, _ in WEIGHTS], [w for _, w in WEIGHTS])[0]
    language = "zh" if rng.random() < 0.75 else "en"
    voice = rng.choice("fm")
    early_media = rng.random() < 0.3
    leaves = rng.random() < 0.5
    at = rng.random(), rng.random()

    def within(span: tuple[float, float], fraction: float) -> float:
        return span[0] + (span[1] - span[0]) * fraction

    ring_s = within(pace.refuse_s if kind in (Kind.BUSY, Kind.INVALID) else pace.ring_s, at[0])
    hang_up_after_s = {
        Kind.PERSON: within(pace.talk_s, at[1]) if leaves else None,
        Kind.MACHINE: within(pace.message_s, at[1]),
        Kind.EARLY_HANG_UP: within(pace.early_s, at[1]),
    }.get(kind)
    return Subscriber(plain, kind, language, voice, ring_s, early_media, hang_up_after_s)


def phone_numbers(n: int) -> list[str]:
    """E.164 numbers of the demo's softphones (pyVoIP), `n` ≤ 10. While no phone is registered they act like
    any other number."""
    if not 0 <= n <= 10:
        raise ValueError(f"0 … 10 phones, not {n}")
    return [f"{PREFIX}{9001 + i}" for i in range(n)]


def demo_numbers(n: int) -> list[str]:
    """`n` different E.164 numbers, `n` ≤ 9000, in a fixed order. The first is a person who stays on the line."""
    if not 0 <= n <= 9000:
        raise ValueError(f"0 … 9000 numbers, not {n}")
    walk = _walk()
    return [next(walk) for _ in range(n)]


def numbers_of(kind: Kind, n: int = 1) -> list[str]:
    """The first `n` demo numbers whose subscriber is of `kind`."""
    found = [number for number in _walk() if subscriber(number).kind is kind]
    if len(found) < n:
        raise ValueError(f"only {len(found)} numbers are of kind {kind}")
    return found[:n]


def _walk() -> Iterator[str]:
    """All 9000 numbers below the phones' block, scattered: the stride shares no factor with 9000."""
    start = next(i for i in range(9000) if _stays(f"{PREFIX}{i:04d}"))
    for i in range(9000):
        yield f"{PREFIX}{(start + i * 2741) % 9000:04d}"


def _stays(number: str) -> bool:
    who = subscriber(number)
    return who.kind is Kind.PERSON and who.hang_up_after_s is None
