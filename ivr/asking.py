"""How verbs ask the caller for keys: a prompt that a key may cut short, a time-out, and so many tries. Pure."""

from __future__ import annotations

from typing import Final

from callcenter.calls import control as c
from ivr.prompts import chosen
from ivr.state import Run
from ivr.verb import Prompts

TIMEOUT: Final = "timeout"
INVALID: Final = "invalid"


def ask(run: Run, prompts: Prompts, timeout_s: float) -> None:
    """Play `prompts` and then wait for a key."""
    if not run.play(prompts):
        run.wait(timeout_s)


def heard(run: Run, turn: c.Turn, timeout_s: float, *, interruptible: bool) -> str:
    """What a turn means to one who asks: the key that counts, TIMEOUT if none came in time, or nothing yet."""
    if run.playing:
        if isinstance(turn, c.Key):
            if not interruptible:
                return ""
            run.hush()
            run.wait(timeout_s)
            run.acted()
            return turn.digit
        if run.ended(turn):
            run.wait(timeout_s)
        return ""
    if isinstance(turn, c.Key):
        run.acted()
        return turn.digit
    return TIMEOUT if isinstance(turn, c.TimerFired) else ""


def again(run: Run, why: str, tries: int, said: Prompts, prompts: Prompts, timeout_s: float) -> str | None:
    """One try more, `why` (TIMEOUT or INVALID) said before; or, after so many tries, `why` as the way out."""
    run.data["tries"] += 1
    run.data["ahead"] = ""
    run.data["collected"] = ""
    if run.data["tries"] >= tries:
        return why
    language = run.language
    ask(run, {language: (*chosen(said, language), *chosen(prompts, language))}, timeout_s)
    return None
