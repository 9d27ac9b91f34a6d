"""Contacts of the address book, one and many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from crm.addressbook import batches, contacts, queries
from crm.addressbook.groups import load_tree, path_of
from crm.addressbook.models import Contact
from crm.queries.by_phone import customers_with
from crm.queries.card import shown
from web.http import PageQuery, current_actor, identity, paged, requires, tenant_id
from web.schemas.contacts import (
    ChangeContactSchema,
    ContactBatchSchema,
    ContactPageSchema,
    ContactQuery,
    ContactSchema,
    ContactTagsSchema,
    DuplicateContactsPageSchema,
    MergeContactsSchema,
    NewContactSchema,
)
from web.schemas.lists import CountSchema

blueprint = Blueprint("contacts", __name__, url_prefix="/api/contacts", description="Address book")


def render(db: Session, rows: Sequence[Contact]) -> list[dict[str, Any]]:
    """Contacts as the API gives them."""
    actor = current_actor()
    tree = load_tree(db, actor)
    groups = contacts.groups_of(db, [c.id for c in rows], tree)
    names = ("id", "name", "email", "company", "title", "note", "tags", "customer_id", "created_at", "updated_at")
    return [
        {
            **{n: getattr(c, n) for n in names},
            "phones": [
                {"number": shown(p, actor), "label": label} for p, label in zip(c.phones, c.labels, strict=False)
            ],
            "birthday": contacts.birthday_of(c),
            "groups": [{"id": g, "path": path_of(g, tree)} for g in groups.get(c.id, ())],
            "private": c.owner_id is not None,
        }
        for c in rows
    ]


def today() -> date:
    """The day it is in the enterprise."""
    return utc_now().astimezone(ZoneInfo(identity().enterprise.time_zone)).date()


def filtered(db: Session, given: Mapping[str, Any]) -> Any:
    """The query of the contacts that a filter leaves."""
    country = identity().enterprise.country
    return queries.contacts(db, current_actor(), queries.Filter(**given), country=country, today=today())


@blueprint.get("")
@requires("contacts.read")
@blueprint.arguments(ContactQuery, location="query")
@blueprint.response(200, ContactPageSchema)
def list_contacts(args: dict[str, Any]) -> dict[str, Any]:
    """Contacts by name; by the next birthday where `birthday_days` is given."""
    with tenant_session(tenant_id()) as db:
        given = {k: v for k, v in args.items() if k not in ("page", "per_page")}
        page = paged(db, filtered(db, given), args)
        return {**page, "items": render(db, page["items"])}


@blueprint.post("")
@requires("contacts.write")
@blueprint.arguments(NewContactSchema)
@blueprint.response(201, ContactSchema)
def post_contact(given: dict[str, Any]) -> dict[str, Any]:
    """Add a contact. In private groups only, it is private unless `private` says otherwise."""
    with tenant_session(tenant_id()) as db:
        return render(db, [contacts.add_contact(db, current_actor(), given)])[0]


@blueprint.get("/<int:contact_id>")
@requires("contacts.read")
@blueprint.response(200, ContactSchema)
def get_contact(contact_id: int) -> dict[str, Any]:
    """One contact. Its customer is looked for anew: one may have come since it was written."""
    with tenant_session(tenant_id()) as db:
        row = contacts.find_contact(db, current_actor(), contact_id)
        customer = min(db.scalars(customers_with(row.phones)), default=None) if row.phones else None
        return {**render(db, [row])[0], "customer_id": customer}


@blueprint.patch("/<int:contact_id>")
@requires("contacts.write")
@blueprint.arguments(ChangeContactSchema)
@blueprint.response(200, ContactSchema)
def patch_contact(given: dict[str, Any], contact_id: int) -> dict[str, Any]:
    """Change what is given; `groups` are all that the user sees it in."""
    with tenant_session(tenant_id()) as db:
        return render(db, [contacts.change_contact(db, current_actor(), contact_id, given)])[0]


@blueprint.delete("/<int:contact_id>")
@requires("contacts.write")
@blueprint.response(204)
def delete_contact(contact_id: int) -> None:
    """Delete a contact."""
    with tenant_session(tenant_id()) as db:
        contacts.delete_contact(db, current_actor(), contact_id)


@blueprint.get("/tags")
@requires("contacts.read")
@blueprint.response(200, ContactTagsSchema)
def list_contact_tags() -> dict[str, Any]:
    """Tags in use, the commonest first; 200 at most."""
    with tenant_session(tenant_id()) as db:
        return {"tags": queries.tags_in_use(db, current_actor())}


@blueprint.post("/batch")
@requires("contacts.write")
@blueprint.arguments(ContactBatchSchema)
@blueprint.response(200, CountSchema)
def post_contact_batch(given: dict[str, Any]) -> dict[str, int]:
    """Do one thing to many contacts: those of `ids`, or all that `filter` leaves; all of them or none."""
    actor, action = current_actor(), given["action"]
    with tenant_session(tenant_id()) as db:
        ids = given.get("ids")
        if ids is None:
            ids = list(db.scalars(filtered(db, given["filter"]).with_only_columns(Contact.id)))
        match action:
            case "move":
                count = batches.move(db, actor, ids, given["group_id"], given.get("from_group_id"))
            case "add_to_group":
                count = batches.add_to_group(db, actor, ids, given["group_id"])
            case "take_out":
                count = batches.take_out(db, actor, ids, given["group_id"])
            case "delete":
                count = batches.remove(db, actor, ids)
            case _:
                count = batches.tag(db, actor, ids, given["tags"], on=action == "tag")
        return {"count": count}


@blueprint.get("/duplicates")
@requires("contacts.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DuplicateContactsPageSchema)
def list_duplicate_contacts(args: dict[str, Any]) -> dict[str, Any]:
    """Contacts that share a number."""
    page, per_page = args["page"], args["per_page"]
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        found, total = queries.duplicates(db, actor, page=page, per_page=per_page)
        ids = {i for s in found for i in s.ids}
        rows = {c["id"]: c for c in render(db, list(db.scalars(select(Contact).where(Contact.id.in_(ids)))))}
        items = [
            {"phones": [shown(p, actor) for p in s.phones], "contacts": [rows[i] for i in s.ids if i in rows]}
            for s in found
        ]
    return {"items": items, "total": total, "page": page, "per_page": per_page}


@blueprint.post("/merge")
@requires("contacts.write")
@blueprint.arguments(MergeContactsSchema)
@blueprint.response(200, ContactSchema)
def merge_contacts(given: dict[str, Any]) -> dict[str, Any]:
    """Make one contact of two: numbers, groups and tags are joined, what `take` names comes from the other one."""
    with tenant_session(tenant_id()) as db:
        return render(db, [contacts.merge(db, current_actor(), **given)])[0]
