"""Where a call to one of our numbers goes: rules about the caller in their order, then the calendar. Pure.

A rule that names a person who is not on shift does not fit, and the next one is tried; a rule that only raises the
priority or names whom the queue should prefer goes on to the next as well. So every call at every instant has exactly
one answer, and `reason` says which rule or which part of the calendar gave it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum

from callcenter.calls.destination import Destination, DestinationKind
from callcenter.numbers.calendar import CalendarDoc, Hours, Opening, hours_at
from callcenter.numbers.caller import Caller, Match

REFUSE = Destination(DestinationKind.REFUSE)
HANG_UP = Destination(DestinationKind.HANG_UP)


class When(StrEnum):
    """Of which callers a rule speaks."""

    VIP = "vip"  # a match is a VIP
    KNOWN = "known"  # there is a customer or lead with this number
    BLACKLISTED = "blacklisted"
    REPEATED = "repeated"  # there was a call with this number within the rule's `within_min`
    PREFIX = "prefix"  # the number begins with one of the rule's `prefixes`
    ANONYMOUS = "anonymous"  # no number
    ANY = "any"


class Then(StrEnum):
    """What becomes of the call."""

    OWNER = "owner"  # to the owner of the customer, if on shift
    LAST_AGENT = "last_agent"  # to who spoke with the caller last, if on shift
    DESTINATION = "destination"  # to the rule's `to`
    REFUSE = "refuse"
    PRIORITY = "priority"  # `priority` is added, and the next rule is tried


class During(StrEnum):
    """At which hours of the number's calendar a rule holds."""

    ALWAYS = "always"
    OPEN = "open"
    CLOSED = "closed"  # holidays too


@dataclass(frozen=True)
class Rule:
    """One row of a number's rules. `priority` is added whenever the rule fits (OWNER and LAST_AGENT: on shift or
    not)."""

    when: When
    then: Then
    during: During = During.ALWAYS
    within_min: int = 0
    prefixes: tuple[str, ...] = ()
    to: Destination | None = None
    priority: int = 0


@dataclass(frozen=True)
class NumberDoc:
    """The document "number": a DID. `calendar_id` None: always open. `record`: always, on_demand, never, or empty: as
    the queue says. `trunk_ids` it may come in on; empty: on any of the enterprise's."""

    id: int
    e164: str
    name: str
    open_to: Destination
    closed_to: Destination = HANG_UP
    holiday_to: Destination | None = None  # None: as when closed
    rules: tuple[Rule, ...] = ()
    calendar_id: int | None = None
    language: str = "en"
    record: str = ""
    enabled: bool = True
    trunk_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Routed:
    """`reason`: disabled, rule:<its place from 1>, open, closed, holiday. `day_name`: of the holiday or special day.
    `priority` is for a queue, higher is sooner; `sticky_agent` whom a queue should prefer."""

    destination: Destination
    reason: str
    language: str
    priority: int = 0
    sticky_agent: int | None = None
    hours: Opening = Opening.OPEN
    day_name: str = ""


def route(
    number: NumberDoc,
    calendars: Mapping[int, CalendarDoc],
    caller: Caller,
    now: float,
    zone: str,
    *,
    on_shift: Container[int],
) -> Routed:
    """Where the call goes at `now` (seconds since the epoch). `zone` is the enterprise's time zone, `on_shift` the
    users who are signed on as agents. A calendar that is gone counts as open."""
    calendar = calendars.get(number.calendar_id) if number.calendar_id is not None else None
    hours = hours_at(calendar, now, zone) if calendar is not None else Hours(Opening.OPEN)
    if not number.enabled:
        return Routed(REFUSE, "disabled", number.language, 0, None, hours.state, hours.day_name)
    priority, sticky = 0, None
    for place, rule in enumerate(number.rules, 1):
        who = _fitting(rule, caller, hours.state, now)
        if who is None:
            continue
        priority += rule.priority
        target: Destination | None = None
        if rule.then in (Then.OWNER, Then.LAST_AGENT):
            agent = _owner(who) if rule.then is Then.OWNER else caller.last_agent_id
            if agent is not None:
                sticky = agent if sticky is None else sticky
                target = Destination(DestinationKind.AGENT, agent) if agent in on_shift else None
        elif rule.then is Then.REFUSE:
            target = REFUSE
        elif rule.then is Then.DESTINATION:
            target = rule.to
        if target is not None:
            return Routed(target, f"rule:{place}", number.language, priority, sticky, hours.state, hours.day_name)
    by_hours = {
        Opening.OPEN: number.open_to,
        Opening.CLOSED: number.closed_to,
        Opening.HOLIDAY: number.holiday_to or number.closed_to,
    }
    return Routed(
        by_hours[hours.state], hours.state.value, number.language, priority, sticky, hours.state, hours.day_name
    )


def _fitting(rule: Rule, caller: Caller, hours: Opening, now: float) -> tuple[Match, ...] | None:
    """The matches that `rule` speaks of, or None if it does not fit this call."""
    if rule.during is During.OPEN and hours is not Opening.OPEN:
        return None
    if rule.during is During.CLOSED and hours is Opening.OPEN:
        return None
    match rule.when:
        case When.VIP:
            return tuple(m for m in caller.matches if m.vip) or None
        case When.KNOWN:
            return caller.matches or None
        case When.BLACKLISTED:
            fits = caller.blacklisted
        case When.REPEATED:
            fits = caller.last_call_at is not None and 0 <= now - caller.last_call_at <= rule.within_min * 60
        case When.PREFIX:
            fits = bool(caller.number) and caller.number.startswith(rule.prefixes)
        case When.ANONYMOUS:
            fits = not caller.number
        case When.ANY:
            fits = True
    return caller.matches if fits else None


def _owner(matches: tuple[Match, ...]) -> int | None:
    return next((m.owner_id for m in matches if m.owner_id is not None), None)
