"""Customers: list, card, history."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput
from crm.actions import customers as actions
from crm.queries import card as queries
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.customers import (
    CardQuery,
    CardSchema,
    CustomerChangesSchema,
    CustomerPageSchema,
    CustomerQuery,
    HistoryPageSchema,
    HistoryQuery,
    NewCustomerSchema,
    OfLeadSchema,
)

blueprint = Blueprint("customers", __name__, url_prefix="/api/customers", description="Customers")


def _render(actor: Actor, row: Any) -> dict[str, Any]:
    customer, owner = row
    names = (
        "id",
        "name",
        "company",
        "grade",
        "vip",
        "region",
        "tags",
        "owner_id",
        "source",
        "created_at",
        "updated_at",
    )
    return {
        **{n: getattr(customer, n) for n in names},
        "owner_name": owner or "",
        "phones": [queries.shown(p, actor) for p in customer.phones],
    }


def _person(db: Session, args: dict[str, Any]) -> queries.Person:
    given: dict[str, Any] = {k: args[k] for k in ("customer_id", "lead_id") if k in args}
    if "phone" in args:
        given["phone_e164"] = "+" + args["phone"].strip().lstrip("+")  # a bare + in an address arrives as a space
    if not given:
        raise InvalidInput("Say whose card is wanted.", fields={"customer_id": "Give a customer, a lead or a phone."})
    return queries.find(db, current_actor(), **given)


@blueprint.get("")
@requires("customers.read")
@blueprint.arguments(CustomerQuery, location="query")
@blueprint.response(200, CustomerPageSchema)
def list_customers(args: dict[str, Any]) -> dict[str, Any]:
    """The customers that the user sees, the last changed first; search by name, company or digits of a number."""
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        return paged(db, queries.customers(db, actor, args["search"]), args, lambda row: _render(actor, row))


@blueprint.post("")
@requires("customers.write")
@blueprint.arguments(NewCustomerSchema)
@blueprint.response(201, CardSchema)
def create_customer(given: dict[str, Any]) -> dict[str, Any]:
    """A customer by hand."""
    with tenant_session(tenant_id()) as db:
        customer = actions.create(db, current_actor(), given)
        return queries.card(db, current_actor(), queries.find(db, current_actor(), customer_id=customer.id))


@blueprint.get("/card")
@requires("customers.read")
@blueprint.arguments(CardQuery, location="query")
@blueprint.response(200, CardSchema)
def get_card(args: dict[str, Any]) -> dict[str, Any]:
    """The card of a customer, of a lead, or of whoever has this number."""
    with tenant_session(tenant_id()) as db:
        return queries.card(db, current_actor(), _person(db, args))


@blueprint.get("/history")
@requires("customers.read")
@blueprint.arguments(HistoryQuery, location="query")
@blueprint.response(200, HistoryPageSchema)
def get_history(args: dict[str, Any]) -> dict[str, Any]:
    """Calls with recordings, notes and call-backs of a customer, lead or number, the newest first."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, queries.history(_person(db, args)), args)
        page["items"] = queries.fill(db, current_actor(), page["items"])
        return page


@blueprint.post("/of-lead")
@requires("customers.write")
@blueprint.arguments(OfLeadSchema)
@blueprint.response(200, CardSchema)
def make_customer_of_lead(given: dict[str, Any]) -> dict[str, Any]:
    """The lead's customer: its own, the one with its number, or a new one."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), lead_id=given["lead_id"])
        customer = actions.customer_of_lead(db, current_actor(), given["lead_id"])
        return queries.card(db, current_actor(), queries.find(db, current_actor(), customer_id=customer.id))


@blueprint.patch("/<int:customer_id>")
@requires("customers.write")
@blueprint.arguments(CustomerChangesSchema)
@blueprint.response(200, CardSchema)
def change_customer(given: dict[str, Any], customer_id: int) -> dict[str, Any]:
    """Change what is given; `fields` field by field, null removes a value."""
    with tenant_session(tenant_id()) as db:
        person = queries.find(db, current_actor(), customer_id=customer_id)
        actions.update(db, current_actor(), customer_id, given)
        return queries.card(db, current_actor(), person)
