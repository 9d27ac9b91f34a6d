"""Opt-outs: numbers that want no marketing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.db.session import tenant_session
from crm.queries.card import shown
from smsgateway.optouts import actions, queries
from web import number_files
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.lists import CountSchema
from web.schemas.optouts import (
    AddedSchema,
    IdsSchema,
    NewOptOutsSchema,
    NumberFileSchema,
    OptOutPageSchema,
    OptOutsQuery,
    UploadOptOutsQuery,
)

blueprint = Blueprint("optouts", __name__, url_prefix="/api/opt-outs", description="Opt-outs")


@blueprint.get("")
@requires("optouts.read")
@blueprint.arguments(OptOutsQuery, location="query")
@blueprint.response(200, OptOutPageSchema)
def list_opt_outs(args: dict[str, Any]) -> dict[str, Any]:
    """Opt-outs, the newest first; those that were ended too."""
    query = queries.found(search=args["search"], source=args["source"], ended=args.get("ended"))
    with tenant_session(tenant_id()) as db:
        page = paged(db, query, args)
        ids = {row.created_by for row in page["items"] if row.created_by is not None}
        names = {u.id: u.name for u in db.execute(select(User.id, User.name).where(User.id.in_(ids)))} if ids else {}
    actor = current_actor()
    page["items"] = [
        {
            **{n: getattr(row, n) for n in ("id", "source", "keyword", "note", "created_at", "ended_at")},
            "phone": shown(row.phone_e164, actor),
            "created_by": names.get(row.created_by),
        }
        for row in page["items"]
    ]
    return page


@blueprint.post("")
@requires("optouts.write")
@blueprint.arguments(NewOptOutsSchema)
@blueprint.response(200, AddedSchema)
def add_opt_outs(given: dict[str, Any]) -> dict[str, Any]:
    """Opt out one or many numbers, as typed or pasted."""
    source = actions.Source.MANUAL if len(given["numbers"]) == 1 else actions.Source.IMPORT
    with tenant_session(tenant_id()) as db:
        done = actions.add(
            db,
            current_actor(),
            given["numbers"],
            country=identity().enterprise.country,
            source=source,
            note=given["note"],
        )
    return {**asdict(done), "wrong": [{"text": t, "reason": r} for t, r in done.wrong]}


@blueprint.post("/import")
@requires("optouts.write")
@blueprint.arguments(UploadOptOutsQuery, location="query")
@blueprint.response(200, NumberFileSchema)
def import_opt_outs(args: dict[str, Any]) -> dict[str, Any]:
    """Opt out the numbers of a file: the body of the request is its content (CSV, TSV, TXT, XLSX)."""

    def add(db: Session, phones: Sequence[str]) -> int:
        return actions.add_good(
            db, current_actor(), phones, source=actions.Source.IMPORT, note=args["note"], file_name=args["file_name"]
        )

    return number_files.take("opt-outs", args["locale"], add)


@blueprint.get("/import/<file_id>/rejected")
@requires("optouts.write")
@blueprint.response(200, content_type="text/csv")
def download_rejected_opt_outs(file_id: str) -> Response:
    """The rejected rows of one's own upload as CSV: number, reason, original columns. Kept for seven days."""
    return number_files.rejected("opt-outs", file_id, "opt-outs.rejected.csv")


@blueprint.post("/end")
@requires("optouts.write")
@blueprint.arguments(IdsSchema)
@blueprint.response(200, CountSchema)
def end_opt_outs(given: dict[str, Any]) -> dict[str, int]:
    """End opt-outs: these numbers get marketing again."""
    with tenant_session(tenant_id()) as db:
        return {"count": actions.end(db, current_actor(), given["ids"])}
