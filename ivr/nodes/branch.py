"""Branch: the first case that holds is the way; otherwise "otherwise"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, ClassVar, Final

from ivr import state
from ivr.expressions import BadExpression, CannotCompute, parse, truth
from ivr.state import Run
from ivr.verb import Kind, Verb, Way, Wrong, setting

OTHERWISE: Final = "otherwise"
KINDS: Final = (
    "expression", "calendar", "time", "weekday", "date", "queue_length", "agents_on", "known", "vip", "repeated",
    "dialed",
)  # fmt: skip
HOURS: Final = ("open", "closed", "holiday")
_SIGNS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, "==": operator.eq, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One case: its `name` is the way. What it asks, by `kind`:

    expression    `expression` is true
    calendar      `calendar` is `hours` (open, closed: holidays too, holiday)
    time          the enterprise's clock is at or after `begin` and before `end` (HH:MM; over midnight if end ≤ begin)
    weekday       today is in `days` (1 is Monday)
    date          today is from `first` to `last` (YYYY-MM-DD, both included)
    queue_length  the number of callers waiting in `queue` is `sign` `number`
    agents_on     the number of agents signed on to `queue` is `sign` `number`
    known, vip    the caller is a customer or lead; one of them is a VIP
    repeated      the caller has called us `number` times or more in the last 24 hours, before this call
    dialed        the number that was dialed is one of `numbers` (or begins with it)
    """

    name: str = ""
    kind: str = setting(Kind.CHOICE, "expression", choices=KINDS)
    expression: str = setting(Kind.EXPRESSION, "", when=("kind", "expression"))
    calendar: int | None = setting(Kind.CALENDAR, None, when=("kind", "calendar"))
    hours: str = setting(Kind.CHOICE, "open", choices=HOURS, when=("kind", "calendar"))
    begin: str = setting(Kind.TIME, "09:00", when=("kind", "time"))
    end: str = setting(Kind.TIME, "18:00", when=("kind", "time"))
    days: tuple[int, ...] = setting(Kind.WEEKDAYS, (1, 2, 3, 4, 5), when=("kind", "weekday"))
    first: str = setting(Kind.DATE, "", when=("kind", "date"))
    last: str = setting(Kind.DATE, "", when=("kind", "date"))
    queue: int | None = setting(Kind.QUEUE, None, when=("kind", "queue_length,agents_on"))
    sign: str = setting(Kind.CHOICE, ">=", choices=tuple(_SIGNS), when=("kind", "queue_length,agents_on"))
    number: int = setting(Kind.INTEGER, 1, low=0, high=100_000, when=("kind", "queue_length,agents_on,repeated"))
    numbers: tuple[str, ...] = setting(Kind.NUMBERS, (), when=("kind", "dialed"))

    def holds(self, run: Run) -> bool:
        """Whether it is so just now. An expression that can't be computed is not true."""
        match self.kind:
            case "expression":
                try:
                    return truth(parse(self.expression).value(run.values()))
                except (BadExpression, CannotCompute):
                    return False
            case "calendar":
                hours = run.world.hours(self.calendar or 0, run.now)
                return hours == self.hours or (self.hours == "closed" and hours == "holiday")
            case "time":
                return _between(f"{run.world.local(run.now):%H:%M}", self.begin, self.end)
            case "weekday":
                return run.world.local(run.now).isoweekday() in self.days
            case "date":
                return self.first <= f"{run.world.local(run.now):%Y-%m-%d}" <= self.last
            case "queue_length":
                return _SIGNS[self.sign](run.world.queue_length(self.queue or 0), self.number)
            case "agents_on":
                return _SIGNS[self.sign](run.world.agents_on(self.queue or 0), self.number)
            case "known":
                return bool(state.matches(run.call))
            case "vip":
                return any(m.get("vip") for m in state.matches(run.call))
            case "repeated":
                return int(run.call.caller.get("calls_24h") or 0) >= max(1, self.number)
            case "dialed":
                return bool(self.numbers) and run.call.did.startswith(self.numbers)
        return False

    def complete(self) -> bool:
        """Whether all is filled in that its kind asks for."""
        match self.kind:
            case "calendar":
                return self.calendar is not None and self.hours in HOURS
            case "time":
                return _is_time(self.begin) and _is_time(self.end)
            case "weekday":
                return bool(self.days) and all(1 <= d <= 7 for d in self.days)
            case "date":
                return len(self.first) == len(self.last) == 10 and self.first <= self.last
            case "queue_length" | "agents_on":
                return self.queue is not None and self.sign in _SIGNS
            case "dialed":
                return bool(self.numbers) and all(n.startswith("+") and n[1:].isdigit() for n in self.numbers)
            case "expression":
                return bool(self.expression.strip())
        return self.kind in KINDS


@dataclass(frozen=True)
class Branch(Verb):
    """`cases` in their order. Without one that holds, the way is "otherwise"."""

    name = "branch"
    needs = ()
    ways_from: ClassVar[str] = "cases"

    cases: tuple[Case, ...] = setting(Kind.CASES, (), required=True)

    def ways(self) -> tuple[Way, ...]:
        names = dict.fromkeys(c.name for c in self.cases if c.name and c.name != OTHERWISE)
        return (*(Way(n) for n in names), Way(OTHERWISE))

    def enter(self, run: Run) -> str | None:
        return next((c.name for c in self.cases if c.name and c.holds(run)), OTHERWISE)

    def check(self) -> Iterator[Wrong]:
        """Every case has a name of its own and is filled in."""
        seen: set[str] = {OTHERWISE}
        for place, case in enumerate(self.cases, 1):
            where = f"cases.{place - 1}"
            name = case.name or str(place)
            if not case.name or not case.complete():
                yield Wrong("bad_case", {"name": name}, where)
            elif case.kind == "expression":
                try:
                    parse(case.expression)
                except BadExpression as error:
                    yield Wrong("bad_expression", {"reason": str(error)}, where)
            if case.name in seen:
                yield Wrong("same_case", {"name": name}, where)
            seen.add(case.name)

    def expressions(self) -> Iterator[str]:
        yield from (c.expression for c in self.cases if c.kind == "expression")

    def points_at(self) -> Iterator[tuple[Kind, Any, str]]:
        for place, case in enumerate(self.cases):
            if case.kind == "calendar":
                yield Kind.CALENDAR, case.calendar, f"cases.{place}"
            if case.kind in ("queue_length", "agents_on"):
                yield Kind.QUEUE, case.queue, f"cases.{place}"


def _between(clock: str, begin: str, end: str) -> bool:
    return begin <= clock < end if begin < end else clock >= begin or clock < end


def _is_time(text: str) -> bool:
    try:
        return len(text) == 5 and bool(time.fromisoformat(text) or True)
    except ValueError:
        return text == "24:00"
