"""What a waiting caller hears, and how he asks to be called back. Pure.

Who gets the call is the lobby's affair (`calls/lobby.py`, `acd/queues.py`); here a greeting leads to music, what is due
is said in between, and after each saying the music goes on. Pressing the call-back key begins a short dialogue about
the number; while it lasts nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callcenter.acd import announcing
from callcenter.acd.settings import QueueSettings
from callcenter.acd.waiting import DueKind
from callcenter.calls import control as c
from callcenter.calls.call import Call

ACD = "acd"
MUSIC = "music"
RINGBACK = "tone:ringback"
NUMBER_S = 8.0  # without a key for so long, what was keyed so far counts
MOST_DIGITS = 20
MOST_WRONG = 3
KEPT, BAD_NUMBER = "kept", "bad_number"  # kinds of `QueueDue` that answer a `KeepPlace`
BEFORE_HANG_UP = frozenset({"kept", "goodbye"})


class AcdControl:
    """Callers in queues (`call.queue_id`) and those who wait for one person (`call.for_agent`). `queues`: settings by
    id, those of the floor."""

    name = ACD

    def __init__(self, queues: Mapping[int, QueueSettings]) -> None:
        self._queues = queues

    def decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        """See `CallControl`."""
        match turn:
            case c.HandedOver():
                call.run = {}
                settings = self._of(call)
                if settings is not None and settings.waiting.greeting:
                    return [c.Play("greeting", (settings.waiting.greeting,))]
                return [self._music(call)]
            case c.Resumed() if call.entered_at is None and call.for_agent is None:
                return [c.HangUp()]  # he was being told goodbye, or that his place is kept
            case c.Resumed():
                call.run = {}
                return [] if call.play == MUSIC else [self._music(call)]
            case c.Played(name=name) if name in BEFORE_HANG_UP:
                return [c.HangUp()]
            case c.Played(name="number") if "digits" in call.run:
                return [c.Timer("number", NUMBER_S)]
            case c.Played(name=name, complete=complete) if name != MUSIC or complete:
                return [self._music(call)]
            case c.QueueDue():
                return self._due(turn, call)
            case c.Key(digit=digit):
                return self._key(digit, call)
            case c.TimerFired("number") if "digits" in call.run:
                return self._number_is_known(call)
        return []

    def _of(self, call: Call) -> QueueSettings | None:
        return self._queues.get(call.queue_id) if call.queue_id is not None else None

    def _music(self, call: Call) -> c.Play:
        settings = self._of(call)
        prompt = RINGBACK if settings is None else settings.waiting.music or "hold_music"
        return c.Play(MUSIC, (prompt,), loop=True)

    def _due(self, due: c.QueueDue, call: Call) -> Sequence[c.Answer]:
        settings = self._of(call)
        if due.kind == DueKind.MAX_WAIT:
            return [c.Play("goodbye", announcing.sorry(call.language))]
        if due.kind == KEPT:
            return [c.Play("kept", announcing.callback_kept(call.language))]
        if due.kind == BAD_NUMBER:
            call.run["wrong"] = int(call.run.get("wrong", 0)) + 1
            if call.run["wrong"] >= MOST_WRONG:
                call.run = {}
                return [self._music(call)]
            call.run["digits"] = ""
            return [c.Play("number", announcing.callback_number_wrong(call.language))]
        if settings is None or "digits" in call.run or call.play in BEFORE_HANG_UP:
            return []
        prompts: tuple[str, ...] = ()
        if due.kind == DueKind.ANNOUNCE:
            prompts = announcing.announcement(due.place, due.wait_s, call.language)
        elif due.kind == DueKind.COMFORT and due.prompt:
            prompts = (due.prompt,)
        elif due.kind == DueKind.OFFER_CALLBACK:
            prompts = announcing.callback_offer(settings.callback.key, call.language)
        return [c.Play("said", prompts)] if prompts else []

    def _key(self, digit: str, call: Call) -> Sequence[c.Answer]:
        if "digits" in call.run:
            if digit == "#" or len(call.run["digits"]) >= MOST_DIGITS:
                return self._number_is_known(call)
            if digit == "*":
                call.run["digits"] = ""
            else:
                call.run["digits"] += digit
            return [c.StopPlay(), c.Timer("number", NUMBER_S)]
        settings = self._of(call)
        if settings is None or not settings.callback.enabled or digit != settings.callback.key:
            return []
        call.run["digits"] = ""
        return [c.Play("number", announcing.callback_number(bool(call.number), call.language))]

    @staticmethod
    def _number_is_known(call: Call) -> Sequence[c.Answer]:
        digits = call.run.pop("digits")
        return [c.CancelTimer("number"), c.KeepPlace(digits)]
