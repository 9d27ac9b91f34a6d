"""Who calls, as plain data: what `crm.queries.callers` found, for routing and the screen pop. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Match:
    """A customer, or a lead without one, that has the caller's number. The best match comes first: customers before
    leads, VIPs before others, then whom we spoke with last."""

    customer_id: int | None
    lead_id: int | None
    name: str = ""
    company: str = ""
    grade: str = ""
    vip: bool = False
    owner_id: int | None = None  # a user who may take calls


@dataclass(frozen=True)
class Caller:
    """`number` E.164, or empty: withheld or unreadable. `calls_24h`: his calls to us in the last 24 hours, this one not
    counted. `last_agent_id` spoke with him last, at `last_call_at` (seconds since the epoch), whoever called whom.
    `card` is what the screen pop shows, of the shape of a hopper entry's card plus `grade`, `vip`, `company`,
    `owner_id`."""

    number: str = ""
    matches: tuple[Match, ...] = ()
    blacklisted: bool = False
    calls_24h: int = 0
    last_agent_id: int | None = None
    last_call_at: float | None = None
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def choices(self) -> tuple[dict[str, Any], ...]:
        """The customers the agent chooses from (`CallView.matches`); empty with one or none."""
        known = [m for m in self.matches if m.customer_id is not None]
        if len(known) < 2:
            return ()
        return tuple(
            {
                "id": m.customer_id,
                "customer_id": m.customer_id,
                "name": m.name,
                "company": m.company,
                "grade": m.grade,
                "vip": m.vip,
            }
            for m in known
        )


def unknown(number: str) -> Caller:
    """The caller of whom nothing is known (yet): the pop opens a new card with the number filled in."""
    return Caller(number=number, card=new_card(number))


def new_card(number: str) -> dict[str, Any]:
    """A card of somebody not known."""
    return {
        "name": "", "phone": number, "alt_phones": [], "fields": {}, "list": "", "campaign": "", "attempts": 0,
        "lead_id": None, "customer_id": None, "time_zone": "", "company": "", "grade": "", "vip": False,
        "owner_id": None,
    }  # fmt: skip
