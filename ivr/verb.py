"""What every verb of a menu is made of: settings that describe themselves, ways out, and what happens in a call.

A verb is a frozen dataclass of settings (`nodes/<verb>.py`), read from a node's `settings` by `read`. Each field is
declared with `setting(...)`, so that the editor draws its form, and validation checks it, from the same words.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from callcenter import wire
from callcenter.calls.control import Turn

if TYPE_CHECKING:
    from ivr.state import Run

LANGUAGES = ("en", "zh")
ANY = "any"  # key of a text or prompt that is for every language
KEYS = "1234567890*#"
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,39}")

Texts = Mapping[str, str]  # language or ANY → text; {variables} are filled in
Prompts = Mapping[str, tuple[str, ...]]  # language or ANY → prompts, one after the other; see `ivr.prompts`


class Kind(StrEnum):
    """What a setting holds, and with which control the editor asks for it. The value's shape in JSON is behind it."""

    TEXT = "text"  # string, one line
    TEMPLATE = "template"  # string in which {variables} are filled in
    TEXTS = "texts"  # {language or "any": template}
    PROMPTS = "prompts"  # {language or "any": [prompt, …]}
    SECONDS = "seconds"  # number
    INTEGER = "integer"  # whole number
    FLAG = "flag"  # true or false
    CHOICE = "choice"  # one of `choices`
    KEYS = "keys"  # {key: label}: each key is a way out, or an answer
    STOP_KEYS = "stop_keys"  # string of keys
    PATTERN = "pattern"  # regular expression (`ivr.patterns`)
    VARIABLE = "variable"  # name of a variable
    EXPRESSION = "expression"  # `ivr.expressions`
    ASSIGNMENTS = "assignments"  # [{variable, expression}, …]
    CASES = "cases"  # [{name, kind, …}, …]: each is a way out (`nodes.branch`)
    HEADERS = "headers"  # {name: template}
    FIELDS = "fields"  # {variable: path in the JSON answer}
    SKILLS = "skills"  # {skill: level 1–10}
    NUMBER = "number"  # E.164, or a template
    QUEUE = "queue"  # id
    FLOW = "flow"  # id
    AGENT = "agent"  # id of a user
    CALENDAR = "calendar"  # id
    TIME = "time"  # "HH:MM"
    DATE = "date"  # "YYYY-MM-DD"
    WEEKDAYS = "weekdays"  # [1 … 7], 1 is Monday
    NUMBERS = "numbers"  # ["+86…", …], or what numbers begin with


class Need(StrEnum):
    """What a verb needs of the call it runs in."""

    AUDIO = "audio"  # an answered call that hears us
    KEYS = "keys"  # a caller with a keypad
    VOICE = "voice"  # we record the caller
    OUTSIDE = "outside"  # another system is asked


class Severity(StrEnum):
    ERROR = "error"  # can't be published
    WARNING = "warning"


@dataclass(frozen=True)
class Way:
    """A way out of a node. `required`: it must lead somewhere; one that need not and does not is taken as "next" is,
    or ends the call. `by_caller`: taken only by what the caller did, so that a loop over it is his own wish."""

    name: str
    label: str = ""
    required: bool = True
    by_caller: bool = False


@dataclass(frozen=True)
class Wrong:
    """What a verb finds wrong with its own settings: `code` is a key of `findings.TEXTS`, `where` the setting."""

    code: str
    params: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    severity: Severity = Severity.ERROR


def setting(
    kind: Kind,
    default: Any = MISSING,
    *,
    required: bool = False,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    unit: str = "",
    when: tuple[str, str] | None = None,
) -> Any:
    """A field of a verb. `required`: empty is an error. `low`, `high`: of a number, or of a text's length. `when`:
    (other field, values with commas): the field matters only then. A mutable `default` is copied for each."""
    metadata = {
        "kind": kind, "required": required, "low": low, "high": high, "choices": tuple(choices), "unit": unit,
        "when": when,
    }  # fmt: skip
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Verb(ABC):
    """Base of all verbs. `ends`: the call leaves the menu in this node, by no way."""

    name: ClassVar[str] = ""
    needs: ClassVar[tuple[Need, ...]] = (Need.AUDIO,)
    ends: ClassVar[bool] = False
    ways_from: ClassVar[str] = ""  # the field whose entries are ways too

    def ways(self) -> tuple[Way, ...]:
        """The ways out that these settings make."""
        return (Way("next"),)

    @abstractmethod
    def enter(self, run: Run) -> str | None:
        """The call comes into the node. Gives the way to leave it by at once; None: it waits for a turn, and a timer
        is set or a prompt plays, so that the turn will come."""

    def on(self, run: Run, turn: Turn) -> str | None:
        """A turn while the call is in the node: a way out, or None to stay."""
        return None

    def resume(self, run: Run) -> str | None:
        """As `on`, after an engine took up the call of one that died: nothing plays any more and no timer is set."""
        return self.enter(run)

    def check(self) -> Iterator[Wrong]:
        """What is wrong that the declarations of the fields can't tell."""
        return iter(())

    def expressions(self) -> Iterator[str]:
        """The expressions in the settings."""
        return iter(())

    def points_at(self) -> Iterator[tuple[Kind, Any, str]]:
        """What the settings point at: (kind, id, field)."""
        for one in fields(self):
            if one.metadata["kind"] in (Kind.QUEUE, Kind.FLOW, Kind.AGENT, Kind.CALENDAR):
                yield one.metadata["kind"], getattr(self, one.name), one.name

    def templates(self) -> Iterator[str]:
        """The texts in the settings that variables are filled into."""
        for one in fields(self):
            value = getattr(self, one.name)
            match one.metadata["kind"]:
                case Kind.TEMPLATE | Kind.NUMBER:
                    yield value
                case Kind.TEXTS | Kind.HEADERS:
                    yield from value.values()
                case Kind.PROMPTS:
                    yield from (p for ps in value.values() for p in ps)

    def sets(self) -> Iterator[str]:
        """Names of the variables that it sets."""
        for one in fields(self):
            value = getattr(self, one.name)
            match one.metadata["kind"]:
                case Kind.VARIABLE if value:
                    yield value
                case Kind.FIELDS:
                    yield from value


def read(kind: type[Verb], settings: Mapping[str, Any]) -> Verb:
    """A node's settings as its verb. Settings that the verb does not know are passed over. Raises
    msgspec.ValidationError naming what does not fit."""
    return wire.convert(settings, kind)


def described(kind: type[Verb]) -> dict[str, Any]:
    """The verb for the editor's palette, as plain data."""
    blank = kind()
    return {
        "verb": kind.name,
        "needs": [n.value for n in kind.needs],
        "ends": kind.ends,
        "ways_from": kind.ways_from,
        "ways": [asdict(w) for w in blank.ways()],
        "settings": form(blank),
    }


def form(blank: Any) -> list[dict[str, Any]]:
    """The declared fields of `blank`, whose values are the defaults."""
    return [
        {
            "name": f.name,
            "kind": f.metadata["kind"].value,
            "default": wire.plain(getattr(blank, f.name)),
            "required": f.metadata["required"],
            "low": f.metadata["low"],
            "high": f.metadata["high"],
            "choices": list(f.metadata["choices"]),
            "unit": f.metadata["unit"],
            "when": _when(f.metadata["when"]),
        }
        for f in fields(blank)
        if "kind" in f.metadata
    ]


def _when(when: tuple[str, str] | None) -> dict[str, Any] | None:
    return None if when is None else {"field": when[0], "values": when[1].split(",")}
