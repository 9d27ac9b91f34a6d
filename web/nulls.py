"""No text holds a NUL character: PostgreSQL can't keep one, so it is refused at the door, and named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, request

from callcenter.errors import InvalidInput

_SENTENCE = "There is an invisible NUL character in it. Type it again, without pasting."


def install(app: Flask) -> None:
    """Look at every query and every JSON body that may hold one. Call it after the guard is on `app`."""
    app.before_request(_refuse)


def _refuse() -> None:
    found = null_at(request.args.to_dict(flat=False))
    if not found and request.is_json and b"u0000" in request.get_data(cache=True):
        found = null_at(request.get_json(silent=True))
    if found:
        raise InvalidInput("A text holds a NUL character.", code="null_character", fields={found: _SENTENCE})


def null_at(value: Any, path: str = "") -> str:
    """Where the first NUL stands, as `a.b.0`; empty if there is none."""
    if isinstance(value, str):
        return path or "body" if "\x00" in value else ""
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        inside = [(str(k), v) for k, v in value.items()]
        if any("\x00" in k for k, _ in inside):
            return path or "body"
    elif isinstance(value, list):
        inside = [(str(i), v) for i, v in enumerate(value)]
    for name, v in inside:
        if found := null_at(v, f"{path}.{name}" if path else name):
            return found
    return ""
