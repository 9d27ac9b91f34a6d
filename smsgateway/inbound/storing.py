"""What one transaction writes for texts that came in: text, conversation, opt-out, answers, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Text, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.db.outbox import tell
from callcenter.numbers.models import DidNumber
from crm.addressbook.models import Contact
from crm.models import Customer
from crm.queries import typed
from crm.queries.by_phone import customers_with
from smsgateway.checks.verdict import Check
from smsgateway.inbound import answers, forwarding, settings
from smsgateway.inbound.fold import ANSWERS_WITHIN_H, CONFIRM_EVERY_H, Folded, Past, Settings, fold
from smsgateway.inbound.keywords import Wish
from smsgateway.inbound.models import Conversation, InboundText
from smsgateway.models import OptOut, TextMessage, TextSend
from smsgateway.optouts import actions as optouts
from smsgateway.sending.cancelling import cancel_for
from smsgateway.texts import Source, TextState

ACTOR: Final = "texts"  # the name under which the audit log keeps what came in by a text
ANSWERS_WITHIN_D: Final = 30  # a text that comes later answers nothing
_RECENT: Final = 20
_NOT_GONE: Final = (TextState.APPROVAL, TextState.QUEUED, TextState.REFUSED, TextState.CANCELLED)
_AUTOMATIC: Final = frozenset({Source.ANSWER, Source.OPT_OUT})
SHOWN: Final = 200  # characters of a text in lists and notices


@dataclass(frozen=True, slots=True)
class Incoming:
    """A text as it is stored: cleaned and cut. `reachable`: `phone` is E.164."""

    carrier_id: int
    ref: str
    digest: str
    phone: str
    reachable: bool
    to: str
    subject: str
    body: str
    media: list[Any] = field(default_factory=list)
    at: datetime = field(kw_only=True)


def store(session: Session, tenant_id: int, texts: Sequence[Incoming], now: datetime) -> list[int]:
    """Store `texts` of the session's enterprise, all of them new, in their order. Returns their ids."""
    if not texts:
        return []
    actor = Actor(tenant_id, None, ACTOR)
    given = settings.read(session)
    ids: list[int] = []
    stopped: set[str] = set()
    for text in texts:
        ids.append(_store_one(session, actor, given, text, now, stopped))
    # Once for all: texts, sends and purse are locked in the order that all keep to.
    cancel_for(session, tenant_id, stopped, Check.OPT_OUT.value)
    tell(session, "live", topic="texts", payload={"changed": now.timestamp()})
    return ids


def _store_one(
    session: Session, actor: Actor, given: Settings, text: Incoming, now: datetime, stopped: set[str]
) -> int:
    folded = fold(text.body, given, _past(session, text, now))
    answered, agent = _answered(session, text.phone, now)
    row = InboundText(
        carrier_id=text.carrier_id, ref=text.ref, digest=text.digest, phone_e164=text.phone, to=text.to,
        subject=text.subject, body=text.body, media=text.media, at=text.at, did=_did(folded), keyword=folded.keyword,
        rule_id=folded.rule.id if folded.rule else None, created_at=now,
        message_id=answered.id if answered else None, send_id=answered.send_id if answered else None,
        user_id=agent.sender_id if agent else None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    conversation = _conversation(session, text, folded, agent, now)
    if folded.wish is Wish.OUT:
        optouts.stop(session, actor, text.phone, folded.keyword)
        stopped.add(text.phone)
    elif folded.wish is Wish.IN and folded.changes:
        optouts.resume(session, actor, text.phone)
    if folded.confirm:
        row.confirmed = answers.confirm(session, actor, text.phone, folded.confirm, row.id)
    if folded.rule and not answers.answer(session, actor, text.phone, folded.rule.template_id, row.id):
        row.did, row.rule_id = "", None
    if folded.for_people:
        forwarding.enqueue(session, row, conversation, now)
        _ring(session, row, conversation, now)
    return row.id


def _did(folded: Folded) -> str:
    if folded.wish is not None:
        return folded.wish.value
    return "answer" if folded.rule else "limited" if folded.limited else ""


def _past(session: Session, text: Incoming, now: datetime) -> Past:
    opted_out = session.scalar(
        select(OptOut.id).where(OptOut.phone_e164 == text.phone, OptOut.ended_at.is_(None)).limit(1)
    )
    within = now - timedelta(hours=max(CONFIRM_EVERY_H, ANSWERS_WITHIN_H))
    rows = session.execute(
        select(InboundText.did, InboundText.confirmed, InboundText.created_at).where(
            InboundText.phone_e164 == text.phone, InboundText.at > within - timedelta(days=1),
            InboundText.created_at > within, or_(InboundText.confirmed, InboundText.did == "answer"),
        )
    ).all()  # fmt: skip
    hour = now - timedelta(hours=ANSWERS_WITHIN_H)
    return Past(
        opted_out=opted_out is not None,
        confirmed=frozenset(Wish(r.did) for r in rows if r.confirmed),
        answers=sum(r.did == "answer" and r.created_at > hour for r in rows),
        reachable=text.reachable and not _ours(session, text.phone),
    )


def _ours(session: Session, phone: str) -> bool:
    """Whether `phone` is a number of the enterprise itself: its own texts must not be answered."""
    own = (
        select(User.id)
        .where(User.service_number == phone)
        .union_all(select(DidNumber.id).where(DidNumber.e164 == phone))
    )
    return session.execute(own.limit(1)).first() is not None


def _answered(session: Session, phone: str, now: datetime) -> tuple[Row[Any] | None, Row[Any] | None]:
    """The text that is answered, and the last one that a person sent (whose answer it is); None where there is none."""
    query = typed(
        select(TextMessage.id, TextMessage.send_id, TextMessage.created_at, TextSend.sender_id, TextSend.source)
        .join(TextSend, TextSend.id == TextMessage.send_id)
        .where(
            TextMessage.tenant_id == session.info["tenant_id"], TextMessage.phone_e164 == phone,
            TextMessage.created_at > now - timedelta(days=ANSWERS_WITHIN_D), TextMessage.state.not_in(_NOT_GONE),
        )
        .order_by(TextMessage.created_at.desc(), TextMessage.id.desc())
        .limit(_RECENT)
    )  # fmt: skip
    mine = [r for r in session.execute(query) if r.source not in _AUTOMATIC]
    people = (r for r in mine if r.sender_id is not None)
    return (mine[0] if mine else None), next(people, None)


def _conversation(
    session: Session, text: Incoming, folded: Folded, agent: Row[Any] | None, now: datetime
) -> Conversation:
    """The conversation with the text in it. It is the agent's who texted last, unless somebody was given it since."""
    unread = 1 if folded.for_people else 0
    shown = text.body[:SHOWN]
    made = insert(Conversation).values(
        tenant_id=session.info["tenant_id"], phone_e164=text.phone, unread=unread, last_at=now, last_body=shown
    )
    upsert = made.on_conflict_do_update(
        index_elements=[Conversation.tenant_id, Conversation.phone_e164],
        set_={
            "unread": Conversation.unread + unread, "last_at": func.greatest(Conversation.last_at, now),
            "last_body": shown, "updated_at": now,
        },
    ).returning(Conversation.id)  # fmt: skip
    row = session.get_one(Conversation, session.execute(upsert).scalar_one(), populate_existing=True)
    if agent is not None and (row.assigned_at is None or row.assigned_at < agent.created_at):
        there = session.scalar(select(User.id).where(User.id == agent.sender_id, User.enabled))
        if there is not None:
            row.assigned_to, row.assigned_at = there, agent.created_at
    link(session, row)
    session.flush()
    return row


def link(session: Session, row: Conversation) -> None:
    """Find the customer and the contact of the conversation's number, as they are known now."""
    row.customer_id = session.scalars(customers_with([row.phone_e164])).first()
    # Of private contacts nobody but their owner is to know.
    row.contact_id = session.scalar(
        select(Contact.id)
        .where(
            Contact.id.in_(select(func.contacts_with_phone(bindparam(None, [row.phone_e164], type_=ARRAY(Text))))),
            Contact.owner_id.is_(None),
        )
        .order_by(Contact.id)
        .limit(1)
    )


def name_of(session: Session, row: Conversation) -> str:
    """The name of who writes, as far as it is known."""
    customer = session.get(Customer, row.customer_id) if row.customer_id is not None else None
    if customer is not None and customer.name:
        return customer.name
    contact = session.get(Contact, row.contact_id) if row.contact_id is not None else None
    return contact.name if contact is not None else ""


def _ring(session: Session, row: InboundText, conversation: Conversation, now: datetime) -> None:
    if conversation.assigned_to is None:
        return
    notice = {
        "kind": "text", "id": f"text-{row.id}", "at": now.timestamp(), "conversation_id": conversation.id,
        "name": name_of(session, conversation), "phone": conversation.phone_e164, "text": row.body[:SHOWN],
    }  # fmt: skip
    tell(session, "live", topic=f"user:{conversation.assigned_to}", payload=notice)
