"""Record: the caller says something that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callcenter.calls import control as c
from ivr.state import Run
from ivr.verb import KEYS, Kind, Need, Prompts, Verb, Way, Wrong, setting

GRACE_S = 5.0  # beyond the longest recording: then the word of its end is taken for lost
BEEP = "tone:beep"


@dataclass(frozen=True)
class Recorder:
    """A prompt, a beep, and then the caller's voice."""

    max_s: float
    silence_s: float
    stop_keys: str
    beep: bool

    def begin(self, run: Run, prompts: Prompts) -> None:
        """Say what is to be said, then record."""
        said = (*run.chosen(prompts), *((BEEP,) if self.beep else ()))
        if not run.play_all(said):
            self._listen(run)

    def resume(self, run: Run, prompts: Prompts) -> None:
        """The caller is recorded still, or is asked again."""
        if run.data["stage"]:
            run.wait(self.max_s + GRACE_S)
        else:
            self.begin(run, prompts)

    def on(self, run: Run, turn: c.Turn) -> c.VoiceRecorded | None:
        """What was recorded, once it is; nothing (no id, 0 s) if no word of it came."""
        if run.playing:
            if run.ended(turn):
                self._listen(run)
            return None
        match turn:
            case c.VoiceRecorded() if turn.name == run.data["stage"]:
                return turn
            case c.TimerFired():
                return c.VoiceRecorded(run.data["stage"], "", 0.0)
        return None

    def _listen(self, run: Run) -> None:
        run.data["stage"] = run.unique()
        run.answers.append(c.RecordVoice(run.data["stage"], self.max_s, self.silence_s, self.stop_keys))
        run.wait(self.max_s + GRACE_S)


@dataclass(frozen=True)
class Record(Verb):
    """Up to `max_s`, or until `silence_s` of silence or a key of `stop_keys`; the recording's id goes into `variable`.
    Less than `least_s` is nothing: the way is "empty"."""

    name = "record"
    needs = (Need.AUDIO, Need.VOICE)

    prompts: Prompts = setting(Kind.PROMPTS, {}, required=True)
    variable: str = setting(Kind.VARIABLE, "")
    max_s: float = setting(Kind.SECONDS, 120.0, low=2, high=1800, unit="s")
    silence_s: float = setting(Kind.SECONDS, 4.0, low=1, high=60, unit="s")
    least_s: float = setting(Kind.SECONDS, 1.0, low=0, high=60, unit="s")
    stop_keys: str = setting(Kind.STOP_KEYS, "#")
    beep: bool = setting(Kind.FLAG, True)

    def ways(self) -> tuple[Way, ...]:
        return Way("next", by_caller=True), Way("empty")

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.max_s, self.silence_s, self.stop_keys, self.beep)

    def enter(self, run: Run) -> str | None:
        self._recorder.begin(run, self.prompts)
        return None

    def on(self, run: Run, turn: c.Turn) -> str | None:
        done = self._recorder.on(run, turn)
        if done is None:
            return None
        if not done.recording_id or done.seconds < self.least_s:
            return "empty"
        run.acted()
        run.put(self.variable, done.recording_id)
        return "next"

    def resume(self, run: Run) -> str | None:
        self._recorder.resume(run, self.prompts)
        return None

    def check(self) -> Iterator[Wrong]:
        """Its keys are the telephone's."""
        for key in self.stop_keys:
            if key not in KEYS:
                yield Wrong("bad_key", {"key": key}, "stop_keys")
