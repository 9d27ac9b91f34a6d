"""What a number's and a calendar's settings must be, checked before they are kept; each fault names its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any, Final
from zoneinfo import available_timezones

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from callcenter.calls.destination import DestinationKind
from callcenter.db.base import Base
from callcenter.errors import InvalidInput
from callcenter.numbers.documents import minute_of
from callcenter.numbers.routing import Then, When

E164: Final = re.compile(r"\+[1-9]\d{4,14}")
PREFIX: Final = re.compile(r"\+[1-9]\d{0,14}")
MOST_DAYS: Final = 366
# Kind of a destination → the table that its id is of, by name: menus lie above this package.
TABLES: Final = {
    DestinationKind.MENU: "flow",
    DestinationKind.QUEUE: "queue",
    DestinationKind.AGENT: "user_account",
    DestinationKind.VOICEMAIL: "user_account",
}
_ABOUT_A_PERSON = (When.VIP, When.KNOWN, When.REPEATED, When.ANY)


def wrong(field: str, sentence: str, code: str = "invalid_input") -> InvalidInput:
    """The error of one field."""
    return InvalidInput(sentence, code=code, fields={field: sentence})


def destination(session: Session, given: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A destination as it is kept: its kind, and the id or number that the kind wants. Raises InvalidInput."""
    kind = DestinationKind(given["kind"])
    if kind is DestinationKind.NUMBER:
        number = str(given.get("number") or "").strip()
        if not E164.fullmatch(number):
            raise wrong(field, "Write the number with country code, like +8613800001234.", "number_not_e164")
        return {"kind": kind.value, "number": number}
    if kind not in TABLES:
        return {"kind": kind.value}
    row_id = given.get("id")
    if row_id is None and kind is DestinationKind.VOICEMAIL:
        return {"kind": kind.value}
    if row_id is None:
        raise wrong(field, "Choose where the call goes.", "destination_missing")
    if not _exists(session, TABLES[kind], row_id):
        raise wrong(field, "This does not exist any more. Choose again.", "unknown_choice")
    return {"kind": kind.value, "id": row_id}


def rules(session: Session, given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A number's rules as they are kept: of each only what its kind uses. Raises InvalidInput."""
    out = []
    for i, rule in enumerate(given):
        when, then, field = When(rule["when"]), Then(rule["then"]), f"rules.{i}"
        kept: dict[str, Any] = {"when": when.value, "then": then.value, "during": rule.get("during", "always")}
        if when is When.PREFIX:
            kept["prefixes"] = [str(p).strip() for p in rule.get("prefixes") or ()]
            if not kept["prefixes"]:
                raise wrong(field, "Give the beginnings of the numbers, like +8621.", "prefixes_missing")
            if any(not PREFIX.fullmatch(p) for p in kept["prefixes"]):
                raise wrong(field, "Write beginnings with country code, like +8621.", "trunk.bad_prefix")
        if when is When.REPEATED:
            kept["within_min"] = int(rule.get("within_min") or 0)
            if kept["within_min"] < 1:
                raise wrong(field, "Say within how many minutes.", "minutes_missing")
        if then in (Then.OWNER, Then.LAST_AGENT) and when not in _ABOUT_A_PERSON:
            raise wrong(
                field, "Of these callers nobody is known to be in charge. Choose a place.", "rule_without_person"
            )
        if then is Then.DESTINATION:
            if not rule.get("to"):
                raise wrong(field, "Choose where the call goes.", "destination_missing")
            kept["to"] = destination(session, rule["to"], field)
        kept["priority"] = int(rule.get("priority") or 0) if then is not Then.REFUSE else 0
        if then is Then.PRIORITY and kept["priority"] < 1:
            raise wrong(field, "Say how much sooner, from 1 on.", "priority_missing")
        out.append(kept)
    return out


def week(given: Iterable[Iterable[Mapping[str, Any]]]) -> list[list[dict[str, str]]]:
    """The spans of seven days, in order. Raises InvalidInput."""
    days = [spans(day, f"week.{i}") for i, day in enumerate(given)]
    if len(days) != 7:
        raise wrong("week", "A week has seven days, Monday first.")
    return days


def spans(given: Iterable[Mapping[str, Any]], field: str) -> list[dict[str, str]]:
    """The spans of a day, in order, none over another. Raises InvalidInput."""
    out = [{"from": str(s["from"]), "to": str(s["to"])} for s in given]
    try:
        out.sort(key=lambda s: minute_of(s["from"]))
        ends = [(minute_of(s["from"]), minute_of(s["to"])) for s in out]
    except ValueError as error:
        raise wrong(field, "Write times like 09:00, up to 24:00.", "bad_time") from error
    if any(end <= start for start, end in ends):
        sentence = "The end must be after the beginning. Split a night at 24:00 over two days."
        raise wrong(field, sentence, "hours_backwards")
    if any(after[0] < before[1] for before, after in pairwise(ends)):
        raise wrong(field, "Two times of a day overlap.", "hours_overlap")
    return out


def holidays(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Holidays by date. Raises InvalidInput."""
    out = []
    for i, h in enumerate(given):
        first, last = _date(h["first"]), _date(h.get("last") or h["first"])
        if not 0 <= (last - first).days < MOST_DAYS:
            raise wrong(f"holidays.{i}", "The last day must not be before the first.", "days_backwards")
        name = str(h["name"]).strip()
        yearly = bool(h.get("yearly"))
        out.append({"name": name, "first": first.isoformat(), "last": last.isoformat(), "yearly": yearly})
    return sorted(out, key=lambda h: str(h["first"]))


def special_days(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Days with hours of their own, by date. Raises InvalidInput."""
    out: list[dict[str, Any]] = []
    for i, s in enumerate(given):
        day = _date(s["day"]).isoformat()
        if any(x["day"] == day for x in out):
            raise wrong(f"special_days.{i}", "This day is in the list already.", "day_twice")
        kept = spans(s.get("spans") or (), f"special_days.{i}")
        out.append({"name": str(s["name"]).strip(), "day": day, "spans": kept})
    return sorted(out, key=lambda s: str(s["day"]))


def time_zone(given: str) -> str:
    """An IANA time zone, or empty. Raises InvalidInput."""
    if given and given not in available_timezones():
        raise wrong("time_zone", "There is no such time zone; write one like Asia/Shanghai.", "bad_time_zone")
    return given


def _date(given: date | str) -> date:
    return given if isinstance(given, date) else date.fromisoformat(given)


def _exists(session: Session, table_name: str, row_id: int) -> bool:
    table: Table | None = Base.metadata.tables.get(table_name)
    if table is None:
        return False
    own = table.c.tenant_id == session.info["tenant_id"]
    return session.execute(select(table.c.id).where(own, table.c.id == row_id)).first() is not None
