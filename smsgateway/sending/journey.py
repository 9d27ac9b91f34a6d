"""One text with all that is known of its way: what the checks said, its route, its parts with their receipts, and what
was out of the ordinary."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import NotFound
from smsgateway.models import TextMessage, TextPart, TextSend
from smsgateway.reports.labels import routes
from smsgateway.sending import queries

# What an event may say beside its time. Carriers are the platform's own affair.
_TOLD: Final = ("again", "status", "code")


def journey(session: Session, send: TextSend, message_id: int) -> dict[str, Any]:
    """The text as `queries.message` shows it, with `route_name`, `reserved` (its price is set aside), `parts` and
    `events` in the order in which they happened. Raises NotFound."""
    row = session.get(TextMessage, message_id)
    if row is None or row.send_id != send.id:
        raise NotFound("There is no such text.")
    parts = session.scalars(select(TextPart).where(TextPart.message_id == row.id).order_by(TextPart.part))
    events = [e for e in row.journey or () if isinstance(e, dict) and "at" in e and "event" in e]
    return {
        **queries.message(row, send),
        "route_name": routes([row.route_id]).get(str(row.route_id), "") if row.route_id is not None else "",
        "reserved": row.reservation_id is not None and row.state in ("queued", "submitting", "doubtful"),
        "parts": [{"part": p.part, "state": p.state, "code": p.code, "final_at": p.final_at} for p in parts],
        "events": [
            {
                "at": datetime.fromtimestamp(float(e["at"]), UTC),
                "event": str(e["event"]),
                **{n: e[n] for n in _TOLD if e.get(n) is not None},
            }
            for e in events
        ],
    }
