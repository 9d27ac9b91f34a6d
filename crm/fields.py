"""Custom fields of leads and customers: what a definition may be, and whether a value fits it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from callcenter.errors import InvalidInput

MAX_TEXT = 2000
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Kind(StrEnum):
    """What a field holds. Stored as: text → string, number → number, date → "YYYY-MM-DD", choice → one of the choices,
    choices → a list of them."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    CHOICES = "choices"


@dataclass(frozen=True)
class Field:
    """A definition. `max_length` and `format` (a regular expression that must match the whole) are for texts."""

    key: str
    label: str
    kind: Kind
    required: bool = False
    max_length: int | None = None
    format: str = ""
    choices: tuple[str, ...] = ()


class FieldFault(Exception):
    """A value does not fit. `code`: field_required, field_too_long, field_format, field_not_number, field_not_date,
    field_choice."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


MESSAGES: Mapping[str, str] = {
    "field_required": "Fill this in.",
    "field_too_long": "This is too long.",
    "field_format": "This is not in the format that the field asks for.",
    "field_not_number": "Give a number.",
    "field_not_date": "Give a date, like 2026-03-31.",
    "field_choice": "Choose one of the offered values.",
}


def check_definition(field: Field) -> None:
    """Raises InvalidInput naming what is wrong with a definition."""
    wrong: dict[str, str] = {}
    if not _KEY.fullmatch(field.key):
        wrong["key"] = "Use a small letter first, then small letters, digits and _ (40 at most)."
    if not field.label.strip():
        wrong["label"] = "Give the field a name."
    if field.kind in (Kind.CHOICE, Kind.CHOICES):
        if not field.choices:
            wrong["choices"] = "Give at least one choice."
        elif len(set(field.choices)) != len(field.choices) or any(not c.strip() for c in field.choices):
            wrong["choices"] = "Each choice must be different and not empty."
    elif field.choices:
        wrong["choices"] = "Only fields of single or multiple choice have choices."
    if field.max_length is not None and not 1 <= field.max_length <= MAX_TEXT:
        wrong["max_length"] = f"Give 1 to {MAX_TEXT}, or leave it empty."
    if field.format:
        try:
            re.compile(field.format)
        except re.error as error:
            wrong["format"] = f"This is not a regular expression: {error}."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)


def _text(field: Field) -> Callable[[str], Any]:
    limit = field.max_length or MAX_TEXT
    pattern = re.compile(field.format) if field.format else None

    def read(value: str) -> str:
        if len(value) > limit:
            raise FieldFault("field_too_long")
        if pattern is not None and not pattern.fullmatch(value):
            raise FieldFault("field_format")
        return value

    return read


def _number(value: str) -> int | float:
    plain = value.replace(",", "").replace("，", "").replace(" ", "")
    try:
        number = float(plain)
    except ValueError:
        raise FieldFault("field_not_number") from None
    if number != number or abs(number) > 1e15:
        raise FieldFault("field_not_number")
    return int(number) if number.is_integer() else number


_DATE_FORMS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def _date(value: str) -> str:
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(value, form).date().isoformat()  # noqa: DTZ007  a calendar day has no zone
        except ValueError:
            continue
    raise FieldFault("field_not_date")


def _choices(field: Field) -> Callable[[str], Any]:
    known = frozenset(field.choices)

    def read(value: str) -> list[str]:
        parts = [p.strip() for p in re.split(r"[,;|，；、]", value) if p.strip()]
        if not parts or not known.issuperset(parts):
            raise FieldFault("field_choice")
        return list(dict.fromkeys(parts))

    return read


def _choice(field: Field) -> Callable[[str], Any]:
    known = frozenset(field.choices)

    def read(value: str) -> str:
        if value not in known:
            raise FieldFault("field_choice")
        return value

    return read


def reader(field: Field) -> Callable[[str], Any]:
    """A function from a written, stripped, non-empty value to the stored one. It raises FieldFault."""
    match field.kind:
        case Kind.TEXT:
            return _text(field)
        case Kind.NUMBER:
            return _number
        case Kind.DATE:
            return _date
        case Kind.CHOICE:
            return _choice(field)
        case Kind.CHOICES:
            return _choices(field)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(str(v) for v in value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def check_values(fields: Mapping[str, Field], given: Mapping[str, Any], *, all_required: bool) -> dict[str, Any]:
    """`given` (field key → value) as stored; an empty value comes out as None, which removes it.

    `all_required` asks for the required fields that are not given too. Raises InvalidInput with `fields.<key>`.
    """
    out: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for key, value in given.items():
        field = fields.get(key)
        if field is None:
            wrong[f"fields.{key}"] = "There is no such field."
            continue
        text = _as_text(value)
        try:
            if text:
                out[key] = reader(field)(text)
            elif field.required:
                raise FieldFault("field_required")
            else:
                out[key] = None
        except FieldFault as fault:
            wrong[f"fields.{key}"] = MESSAGES[fault.code]
    if all_required:
        for key, field in fields.items():
            if field.required and key not in given:
                wrong[f"fields.{key}"] = MESSAGES["field_required"]
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)
    return out
