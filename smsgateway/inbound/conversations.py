"""Conversations as people see them, and what they do with them.

A conversation is seen by whom it is assigned to and by whoever sees that user's records; one of nobody by all who may
read texts. What went out is read from the texts themselves: there is no second copy that could differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, null, or_, select, text, true, union_all
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.outbox import tell
from callcenter.errors import Conflict, InvalidInput, NotFound
from crm.addressbook.models import Contact
from crm.models import Customer
from crm.queries import typed
from crm.queries.card import UNMASKED
from smsgateway.inbound.models import Conversation, InboundText
from smsgateway.inbound.storing import SHOWN, link
from smsgateway.models import OptOut, TextMessage, TextSend

ENTITY: Final = "text_conversation"
WHOSE: Final = ("mine", "nobody", "others", "all")
_LAST_DIGITS: Final = 3  # what a masked number shows: others may not be searched for by those who see no more


def seen(session: Session, actor: Actor) -> ColumnElement[bool]:
    """The condition for the conversations that `actor` sees."""
    users = visible_user_ids(session, actor)
    return true() if users is None else or_(Conversation.assigned_to.is_(None), Conversation.assigned_to.in_(users))


def found(session: Session, actor: Actor, *, whose: str = "all", unread: bool = False, search: str = "") -> Select[Any]:
    """Conversations with the names that belong to them, unread ones first, then the latest. For `rendered`."""
    query = _rows().where(seen(session, actor))
    if whose == "mine":
        query = query.where(Conversation.assigned_to == actor.user_id)
    elif whose == "nobody":
        query = query.where(Conversation.assigned_to.is_(None))
    elif whose == "others":
        query = query.where(Conversation.assigned_to != actor.user_id)
    if unread:
        query = query.where(Conversation.unread > 0)
    if search.strip():
        query = query.where(_searched(actor, search.strip()))
    return query.order_by(text("(text_conversation.unread > 0) DESC"), Conversation.last_at.desc(), Conversation.id)


def _searched(actor: Actor, search: str) -> ColumnElement[bool]:
    wanted: list[ColumnElement[bool]] = [
        Customer.name.icontains(search, autoescape=True),
        Customer.company.icontains(search, autoescape=True),
        Contact.name.icontains(search, autoescape=True),
    ]
    digits = "".join(c for c in search if c.isdigit())
    if digits and len(digits) >= len(search) - 6:
        if UNMASKED in actor.permissions or actor.user_id is None:
            wanted.append(Conversation.phone_e164.contains(digits))
        elif len(digits) == _LAST_DIGITS:
            wanted.append(Conversation.phone_e164.endswith(digits))
    return or_(*wanted)


def _rows() -> Select[Any]:
    opted = select(OptOut.id).where(OptOut.phone_e164 == Conversation.phone_e164, OptOut.ended_at.is_(None))
    return typed(
        select(Conversation, Customer.name, Contact.name, User.name, opted.exists())
        .outerjoin(Customer, Customer.id == Conversation.customer_id)
        .outerjoin(Contact, Contact.id == Conversation.contact_id)
        .outerjoin(User, User.id == Conversation.assigned_to)
    )


def find(session: Session, actor: Actor, conversation_id: int, *, lock: bool = False) -> Conversation:
    """A conversation that `actor` sees. Raises NotFound."""
    query = select(Conversation).where(Conversation.id == conversation_id, seen(session, actor))
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NotFound("There is no such conversation.")
    return row


def one(session: Session, actor: Actor, conversation_id: int) -> dict[str, Any]:
    """A conversation, its customer looked for anew, and its opt-out. Raises NotFound."""
    row = find(session, actor, conversation_id)
    if row.customer_id is None:
        link(session, row)
        session.flush()
    out = rendered(session.execute(_rows().where(Conversation.id == row.id)).one())
    opted = session.scalars(
        select(OptOut).where(OptOut.phone_e164 == row.phone_e164, OptOut.ended_at.is_(None)).limit(1)
    ).first()
    by = session.scalar(select(User.name).where(User.id == opted.created_by)) if opted and opted.created_by else ""
    out["opt_out"] = opted and {
        "id": opted.id, "source": opted.source, "keyword": opted.keyword, "note": opted.note, "by_name": by or "",
        "at": opted.created_at,
    }  # fmt: skip
    return out


def rendered(row: Any) -> dict[str, Any]:
    """A row of `found` as the API shows it."""
    c, customer, contact, agent, opted_out = row
    return {
        "id": c.id, "phone": c.phone_e164, "customer_id": c.customer_id, "contact_id": c.contact_id,
        "name": customer or contact or "", "assigned_to": c.assigned_to, "assigned_name": agent or "",
        "unread": c.unread, "last_at": c.last_at, "last_body": c.last_body, "opted_out": opted_out,
    }  # fmt: skip


def with_last(session: Session, items: Sequence[dict[str, Any]]) -> None:
    """Put the last text into each of `items`: the one that came, or one that went out after it. `last_out`: which."""
    phones = [i["phone"] for i in items]
    if not phones:
        return
    rows = session.execute(_LAST_OUT, {"tenant": session.info["tenant_id"], "phones": phones, "most": SHOWN})
    sent = {r.phone_e164: r for r in rows}
    for item in items:
        out = sent.get(item["phone"])
        item["last_out"], item["state"] = False, ""
        if out is not None and out.created_at > item["last_at"]:
            item |= {"last_out": True, "state": out.state, "last_at": out.created_at, "last_body": out.body}


_LAST_OUT = text("""
SELECT p.phone AS phone_e164, m.created_at, m.state, left(coalesce(m.body, s.body), :most) AS body
FROM unnest(CAST(:phones AS text[])) AS p(phone)
CROSS JOIN LATERAL (
  SELECT * FROM text_message m WHERE m.tenant_id = :tenant AND m.phone_e164 = p.phone
  ORDER BY m.created_at DESC LIMIT 1
) m JOIN text_send s ON s.id = m.send_id
""")


def counts(session: Session, actor: Actor) -> dict[str, int]:
    """Conversations with something unread: mine, nobody's, and all that `actor` sees."""
    mine = func.count().filter(Conversation.assigned_to == actor.user_id)
    nobody = func.count().filter(Conversation.assigned_to.is_(None))
    query = select(mine, nobody, func.count()).where(Conversation.unread > 0, seen(session, actor))
    m, n, total = session.execute(query).one()
    return {"mine": m, "nobody": n, "all": total}


def texts(phones: Sequence[str], only: ColumnElement[bool] | None = None) -> Select[Any]:
    """All texts with `phones`, both ways, the newest first: rows for `line`. `only`: the condition (`seen`) for the
    conversations whose texts are told."""
    sent = (
        select(
            literal("out").label("way"), TextMessage.id, TextMessage.created_at.label("at"),
            func.coalesce(TextMessage.body, TextSend.body).label("body"), TextSend.subject, TextMessage.state,
            TextMessage.send_id, TextSend.source, TextSend.purpose, TextSend.kind, User.name.label("user_name"),
            TextMessage.check_name, TextMessage.rule, TextMessage.detail, TextMessage.error_code, TextMessage.error,
            TextMessage.doubt, literal("").label("did"), literal("").label("keyword"), TextSend.media,
            TextMessage.phone_e164,
        )
        .join(TextSend, TextSend.id == TextMessage.send_id)
        .outerjoin(User, User.id == TextSend.sender_id)
        .where(TextMessage.phone_e164.in_(phones))
    )  # fmt: skip
    came = select(
        literal("in"), InboundText.id, InboundText.at, InboundText.body, InboundText.subject, literal(""),
        InboundText.send_id, literal(""), literal(""), literal("sms"), literal(""), literal(""), literal(""), null(),
        literal(""), literal(""), literal(False), InboundText.did, InboundText.keyword, InboundText.media,
        InboundText.phone_e164,
    ).where(InboundText.phone_e164.in_(phones))  # fmt: skip
    if only is not None:
        seen_ones = select(Conversation.phone_e164).where(Conversation.phone_e164.in_(phones), only)
        sent = sent.where(TextMessage.phone_e164.in_(seen_ones))
        came = came.where(InboundText.phone_e164.in_(seen_ones))
    both = union_all(sent, came).subquery("texts")
    return typed(select(*both.c).order_by(both.c.at.desc(), both.c.id.desc()))


def line(row: Any) -> dict[str, Any]:
    """A text of a conversation as the API shows it."""
    detail = row.detail if isinstance(row.detail, dict) else {}
    media = [
        {"name": str(m.get("name", "")), "type": str(m.get("type", ""))} for m in row.media or () if isinstance(m, dict)
    ]
    return {
        "way": row.way, "id": row.id, "at": row.at, "phone": row.phone_e164, "body": row.body, "subject": row.subject,
        "state": row.state, "send_id": row.send_id, "source": row.source, "purpose": row.purpose, "kind": row.kind,
        "user_name": row.user_name or "", "check": row.check_name, "rule": row.rule,
        "params": detail.get("params") or {}, "error_code": row.error_code, "error": row.error, "doubt": row.doubt,
        "did": row.did, "keyword": row.keyword, "media": media,
    }  # fmt: skip


def change(session: Session, actor: Actor, conversation_id: int, changes: Mapping[str, Any]) -> None:
    """Give it to somebody (`assigned_to`, None: nobody), or mark it read or unread (`read`). Raises NotFound,
    InvalidInput."""
    row = find(session, actor, conversation_id, lock=True)
    if "assigned_to" in changes and changes["assigned_to"] != row.assigned_to:
        _assign(session, actor, row, changes["assigned_to"])
    if "read" in changes and changes["read"] != (row.unread == 0):
        row.unread = 0 if changes["read"] else 1
    session.flush()
    _changed(session)


def take(session: Session, actor: Actor, conversation_id: int) -> None:
    """Make it the actor's; of two who take one of nobody, one gets it. Raises NotFound, Conflict."""
    row = find(session, actor, conversation_id, lock=True)
    if row.assigned_to is not None and row.assigned_to != actor.user_id:
        name = session.scalar(select(User.name).where(User.id == row.assigned_to)) or ""
        raise Conflict("Somebody was quicker.", code="conversation_taken", params={"name": name})
    if row.assigned_to is None:
        _assign(session, actor, row, actor.user_id)
        session.flush()
        _changed(session)


def _assign(session: Session, actor: Actor, row: Conversation, user_id: int | None) -> None:
    if user_id is not None:
        user = session.scalar(select(User).where(User.id == user_id, User.enabled))
        if user is None:
            sentence = "Choose a user of this enterprise, or nobody."
            raise InvalidInput(sentence, fields={"assigned_to": sentence})
    before = {"assigned_to": row.assigned_to}
    row.assigned_to, row.assigned_at = user_id, utc_now()
    record(session, actor, "update", ENTITY, row.id, before=before, after={"assigned_to": user_id})


def answered(session: Session, actor: Actor, row: Conversation) -> None:
    """The actor has written an answer: it is theirs, and read."""
    row.unread = 0
    if actor.user_id is not None and row.assigned_to != actor.user_id:
        _assign(session, actor, row, actor.user_id)
    session.flush()
    _changed(session)


def _changed(session: Session) -> None:
    tell(session, "live", topic="texts", payload={"changed": utc_now().timestamp()})


def phones_of_customer(session: Session, actor: Actor, customer_id: int) -> list[str]:
    """The numbers of a customer whom `actor` sees. Raises NotFound."""
    users = visible_user_ids(session, actor)
    query = select(Customer.phones).where(Customer.id == customer_id)
    if users is not None:
        query = query.where(or_(Customer.owner_id.is_(None), Customer.owner_id.in_(users)))
    phones = session.scalar(query)
    if phones is None:
        raise NotFound("There is no such customer.")
    return list(phones)
