"""Cancel a send: what of it has not gone."""

from __future__ import annotations

from typing import Final

from callcenter.audit.models import Actor, record
from callcenter.auth.access import Access, access_to
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, Forbidden
from smsgateway.sending import claims, progress, queries, sweeping
from smsgateway.sending.actions import wake
from smsgateway.texts import SEND, SendEvent, SendState

_AT_ONCE: Final = 3  # batches done while the user waits; the preparer does the others


def cancel(actor: Actor, send_id: int) -> None:
    """Cancel what of the send waits. Raises NotFound, Forbidden, Conflict (`send_ended`)."""
    with tenant_session(actor.tenant_id) as session:
        send = queries.find(session, actor, send_id, lock=True)
        if access_to(session, actor, send.sender_id) < Access.WRITE:
            raise Forbidden("You may see this send, but not cancel it.", code="not_yours")
        state = SendState(send.state)
        if not SEND.accepts(state, SendEvent.CANCELLED):
            raise Conflict("This send has ended already.", code="send_ended")
        send.state = SEND.next(state, SendEvent.CANCELLED).value
        send.cursor = {**send.cursor, "stage": "cancel", "swept": ""}
        send.finished_at = utc_now()
        before = {"state": state.value, "queued": send.queued, "approval": send.approval}
        record(session, actor, "cancel", "text_send", send_id, name=send.body[:80], before=before)
        wake(session)
    for _ in range(_AT_ONCE):
        with tenant_session(actor.tenant_id) as session:
            if not claims.take(session, send_id):
                break
            send = queries.find(session, actor, send_id)
            if send.cursor.get("stage") not in sweeping.STAGES or not sweeping.step(session, send):
                break
    progress.announce(actor.tenant_id, send_id)
