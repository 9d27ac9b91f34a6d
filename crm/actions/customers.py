"""Make and change customers, and the notes on their history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import Access, access_to
from callcenter.auth.models import User
from callcenter.errors import Conflict, Forbidden, InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from crm.fields import check_values
from crm.models import Customer, FollowUp, Lead
from crm.phones import Normaliser
from crm.queries.by_phone import customers_with
from crm.queries.fields import field_defs

MAX_PHONES: Final = 20
_PLAIN: Final = ("name", "company", "grade", "vip", "region", "tags", "owner_id", "source")


def find_by_phone(session: Session, phones: Iterable[str]) -> Customer | None:
    """The oldest customer with any of `phones` (E.164)."""
    wanted = list(phones)
    if not wanted:
        return None
    return session.scalar(
        select(Customer).where(Customer.id.in_(customers_with(wanted))).order_by(Customer.id).limit(1)
    )


def customer_of_lead(session: Session, actor: Actor, lead_id: int) -> Customer:
    """The lead's customer: its own, else one with any of its phones, else a new one made of it. Harmless when repeated.

    Raises NotFound.
    """
    lead = session.get(Lead, lead_id, with_for_update=True)
    if lead is None:
        raise NotFound("There is no such lead.")
    if lead.customer_id is not None:
        customer = session.get(Customer, lead.customer_id)
        if customer is not None:
            return customer
    phones = [lead.phone_e164, *lead.alt_phones]
    _lock_phones(session, actor.tenant_id, phones)
    customer = find_by_phone(session, phones)
    if customer is None:
        customer = make_customer(
            session, actor, phones=phones, name=lead.name, fields=lead.fields, source="lead",
            owner_id=lead.owner_id if lead.owner_id is not None else actor.user_id,
        )  # fmt: skip
    lead.customer_id = customer.id
    session.flush()
    return customer


def _lock_phones(session: Session, tenant_id: int, phones: list[str]) -> None:
    """Two first conversations with one person at the same moment must not make two customers."""
    for phone in sorted(phones):
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 727))")
        session.execute(lock, {"key": f"{tenant_id}:{phone}"})


def make_customer(
    session: Session,
    actor: Actor,
    *,
    phones: list[str],
    name: str = "",
    fields: Mapping[str, Any] | None = None,
    source: str = "",
    owner_id: int | None = None,
) -> Customer:
    """A customer from checked values. A field named `company` is the customer's company."""
    values = dict(fields or {})
    customer = Customer(
        name=name, phones=phones, fields=values, source=source, company=str(values.get("company", "")),
        owner_id=owner_id if owner_id is not None else actor.user_id,
    )  # fmt: skip
    session.add(customer)
    session.flush()
    record(session, actor, "create", "customer", customer.id, name=name, after=_values(customer))
    return customer


def create(session: Session, actor: Actor, given: Mapping[str, Any]) -> Customer:
    """A customer by hand. Raises InvalidInput; Conflict `customer_exists` with the id of who has it."""
    phones = read_phones(session, given.get("phones") or [], "phones")
    _lock_phones(session, actor.tenant_id, phones)
    there = find_by_phone(session, phones)
    if there is not None:
        raise _exists(there)
    fields = check_values(field_defs(session), given.get("fields") or {}, all_required=False)
    _check_owner(session, given.get("owner_id"))
    customer = Customer(
        phones=phones,
        fields={k: v for k, v in fields.items() if v is not None},
        **{k: given[k] for k in _PLAIN if k in given},
    )
    if customer.owner_id is None:
        customer.owner_id = actor.user_id
    if not customer.source:
        customer.source = "manual"
    session.add(customer)
    session.flush()
    record(session, actor, "create", "customer", customer.id, name=customer.name, after=_values(customer))
    return customer


def update(session: Session, actor: Actor, customer_id: int, changes: Mapping[str, Any]) -> Customer:
    """Change what is given; `fields` field by field. Raises NotFound, Forbidden, InvalidInput, Conflict."""
    customer = session.get(Customer, customer_id, with_for_update=True)
    if customer is None:
        raise NotFound("There is no such customer.")
    if access_to(session, actor, customer.owner_id) < Access.WRITE:
        raise Forbidden("This customer is another user's.", code="not_yours")
    before = _values(customer)
    if "phones" in changes:
        phones = read_phones(session, changes["phones"], "phones")
        _lock_phones(session, actor.tenant_id, phones)
        there = find_by_phone(session, [p for p in phones if p not in customer.phones])
        if there is not None and there.id != customer.id:
            raise _exists(there)
        customer.phones = phones
    if "fields" in changes:
        checked = check_values(field_defs(session), changes["fields"], all_required=False)
        merged = {**customer.fields, **checked}
        customer.fields = {k: v for k, v in merged.items() if v is not None}
    if "owner_id" in changes:
        _check_owner(session, changes["owner_id"])
    for name in _PLAIN:
        if name in changes:
            setattr(customer, name, changes[name])
    session.flush()
    record(
        session, actor, "update", "customer", customer.id, name=customer.name, before=before, after=_values(customer)
    )
    return customer


def add_follow_up(session: Session, actor: Actor, customer_id: int, note: str) -> FollowUp:
    """A note on the customer's history. Raises NotFound, Forbidden."""
    customer = session.get(Customer, customer_id)
    if customer is None:
        raise NotFound("There is no such customer.")
    if access_to(session, actor, customer.owner_id) < Access.WRITE:
        raise Forbidden("This customer is another user's.", code="not_yours")
    follow_up = FollowUp(customer_id=customer.id, user_id=actor.user_id, text=note.strip())
    session.add(follow_up)
    session.flush()
    record(session, actor, "create", "follow_up", follow_up.id, name=customer.name, after={"text": note})
    return follow_up


def read_phones(session: Session, given: Iterable[str], field: str) -> list[str]:
    """Phones as typed → E.164, each once. Raises InvalidInput naming the ones that can't be dialed."""
    normaliser = Normaliser(session.scalar(select(Enterprise.country)) or "CN")
    out: list[str] = []
    wrong: dict[str, str] = {}
    for i, text_ in enumerate(given):
        phone = normaliser.read(str(text_))
        if phone.fault is not None:
            wrong[f"{field}.{i}"] = "This is not a phone number that can be dialed."
        elif phone.e164 not in out:
            out.append(phone.e164)
    if len(out) > MAX_PHONES:
        wrong[field] = f"{MAX_PHONES} numbers at most."
    if wrong:
        raise InvalidInput("Check the phone numbers.", fields=wrong)
    return out


def _check_owner(session: Session, owner_id: int | None) -> None:
    if owner_id is not None and session.get(User, owner_id) is None:
        raise InvalidInput("Check the marked fields.", fields={"owner_id": "Choose a user of this enterprise."})


def _exists(there: Customer) -> Conflict:
    return Conflict(
        "Another customer has this number already.",
        code="customer_exists",
        fields={"phones": "Another customer has this number already."},
        params={"customer_id": there.id, "name": there.name},
    )


def _values(customer: Customer) -> dict[str, Any]:
    return {name: getattr(customer, name) for name in (*_PLAIN, "phones", "fields")}
