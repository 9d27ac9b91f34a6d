"""Posts to an enterprise's webhook: written down with the text, tried until they arrive or have been tried enough.

The body is JSON; the header `X-Signature: sha256=<HMAC of the body with the enterprise's secret>` proves whose it is,
as with the alerts of boards. A post may come twice: `id` tells. `callcenter.processes.forwarding` does the posting.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.errors import Conflict
from smsgateway.inbound.models import Conversation, InboundText, TextAnswering, TextForward

# Waits after the first try, the second …; no more after the last.
WAITS_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0)
LEASE_S: Final = 60.0
BATCH: Final = 20
KEPT_D: Final = 30
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Post:
    """A post that is due. `tries`: with this one."""

    id: int
    tenant_id: int
    url: str
    body: bytes
    signature: str
    tries: int


def address(session: Session) -> str | None:
    """Where the enterprise wants its texts posted; None: nowhere."""
    query = select(TextAnswering.webhook_url).where(TextAnswering.webhook_on, TextAnswering.webhook_url != "")
    return session.execute(query).scalar_one_or_none()


def enqueue(session: Session, to: str | None, row: InboundText, conversation: Conversation, now: datetime) -> None:
    """Post `row` to the webhook at `to`, if there is one."""
    if to is None:
        return
    body = {
        "event": "text.received", "text_id": row.id, "conversation_id": conversation.id, "from": row.phone_e164,
        "to": row.to, "subject": row.subject, "body": row.body, "at": row.at.isoformat(),
        "customer_id": conversation.customer_id, "assigned_to": conversation.assigned_to,
        "send_id": row.send_id, "attachments": [a["name"] for a in row.media],
    }  # fmt: skip
    session.add(TextForward(inbound_id=row.id, url=to, body=body, next_at=now))


def test(session: Session, now: datetime) -> TextForward:
    """Post something to the webhook, on or not, to see whether it arrives. Raises Conflict without an address."""
    to = session.scalar(select(TextAnswering.webhook_url))
    if not to:
        raise Conflict("The webhook has no address.", code="webhook_missing")
    body = {"event": "test", "at": now.isoformat()}
    row = TextForward(inbound_id=None, url=to, body=body, next_at=now, tries=len(WAITS_S))  # once only
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


_LEASE = text("""
UPDATE text_forward f SET next_at = :until, tries = f.tries + 1, updated_at = now()
FROM (
  SELECT id FROM text_forward WHERE state = 'waiting' AND next_at <= :now
  ORDER BY next_at LIMIT :most FOR UPDATE SKIP LOCKED
) due
WHERE f.id = due.id RETURNING f.id, f.tenant_id, f.url, f.body, f.tries
""")


def lease(session: Session, now: datetime) -> list[Post]:
    """Posts that are due, ours for `LEASE_S`. `session`: of the platform; commit before posting."""
    rows = session.execute(_LEASE, {"now": now, "until": now + timedelta(seconds=LEASE_S), "most": BATCH}).all()
    secrets: dict[int, str] = {}
    for row in session.execute(
        select(TextAnswering.tenant_id, TextAnswering.webhook_secret).where(
            TextAnswering.tenant_id.in_({r.tenant_id for r in rows})
        )
    ):
        secrets[row.tenant_id] = row.webhook_secret
    return [_post(r, secrets.get(r.tenant_id, "")) for r in rows]


def _post(row: Any, secret: str) -> Post:
    body = wire.to_json({"id": f"{row.tenant_id}-{row.id}", **row.body})
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Post(row.id, row.tenant_id, row.url, body, signature, row.tries)


def done(session: Session, posts: Sequence[tuple[Post, str]], now: datetime) -> None:
    """Keep how posts went: `ok`, or why not. What did not arrive is due again, unless it was tried enough."""
    for post, answer in sorted(posts, key=lambda p: p[0].id):
        left = post.tries <= len(WAITS_S)
        state = OK if answer == OK else "waiting" if left else "failed"
        due = now + timedelta(seconds=WAITS_S[post.tries - 1]) if state == "waiting" else now
        session.execute(
            update(TextForward)
            .where(TextForward.id == post.id, TextForward.state == "waiting")
            .values(state=state, answer=answer[:200], next_at=due)
        )


def sweep(session: Session, now: datetime) -> None:
    """Forget posts that are long done."""
    session.execute(
        delete(TextForward).where(TextForward.created_at < now - timedelta(days=KEPT_D), TextForward.state != "waiting")
    )
