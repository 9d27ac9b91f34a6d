"""How a subscriber behaves once the call is answered. Pure: 20 ms after 20 ms it hears a level and may act.

`step(now, level, speaking)` is given the time in seconds, how loud the far end was in these 20 ms (0 … 1, mean
magnitude) and whether the subscriber's own phrase is still playing; it answers what to do next, or None.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from demo.subscribers import Kind, Subscriber

LOUD = 0.008
"""From this level on, a frame is speech: about -40 dBFS."""
FRAME_S = 0.02
UTTERANCE_S = 0.3
"""Loud time that makes an utterance of the far end; less is a click."""
TURN_S = 0.7
"""Silence that ends an utterance and passes the turn to the subscriber."""
PATIENCE_S = 5.0
"""Silence of both sides after which the subscriber speaks unasked."""
LISTENS_S = 12.0
"""Time without a pause of the far end after which the subscriber says "yes" in between."""
SENTENCES = 6


@dataclass(frozen=True)
class Say:
    """Play the phrase of this name ("beep" is the machine's)."""

    phrase: str


@dataclass(frozen=True)
class HangUp:
    """Say BYE."""


Act = Say | HangUp


class Behaviour(Protocol):
    """One answered call's subscriber."""

    def step(self, now: float, level: float, speaking: bool) -> Act | None: ...


def behaviour(who: Subscriber, answered_at: float) -> Behaviour:
    """The behaviour of `who`, answered at `answered_at` (the clock of `step`). Busy, invalid and silent numbers never
    answer, so they have none: ValueError."""
    if who.kind is Kind.PERSON:
        return Person(who, answered_at)
    if who.kind is Kind.MACHINE:
        return Machine(who, answered_at)
    if who.kind is Kind.EARLY_HANG_UP:
        return EarlyHangUp(who, answered_at)
    raise ValueError(f"{who.kind} does not answer")


class Person:
    """Says hello, then takes turns; speaks unasked into a long silence; says good-bye before hanging up."""

    def __init__(self, who: Subscriber, answered_at: float) -> None:
        rng = random.Random(who.number)
        self._hello_at = answered_at + rng.uniform(0.2, 0.6)
        self._leave_at = None if who.hang_up_after_s is None else answered_at + who.hang_up_after_s
        self._next = rng.randrange(SENTENCES)
        self._greeted = self._leaving = self._nudged = False
        self._loud_s = self._quiet_s = self._both_quiet_s = 0.0

    def step(self, now: float, level: float, speaking: bool) -> Act | None:
        self._listen(level, speaking)
        if speaking:
            return None
        if self._leaving:
            return HangUp()
        if self._leave_at is not None and now >= self._leave_at:
            self._leaving = True
            return Say("goodbye")
        if not self._greeted:
            if now < self._hello_at:
                return None
            self._greeted = True
            return self._speak("hello")
        if self._loud_s >= UTTERANCE_S and self._quiet_s >= TURN_S:
            self._nudged = False
            return self._speak(self._sentence())
        if self._loud_s >= LISTENS_S:
            return self._speak("yes")
        if self._both_quiet_s >= PATIENCE_S:
            self._nudged = not self._nudged
            return self._speak("nudge" if self._nudged else self._sentence())
        return None

    def _listen(self, level: float, speaking: bool) -> None:
        if level >= LOUD:
            self._loud_s += FRAME_S
            self._quiet_s = self._both_quiet_s = 0.0
            return
        self._quiet_s += FRAME_S
        self._both_quiet_s = 0.0 if speaking else self._both_quiet_s + FRAME_S
        if self._quiet_s >= TURN_S and self._loud_s < UTTERANCE_S:
            self._loud_s = 0.0

    def _speak(self, phrase: str) -> Say:
        self._loud_s = self._both_quiet_s = 0.0
        return Say(phrase)

    def _sentence(self) -> str:
        self._next = (self._next + 1) % SENTENCES
        return f"say{self._next}"


class Machine:
    """An answering machine: greeting, beep, listens for a while, hangs up."""

    def __init__(self, who: Subscriber, answered_at: float) -> None:
        self._start = answered_at + 0.4
        self._listens_s = who.hang_up_after_s or 0.0
        self._phase = 0
        self._leave_at = 0.0

    def step(self, now: float, level: float, speaking: bool) -> Act | None:
        if speaking or now < self._start:
            return None
        self._phase += 1
        if self._phase == 1:
            return Say("greeting")
        if self._phase == 2:
            return Say("beep")
        if self._phase == 3:
            self._leave_at = now + self._listens_s
        return HangUp() if now >= self._leave_at else None


class EarlyHangUp:
    """Answers with one word and is gone."""

    def __init__(self, who: Subscriber, answered_at: float) -> None:
        self._leave_at = answered_at + (who.hang_up_after_s or 0.0)
        self._said = False

    def step(self, now: float, level: float, speaking: bool) -> Act | None:
        if now >= self._leave_at:
            return HangUp()
        if self._said:
            return None
        self._said = True
        return Say("hello")
