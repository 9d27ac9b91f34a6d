"""Structured logs: one JSON object a line, with tenant and call ids, phone numbers masked.

`bind` puts ids on every line that the present task logs. Masking is done on the finished line, so that a number cannot
slip through in an exception's text either.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

_bound: contextvars.ContextVar[Mapping[str, object] | None] = contextvars.ContextVar("log_ids", default=None)
_NUMBER = re.compile(r"\+\d{7,15}|(?<![\w.:-])\d{10,15}(?![\w.:-])")


def mask_numbers(text: str) -> str:
    """`text` with every phone number's middle replaced: +8613812345678 → +86138****678."""

    def shorten(m: re.Match[str]) -> str:
        n = m.group()
        return f"{n[: max(3, len(n) - 8)]}****{n[-3:]}"

    return _NUMBER.sub(shorten, text)


class _JsonLines(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(_bound.get() or {})
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return mask_numbers(json.dumps(entry, ensure_ascii=False, default=str))


def set_up(process: str, level: str = "INFO") -> None:
    """Log to standard error as JSON lines, marked with the name of this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


@contextlib.contextmanager
def bind(**ids: object) -> Iterator[None]:
    """Put `ids` (tenant=…, call=…) on every line logged inside."""
    token = _bound.set({**(_bound.get() or {}), **ids})
    try:
        yield
    finally:
        _bound.reset(token)
