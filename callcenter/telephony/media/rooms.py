"""Who hears whom: the matrices of all rooms of a worker. Pure bookkeeping over port ids.

A two-party call, a conference, listening, whispering and barging are the same thing here: a matrix.
"""

from __future__ import annotations

from collections.abc import Mapping


class Rooms:
    """All rooms of a worker. A port is in one room at most, as listener or as source."""

    def __init__(self) -> None:
        self._hears: dict[str, dict[str, tuple[str, ...]]] = {}
        self._room_of: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}

    def ids(self) -> list[str]:
        """The rooms there are."""
        return list(self._hears)

    def room_of(self, port_id: str) -> str | None:
        """The room that `port_id` is in."""
        return self._room_of.get(port_id)

    def matrix(self, room_id: str) -> dict[str, tuple[str, ...]]:
        """Who hears whom in `room_id`; empty if there is no such room."""
        return dict(self._hears.get(room_id, {}))

    def sources_of(self, port_id: str) -> tuple[str, ...]:
        """The ports that `port_id` hears."""
        return self._hears.get(self._room_of.get(port_id, ""), {}).get(port_id, ())

    def listeners_of(self, port_id: str) -> list[str]:
        """The ports that hear `port_id`."""
        matrix = self._hears.get(self._room_of.get(port_id, ""), {})
        return [listener for listener, sources in matrix.items() if port_id in sources]

    def set_room(self, room_id: str, hears: Mapping[str, tuple[str, ...]]) -> set[str]:
        """Replace the matrix of `room_id`; an empty one ends it. Returns the ports whose hearing may have changed."""
        changed = self._end(room_id)
        clean = {p: tuple(dict.fromkeys(s for s in sources if s != p)) for p, sources in hears.items()}
        members = set(clean).union(*clean.values()) if clean else set()
        for member in members:
            if member in self._room_of:
                changed |= self.remove(member)
        if clean:
            self._hears[room_id] = clean
            self._members[room_id] = members
            self._room_of.update(dict.fromkeys(members, room_id))
        return changed | members

    def remove(self, port_id: str) -> set[str]:
        """Take a port out of its room. Returns the ports whose hearing changed, itself among them."""
        room_id = self._room_of.pop(port_id, None)
        if room_id is None:
            return set()
        matrix = self._hears[room_id]
        changed = {port_id}
        matrix.pop(port_id, None)
        for listener, sources in matrix.items():
            if port_id in sources:
                matrix[listener] = tuple(s for s in sources if s != port_id)
                changed.add(listener)
        self._members[room_id].discard(port_id)
        if not self._members[room_id]:
            del self._hears[room_id], self._members[room_id]
        return changed

    def _end(self, room_id: str) -> set[str]:
        self._hears.pop(room_id, None)
        members = self._members.pop(room_id, set())
        for member in members:
            self._room_of.pop(member, None)
        return members
