"""When a queue's agents are kept from campaigns. Pure.

Kept while the longest wait is over `wait_s`, or the service level of the last 30 minutes is under the target, or fewer
than `reserve` of its agents are free; let go only `release_s` after all of that is mended, so that agents are not
pulled to and fro.
"""

from __future__ import annotations

from collections import deque

from callcenter.acd.settings import QueueSettings

WINDOW_S = 1800.0
FEWEST = 5  # fewer calls than this say nothing about a service level


class State:
    """Of one queue. `withholding`: its agents are kept just now."""

    def __init__(self) -> None:
        self.withholding = False
        self._ended: deque[tuple[float, bool]] = deque()
        self._mended_since: float | None = None

    def ended(self, now: float, in_target: bool) -> None:
        """A call of the queue was answered (in target or not) or abandoned."""
        self._ended.append((now, in_target))

    def judge(self, settings: QueueSettings, longest_wait_s: float, free: int, signed_on: int, now: float) -> bool:
        """Whether the queue's agents are kept from campaigns from now on; `free` of its `signed_on` agents are."""
        while self._ended and self._ended[0][0] < now - WINDOW_S:
            self._ended.popleft()
        rules = settings.blending
        if not rules.enabled or not signed_on:
            self.withholding, self._mended_since = False, None
            return False
        needed = (
            longest_wait_s > rules.wait_s
            or (self.level is not None and self.level < settings.service_level)
            or free < min(rules.reserve, signed_on)
        )
        if needed:
            self.withholding, self._mended_since = True, None
        elif self.withholding:
            self._mended_since = now if self._mended_since is None else self._mended_since
            if now - self._mended_since >= rules.release_s:
                self.withholding, self._mended_since = False, None
        return self.withholding

    @property
    def level(self) -> float | None:
        """The service level of the window, None of too few calls."""
        if len(self._ended) < FEWEST:
            return None
        return sum(good for _, good in self._ended) / len(self._ended)
