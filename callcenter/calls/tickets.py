"""A place in a queue that is kept for a caller who hung up and will be called back. Plain data, saved like a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RETRY_S = 300.0  # after a try that did not reach the caller
LINE_RETRY_S = 15.0  # after a try for which no line was free
STILL_THERE_S = 5.0  # who is told that his place is kept has not hung up yet


@dataclass
class Ticket:
    """`number` E.164 is dialed when the place comes to an agent, `tries_left` times at most, until `expires_at`.
    Between two tries (`retry_at`) the place stands still. `dialed_by` is the call under way."""

    ticket_id: str
    call_id: str  # the call that was kept so
    queue_id: int
    number: str
    since: float
    expires_at: float
    tries_left: int
    priority: int = 0
    skills: dict[str, int] = field(default_factory=dict)
    sticky_agent: int | None = None
    customer_id: int | None = None
    did: str = ""
    language: str = "en"
    card: dict[str, Any] = field(default_factory=dict)
    caller: dict[str, Any] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    retry_at: float | None = None
    dialed_by: str = ""
