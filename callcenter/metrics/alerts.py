"""When a figure asks for attention. Pure.

A threshold has two levels, `warn` and `bad`, either of which may be missing; `above` says which side is wrong. A level
holds once the figure was on the wrong side for `for_s` seconds, and ends once it was on the right side as long, so that
a figure that swings around its threshold does not ring all day.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    OK = 0
    WARN = 1
    BAD = 2


@dataclass(frozen=True)
class Threshold:
    """`warn` and `bad` in the figure's own unit."""

    warn: float | None = None
    bad: float | None = None
    above: bool = True
    for_s: float = 5.0

    def level(self, value: float | None) -> Level:
        """The level of `value` at this instant; no figure is no trouble."""
        if value is None:
            return Level.OK
        for limit, level in ((self.bad, Level.BAD), (self.warn, Level.WARN)):
            if limit is not None and (value >= limit if self.above else value <= limit):
                return level
        return Level.OK


@dataclass
class Watch:
    """One threshold over time."""

    threshold: Threshold
    told: Level = Level.OK
    _seen: Level = Level.OK
    _since: float = 0.0

    def see(self, value: float | None, now: float) -> Level | None:
        """The level that is to be told from now on; None while nothing changes."""
        level = self.threshold.level(value)
        if level is not self._seen:
            self._seen, self._since = level, now
        if level is self.told or now - self._since < self.threshold.for_s:
            return None
        self.told = level
        return level
