"""How busy agents were in the last hour. Pure."""

from __future__ import annotations

from collections import deque

WINDOW_S = 3600.0


class Work:
    """Stretches of work (calls and wrap-up) by agent."""

    def __init__(self) -> None:
        self._done: dict[int, deque[tuple[float, float]]] = {}
        self._since: dict[int, float] = {}

    def entered(self, user_id: int, working: bool, now: float) -> None:
        """The agent works, or does not, from `now` on (seconds since the epoch)."""
        if working:
            self._since.setdefault(user_id, now)
            return
        since = self._since.pop(user_id, None)
        if since is not None:
            done = self._done.setdefault(user_id, deque())
            done.append((since, now))
            while done and done[0][1] < now - WINDOW_S:
                done.popleft()

    def share(self, user_id: int, now: float) -> float:
        """The fraction of the last hour that the agent worked."""
        begin = now - WINDOW_S
        busy = sum(max(0.0, to - max(start, begin)) for start, to in self._done.get(user_id, ()))
        since = self._since.get(user_id)
        if since is not None:
            busy += now - max(since, begin)
        return min(1.0, busy / WINDOW_S)
