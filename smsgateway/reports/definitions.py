"""What each figure of texts is, once for all reports. Pure: SQL expressions over `text_message m`, and arithmetic.

A text belongs to the instant at which it was made (`created_at`), whenever it left and whatever became of it later: so
the figures of a day change while receipts come in, and then never more; and what is `asked` is always the sum of
`STATES`. Times are of the enterprise's zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from smsgateway.texts import TextState

# The state that a text is in now; these sum to `asked`.
STATES: Final = tuple(s.value for s in TextState)

# Figure → SQL over the texts `m`.
FIGURES: Final[Mapping[str, str]] = {
    "asked": "count(*)",
    # A carrier took it. A text in doubt may have been taken; it counts where the carrier was known to have it.
    "sent": "count(*) FILTER (WHERE m.submitted_at IS NOT NULL)",
    **{state: f"count(*) FILTER (WHERE m.state = '{state}')" for state in STATES},
    "segments": "coalesce(sum(m.segments) FILTER (WHERE m.submitted_at IS NOT NULL), 0)",
    "cost_minor": "coalesce(sum(m.charged_minor), 0)",
    "marketing": "count(*) FILTER (WHERE m.submitted_at IS NOT NULL AND s.purpose = 'marketing')",
}
# Figure → SQL over the texts that came in, `i`, joined to the text `m` that they answer.
ANSWERS: Final[Mapping[str, str]] = {
    "replies": "count(*) FILTER (WHERE i.did NOT IN ('opt_out', 'opt_in'))",
    "opt_outs": "count(*) FILTER (WHERE i.did = 'opt_out' AND s.purpose = 'marketing')",
}
NAMES: Final = (*FIGURES, *ANSWERS)

# Seconds from the carrier's yes to the receipt of the last part.
DELIVERY_S: Final = "extract(epoch FROM m.final_at - m.submitted_at)"
DELIVERED: Final = "m.state = 'delivered' AND m.submitted_at IS NOT NULL AND m.final_at >= m.submitted_at"
# Upper ends of the histogram's bars, seconds; the last bar is open.
BARS_S: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 21_600, 86_400)
PERCENTILES: Final = (0.5, 0.9, 0.99)


class Group(StrEnum):
    """What figures are told apart by."""

    DAY = "day"
    HOUR = "hour"  # of the day, 0 to 23
    ROUTE = "route"
    USER = "user"
    SEND = "send"
    CAMPAIGN = "campaign"  # of the call during which it was sent
    PURPOSE = "purpose"
    SOURCE = "source"
    KIND = "kind"
    REASON = "reason"  # why it did not arrive


# Group → SQL of its key, as text; `m` is the text, `s` its send, `c` the call during which it was sent.
KEYS: Final[Mapping[Group, str]] = {
    Group.DAY: "to_char(m.created_at AT TIME ZONE :zone, 'YYYY-MM-DD')",
    Group.HOUR: "to_char(m.created_at AT TIME ZONE :zone, 'HH24')",
    Group.ROUTE: "coalesce(m.route_id::text, '')",
    Group.USER: "coalesce(s.sender_id::text, '')",
    Group.SEND: "m.send_id::text",
    Group.CAMPAIGN: "coalesce(c.campaign_id::text, '')",
    Group.PURPOSE: "s.purpose",
    Group.SOURCE: "s.source",
    Group.KIND: "s.kind",
    Group.REASON: (
        "CASE m.state WHEN 'failed' THEN 'failed:' || m.error_code WHEN 'expired' THEN 'expired:' || m.error_code"
        " WHEN 'refused' THEN 'refused:' || m.check_name || ':' || m.rule"
        " WHEN 'cancelled' THEN 'cancelled:' || m.check_name || ':' || m.rule END"
    ),
}
IN_ORDER: Final = frozenset({Group.DAY, Group.HOUR})  # by key; the others the largest first
NOT_ARRIVED: Final = ("failed", "expired", "refused", "cancelled")


@dataclass(frozen=True)
class Rates:
    """Fractions of what stands beside them; None where there is nothing to divide by."""

    delivered: float | None  # of sent
    failed: float | None  # failed and expired after a carrier had it, of sent
    opt_outs: float | None  # of marketing texts sent
    replies: float | None  # of sent


def rates(figures: Mapping[str, int]) -> Rates:
    """The rates of `figures`."""
    sent = figures["sent"]
    not_delivered = max(0, sent - figures["delivered"] - figures["submitted"] - figures["doubtful"])
    return Rates(
        _share(figures["delivered"], sent),
        _share(not_delivered, sent),
        _share(figures["opt_outs"], figures["marketing"]),
        _share(figures["replies"], sent),
    )


def _share(part: int, whole: int) -> float | None:
    return min(1.0, part / whole) if whole > 0 else None


def merged(parts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The sum of figures of disjoint sets of texts."""
    return {name: sum(int(p.get(name) or 0) for p in parts) for name in NAMES}
