"""Survey: one question, answered by a key or in the caller's own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callcenter.calls import control as c
from callcenter.calls.facts import SurveyAnswer
from ivr.asking import INVALID, TIMEOUT, again, ask, heard
from ivr.nodes.record import Recorder
from ivr.state import Run
from ivr.verb import KEYS, Kind, Need, Prompts, Verb, Way, Wrong, setting

BY_KEY, SPOKEN = "key", "spoken"


@dataclass(frozen=True)
class Survey(Verb):
    """`question` in words for the report, `prompts` for the caller. `answered` by one of `keys` (key → what it means),
    or spoken, up to `max_s`. Without an answer after `tries` the way is "timeout"."""

    name = "survey"
    needs = (Need.AUDIO, Need.KEYS, Need.VOICE)

    question: str = setting(Kind.TEXT, "", required=True, high=200)
    prompts: Prompts = setting(Kind.PROMPTS, {}, required=True)
    answered: str = setting(Kind.CHOICE, BY_KEY, choices=(BY_KEY, SPOKEN))
    keys: Mapping[str, str] = setting(
        Kind.KEYS, {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5"}, when=("answered", BY_KEY)
    )
    timeout_s: float = setting(Kind.SECONDS, 6.0, low=1, high=60, unit="s", when=("answered", BY_KEY))
    tries: int = setting(Kind.INTEGER, 2, low=1, high=10, when=("answered", BY_KEY))
    invalid_prompts: Prompts = setting(Kind.PROMPTS, {}, when=("answered", BY_KEY))
    max_s: float = setting(Kind.SECONDS, 60.0, low=2, high=600, unit="s", when=("answered", SPOKEN))
    silence_s: float = setting(Kind.SECONDS, 3.0, low=1, high=30, unit="s", when=("answered", SPOKEN))
    variable: str = setting(Kind.VARIABLE, "")
    show: bool = setting(Kind.FLAG, True)

    def ways(self) -> tuple[Way, ...]:
        return Way("next", by_caller=True), Way(TIMEOUT)

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.max_s, self.silence_s, "#", beep=True)

    def enter(self, run: Run) -> str | None:
        if self.answered == SPOKEN:
            self._recorder.begin(run, self.prompts)
            return None
        key = run.ahead()
        if key:
            return self._pressed(run, key)
        ask(run, self.prompts, self.timeout_s)
        return None

    def on(self, run: Run, turn: c.Turn) -> str | None:
        if self.answered == SPOKEN:
            done = self._recorder.on(run, turn)
            if done is None:
                return None
            if not done.recording_id or done.seconds < 0.5:
                return TIMEOUT
            run.acted()
            return self._answer(run, "", done.recording_id)
        found = heard(run, turn, self.timeout_s, interruptible=True)
        if found == TIMEOUT:
            return again(run, TIMEOUT, self.tries, {}, self.prompts, self.timeout_s)
        return self._pressed(run, found) if found else None

    def resume(self, run: Run) -> str | None:
        if self.answered == SPOKEN:
            self._recorder.resume(run, self.prompts)
        else:
            ask(run, self.prompts, self.timeout_s)
        return None

    def check(self) -> Iterator[Wrong]:
        """Each key is one of the telephone's, and there is one."""
        if self.answered != BY_KEY:
            return
        if not self.keys:
            yield Wrong("no_keys", where="keys")
        for key in self.keys:
            if len(key) != 1 or key not in KEYS:
                yield Wrong("bad_key", {"key": key}, "keys")

    def _pressed(self, run: Run, key: str) -> str | None:
        if key in self.keys:
            return self._answer(run, key)
        way = again(run, INVALID, self.tries, self.invalid_prompts, self.prompts, self.timeout_s)
        return TIMEOUT if way else None

    def _answer(self, run: Run, key: str, recording_id: str = "") -> str:
        words = self.keys.get(key, "").strip() or key
        if not run.tried:
            flow_id = run.data["flow_id"]
            run.tell(SurveyAnswer(run.call.call_id, flow_id, run.node, self.question, words, run.now, recording_id))
        run.put(self.variable, key or recording_id)
        if self.show and words:
            run.show(self.question, words)
        return "next"
