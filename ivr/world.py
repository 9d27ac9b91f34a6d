"""What menus ask about, answered from the engine's documents and queues. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from callcenter.numbers.calendar import CalendarDoc, Opening, hours_at


def _none(_queue_id: int) -> int:
    return 0


@dataclass
class FloorWorld:
    """`zone` is the enterprise's time zone (IANA), `calendars` its documents by id: both may be changed while it is in
    use. `waiting` and `signed_on` count a queue's callers and agents."""

    zone: str = "UTC"
    calendars: Mapping[int, CalendarDoc] = field(default_factory=dict)
    waiting: Callable[[int], int] = _none
    signed_on: Callable[[int], int] = _none

    def local(self, now: float) -> datetime:
        """See `ivr.state.World`."""
        return datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(self.zone))

    def hours(self, calendar_id: int, now: float) -> str:
        """See `ivr.state.World`."""
        calendar = self.calendars.get(calendar_id)
        return (hours_at(calendar, now, self.zone).state if calendar is not None else Opening.OPEN).value

    def queue_length(self, queue_id: int) -> int:
        """See `ivr.state.World`."""
        return self.waiting(queue_id)

    def agents_on(self, queue_id: int) -> int:
        """See `ivr.state.World`."""
        return self.signed_on(queue_id)
