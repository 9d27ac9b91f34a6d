"""What waits for a supervisor, and the decision on it.

Nobody decides on a send of their own, but the owner. What passes is judged again by all other checks and paid only
then. Of a send of which only some texts wait, the others are long under way; the decision is on those that wait.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, Forbidden
from crm.queries import typed
from smsgateway.models import TextMessage, TextSend
from smsgateway.sending import claims, progress, queries, sweeping
from smsgateway.sending.actions import wake
from smsgateway.texts import SEND, SendEvent, SendState, TextState

SAMPLES: Final = 6
_LOOKED_AT: Final = 200
_WAIT_IN = (SendState.APPROVAL, SendState.SENDING)


def waiting(session: Session, actor: Actor) -> Select[Any]:
    """Sends with texts that wait for a decision, the oldest first, of the people whom `actor` sees."""
    return typed(
        select(TextSend)
        .where(
            TextSend.state.in_(_WAIT_IN),
            TextSend.approval > 0,
            TextSend.cursor["stage"].astext.is_distinct_from("reject"),
            *queries.sees(session, actor),
        )
        .order_by(TextSend.id)
    )


def shown(session: Session, actor: Actor, send: TextSend) -> dict[str, Any]:
    """A send with what of it waits: how many by rule, the words hit, the cost by the routes of when they were judged,
    and some of the texts."""
    held = (TextMessage.send_id == send.id, TextMessage.state == TextState.APPROVAL.value)
    figures = session.execute(
        select(
            TextMessage.rule, func.count(), func.sum(TextMessage.segments),
            func.sum(TextMessage.segments * TextMessage.price_minor),
        )
        .where(*held)
        .group_by(TextMessage.rule)
    ).all()  # fmt: skip
    first = session.scalars(select(TextMessage).where(*held).order_by(TextMessage.id).limit(_LOOKED_AT)).all()
    texts = [queries.message(m, send) for m in first]
    texts.sort(key=lambda t: not t["hits"])  # what has words in it is what is to be looked at
    own = send.sender_id is not None and send.sender_id == actor.user_id
    return {
        "send": queries.rendered(session, actor, [send])[0],
        "waiting": sum(n for _, n, _, _ in figures),
        "by_rule": {rule: n for rule, n, _, _ in figures},
        "words": list(dict.fromkeys(h["word"] for t in texts for h in t["hits"]))[:50],
        "cost_minor": int(sum(c for *_, c in figures)),
        "segments": int(sum(s for _, _, s, _ in figures)),
        "samples": texts[:SAMPLES],
        "own": own,
        "decidable": _may_decide(session, actor, send),
    }


def _may_decide(session: Session, actor: Actor, send: TextSend) -> bool:
    if send.sender_id is None or send.sender_id != actor.user_id:
        return True
    user = session.get(User, actor.user_id)
    return user is not None and any(r.key == "owner" and r.enabled for r in user.roles)


def _undecided(session: Session, actor: Actor, send_id: int) -> TextSend:
    send = queries.find(session, actor, send_id, lock=True)
    if not _may_decide(session, actor, send):
        raise Forbidden("Somebody else has to decide on what you send.", code="own_send")
    if send.state == SendState.PREPARING:
        raise Conflict("This send is just being prepared. Try again in a moment.", code="send_preparing")
    if send.state not in _WAIT_IN or not send.approval or send.cursor.get("stage") == "reject":
        raise Conflict("Nothing of this send waits for a decision any more.", code="nothing_waits")
    return send


def _decide(session: Session, actor: Actor, send: TextSend, action: str, reason: str) -> None:
    send.decided_by, send.decided_at, send.decision = actor.user_id, utc_now(), reason.strip()
    after = {"waiting": send.approval, "reason": send.decision}
    record(session, actor, action, "text_send", send.id, name=send.body[:80], after=after)
    event = "passed" if action == "approve" else "rejected"
    progress.notify(session, send, event, by=actor.name, reason=send.decision)
    progress.changed(session)
    wake(session)


def let_pass(actor: Actor, send_id: int, reason: str = "") -> None:
    """Let pass what of the send waits. Raises NotFound, Forbidden (`own_send`), Conflict."""
    with tenant_session(actor.tenant_id) as session:
        send = _undecided(session, actor, send_id)
        send.state = SEND.next(SendState(send.state), SendEvent.APPROVED).value
        send.cursor = {**send.cursor, "stage": "held", "after": ""}
        _decide(session, actor, send, "approve", reason)
    progress.announce(actor.tenant_id, send_id)


def reject(actor: Actor, send_id: int, reason: str) -> None:
    """Refuse what of the send waits. Raises NotFound, Forbidden (`own_send`), Conflict."""
    with tenant_session(actor.tenant_id) as session:
        send = _undecided(session, actor, send_id)
        others = send.asked - send.approval - send.refused - send.cancelled
        if send.state == SendState.APPROVAL and not others:
            send.state = SEND.next(SendState.APPROVAL, SendEvent.REJECTED).value
            send.finished_at = utc_now()
        send.cursor = {**send.cursor, "stage": "reject", "swept": ""}
        _decide(session, actor, send, "reject", reason)
    with tenant_session(actor.tenant_id) as session:
        if claims.take(session, send_id):
            send = queries.find(session, actor, send_id)
            while send.cursor.get("stage") == "reject" and sweeping.step(session, send):
                if send.approval > sweeping.BATCH:
                    break  # the preparer does the others
    progress.announce(actor.tenant_id, send_id)
