"""The audit log (product row E8): read only; entries are written by the actions themselves."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.audit.queries import choices, entries_query
from callcenter.db.session import tenant_session
from web.http import identity, paged, requires, tenant_id
from web.schemas.audit import AuditChoicesSchema, AuditPageSchema, AuditQuerySchema

blueprint = Blueprint("audit", __name__, url_prefix="/api/audit", description="Who did what to which record")


@blueprint.get("")
@requires("audit.read")
@blueprint.arguments(AuditQuerySchema, location="query")
@blueprint.response(200, AuditPageSchema)
def list_entries(args: dict[str, Any]) -> dict[str, Any]:
    """Entries, the newest first, by who, action, record and days."""
    with tenant_session(tenant_id()) as db:
        return paged(db, entries_query(args, identity().enterprise.time_zone), args)


@blueprint.get("/choices")
@requires("audit.read")
@blueprint.response(200, AuditChoicesSchema)
def get_choices() -> dict[str, Any]:
    """What the filters offer."""
    with tenant_session(tenant_id()) as db:
        return choices(db)
