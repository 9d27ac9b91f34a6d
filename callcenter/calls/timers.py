"""Timers without a clock: the caller asks for the next deadline and hands in `now`."""

from __future__ import annotations

import heapq
import itertools

Key = tuple[str, ...]


class Timers:
    """Named deadlines in seconds since the epoch. Setting a key again moves its deadline."""

    def __init__(self) -> None:
        self._at: dict[Key, tuple[float, int]] = {}
        self._of: dict[tuple[str, str], set[Key]] = {}  # by whose they are: the first two words
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()

    def set(self, key: Key, at: float) -> None:
        """Fire `key` at `at`."""
        entry = (at, next(self._order))
        self._at[key] = entry
        self._of.setdefault((key[0], key[1]), set()).add(key)
        heapq.heappush(self._heap, (*entry, key))

    def cancel(self, key: Key) -> None:
        """Forget `key`; harmless if it is not set."""
        if self._at.pop(key, None) is not None:
            self._forget(key)

    def cancel_all(self, kind: str, id_: str, beginning: str = "") -> None:
        """Forget every key of `kind` and `id_`; with `beginning`, those whose name begins so."""
        for key in self._of.get((kind, id_), set()).copy():
            if not beginning or (len(key) > 2 and key[2].startswith(beginning)):
                self.cancel(key)

    def names(self, kind: str, id_: str) -> frozenset[str]:
        """Names of the timers of `kind` and `id_`."""
        return frozenset(key[2] for key in self._of.get((kind, id_), ()) if len(key) > 2)

    def shift(self, by_s: float) -> None:
        """The clock that gives `now` was set: every deadline moves by `by_s` seconds, in the same order."""
        self._at = {key: (at + by_s, order) for key, (at, order) in self._at.items()}
        self._heap = [(at, order, key) for key, (at, order) in self._at.items()]
        heapq.heapify(self._heap)

    def due(self, now: float) -> Key | None:
        """Take the earliest key whose deadline has come, or None."""
        self._drop_stale()
        if self._heap and self._heap[0][0] <= now:
            key = heapq.heappop(self._heap)[2]
            self.cancel(key)
            return key
        return None

    def next_deadline(self) -> float | None:
        """The earliest deadline, or None."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def has(self, *key: str) -> bool:
        """Whether `key` is set."""
        return key in self._at

    def _forget(self, key: Key) -> None:
        mine = self._of[key[0], key[1]]
        mine.discard(key)
        if not mine:
            del self._of[key[0], key[1]]

    def _drop_stale(self) -> None:
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
