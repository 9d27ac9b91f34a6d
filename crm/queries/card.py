"""The customer's card: what the desk and the customers' pages show of one person, and the history below it.

A person is found as customer, as lead (which may have no customer yet), or by any phone; several matches are all told,
so that the agent can choose, and none makes a new card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, cast, func, literal, or_, select, text, union_all
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import Access, access_to, visible_user_ids
from callcenter.auth.models import User
from callcenter.calls.models import Call, Recording
from callcenter.errors import Forbidden, NotFound
from callcenter.events import streams
from callcenter.log import mask_numbers
from crm.blacklist import blocked
from crm.fields import Field
from crm.models import Callback, Customer, Disposition, FollowUp, Lead, LeadList
from crm.queries import typed
from crm.queries.by_phone import customers_with, leads_with
from crm.queries.dispositions import disposition_of
from crm.queries.fields import field_defs

UNMASKED = "numbers.unmasked"


def shown(phone: str, actor: Actor) -> str:
    """The number in full, or masked for those who may not see numbers."""
    return phone if UNMASKED in actor.permissions or actor.user_id is None else mask_numbers(phone)


@dataclass(frozen=True)
class Person:
    """Who a card is about: a customer, a lead, or both."""

    customer: Customer | None
    leads: tuple[Lead, ...]

    @property
    def phones(self) -> list[str]:
        """All numbers of the person, the customer's first."""
        numbers = list(self.customer.phones) if self.customer is not None else []
        for lead in self.leads:
            numbers += [lead.phone_e164, *lead.alt_phones]
        return list(dict.fromkeys(numbers))


def find(
    session: Session,
    actor: Actor,
    *,
    customer_id: int | None = None,
    lead_id: int | None = None,
    phone_e164: str | None = None,
) -> Person:
    """The person, if `actor` may see them or talks with them now. Raises NotFound, Forbidden."""
    lead: Lead | None = None
    customer: Customer | None = None
    if lead_id is not None:
        lead = session.get(Lead, lead_id)
        if lead is None:
            raise NotFound("There is no such lead.")
        customer_id = lead.customer_id if lead.customer_id is not None else customer_id
    if customer_id is not None:
        customer = session.get(Customer, customer_id)
        if customer is None:
            raise NotFound("There is no such customer.")
    if customer is None and phone_e164 is not None:
        customer = session.scalar(
            select(Customer).where(Customer.id.in_(customers_with([phone_e164]))).order_by(Customer.id).limit(1)
        )
    leads = [lead] if lead is not None else []
    if customer is not None:
        more = select(Lead).where(Lead.customer_id == customer.id).order_by(Lead.id.desc()).limit(20)
        leads += [x for x in session.scalars(more) if lead is None or x.id != lead.id]
    elif lead is None and phone_e164 is not None:
        same = Lead.id.in_(leads_with([phone_e164]))
        leads = list(session.scalars(select(Lead).where(same).order_by(Lead.id.desc()).limit(20)))
    if customer is None and not leads:
        raise NotFound("Nobody with this number is known.")
    person = Person(customer, tuple(leads))
    owner = customer.owner_id if customer is not None else leads[0].owner_id
    if access_to(session, actor, owner) < Access.READ and not _talking(actor, person):
        raise Forbidden("This customer is another user's.", code="not_yours")
    return person


def _talking(actor: Actor, person: Person) -> bool:
    """Whether the agent's present call is with this person: whoever is put through sees the card."""
    document = streams.snapshot(actor.tenant_id, f"agent:{actor.user_id}")
    call = document.get("call") if isinstance(document, dict) else None
    return isinstance(call, dict) and call.get("phone_e164") in person.phones


def matches(session: Session, actor: Actor, phone_e164: str) -> list[dict[str, Any]]:
    """All customers with this number: id, name, company."""
    rows = session.scalars(
        select(Customer).where(Customer.id.in_(customers_with([phone_e164]))).order_by(Customer.id).limit(20)
    )
    return [{"id": c.id, "name": c.name, "company": c.company} for c in rows]


def card(session: Session, actor: Actor, person: Person) -> dict[str, Any]:
    """The card as the API shows it."""
    customer, leads = person.customer, person.leads
    first = leads[0] if leads else None
    fields: dict[str, Any] = {}
    for lead in reversed(leads):
        fields |= lead.fields
    if customer is not None:
        fields |= customer.fields
    owner_id = customer.owner_id if customer is not None else (first.owner_id if first is not None else None)
    stopped = blocked(session, person.phones)
    return {
        "customer_id": customer.id if customer is not None else None,
        "lead_id": first.id if first is not None else None,
        "name": (customer.name if customer is not None else "") or (first.name if first is not None else ""),
        "company": (customer.company if customer is not None else "") or str(fields.get("company", "")),
        "grade": customer.grade if customer is not None else "",
        "vip": customer.vip if customer is not None else False,
        "region": customer.region if customer is not None else "",
        "tags": list(customer.tags) if customer is not None else [],
        "source": customer.source if customer is not None else "",
        "owner_id": owner_id,
        "owner_name": session.scalar(select(User.name).where(User.id == owner_id)) or "" if owner_id else "",
        "phones": [{"number": shown(p, actor), "blacklisted": p in stopped} for p in person.phones],
        "fields": fields,
        # A list's column of that name is the card's own company: it is not shown twice.
        "field_defs": [_field(f) for f in field_defs(session).values() if f.key != "company"],
        "leads": _leads(session, leads),
        "matches": matches(session, actor, person.phones[0]) if person.phones and customer is None else [],
        "callbacks": [_callback(r) for r in session.execute(_callbacks(person, only_open=True).limit(10))],
        "writable": access_to(session, actor, owner_id) >= Access.WRITE,
        "created_at": customer.created_at if customer is not None else None,
    }


def _field(f: Field) -> dict[str, Any]:
    return {
        "key": f.key, "label": f.label, "kind": f.kind.value, "required": f.required, "max_length": f.max_length,
        "format": f.format, "choices": list(f.choices),
    }  # fmt: skip


def _leads(session: Session, leads: Iterable[Lead]) -> list[dict[str, Any]]:
    lists = {
        row.id: row for row in session.scalars(select(LeadList).where(LeadList.id.in_([x.list_id for x in leads])))
    }
    # By name: campaigns are the dialer's, which stands above this package.
    wanted = [row.campaign_id for row in lists.values() if row.campaign_id is not None]
    query = text("SELECT id, name, script_id FROM campaign WHERE id = ANY(:ids)")
    campaigns = {row.id: row for row in session.execute(query, {"ids": wanted})}
    out = []
    for lead in leads:
        row = lists.get(lead.list_id)
        campaign = campaigns.get(row.campaign_id) if row is not None else None
        out.append(
            {
                "id": lead.id,
                "list_id": lead.list_id,
                "list_name": row.name if row is not None else "",
                "campaign_id": campaign.id if campaign is not None else None,
                "campaign_name": campaign.name if campaign is not None else "",
                "script_id": campaign.script_id if campaign is not None else None,
                "status": lead.status,
                "attempts": lead.attempts,
                "last_attempt_at": lead.last_attempt_at,
                "last_outcome": lead.last_outcome,
                "next_at": lead.next_at,
                "time_zone": lead.time_zone,
                "priority": lead.priority,
            }
        )
    return out


def _callbacks(person: Person, *, only_open: bool) -> Select[Any]:
    query = typed(select(Callback, User.name).outerjoin(User, User.id == Callback.user_id).order_by(Callback.due_at))
    query = query.where(_whose(Callback.customer_id, Callback.lead_id, person))
    return query.where(Callback.state == "open") if only_open else query


def _callback(row: Any) -> dict[str, Any]:
    callback, name = row
    return {
        "id": callback.id, "due_at": callback.due_at, "note": callback.note, "state": callback.state,
        "user_id": callback.user_id, "user_name": name or "",
    }  # fmt: skip


def _whose(customer_column: Any, lead_column: Any, person: Person, *more: Any) -> Any:
    conditions = [*more]
    if person.customer is not None:
        conditions.append(customer_column == person.customer.id)
    if person.leads:
        conditions.append(lead_column.in_([lead.id for lead in person.leads]))
    return or_(*conditions)


def history(person: Person) -> Select[Any]:
    """(kind, id, at) of all that happened with the person, the newest first. Kinds: call, follow_up, callback."""
    parts = [
        select(literal("call").label("kind"), Call.id.label("id"), Call.started_at.label("at")).where(
            _whose(Call.customer_id, Call.lead_id, person, Call.phone_e164.in_(person.phones))
        ),
        select(literal("callback"), cast(Callback.id, String), Callback.created_at).where(
            _whose(Callback.customer_id, Callback.lead_id, person)
        ),
    ]
    if person.customer is not None:
        parts.append(
            select(literal("follow_up"), cast(FollowUp.id, String), FollowUp.created_at).where(
                FollowUp.customer_id == person.customer.id
            )
        )
    rows = union_all(*parts).subquery()
    return select(rows.c.kind, rows.c.id, rows.c.at).order_by(rows.c.at.desc(), rows.c.id.desc())


def fill(session: Session, actor: Actor, rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of `history` with what is to be shown of each."""
    entries = list(rows)
    ids = {kind: [r.id for r in entries if r.kind == kind] for kind in ("call", "callback", "follow_up")}
    calls = _calls(session, actor, ids["call"])
    backs = {
        str(r[0].id): _callback(r)
        for r in session.execute(
            select(Callback, User.name)
            .outerjoin(User, User.id == Callback.user_id)
            .where(Callback.id.in_([int(i) for i in ids["callback"]]))
        )
    }
    notes = {
        str(f.id): {"text": f.text, "user_name": name or "", "call_id": f.call_id}
        for f, name in session.execute(
            select(FollowUp, User.name)
            .outerjoin(User, User.id == FollowUp.user_id)
            .where(FollowUp.id.in_([int(i) for i in ids["follow_up"]]))
        )
    }
    out = []
    for r in entries:
        entry: dict[str, Any] = {
            "kind": r.kind,
            "id": r.id,
            "at": r.at,
            "call": None,
            "callback": None,
            "follow_up": None,
        }
        entry[r.kind] = {"call": calls, "callback": backs, "follow_up": notes}[r.kind].get(r.id)
        out.append(entry)
    return out


def _calls(session: Session, actor: Actor, ids: list[str]) -> dict[str, dict[str, Any]]:
    recordings: dict[str, list[dict[str, Any]]] = {}
    query = select(Recording).where(Recording.call_id.in_(ids), Recording.deleted_at.is_(None)).order_by(Recording.id)
    for r in session.scalars(query):
        recordings.setdefault(r.call_id, []).append({"id": r.id, "state": r.state, "seconds": r.seconds})
    names = {row.id: row.name for row in session.execute(text("SELECT id, name FROM campaign"))}
    found = session.execute(
        select(Call, User.name, Disposition)
        .outerjoin(User, User.id == Call.agent_id)
        .outerjoin(Disposition, Disposition.id == Call.disposition_id)
        .where(Call.id.in_(ids))
    )
    return {
        call.id: {
            "direction": call.direction,
            "phone": shown(call.phone_e164, actor),
            "outcome": call.outcome,
            "agent_name": agent or "",
            "campaign_name": names.get(call.campaign_id, ""),
            "talk_s": call.talk_s,
            "disposition": disposition_of(disposition),
            "note": call.note,
            "recordings": recordings.get(call.id, []),
        }
        for call, agent, disposition in found
    }


def customers(session: Session, actor: Actor, search: str) -> Select[Any]:
    """The customers that `actor` sees, the last changed first, as rows (customer, owner's name)."""
    query = typed(
        select(Customer, User.name).outerjoin(User, User.id == Customer.owner_id).order_by(Customer.updated_at.desc())
    )
    users = visible_user_ids(session, actor)
    if users is not None:
        query = query.where(or_(Customer.owner_id.is_(None), Customer.owner_id.in_(users)))
    search = search.strip()
    if search:
        conditions = [
            Customer.name.icontains(search, autoescape=True),
            Customer.company.icontains(search, autoescape=True),
        ]
        digits = "".join(c for c in search if c.isdigit())
        if len(digits) >= 3 and len(digits) >= len(search) - 4:
            conditions.append(func.array_to_string(Customer.phones, " ").contains(digits))
        query = query.where(or_(*conditions))
    return query
