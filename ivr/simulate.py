"""A call in a menu without a telephone: turns are fed by hand over a virtual clock, and what is heard is written down.

Tests use it, and the editor's "try it in text". Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.facts import NodeLeft, SurveyAnswer
from ivr.control import IvrControl
from ivr.prompts import words
from ivr.state import TIMER, World
from ivr.world import FloorWorld

WORD_S = 0.35  # how long a spoken word takes; one of Chinese is a character
PROMPT_S = 4.0  # how long a recorded prompt takes, for want of knowing


class Stuck(AssertionError):
    """The menu waits, and nothing is set that would end it: a defect of the interpreter."""


@dataclass(frozen=True)
class Line:
    """`at`: seconds since the call came in. `who`: menu, caller, system. `kind`: say, prompt, key, way, http, record,
    language, show, answer, goes_to, hang_up, silence."""

    at: float
    who: str
    node: str
    kind: str
    text: str


@dataclass
class Simulation:
    """One call. `playing`, `timer`, `asked`, `recording` are what the menu waits for at the moment."""

    control: IvrControl
    call: Call
    now: float
    began: float = 0.0
    lines: list[Line] = field(default_factory=list)
    facts: list[object] = field(default_factory=list)
    playing: c.Play | None = None
    timer: float | None = None
    asked: c.Http | None = None
    recording: c.RecordVoice | None = None
    gone: c.Answer | None = None  # HangUp or HandOver, once the call has left the menu

    @property
    def node(self) -> str:
        """Where the call is; empty once it is out."""
        return "" if self.gone is not None else str(self.call.run.get("node", ""))

    @property
    def waits_for(self) -> str:
        """http, recorded, key; empty once the call is out."""
        if self.gone is not None:
            return ""
        return "http" if self.asked else "recorded" if self.recording else "key"

    def start(self, flow_id: int, doc: Mapping[str, Any] | None = None) -> Simulation:
        """The call comes in."""
        self.began = self.now
        data: dict[str, Any] = {"flow_id": flow_id}
        if doc is not None:
            data["doc"] = doc
        self.feed(c.HandedOver(data))
        return self

    def feed(self, turn: c.Turn) -> None:
        """One turn; what the menu answers is written down."""
        if self.gone is not None:
            return
        for answer in self.control.decide(turn, self.call, self.now):
            self._take(answer)
        if self.gone is None and self.timer is None and not isinstance(turn, c.Gone):
            raise Stuck(f"in {self.node!r} after {turn}")

    def key(self, digit: str) -> None:
        """The caller presses a key."""
        if self.gone is None:
            self._write("caller", "key", digit)
            self.feed(c.Key(digit))

    def heard(self) -> None:
        """What plays comes to its end."""
        if self.playing is not None and not self.playing.loop:
            playing, self.playing = self.playing, None
            self.now += _length(playing.prompts)
            if self.timer is not None and self.now >= self.timer:
                self.now = self.timer
            self.feed(c.Played(playing.name, True))

    def expire(self) -> None:
        """Time passes until the menu's timer."""
        if self.timer is not None:
            self.now, self.timer = max(self.now, self.timer), None
            self.feed(c.TimerFired(TIMER))

    def silence(self) -> None:
        """The caller does nothing: what plays ends, then the time-out comes."""
        if self.gone is None:
            self._write("caller", "silence", "")
            self.heard()
            self.expire()

    def http(self, status: int, values: Mapping[str, str]) -> None:
        """The other system answers."""
        if self.asked is not None:
            asked, self.asked = self.asked, None
            self._write("system", "http", str(status))
            self.feed(c.HttpDone(asked.name, status, {k: v for k, v in values.items() if k in asked.fields}))

    def recorded(self, seconds: float) -> None:
        """The caller has spoken."""
        if self.recording is not None:
            recording, self.recording = self.recording, None
            self.now += min(seconds, recording.max_s)
            self._write("caller", "record", f"{seconds:g} s")
            self.feed(c.VoiceRecorded(recording.name, "recording" if seconds > 0 else "", seconds))

    def hang_up(self) -> None:
        """The caller is gone."""
        if self.gone is None:
            self._write("caller", "hang_up", "")
            self.feed(c.Gone())
            self.gone = c.HangUp()

    # --------------------------------------------------------------------------------------------------------- inside

    def _take(self, answer: c.Answer) -> None:
        match answer:
            case c.Play():
                self.playing = answer
                for prompt in answer.prompts:
                    said = prompt.startswith("say:")
                    text = prompt.split(":", 2)[2] if said else prompt
                    self._write("menu", "say" if said else "prompt", text)
            case c.StopPlay():
                self.playing = None
            case c.Timer():
                self.timer = self.now + answer.after_s
            case c.CancelTimer():
                self.timer = self.asked = self.recording = None
            case c.Http():
                self.asked = answer
                self._write("system", "http", f"{answer.method} {answer.url}")
            case c.RecordVoice():
                self.recording = answer
                self._write("menu", "record", f"{answer.max_s:g} s")
            case c.SetLanguage():
                self.call.language = answer.language
                self._write("menu", "language", answer.language)
            case c.Show():
                self.call.shown.update(answer.values)
                for label, value in answer.values.items():
                    self._write("menu", "show", f"{label}: {value}")
            case c.Tell(fact=fact):
                self.facts.append(fact)
                if isinstance(fact, NodeLeft):
                    self._write("menu", "way", fact.way, fact.node_id)
                elif isinstance(fact, SurveyAnswer):
                    self._write("menu", "answer", f"{fact.question}: {fact.answer or fact.recording_id}")
            case c.HandOver(to=to):
                self.gone, self.timer, self.playing = answer, None, None
                self._write("menu", "goes_to", " ".join(x for x in (to.kind.value, str(to.id or to.number)) if x))
            case c.HangUp():
                self.gone, self.timer, self.playing = answer, None, None
                self._write("menu", "hang_up", "")

    def _write(self, who: str, kind: str, text: str, node: str | None = None) -> None:
        at = round(self.now - self.began, 2)
        self.lines.append(Line(at, who, self.node if node is None else node, kind, text))


def call_in(number: str = "+8613800000000", did: str = "", **more: Any) -> Call:
    """A call that has come in and been answered."""
    return Call(
        call_id="simulated", control="ivr", mode="inbound", number=number, caller_id=number, trunk_id=0, dialed=did,
        started_at=0.0, ring_timeout_s=30.0, direction="in", did=did, **more,
    )  # fmt: skip


def simulate(
    doc: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    *,
    others: Mapping[int, Mapping[str, Any]],
    variables: Mapping[str, str],
    world: World | None = None,
    now: float,
) -> dict[str, Any]:
    """Call the menu `doc` and do `inputs` ({kind: key, silence, http, recorded, hang_up, …}) one after the other;
    prompts are heard to their end where nothing cuts them short. `others`: the menus it can go to. Plain data."""
    control = IvrControl(world or FloorWorld())
    for flow_id, other in {**others, int(doc["id"]): doc}.items():
        control.settle(flow_id, other)
    one = Simulation(control, call_in(), now)
    one.call.run = {"variables": dict(variables)}
    one.start(int(doc["id"]))
    for given in inputs:
        _play_out(one)
        match given["kind"]:
            case "key":
                one.key(str(given.get("key") or "#"))
            case "silence":
                one.silence()
            case "http":
                one.http(int(given.get("status", 200)), given.get("values") or {})
            case "recorded":
                one.recorded(float(given.get("seconds", 3.0)))
            case "hang_up":
                one.hang_up()
    _play_out(one)
    known = one.call.run.get("variables", {})
    return {
        "lines": one.lines,
        "node": one.node,
        "waits_for": one.waits_for,
        "variables": {k: words(v) for k, v in known.items()},
    }


def _play_out(one: Simulation) -> None:
    """Let prompts run to their end while the menu goes on by itself."""
    for _ in range(1000):
        if one.playing is None or one.playing.loop or one.gone is not None:
            return
        one.heard()


def _length(prompts: Sequence[str]) -> float:
    seconds = 0.0
    for prompt in prompts:
        if prompt.startswith("say:"):
            text = prompt.split(":", 2)[2]
            wide = sum(ord(ch) > 0x2E7F for ch in text)
            seconds += WORD_S * (wide * 0.6 + len("".join(ch if ord(ch) <= 0x2E7F else " " for ch in text).split()))
        else:
            seconds += 0.3 if prompt.startswith("tone:") else PROMPT_S
    return round(seconds, 2)
