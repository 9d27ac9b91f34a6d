"""Set: variables are given values, computed from others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ivr.expressions import BadExpression, CannotCompute, parse
from ivr.state import Run
from ivr.verb import VARIABLE, Kind, Verb, Way, Wrong, setting


@dataclass(frozen=True)
class Assignment:
    """`variable` becomes what `expression` comes to."""

    variable: str = ""
    expression: str = ""


@dataclass(frozen=True)
class Set(Verb):
    """`assignments` one after the other. If one can't be computed (a text where a number is wanted), those before it
    hold and the way is "error", or "next" if that leads nowhere. `show`: the agent sees the variables."""

    name = "set"
    needs = ()

    assignments: tuple[Assignment, ...] = setting(Kind.ASSIGNMENTS, (), required=True)
    show: bool = setting(Kind.FLAG, False)

    def ways(self) -> tuple[Way, ...]:
        return Way("next"), Way("error", required=False)

    def enter(self, run: Run) -> str | None:
        for one in self.assignments:
            try:
                run.put(one.variable, parse(one.expression).value(run.values()))
            except (BadExpression, CannotCompute):
                return "error"
            if self.show:
                run.show(one.variable, run.fill(f"{{{one.variable}}}"))
        return "next"

    def check(self) -> Iterator[Wrong]:
        """Every variable has a name, every expression can be read."""
        for place, one in enumerate(self.assignments):
            where = f"assignments.{place}"
            if not VARIABLE.fullmatch(one.variable):
                yield Wrong("bad_variable", {"value": one.variable}, where)
            try:
                parse(one.expression)
            except BadExpression as error:
                yield Wrong("bad_expression", {"reason": str(error)}, where)

    def expressions(self) -> Iterator[str]:
        yield from (a.expression for a in self.assignments)

    def sets(self) -> Iterator[str]:
        yield from (a.variable for a in self.assignments)
