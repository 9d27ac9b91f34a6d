"""The blacklist: numbers that are not called and not texted."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter import config
from callcenter.db.session import tenant_session
from crm.actions import blacklist as actions
from crm.models import BlacklistEntry
from crm.queries.card import shown
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.blacklist import (
    AddedSchema,
    BlacklistPageSchema,
    BlacklistQuery,
    EnableSchema,
    IdsSchema,
    NewEntriesSchema,
    UploadEntriesQuery,
)
from web.schemas.lists import CountSchema
from web.uploads import store

blueprint = Blueprint("blacklist", __name__, url_prefix="/api/blacklist", description="Blacklist")
FILE_LIMIT_BYTES = 100 << 20


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
@blueprint.response(200, AddedSchema)
def import_blacklist(args: dict[str, Any]) -> dict[str, Any]:
    """Add the numbers of a CSV, TSV or XLSX file: the body of the request is its content."""
    country = identity().enterprise.country
    folder = config.load().var / "imports" / str(tenant_id())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "blacklist.upload"
        store(path, FILE_LIMIT_BYTES)
        with tenant_session(tenant_id()) as db:
            return _added(actions.add_file(db, current_actor(), path, country=country, reason=args["reason"]))


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
