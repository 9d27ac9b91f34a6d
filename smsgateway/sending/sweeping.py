"""Sends that are cancelled or rejected: what of them has not gone is ended, batch by batch, while carriers go on.

A send says in its cursor (`stage` cancel or reject) that this is still to be done, so that it is done whatever dies. A
text that a carrier is just taking goes; one that comes back from there is cancelled then.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from smsgateway.checks.verdict import Check
from smsgateway.models import TextSend
from smsgateway.sending.cancelling import end_some
from smsgateway.texts import SEND, SendEvent, SendState, TextEvent, TextState

BATCH: Final = 2000
STAGES: Final = ("cancel", "reject")


def step(session: Session, send: TextSend) -> bool:
    """One batch of a send that its cursor calls for; whether there may be more to do just now. The caller holds the
    send's claim, not its row."""
    cursor = dict(send.cursor)
    stage, after = cursor.get("stage"), str(cursor.get("swept", ""))
    if stage == "cancel":
        last = end_some(session, send.id, (TextState.QUEUED, TextState.APPROVAL), TextEvent.CANCELLED, after=after,
                        limit=BATCH)  # fmt: skip
    else:
        last = end_some(session, send.id, (TextState.APPROVAL,), TextEvent.REFUSED, after=after, limit=BATCH,
                        check=Check.APPROVAL.value, rule="rejected", params={"reason": send.decision})  # fmt: skip
    session.refresh(send, with_for_update=True)
    if last is not None:
        send.cursor = {**cursor, "swept": last}
        return True
    waiting = send.approval + (send.queued + send.submitting if stage == "cancel" else 0)
    if waiting:
        # Something is with a carrier, or came back from one to a number that was passed already.
        send.cursor = {**cursor, "swept": ""}
        return after != "" and send.queued + send.approval > 0
    ended: dict[str, Any] = {k: v for k, v in cursor.items() if k not in ("stage", "swept")}
    send.cursor = ended
    if stage == "reject" and send.state == SendState.APPROVAL:
        send.state = SEND.next(SendState.APPROVAL, SendEvent.EMPTIED).value
        send.finished_at = utc_now()
    return False
