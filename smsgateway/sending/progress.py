"""A send's figures on its live topic `send:{id}`, and what is told to people about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from callcenter.clock import wall_s
from callcenter.db.outbox import tell
from callcenter.db.session import tenant_session
from callcenter.events import streams
from smsgateway.models import TextSend
from smsgateway.texts import TextState

_FIGURES = (*(s.value for s in TextState), "state", "asked", "duplicates", "charged_minor", "segments")


def document(send: TextSend) -> dict[str, Any]:
    """What is shown of a send that moves: id, state, asked, expected, duplicates, charged_minor, segments,
    finished_at, and the number of texts in each state."""
    audience = send.audience if isinstance(send.audience, dict) else {}
    figures = {name: getattr(send, name) for name in _FIGURES}
    figures["finished_at"] = send.finished_at.isoformat() if send.finished_at is not None else None
    return {"id": send.id, **figures, "expected": max(int(audience.get("expected") or 0), send.asked)}


def announce(tenant_id: int, send_id: int) -> None:
    """Push the figures as they are now to whoever looks at the send."""
    with tenant_session(tenant_id) as session:
        send = session.get(TextSend, send_id)
        found = document(send) if send is not None else None
    if found is not None:
        push(tenant_id, found)


def push(tenant_id: int, found: Mapping[str, Any]) -> None:
    """Push a `document` to whoever looks at the send."""
    streams.publish(tenant_id, f"send:{found['id']}", found)


def moved(session: Session, send_id: int) -> None:
    """Show the figures of a send of the session's enterprise when the transaction commits: as they are then, however
    long the message is on its way."""
    tell(session, "send", id=send_id)


def changed(session: Session) -> None:
    """Tell, when the transaction commits, that something else waits for a decision than before."""
    tell(session, "live", topic="texts", payload={"changed": wall_s()})


def notify(session: Session, send: TextSend, event: str, *, by: str = "", reason: str = "") -> None:
    """Tell the sender what became of a send, when the transaction commits: `event` is passed, rejected or stopped."""
    if send.sender_id is None:
        return
    at = wall_s()
    notice = {
        "kind": "texts", "id": f"texts-{send.id}-{event}-{int(at)}", "at": at, "event": event, "send_id": send.id,
        "from_name": by, "text": send.body[:80], "reason": reason,
    }  # fmt: skip
    tell(session, "live", topic=f"user:{send.sender_id}", payload=notice)
