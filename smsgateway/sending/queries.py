"""Sends and their texts as the pages show them. A send is seen by its sender and by whoever sees the sender's records;
one that nobody in person asked for by all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, or_, select, text
from sqlalchemy.orm import Session, defer

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.errors import NotFound
from callcenter.tenancy.models import Enterprise
from crm.addressbook.models import ContactGroup
from crm.models import LeadList
from crm.phones import Normaliser
from crm.queries import typed
from smsgateway.models import TextMessage, TextSend, TextTemplate
from smsgateway.purse.models import PurseAccount
from smsgateway.sending import media
from smsgateway.texts import SendState, TextState

_COLUMNS = (
    "id", "kind", "purpose", "source", "subject", "body", "signature", "template_id", "rule_id", "call_id",
    "sender_id", "service_number", "state", "not_before", "local_time", "outside_hours", "valid_h", "needs_approval",
    "decided_at", "decision", "error", "asked", "duplicates", "charged_minor", "segments", "created_at", "finished_at",
)  # fmt: skip
_COUNTS = tuple(s.value for s in TextState)
CANCELLABLE = (SendState.PREPARING, SendState.APPROVAL, SendState.SENDING)


def sees(session: Session, actor: Actor) -> list[Any]:
    """Conditions for the sends that `actor` sees."""
    users = visible_user_ids(session, actor)
    return [] if users is None else [or_(TextSend.sender_id.is_(None), TextSend.sender_id.in_(users))]


def sends(session: Session, actor: Actor, args: Mapping[str, Any]) -> Select[Any]:
    """Sends, the newest first. Filters: state, source (several with commas), kind, purpose, sender_id, search (in the
    text, or a recipient's whole number), from_ and to (days of the enterprise's zone, both included)."""
    query = typed(
        select(TextSend).options(defer(TextSend.audience)).where(*sees(session, actor)).order_by(TextSend.id.desc())
    )
    for name in ("state", "source"):
        if args.get(name):
            query = query.where(getattr(TextSend, name).in_(args[name].split(",")))
    for name in ("kind", "purpose", "sender_id"):
        if args.get(name) is not None:
            query = query.where(getattr(TextSend, name) == args[name])
    own = session.get_one(Enterprise, actor.tenant_id)
    zone = ZoneInfo(own.time_zone)
    if args.get("from_"):
        query = query.where(TextSend.created_at >= datetime.combine(args["from_"], time(0), zone))
    if args.get("to"):
        query = query.where(TextSend.created_at < datetime.combine(args["to"] + timedelta(days=1), time(0), zone))
    if search := str(args.get("search") or "").strip():
        wanted = [TextSend.body.icontains(search, autoescape=True), TextSend.subject.icontains(search, autoescape=True)]
        phone = Normaliser(own.country).read(search)
        if phone.fault is None:
            wanted.append(TextSend.id.in_(select(TextMessage.send_id).where(TextMessage.phone_e164 == phone.e164)))
        query = query.where(or_(*wanted))
    return query


def find(session: Session, actor: Actor, send_id: int, *, lock: bool = False) -> TextSend:
    """A send that the actor sees. Raises NotFound."""
    query = select(TextSend).where(TextSend.id == send_id, *sees(session, actor))
    send = session.scalar(query.with_for_update() if lock else query)
    if send is None:
        raise NotFound("There is no such send.")
    return send


def one(session: Session, actor: Actor, send_id: int) -> dict[str, Any]:
    """A send as the API shows it. Raises NotFound."""
    return rendered(session, actor, [find(session, actor, send_id)])[0]


def rendered(session: Session, actor: Actor, rows: Sequence[TextSend]) -> list[dict[str, Any]]:
    """Sends as the API shows them."""
    people = {i for r in rows for i in (r.sender_id, r.decided_by) if i is not None}
    names = pairs(session, select(User.id, User.name).where(User.id.in_(people)))
    wanted = {r.template_id for r in rows if r.template_id is not None}
    by_id = select(TextTemplate.id, TextTemplate.name).where(TextTemplate.id.in_(wanted))
    templates = pairs(session, by_id)
    currencies = pairs(session, select(PurseAccount.kind, PurseAccount.currency))
    audiences = _audiences(session, [r.id for r in rows])
    groups = _names(session, ContactGroup, audiences.values(), "groups")
    lists = _names(session, LeadList, audiences.values(), "lists")
    now = utc_now()
    out = []
    for r in rows:
        audience = audiences[r.id]
        out.append(
            {
                **{c: getattr(r, c) for c in (*_COLUMNS, *_COUNTS)},
                "media": media.shown(r.media or ()),
                "template_name": templates.get(r.template_id, "") if r.template_id else "",
                "sender_name": names.get(r.sender_id, "") if r.sender_id else "",
                "decided_by_name": names.get(r.decided_by, "") if r.decided_by else "",
                "audience": {
                    "numbers": audience["numbers"],
                    "people": audience["people"],
                    "file_name": (audience.get("file") or {}).get("name", ""),
                    "contacts": len(audience.get("contacts") or ()),
                    "groups": [groups[i] for i in audience.get("groups") or () if i in groups],
                    "lists": [lists[i] for i in _list_ids(audience) if i in lists],
                    "list_statuses": list(audience.get("list_statuses") or ()),
                    "customers": audience.get("customers"),
                    "occasion": "birthday"
                    if audience.get("birthday")
                    else "renewal"
                    if audience.get("renewal")
                    else "",
                },
                "expected": max(int(audience.get("expected") or 0), r.asked),
                "scheduled": r.not_before is not None and r.not_before > now and r.state in CANCELLABLE,
                "currency": currencies.get(r.kind, "CNY"),
                "cancellable": r.state in CANCELLABLE and "texts.send" in actor.permissions,
            }
        )
    return out


def pairs(session: Session, query: Any) -> dict[Any, Any]:
    """The rows of a query of two columns, the first by the second."""
    return {row[0]: row[1] for row in session.execute(query)}


def _audiences(session: Session, send_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The audiences, with how many numbers and people there are in place of them: a page of sends may hold half a
    million numbers that nobody looks at."""
    found = session.execute(_AUDIENCES, {"ids": list(send_ids)})
    return {
        i: {**(rest if isinstance(rest, dict) else {}), "numbers": numbers, "people": people}
        for i, rest, numbers, people in found
    }


_AUDIENCES = text("""
SELECT id, audience - 'numbers' - 'people', jsonb_array_length(coalesce(audience -> 'numbers', '[]')),
  jsonb_array_length(coalesce(audience -> 'people', '[]'))
FROM text_send WHERE id = ANY(CAST(:ids AS bigint[]))
""")


def _list_ids(audience: Mapping[str, Any]) -> list[int]:
    renewal = audience.get("renewal") or {}
    return [*(audience.get("lists") or ()), *(renewal.get("lists") or ())]


def _names(session: Session, table: Any, audiences: Iterable[Mapping[str, Any]], key: str) -> dict[int, str]:
    wanted: set[int] = set()
    for audience in audiences:
        wanted |= set(_list_ids(audience) if key == "lists" else audience.get(key) or ())
        wanted |= set((audience.get("birthday") or {}).get(key) or ())
    if not wanted:
        return {}
    return pairs(session, select(table.id, table.name).where(table.id.in_(wanted)))


def messages(send: TextSend, args: Mapping[str, Any]) -> Select[Any]:
    """The texts of a send in their order. Filters: state (several with commas), check, rule, search (digits)."""
    query = typed(select(TextMessage).where(TextMessage.send_id == send.id).order_by(TextMessage.id))
    if args.get("state"):
        query = query.where(TextMessage.state.in_(args["state"].split(",")))
    if args.get("check"):
        query = query.where(TextMessage.check_name == args["check"])
    if args.get("rule"):
        query = query.where(TextMessage.rule == args["rule"])
    if search := str(args.get("search") or "").strip():
        digits = "".join(c for c in search if c.isdigit()) or search
        query = query.where(TextMessage.phone_e164.contains(digits, autoescape=True))
    return query


def message(row: TextMessage, send: TextSend) -> dict[str, Any]:
    """A text as the API shows it."""
    names = (
        "id", "send_id", "contact_id", "customer_id", "encoding", "segments", "sender", "state", "rule", "price_minor",
        "charged_minor", "not_before", "expires_at", "attempts", "doubt", "error_code", "error", "submitted_at",
        "final_at", "created_at",
    )  # fmt: skip
    detail = row.detail if isinstance(row.detail, dict) else {}
    return {
        **{n: getattr(row, n) for n in names},
        "phone": row.phone_e164,
        "body": send.body if row.body is None else row.body,
        "check": row.check_name,
        "params": detail.get("params") or {},
        "hits": detail.get("hits") or [],
    }


def refusals(session: Session, send: TextSend) -> list[dict[str, Any]]:
    """How many texts of a send each rule has refused, holds or has cancelled, the most first."""
    query = (
        select(TextMessage.state, TextMessage.check_name, TextMessage.rule, func.count())
        .where(TextMessage.send_id == send.id, TextMessage.check_name != "")
        .group_by(TextMessage.state, TextMessage.check_name, TextMessage.rule)
        .order_by(func.count().desc())
    )
    return [{"state": s, "check": c, "rule": r, "count": n} for s, c, r, n in session.execute(query)]
