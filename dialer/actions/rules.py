"""Calling rules: when and how often a number may be called."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from sqlalchemy import select
from sqlalchemy import update as sql_update
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.compliance.models import RuleSet
from callcenter.errors import Conflict, InvalidInput
from dialer.models import Campaign

ENTITY = "rule_set"
SETTABLE = frozenset(
    {
        "name", "country", "is_default", "windows", "holidays", "attempts_24h", "attempts_30d", "abandoned_lockout_h",
        "min_ring_s", "text_windows", "texts_24h", "texts_30d",
    }
)  # fmt: skip
_TAKEN = {"uq_rule_set_tenant_id_name": ("name", "rule_set.name_taken")}


class InUse(Conflict):
    """Campaigns follow it (`params["campaigns"]`), or it is the default."""

    code = "rule_set.in_use"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> RuleSet:
    """A new rule set. Raises InvalidInput naming the window that does not fit."""
    row = RuleSet()
    _set(session, row, values)
    session.add(row)
    records.flush(session, _TAKEN)
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    return row


def update(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> RuleSet:
    """Change it; what is dialed from now on is judged by it. There is always one default."""
    row = records.find(session, RuleSet, row_id, lock=True)
    before = records.content(row)
    if row.is_default and changes.get("is_default") is False:
        raise InvalidInput(
            "Make another rule set the default instead.", code="rule_set.default_needed",
            fields={"is_default": "Make another rule set the default instead."},
        )  # fmt: skip
    _set(session, row, changes)
    records.flush(session, _TAKEN)
    records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=records.content(row))
    return row


def delete(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it. Raises InUse for the default one and for one that a campaign follows."""
    row = records.find(session, RuleSet, row_id, lock=True)
    if row.is_default:
        raise InUse("This is the default. Make another rule set the default first.", code="rule_set.is_default")
    users = sorted(session.scalars(select(Campaign.name).where(Campaign.rule_set_id == row_id)))
    if users:
        raise InUse("Campaigns follow these rules. Choose others there first.", params={"campaigns": users})
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, row_id, name=row.name, before=before)


def check_windows(windows: Sequence[Mapping[str, Any]], field: str = "windows") -> None:
    """Windows are {days: [1–7], from: "HH:MM", to: "HH:MM"}, open before they close, and none overlaps another on
    a day. Raises InvalidInput on `<field>.<index>`."""
    spans: list[tuple[int, str, str, int]] = []
    for i, window in enumerate(windows):
        begin, end = str(window["from"]), str(window["to"])
        if end != "24:00":
            _time(end, f"{field}.{i}.to")
        _time(begin, f"{field}.{i}.from")
        if begin >= end:
            raise _wrong(f"{field}.{i}.to", "A window closes after it opens.", "rule_set.window_backwards")
        spans += [(day, begin, end, i) for day in window["days"]]
    spans.sort()
    for (day, _, end, _), (other_day, begin, _, i) in itertools.pairwise(spans):
        if day == other_day and begin < end:
            raise _wrong(f"{field}.{i}.from", "Two windows of one day overlap.", "rule_set.windows_overlap")


def _set(session: Session, row: RuleSet, values: Mapping[str, Any]) -> None:
    check_windows(values.get("windows", ()))
    check_windows(values.get("text_windows", ()), "text_windows")
    for i, day in enumerate(values.get("holidays", ())):
        try:
            date.fromisoformat(day)
        except ValueError as error:
            raise _wrong(f"holidays.{i}", "Give a date like 2026-10-01.", "rule_set.bad_date") from error
    if values.get("is_default"):
        session.execute(sql_update(RuleSet).where(RuleSet.is_default).values(is_default=False))
    records.put(row, values, SETTABLE)


def _time(text: str, field: str) -> None:
    try:
        if len(text) != 5:
            raise ValueError(text)
        time.fromisoformat(text)
    except ValueError as error:
        raise _wrong(field, "Give a time like 09:00.", "rule_set.bad_time") from error


def _wrong(field: str, sentence: str, code: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, fields={field: sentence})
