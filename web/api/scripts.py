"""Scripts: what the agent reads."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.audit import records
from callcenter.db.session import tenant_session
from crm.models import Script
from dialer.actions import scripts as actions
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.scripts import NewScriptSchema, ScriptChangesSchema, ScriptPageSchema, ScriptSchema

blueprint = Blueprint("scripts", __name__, url_prefix="/api/scripts", description="Scripts")


@blueprint.get("")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ScriptPageSchema)
def list_scripts(args: dict[str, Any]) -> dict[str, Any]:
    """All scripts, by name."""
    with tenant_session(tenant_id()) as db:
        return paged(db, select(Script).order_by(Script.name, Script.id), args)


@blueprint.get("/<int:script_id>")
@requires()
@blueprint.response(200, ScriptSchema)
def get_script(script_id: int) -> Script:
    """One script."""
    with tenant_session(tenant_id()) as db:
        return records.find(db, Script, script_id)


@blueprint.post("")
@requires("scripts.write")
@blueprint.arguments(NewScriptSchema)
@blueprint.response(201, ScriptSchema)
def create_script(given: dict[str, Any]) -> Script:
    """A new script."""
    with tenant_session(tenant_id()) as db:
        return actions.create(db, current_actor(), given)


@blueprint.patch("/<int:script_id>")
@requires("scripts.write")
@blueprint.arguments(ScriptChangesSchema)
@blueprint.response(200, ScriptSchema)
def change_script(given: dict[str, Any], script_id: int) -> Script:
    """Change it; agents see the new text from their next call on."""
    with tenant_session(tenant_id()) as db:
        script = actions.update(db, current_actor(), script_id, given)
        db.refresh(script)
        return script


@blueprint.delete("/<int:script_id>")
@requires("scripts.write")
@blueprint.response(204)
def delete_script(script_id: int) -> None:
    """Delete one that no campaign shows."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), script_id)
