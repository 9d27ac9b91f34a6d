"""What becomes of one row: a lead, or the reason why not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from crm.fields import Field, FieldFault, reader
from crm.importing.plan import Plan
from crm.phones import Normaliser, PhoneFault, time_zone_of

MAX_NAME = 200
PRIORITY_RANGE = range(-1000, 1001)


class LeadRow(NamedTuple):
    """A row that becomes a lead. `fields` as stored. (A tuple: a million of them are made.)"""

    phone_e164: str
    name: str = ""
    alt_phones: tuple[str, ...] = ()
    fields: Mapping[str, Any] = {}
    time_zone: str = ""
    priority: int = 0
    owner_id: int | None = None


@dataclass(frozen=True)
class Rejected:
    """A row that does not. `reason` is a code of `rejects.REASONS`; `column` the index it is about, or None; `detail`
    the field's label or the value."""

    reason: str
    column: int | None = None
    detail: str = ""


class EmptyRow(Exception):
    """Nothing is in the row: it is passed over and not counted as rejected."""


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


class Mapper:
    """Judges rows by a plan. `fields`: definitions by key; `owners`: user name (lower case) → user id."""

    def __init__(self, plan: Plan, fields: Mapping[str, Field], owners: Mapping[str, int], width: int) -> None:
        self._phones = [c.column for c in plan.mapping if c.to == "phone"]
        at = {c.to: c.column for c in plan.mapping}
        self._name, self._priority = at.get("name"), at.get("priority")
        self._owner, self._zone = at.get("owner"), at.get("time_zone")
        self._several = len(self._phones) > 1
        self._fields: list[tuple[int, str, Callable[[str], Any], Field]] = [
            (at[f"field:{key}"], key, reader(f), f) for key, f in fields.items() if f"field:{key}" in at
        ]
        self._unmapped = [f for key, f in fields.items() if f.required and f"field:{key}" not in at]
        self._owners = owners
        self._normaliser = Normaliser(plan.country)
        self._fast = self._normaliser.e164
        self._width = max(width, *(c.column + 1 for c in plan.mapping))

    def judge(self, row: list[str]) -> LeadRow | Rejected:
        """The lead of `row`, or why it is rejected. Raises EmptyRow if all cells are blank."""
        if len(row) < self._width:
            row = row + [""] * (self._width - len(row))
        elif len(row) > self._width and any(c.strip() for c in row[self._width :]):
            return Rejected("too_many_columns", self._width, row[self._width][:100])
        phone = self._fast(row[self._phones[0]].strip())
        alternates: tuple[str, ...] = ()
        if phone is None or self._several:
            phones, fault, where = self._read_phones(row)
            if not phones:
                if not any(c.strip() for c in row):
                    raise EmptyRow
                return Rejected(fault or PhoneFault.MISSING, where, row[where].strip()[:100])
            phone, alternates = phones[0], tuple(phones[1:])
        name = row[self._name].strip() if self._name is not None else ""
        if len(name) > MAX_NAME:
            return Rejected("name_too_long", self._name, name[:100])
        values: dict[str, Any] = {}
        for column, key, read, f in self._fields:
            text = row[column].strip()
            if text:
                try:
                    values[key] = read(text)
                except FieldFault as wrong:
                    return Rejected(wrong.code, column, f.label)
            elif f.required:
                return Rejected("field_required", column, f.label)
        if self._unmapped:
            return Rejected("field_required", None, self._unmapped[0].label)
        zone = time_zone_of(phone)
        if self._zone is not None:
            given = row[self._zone].strip()
            if given and given not in _zones():
                return Rejected("time_zone_unknown", self._zone, given[:100])
            zone = given or zone
        priority, owner = 0, None
        if self._priority is not None:
            text = row[self._priority].strip()
            if text:
                try:
                    priority = int(text.removesuffix(".0"))
                except ValueError:
                    priority = PRIORITY_RANGE.stop
                if not -1000 <= priority <= 1000:
                    return Rejected("priority_not_number", self._priority, text[:100])
        if self._owner is not None:
            text = row[self._owner].strip()
            if text:
                owner = self._owners.get(text.casefold())
                if owner is None:
                    return Rejected("owner_unknown", self._owner, text[:100])
        return LeadRow(phone, name, alternates, values, zone, priority, owner)

    def _read_phones(self, row: list[str]) -> tuple[list[str], PhoneFault | None, int]:
        """Valid numbers of the row, each once; the first fault and its column."""
        phones: list[str] = []
        fault: PhoneFault | None = None
        where = self._phones[0]
        for column in self._phones:
            text = row[column].strip()
            if not text:
                continue
            phone = self._normaliser.read(text)
            if phone.fault is None:
                if phone.e164 not in phones:
                    phones.append(phone.e164)
            elif fault is None and phone.fault is not PhoneFault.MISSING:
                fault, where = phone.fault, column
        return phones, fault, where
