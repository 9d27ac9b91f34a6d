"""What a verb works with: the call's place in its menu, and the answers that are being gathered for this turn.

The place is plain data in `call.run`, so that a successor of a dead engine goes on where the caller is:

    flow_id, version, name    the menu
    doc, tried                its graph, if it is a draft; that somebody tries one out, which counts in no figures
    node, entered_at          where the call is and since when (seconds since the epoch)
    language, chosen          what is spoken; whether the caller (or a node) chose it
    variables                 name → text, number or truth
    tries, collected, stage   of the present node
    ahead                     keys pressed before they were asked for
    steps                     nodes passed since the caller last did something
    playing, timer, serial    name of what is heard; whether the timer is set; a number that makes names unique
    done                      the call has left the menu
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.destination import Destination
from ivr import prompts as p
from ivr.verb import Prompts

TIMER = "ivr"
PLAY_MAX_S = 300.0  # no prompt is longer: the word that one has ended was lost
AHEAD_MAX = 32
VARIABLES_MAX = 200
VALUE_MAX = 2000  # characters of one variable
PATH_MAX = 40


class World(Protocol):
    """What menus ask about besides the call. All are answers of this moment, without delay."""

    def local(self, now: float) -> datetime:
        """`now` on the enterprise's wall clock."""

    def hours(self, calendar_id: int, now: float) -> str:
        """open, closed or holiday (`numbers.calendar.Opening`); open if there is no such calendar."""

    def queue_length(self, queue_id: int) -> int:
        """How many wait in the queue; 0 if there is none."""

    def agents_on(self, queue_id: int) -> int:
        """How many of the queue's agents are signed on, busy or not; 0 if there is none."""


class Run:
    """One turn of a call in a menu. Verbs read the call and the world, and gather answers here."""

    def __init__(self, call: Call, world: World, now: float) -> None:
        self.call, self.world, self.now = call, world, now
        self.answers: list[c.Answer] = []
        self.data: dict[str, Any] = call.run
        self.final: c.Answer | None = None  # with what the call leaves the menu
        self.jump: int | None = None  # the menu that it goes on in
        self.title = ""  # of the present node
        self.node = ""

    # ------------------------------------------------------------------------------------------------- what is heard

    def play(self, prompts: Prompts, *, loop: bool = False) -> bool:
        """Play to the caller in his language; False if there is nothing to play."""
        return self.play_all(p.chosen(prompts, self.language), loop=loop)

    def play_all(self, prompts: Iterable[str], *, loop: bool = False) -> bool:
        """Play these, one after the other; False if nothing is left of them."""
        said = tuple(s for one in prompts if (s := p.resolve(one, self.language, self.values())))
        if not said:
            return False
        self.data["playing"] = self.unique()
        self.answers.append(c.Play(self.data["playing"], said, loop))
        self.wait(PLAY_MAX_S)
        return True

    def chosen(self, prompts: Prompts) -> tuple[str, ...]:
        """Those for the caller's language."""
        return p.chosen(prompts, self.language)

    def unique(self) -> str:
        """A name for something asked for, so that a late word of an earlier one is known as such."""
        self.data["serial"] += 1
        return f"{self.node}#{self.data['serial']}"

    def ended(self, turn: c.Turn) -> bool:
        """Whether `turn` says that what plays has come to its end (or that no word of it came)."""
        if not self.data["playing"]:
            return False
        over = isinstance(turn, c.TimerFired) or (isinstance(turn, c.Played) and turn.name == self.data["playing"])
        if over:
            self.data["playing"] = ""
        return over

    @property
    def playing(self) -> bool:
        """Whether the caller hears something."""
        return bool(self.data["playing"])

    def hush(self) -> None:
        """Stop what plays."""
        if self.data["playing"]:
            self.data["playing"] = ""
            self.answers.append(c.StopPlay())

    def wait(self, after_s: float) -> None:
        """Ask again in `after_s` seconds, whatever the timer was before."""
        self.data["timer"] = True
        self.answers.append(c.Timer(TIMER, after_s))

    def rest(self) -> None:
        """No timer any more."""
        if self.data["timer"]:
            self.data["timer"] = False
            self.answers.append(c.CancelTimer(TIMER))

    # ------------------------------------------------------------------------------------------------- what is known

    @property
    def language(self) -> str:
        """In which the caller is spoken to."""
        return str(self.data["language"])

    def speak(self, language: str) -> None:
        """Another language from now on, chosen on the way: a later menu keeps it."""
        self.data["language"], self.data["chosen"] = language, True
        self.answers.append(c.SetLanguage(language))

    def values(self) -> Mapping[str, object]:
        """All variables, those of the call too."""
        return {**of_call(self.call, self.language), **self.data["variables"]}

    def put(self, name: str, value: object) -> None:
        """Set a variable. Too long a text is cut; beyond the greatest number of variables a new one is not kept."""
        variables = self.data["variables"]
        if not name or (name not in variables and len(variables) >= VARIABLES_MAX):
            return
        variables[name] = value[:VALUE_MAX] if isinstance(value, str) else value

    def fill(self, template: str) -> str:
        """`template` with its {variables} filled in."""
        return p.fill(template, self.values())

    # -------------------------------------------------------------------------------------------- what the caller did

    def acted(self) -> None:
        """The caller did something: he is there, and the menu may go on with him as long as he likes."""
        self.data["steps"] = 0

    def ahead(self) -> str:
        """The next key that was pressed before it was asked for; empty if there is none."""
        keys = str(self.data["ahead"])
        self.data["ahead"] = keys[1:]
        return keys[:1]

    def press_ahead(self, key: str) -> None:
        """Keep a key for the node that will ask for it."""
        self.data["ahead"] = (self.data["ahead"] + key)[:AHEAD_MAX]
        self.acted()

    # ---------------------------------------------------------------------------------------------- what others see

    @property
    def tried(self) -> bool:
        """Whether somebody tries out a draft: what he does and answers does not count."""
        return bool(self.data["tried"])

    def show(self, label: str, value: str) -> None:
        """Show it to the agent."""
        self.answers.append(c.Show({label: value}))

    def tell(self, fact: object) -> None:
        """A fact for the stream."""
        self.answers.append(c.Tell(fact))

    def passed(self, words: str) -> None:
        """A step of the path that the agent sees, in words."""
        if words and len(self.call.path) < PATH_MAX:
            self.call.path.append(words)

    # ------------------------------------------------------------------------------------------------ leaving the menu

    def hand_over(self, to: Destination, data: Mapping[str, Any] | None = None) -> None:
        """The call goes on there, once the node has been left."""
        self.final = c.HandOver(to, dict(data or {}))

    def hang_up(self) -> None:
        """The call ends, once the node has been left."""
        self.final = c.HangUp()


def fresh(variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The state of a call that comes into a menu."""
    return {
        "flow_id": 0, "version": 0, "name": "", "node": "", "entered_at": 0.0, "language": "en", "chosen": False,
        "variables": dict(variables or {}), "tried": False, "tries": 0, "collected": "", "stage": "", "ahead": "",
        "steps": 0, "playing": "", "timer": False, "serial": 0, "done": False,
    }  # fmt: skip


OF_CALL = (
    "caller", "dialed", "language", "caller_name", "caller_company", "caller_grade", "caller_vip", "caller_known",
    "caller_customer", "calls_24h",
)  # fmt: skip


def of_call(call: Call, language: str) -> dict[str, object]:
    """The variables that every call has: the names in OF_CALL."""
    first = next(iter(matches(call)), {})
    return {
        "caller": call.number,
        "dialed": call.did,
        "language": language,
        "caller_name": str(first.get("name") or ""),
        "caller_company": str(first.get("company") or ""),
        "caller_grade": str(first.get("grade") or ""),
        "caller_vip": any(m.get("vip") for m in matches(call)),
        "caller_known": bool(matches(call)),
        "caller_customer": first.get("customer_id") or "",
        "calls_24h": int(call.caller.get("calls_24h") or 0),
    }


def matches(call: Call) -> list[Mapping[str, Any]]:
    """Customers and leads with the caller's number, the best first (`numbers.caller.Match` as plain data)."""
    found = call.caller.get("matches") or ()
    return [m for m in found if isinstance(m, Mapping)]
