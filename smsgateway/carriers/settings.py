"""What can be set of a protocol, declared once: the operator's form is drawn from it, and what is given is checked by
it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class SettingKind(StrEnum):
    """How a setting is asked for. A secret is never shown again. Lines: a longer text, such as a template."""

    TEXT = "text"
    SECRET = "secret"
    LINES = "lines"
    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"


@dataclass(frozen=True)
class Setting:
    """One setting. `default` is what counts where nothing is given. `section` groups fields of the form."""

    name: str
    kind: SettingKind
    default: Any = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    section: str = "connection"


MAX_TEXT = 500
MAX_LINES = 20_000
_SHAPES = {SettingKind.INTEGER: (int,), SettingKind.NUMBER: (int, float), SettingKind.SWITCH: (bool,)}


def whole(declared: Sequence[Setting], given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings: what is given, and the defaults of the others."""
    return {s.name: given[s.name] if given.get(s.name) is not None else s.default for s in declared}


def faults(declared: Iterable[Setting], given: Mapping[str, Any]) -> dict[str, str]:
    """Name → what is wrong with it and the remedy; names that are not declared too."""
    by_name = {s.name: s for s in declared}
    wrong = {name: "There is no such setting. Remove it." for name in given if name not in by_name}
    for setting in by_name.values():
        fault = _fault(setting, given.get(setting.name))
        if fault:
            wrong[setting.name] = fault
    return wrong


def _fault(setting: Setting, value: Any) -> str | None:
    if value is None or value == "":
        return "This is needed." if setting.required else None
    shapes = _SHAPES.get(setting.kind, (str,))
    if not isinstance(value, shapes) or (isinstance(value, bool) and setting.kind is not SettingKind.SWITCH):
        return "Give a number." if setting.kind in (SettingKind.INTEGER, SettingKind.NUMBER) else "Give this as text."
    if isinstance(value, str):
        if "\x00" in value:
            return "There is a character in it that can't be stored."
        longest = MAX_LINES if setting.kind is SettingKind.LINES else MAX_TEXT
        if len(value) > longest:
            return f"{longest} characters at most."
        if setting.kind is SettingKind.CHOICE and value not in setting.choices:
            return f"Choose one of {', '.join(setting.choices)}."
    elif not isinstance(value, bool):
        if setting.least is not None and value < setting.least:
            return f"{setting.least:g} at least."
        if setting.most is not None and value > setting.most:
            return f"{setting.most:g} at most."
    return None
