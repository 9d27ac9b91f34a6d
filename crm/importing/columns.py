"""What becomes of one row: a lead, or the reason why not. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from crm.fields import Field, FieldFault, reader
from crm.importing.plan import Plan
from crm.phones import Normaliser, Phone, PhoneFault, judge, time_zone_of

MAX_NAME = 200
PRIORITY_RANGE = range(-1000, 1001)


@dataclass(frozen=True)
class LeadRow:
    """A row that becomes a lead. `fields` as stored."""

    phone_e164: str
    name: str = ""
    alt_phones: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
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
        self._fields: list[tuple[int, Field, Callable[[str], Any]]] = [
            (at[f"field:{key}"], f, reader(f)) for key, f in fields.items() if f"field:{key}" in at
        ]
        self._unmapped = [f for key, f in fields.items() if f.required and f"field:{key}" not in at]
        self._owners = owners
        self._normaliser = Normaliser(plan.country)
        self._width = width

    def judge(self, row: Sequence[str]) -> LeadRow | Rejected:
        """The lead of `row`, or why it is rejected. Raises EmptyRow if all cells are blank."""
        size = len(row)
        if size > self._width and any(c.strip() for c in row[self._width :]):
            return Rejected("too_many_columns", self._width, row[self._width][:100])
        phones, fault, where = self._read_phones(row)
        if not phones:
            if not any(c.strip() for c in row):
                raise EmptyRow
            return Rejected(fault or PhoneFault.MISSING, where, row[where][:100] if where < size else "")
        name = row[self._name].strip() if self._name is not None and self._name < size else ""
        if len(name) > MAX_NAME:
            return Rejected("name_too_long", self._name, name[:100])
        values: dict[str, Any] = {}
        for column, f, read in self._fields:
            text = row[column].strip() if column < size else ""
            if text:
                try:
                    values[f.key] = read(text)
                except FieldFault as wrong:
                    return Rejected(wrong.code, column, f.label)
            elif f.required:
                return Rejected("field_required", column, f.label)
        if self._unmapped:
            return Rejected("field_required", None, self._unmapped[0].label)
        zone = time_zone_of(phones[0])
        priority, owner = 0, None
        if self._priority is not None or self._owner is not None or self._zone is not None:
            rest = self._read_rest(row)
            if isinstance(rest, Rejected):
                return rest
            given_zone, priority, owner = rest
            zone = given_zone or zone
        return LeadRow(phones[0], name, tuple(phones[1:]), values, zone, priority, owner)

    def _read_phones(self, row: Sequence[str]) -> tuple[list[str], PhoneFault | None, int]:
        """Valid numbers of the row, each once; the first fault and its column."""
        phones: list[str] = []
        fault: PhoneFault | None = None
        where = self._phones[0]
        for column in self._phones:
            text = row[column].strip() if column < len(row) else ""
            if not text:
                continue
            e164 = self._normaliser.e164(text)
            phone = Phone(e164) if e164 is not None else judge(text, self._normaliser.country)
            if phone.fault is None:
                if phone.e164 not in phones:
                    phones.append(phone.e164)
            elif fault is None and phone.fault is not PhoneFault.MISSING:
                fault, where = phone.fault, column
        return phones, fault, where

    def _read_rest(self, row: Sequence[str]) -> Rejected | tuple[str, int, int | None]:
        """(time zone or "", priority, owner id) of the row."""

        def cell(column: int | None) -> str:
            return row[column].strip() if column is not None and column < len(row) else ""

        zone = cell(self._zone)
        if zone and zone not in _zones():
            return Rejected("time_zone_unknown", self._zone, zone[:100])
        priority = 0
        text = cell(self._priority).removesuffix(".0")
        if text:
            try:
                priority = int(text)
            except ValueError:
                return Rejected("priority_not_number", self._priority, text[:100])
            if priority not in PRIORITY_RANGE:
                return Rejected("priority_not_number", self._priority, text[:100])
        owner = None
        text = cell(self._owner).casefold()
        if text:
            owner = self._owners.get(text)
            if owner is None:
                return Rejected("owner_unknown", self._owner, text[:100])
        return zone, priority, owner
