"""Menu: the caller presses one key, each of which is a way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.asking import INVALID, TIMEOUT, again, ask, heard
from ivr.state import Run
from ivr.verb import KEYS, Kind, Need, Prompts, Verb, Way, Wrong, setting


@dataclass(frozen=True)
class Menu(Verb):
    """`keys`: key → what it stands for, as the agent and the figures see it. Silence and wrong keys are answered and
    asked again, `tries` times in all; after that the way is "timeout" or "invalid", as the last try was."""

    name = "menu"
    needs = (Need.AUDIO, Need.KEYS)
    ways_from = "keys"

    prompts: Prompts = setting(Kind.PROMPTS, {}, required=True)
    keys: Mapping[str, str] = setting(Kind.KEYS, {}, required=True)
    timeout_s: float = setting(Kind.SECONDS, 5.0, low=1, high=60, unit="s")
    tries: int = setting(Kind.INTEGER, 3, low=1, high=10)
    interruptible: bool = setting(Kind.FLAG, True)
    timeout_prompts: Prompts = setting(Kind.PROMPTS, {})
    invalid_prompts: Prompts = setting(Kind.PROMPTS, {})
    show: bool = setting(Kind.FLAG, False)

    def ways(self) -> tuple[Way, ...]:
        keys = sorted(self.keys, key=KEYS.find)
        return (
            *(Way(k, self.keys[k], by_caller=True) for k in keys),
            Way(TIMEOUT),
            Way(INVALID, by_caller=True),
        )

    def enter(self, run: Run) -> str | None:
        key = run.ahead()
        if key:
            return self._pressed(run, key)
        ask(run, self.prompts, self.timeout_s)
        return None

    def on(self, run: Run, turn: c.Turn) -> str | None:
        found = heard(run, turn, self.timeout_s, interruptible=self.interruptible)
        if found == TIMEOUT:
            return again(run, TIMEOUT, self.tries, self.timeout_prompts, self.prompts, self.timeout_s)
        return self._pressed(run, found) if found else None

    def resume(self, run: Run) -> str | None:
        ask(run, self.prompts, self.timeout_s)
        return None

    def check(self) -> Iterator[Wrong]:
        """Each key is one of the telephone's."""
        for key in self.keys:
            if len(key) != 1 or key not in KEYS:
                yield Wrong("bad_key", {"key": key}, "keys")

    def _pressed(self, run: Run, key: str) -> str | None:
        if key not in self.keys:
            return again(run, INVALID, self.tries, self.invalid_prompts, self.prompts, self.timeout_s)
        words = self.keys[key].strip() or key
        run.passed(f"{run.title}: {words}" if run.title else words)
        if self.show:
            run.show(run.title or run.node, words)
        return key
