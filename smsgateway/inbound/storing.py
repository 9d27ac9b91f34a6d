"""What one transaction writes for texts that came in: text, conversation, opt-out, answers, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.clock import utc_now
from callcenter.db.outbox import tell
from smsgateway.checks.verdict import Check
from smsgateway.inbound import answers, forwarding, known, settings
from smsgateway.inbound.fold import Folded, fold
from smsgateway.inbound.keywords import Wish
from smsgateway.inbound.models import Conversation, InboundText
from smsgateway.optouts import actions as optouts
from smsgateway.sending.cancelling import cancel_for

ACTOR: Final = "texts"  # the name under which the audit log keeps what came in by a text
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
    work = _Batch(session, Actor(tenant_id, None, ACTOR), texts, now)
    ids = [work.store(t) for t in texts]
    # Once for all: texts, sends and purse are locked in the order that all keep to.
    cancel_for(session, tenant_id, work.stopped, Check.OPT_OUT.value)
    tell(session, "live", topic="texts", payload={"changed": now.timestamp()})
    return ids


class _Batch:
    """Texts of one transaction. `stopped`: numbers that have opted out in it."""

    def __init__(self, session: Session, actor: Actor, texts: Sequence[Incoming], now: datetime) -> None:
        self.session, self.actor, self.now = session, actor, now
        self.settings = settings.read(session)
        self.webhook = forwarding.address(session)
        self.known = known.read(session, [t.phone for t in texts], now)
        self.stopped: set[str] = set()

    def store(self, text: Incoming) -> int:
        """Store one, and do what follows from it."""
        session, phone = self.session, text.phone
        folded = fold(text.body, self.settings, self.known.past(phone, text.reachable, self.now))
        answered = next(iter(self.known.sent.get(phone, ())), None)
        agent = self.known.agent(phone)
        row = InboundText(
            carrier_id=text.carrier_id, ref=text.ref, digest=text.digest, phone_e164=phone, to=text.to,
            subject=text.subject, body=text.body, media=text.media, at=text.at, did=_did(folded),
            keyword=folded.keyword, rule_id=folded.rule.id if folded.rule else None, created_at=self.now,
            message_id=answered.id if answered else None, send_id=answered.send_id if answered else None,
            user_id=agent.sender_id if agent else None, confirmed=False,
        )  # fmt: skip
        session.add(row)
        session.flush()
        conversation = self._conversation(text, folded, agent)
        self._answer(row, folded)
        self.known.note(phone, row.did, row.confirmed, self.now)
        if folded.for_people:
            forwarding.enqueue(session, self.webhook, row, conversation, self.now)
            _ring(session, row, conversation, self.known.names.get(phone, ""), self.now)
        return row.id

    def _answer(self, row: InboundText, folded: Folded) -> None:
        session, actor, phone = self.session, self.actor, row.phone_e164
        if folded.wish is Wish.OUT:
            optouts.stop(session, actor, phone, folded.keyword)
            self.stopped.add(phone)
        elif folded.wish is Wish.IN and folded.changes:
            optouts.resume(session, actor, phone)
            self.stopped.discard(phone)
        if folded.confirm:
            row.confirmed = answers.confirm(session, actor, phone, folded.confirm, row.id)
        if folded.rule and not answers.answer(session, actor, phone, folded.rule.template_id, row.id):
            row.did, row.rule_id = "", None

    def _conversation(self, text: Incoming, folded: Folded, agent: known.Sent | None) -> Conversation:
        """The conversation with the text in it. It is the agent's who texted last, unless somebody was given it
        since."""
        phone, now = text.phone, self.now
        unread = 1 if folded.for_people else 0
        shown = text.body[:SHOWN]
        found = {"customer_id": self.known.customers.get(phone), "contact_id": self.known.contacts.get(phone)}
        made = insert(Conversation).values(
            tenant_id=self.actor.tenant_id, phone_e164=phone, unread=unread, last_at=now, last_body=shown, **found
        )
        upsert = made.on_conflict_do_update(
            index_elements=[Conversation.tenant_id, Conversation.phone_e164],
            set_={
                "unread": Conversation.unread + unread, "last_at": func.greatest(Conversation.last_at, now),
                "last_body": shown, "updated_at": now, **found,
            },
        ).returning(Conversation)  # fmt: skip
        row = self.session.scalars(upsert, execution_options={"populate_existing": True}).one()
        if agent is not None and agent.there and (row.assigned_at is None or row.assigned_at < agent.created_at):
            row.assigned_to, row.assigned_at = agent.sender_id, agent.created_at
        return row


def _did(folded: Folded) -> str:
    if folded.wish is not None:
        return folded.wish.value
    return "answer" if folded.rule else "limited" if folded.limited else ""


def link(session: Session, row: Conversation) -> None:
    """Find the customer and the contact of the conversation's number, as they are known now."""
    found = known.read(session, [row.phone_e164], utc_now())
    row.customer_id = found.customers.get(row.phone_e164)
    row.contact_id = found.contacts.get(row.phone_e164)


def _ring(session: Session, row: InboundText, conversation: Conversation, name: str, now: datetime) -> None:
    if conversation.assigned_to is None:
        return
    notice = {
        "kind": "text", "id": f"text-{row.id}", "at": now.timestamp(), "conversation_id": conversation.id,
        "name": name, "phone": conversation.phone_e164, "text": row.body[:SHOWN],
    }  # fmt: skip
    tell(session, "live", topic=f"user:{conversation.assigned_to}", payload=notice)
