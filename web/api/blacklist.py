"""The blacklist: numbers that are not called and not texted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.db.session import tenant_session
from crm.actions import blacklist as actions
from crm.models import BlacklistEntry
from crm.queries.card import shown
from web import number_files
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.blacklist import (
    AddedSchema,
    BlacklistPageSchema,
    BlacklistQuery,
    EnableSchema,
    IdsSchema,
    NewEntriesSchema,
    NumberFileSchema,
    UploadEntriesQuery,
)
from web.schemas.lists import CountSchema

blueprint = Blueprint("blacklist", __name__, url_prefix="/api/blacklist", description="Blacklist")


def _render(row: BlacklistEntry) -> dict[str, Any]:
    names = ("id", "reason", "source", "enabled", "created_at")
    return {**{n: getattr(row, n) for n in names}, "phone": shown(row.phone_e164, current_actor())}


def _added(done: actions.Added) -> dict[str, Any]:
    return {**asdict(done), "wrong": [{"text": t, "reason": r} for t, r in done.wrong]}


@blueprint.get("")
@requires("blacklist.read")
@blueprint.arguments(BlacklistQuery, location="query")
@blueprint.response(200, BlacklistPageSchema)
def list_blacklist(args: dict[str, Any]) -> dict[str, Any]:
    """Entries, the newest first."""
    query = select(BlacklistEntry).order_by(BlacklistEntry.id.desc())
    search = args["search"].strip()
    digits = "".join(c for c in search if c.isdigit())
    if digits:
        query = query.where(BlacklistEntry.phone_e164.contains(digits))
    elif search:
        query = query.where(BlacklistEntry.reason.icontains(search, autoescape=True))
    if "enabled" in args:
        query = query.where(BlacklistEntry.enabled.is_(args["enabled"]))
    if "source" in args:
        query = query.where(BlacklistEntry.source == args["source"])
    with tenant_session(tenant_id()) as db:
        return paged(db, query, args, _render)


@blueprint.post("")
@requires("blacklist.write")
@blueprint.arguments(NewEntriesSchema)
@blueprint.response(200, AddedSchema)
def add_to_blacklist(given: dict[str, Any]) -> dict[str, Any]:
    """Add one or many numbers, as typed or pasted."""
    country = identity().enterprise.country
    with tenant_session(tenant_id()) as db:
        done = actions.add(
            db, current_actor(), given["numbers"], country=country, reason=given["reason"], source="manual"
        )
    return _added(done)


@blueprint.post("/import")
@requires("blacklist.write")
@blueprint.arguments(UploadEntriesQuery, location="query")
@blueprint.response(200, NumberFileSchema)
def import_blacklist(args: dict[str, Any]) -> dict[str, Any]:
    """Add the numbers of a file: the body of the request is its content (CSV, TSV, TXT, XLSX)."""

    def add(db: Session, phones: Sequence[str]) -> int:
        return actions.add_good(
            db, current_actor(), phones, reason=args["reason"], source="import", file_name=args["file_name"]
        )

    return number_files.take("blacklist", args["locale"], add)


@blueprint.get("/import/<file_id>/rejected")
@requires("blacklist.write")
@blueprint.response(200, content_type="text/csv")
def download_rejected_entries(file_id: str) -> Response:
    """The rejected rows of one's own upload as CSV: number, reason, original columns. Kept for seven days."""
    return number_files.rejected("blacklist", file_id, "blacklist.rejected.csv")


@blueprint.post("/enable")
@requires("blacklist.write")
@blueprint.arguments(EnableSchema)
@blueprint.response(200, CountSchema)
def enable_entries(given: dict[str, Any]) -> dict[str, int]:
    """Enable or disable entries."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.enable(db, current_actor(), given["ids"], given["enabled"])}


@blueprint.post("/delete")
@requires("blacklist.write")
@blueprint.arguments(IdsSchema)
@blueprint.response(200, CountSchema)
def delete_entries(given: dict[str, Any]) -> dict[str, int]:
    """Delete entries."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.remove(db, current_actor(), given["ids"])}
