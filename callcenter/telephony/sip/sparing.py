"""Logging that a flood of packets can't flood."""

from __future__ import annotations

_MAX_KEYS = 1000


class Sparing:
    """Allows one line per key in `every_s` seconds, and counts what it kept back. Pure: `now` is an argument."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._last: dict[str, float] = {}
        self.kept_back = 0  # since the start

    def allows(self, key: str, now: float) -> bool:
        """Whether a line about `key` may be logged now. With a thousand keys at once, the oldest are forgotten."""
        last = self._last.get(key)
        if last is not None and now - last < self._every_s:
            self.kept_back += 1
            return False
        self._last.pop(key, None)
        self._last[key] = now
        if len(self._last) > _MAX_KEYS:
            del self._last[next(iter(self._last))]
        return True
