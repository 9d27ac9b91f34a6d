"""What the user chose for an import: the contents of `Import.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from callcenter import wire
from callcenter.errors import InvalidInput

ENCODINGS: Final = ("utf-8", "gb18030", "big5", "utf-16", "utf-16-le", "utf-16-be", "latin-1")
DELIMITERS: Final = (",", "\t", ";", "|")
TARGETS: Final = ("name", "phone", "priority", "owner", "time_zone")
# What to do with a number that is there already. In one list a number stands once, so that it is never dialed twice.
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("skip", "update"),  # the first row stays, or the last one wins
    "list": ("skip", "update"),
    "enterprise": ("keep", "skip", "update"),  # keep: a lead of its own in this list
}


@dataclass(frozen=True)
class Column:
    """Column `column` (from 0) goes to `to`: a name of TARGETS, or "field:<key>"."""

    column: int
    to: str


@dataclass(frozen=True)
class Duplicates:
    file: str = "skip"
    list: str = "skip"
    enterprise: str = "keep"


@dataclass(frozen=True)
class Plan:
    """How to read the file and what its columns mean. `sheet` is for workbooks; `country` reads national numbers."""

    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str = ""
    header: bool = True
    country: str = "CN"
    mapping: tuple[Column, ...] = ()
    duplicates: Duplicates = field(default_factory=Duplicates)
    scrub_blacklist: bool = True


def read_plan(settings: Mapping[str, Any], field_keys: frozenset[str], countries: frozenset[str]) -> Plan:
    """`settings` as a plan. Raises InvalidInput naming the settings that make no sense."""
    try:
        plan = wire.convert(dict(settings), Plan)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"The settings of the import can't be read: {error}", fields={"settings": str(error)}
        ) from None
    wrong: dict[str, str] = {}
    if plan.encoding not in ENCODINGS:
        wrong["encoding"] = f"Choose one of {', '.join(ENCODINGS)}."
    if plan.delimiter not in DELIMITERS:
        wrong["delimiter"] = "Choose comma, tab, semicolon or bar."
    if plan.country not in countries:
        wrong["country"] = "Choose a country."
    for rule, allowed in RULES.items():
        if getattr(plan.duplicates, rule) not in allowed:
            wrong[f"duplicates.{rule}"] = f"Choose one of {', '.join(allowed)}."
    wrong |= _wrong_mapping(plan, field_keys)
    if wrong:
        raise InvalidInput("Check the marked settings.", fields=wrong)
    return plan


def _wrong_mapping(plan: Plan, field_keys: frozenset[str]) -> dict[str, str]:
    if not any(c.to == "phone" for c in plan.mapping):
        return {"mapping": "Say which column holds the phone number."}
    seen: set[str] = set()
    columns: set[int] = set()
    for c in plan.mapping:
        known = c.to in TARGETS or (c.to.startswith("field:") and c.to[6:] in field_keys)
        if not known or c.column < 0:
            return {"mapping": f"Column {c.column + 1} goes to “{c.to}”, which does not exist."}
        if c.column in columns:
            return {"mapping": f"Column {c.column + 1} is used twice."}
        if c.to in seen and c.to != "phone":
            return {"mapping": "Two columns go to the same place; only phones may have several."}
        seen.add(c.to)
        columns.add(c.column)
    return {}
