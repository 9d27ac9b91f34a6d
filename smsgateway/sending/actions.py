"""Ask for a send. What becomes of it is the preparer's work, which is woken at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput
from callcenter.tenancy.models import Enterprise
from crm.queries.fields import field_defs
from smsgateway import templates
from smsgateway.checks.account import check as check_account
from smsgateway.models import TextSend, TextTemplate
from smsgateway.sending.new import NewSend
from smsgateway.sending.resolving import Resolver, check_body, instant, own_keys, pictures
from smsgateway.sending.signing import signing_of
from smsgateway.sending.world import account_of

CHANNEL: Final = "text_sends"  # what the preparer listens to


def ask(actor: Actor, new: NewSend, key: str = "") -> TextSend:
    """Store a send, in a transaction of its own. See `ask_in`."""
    with tenant_session(actor.tenant_id) as session:
        return ask_in(session, actor, new, key)


def ask_in(session: Session, actor: Actor, new: NewSend, key: str = "", now: datetime | None = None) -> TextSend:
    """Store a send and wake the preparer when the session's transaction commits.

    `key` is unique in the enterprise: the same request with the same key gives the same send and changes nothing.
    Raises Conflict (`key_reused`) if the key came with another request, InvalidInput naming each wrong field, Conflict
    (`enterprise_expired`) if the enterprise may not send.
    """
    fingerprint = new.fingerprint(actor.user_id)
    if key and (before := _earlier(session, key, fingerprint)) is not None:
        return before
    own = session.get_one(Enterprise, actor.tenant_id)
    now = now or utc_now()
    if check_account(account_of(own), now.timestamp()) is not None:
        raise Conflict(
            "Your enterprise's account has expired: it can read, but not send. Ask the operator to extend it.",
            code="enterprise_expired",
        )
    values = _values(session, actor, new, own, now)
    values["audience"]["fingerprint"] = fingerprint
    values["key"] = key or f"auto:{ids.new_id()}"
    statement = insert(TextSend).values(tenant_id=actor.tenant_id, **values)
    statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "key"])
    send_id = session.scalar(statement.returning(TextSend.id))
    if send_id is None:  # another request with this key came first
        before = _earlier(session, values["key"], fingerprint)
        assert before is not None
        return before
    send = session.get_one(TextSend, send_id)
    after: dict[str, Any] = {n: values[n] for n in ("kind", "purpose", "source", "body", "not_before")}
    after["expected"] = values["audience"]["expected"]
    record(session, actor, "create", "text_send", send_id, name=send.body[:80], after=after)
    wake(session)
    return send


def wake(session: Session) -> None:
    """Wake the preparer when this transaction commits."""
    session.execute(text(f"NOTIFY {CHANNEL}"))


def _earlier(session: Session, key: str, fingerprint: str) -> TextSend | None:
    send = session.scalar(select(TextSend).where(TextSend.key == key))
    if send is not None and send.audience.get("fingerprint") != fingerprint:
        raise Conflict("This key was used for another request. Use a new key for each send.", code="key_reused")
    return send


def _values(session: Session, actor: Actor, new: NewSend, own: Enterprise, now: datetime) -> dict[str, Any]:
    sender = session.get(User, actor.user_id) if actor.user_id is not None else None
    if new.template_id is not None and session.get(TextTemplate, new.template_id) is None:
        raise InvalidInput("Check the marked fields.", fields={"template_id": "This template is not there any more."})
    body = templates.clean(new.body.replace("\r\n", "\n")).strip("\n")
    subject = templates.clean(new.subject).strip()
    signing = signing_of(session, actor.tenant_id)
    signature = signing.of(new.signature)
    resolver = Resolver(session, actor, own)
    audience = resolver.resolve(new)
    media = pictures(session, actor, new)
    check_body(new.kind, subject, body, media, own_keys(field_defs(session), audience))
    return {
        "kind": new.kind, "purpose": new.purpose, "source": new.source.value, "subject": subject,
        "body": signing.signed(body, signature), "signature": signature, "media": media,
        "template_id": new.template_id, "rule_id": new.rule_id, "call_id": new.call_id,
        "sender_id": sender.id if sender is not None else None,
        "service_number": (sender.service_number or "") if sender is not None else "",
        "audience": audience, "duplicates": resolver.duplicates,
        "not_before": instant(new.not_before, own, now), "local_time": new.local_time and new.not_before is not None,
        "outside_hours": new.outside_hours, "valid_h": new.valid_h,
        "needs_approval": sender is not None and sender.texts_need_approval,
    }  # fmt: skip
