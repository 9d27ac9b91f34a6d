"""Enterprises, as the platform's operator sees them (row E10)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import platform_session
from callcenter.tenancy import platform
from callcenter.tenancy.models import Enterprise
from callcenter.tenancy.opening import load_hooks
from web.http import current_actor, paged, requires
from web.schemas.platform import (
    ChangeEnterpriseSchema,
    EnterprisePage,
    EnterpriseQuery,
    EnterpriseSchema,
    NewEnterpriseSchema,
)

blueprint = Blueprint(
    "platform_enterprises", __name__, url_prefix="/api/platform/enterprises", description="The platform's enterprises"
)
load_hooks()


def _one(enterprise_id: int) -> Enterprise:
    with platform_session() as db:
        return platform.find_enterprise(db, enterprise_id)


@blueprint.get("")
@requires("platform.enterprises")
@blueprint.arguments(EnterpriseQuery, location="query")
@blueprint.response(200, EnterprisePage)
def list_enterprises(args: dict[str, Any]) -> dict[str, Any]:
    """Enterprises, the newest first."""
    with platform_session() as db:
        return paged(db, platform.enterprises_query(args["search"]), args)


@blueprint.post("")
@requires("platform.enterprises")
@blueprint.arguments(NewEnterpriseSchema)
@blueprint.response(201, EnterpriseSchema)
def post_enterprise(given: dict[str, Any]) -> Enterprise:
    """Open an enterprise with its owner."""
    return _one(platform.open_one(current_actor(), given))


@blueprint.get("/<int:enterprise_id>")
@requires("platform.enterprises")
@blueprint.response(200, EnterpriseSchema)
def get_enterprise(enterprise_id: int) -> Enterprise:
    """One enterprise."""
    return _one(enterprise_id)


@blueprint.patch("/<int:enterprise_id>")
@requires("platform.enterprises")
@blueprint.arguments(ChangeEnterpriseSchema)
@blueprint.response(200, EnterpriseSchema)
def patch_enterprise(given: dict[str, Any], enterprise_id: int) -> Enterprise:
    """Change its name, or until when it is valid: after that day its people can read, but neither dial nor send."""
    platform.change_one(current_actor(), enterprise_id, given)
    return _one(enterprise_id)
