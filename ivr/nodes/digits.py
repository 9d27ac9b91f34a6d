"""Digits: the caller keys a number into a variable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.asking import INVALID, TIMEOUT, again, ask, heard
from ivr.patterns import BadPattern, check_pattern
from ivr.state import Run
from ivr.verb import Kind, Need, Prompts, Verb, Way, Wrong, setting

MASK = "•"


@dataclass(frozen=True)
class Digits(Verb):
    """From `least` to `most` digits, ended by a key of `stop_keys`, by the greatest number, or by `inter_digit_s`
    without one more. What does not fit in length or `pattern` is asked for again. `secret`: the agent sees how many
    digits were keyed, not which."""

    name = "digits"
    needs = (Need.AUDIO, Need.KEYS)

    prompts: Prompts = setting(Kind.PROMPTS, {}, required=True)
    variable: str = setting(Kind.VARIABLE, "", required=True)
    least: int = setting(Kind.INTEGER, 1, low=1, high=32)
    most: int = setting(Kind.INTEGER, 12, low=1, high=32)
    stop_keys: str = setting(Kind.STOP_KEYS, "#")
    timeout_s: float = setting(Kind.SECONDS, 8.0, low=1, high=60, unit="s")
    inter_digit_s: float = setting(Kind.SECONDS, 3.0, low=0.5, high=30, unit="s")
    pattern: str = setting(Kind.PATTERN, "", high=100)
    tries: int = setting(Kind.INTEGER, 3, low=1, high=10)
    interruptible: bool = setting(Kind.FLAG, True)
    timeout_prompts: Prompts = setting(Kind.PROMPTS, {})
    invalid_prompts: Prompts = setting(Kind.PROMPTS, {})
    show: bool = setting(Kind.FLAG, True)
    secret: bool = setting(Kind.FLAG, False)

    def ways(self) -> tuple[Way, ...]:
        return Way("next", by_caller=True), Way(TIMEOUT), Way(INVALID, by_caller=True)

    def enter(self, run: Run) -> str | None:
        while key := run.ahead():
            way = self._key(run, key)
            if way is not None or not run.data["collected"]:
                return way
        if run.data["collected"]:
            run.wait(self.inter_digit_s)
        else:
            ask(run, self.prompts, self.timeout_s)
        return None

    def on(self, run: Run, turn: c.Turn) -> str | None:
        found = heard(run, turn, self.timeout_s, interruptible=self.interruptible)
        if found == TIMEOUT:
            if run.data["collected"]:
                return self._finish(run)
            return again(run, TIMEOUT, self.tries, self.timeout_prompts, self.prompts, self.timeout_s)
        return self._key(run, found) if found else None

    def resume(self, run: Run) -> str | None:
        if run.data["collected"]:
            run.wait(self.inter_digit_s)
        else:
            ask(run, self.prompts, self.timeout_s)
        return None

    def check(self) -> Iterator[Wrong]:
        """The least is not over the most, and the pattern can be used."""
        if self.least > self.most:
            yield Wrong("min_over_max", where="least")
        try:
            check_pattern(self.pattern)
        except BadPattern as error:
            yield Wrong("bad_pattern", {"reason": str(error)}, "pattern")

    def _key(self, run: Run, key: str) -> str | None:
        if key in self.stop_keys:
            return self._finish(run)
        run.data["collected"] += key
        if len(run.data["collected"]) >= self.most:
            return self._finish(run)
        run.wait(self.inter_digit_s)
        return None

    def _finish(self, run: Run) -> str | None:
        keyed = run.data["collected"]
        if len(keyed) < self.least or (self.pattern and not re.fullmatch(self.pattern, keyed)):
            return again(run, INVALID, self.tries, self.invalid_prompts, self.prompts, self.timeout_s)
        run.put(self.variable, keyed)
        run.passed(run.title)
        if self.show:
            run.show(run.title or self.variable, MASK * len(keyed) if self.secret else keyed)
        return "next"
