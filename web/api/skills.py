"""Skills, and how well each agent can what."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.acd import queries
from callcenter.acd import skills as actions
from callcenter.acd.models import Skill
from callcenter.db.session import tenant_session
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.queues import (
    NewSkillSchema,
    SkillChangesSchema,
    SkillPageSchema,
    SkillSchema,
    SkillsOfAgentSchema,
)

blueprint = Blueprint("skills", __name__, url_prefix="/api/skills", description="Skills of agents")


@blueprint.get("")
@requires("queues.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, SkillPageSchema)
def list_skills(args: dict[str, Any]) -> dict[str, Any]:
    """All skills by name, with who can them and which queues want them."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, select(Skill).order_by(Skill.name, Skill.id), args)
        page["items"] = queries.skill_rows(db, page["items"])
        return page


@blueprint.post("")
@requires("queues.write")
@blueprint.arguments(NewSkillSchema)
@blueprint.response(201, SkillSchema)
def create_skill(given: dict[str, Any]) -> dict[str, Any]:
    """A new skill."""
    with tenant_session(tenant_id()) as db:
        return queries.skill_rows(db, [actions.create(db, current_actor(), given)])[0]


@blueprint.patch("/<int:skill_id>")
@requires("queues.write")
@blueprint.arguments(SkillChangesSchema)
@blueprint.response(200, SkillSchema)
def change_skill(given: dict[str, Any], skill_id: int) -> dict[str, Any]:
    """Rename or describe it; `agents`: from now on exactly these can it."""
    with tenant_session(tenant_id()) as db:
        return queries.skill_rows(db, [actions.update(db, current_actor(), skill_id, given)])[0]


@blueprint.delete("/<int:skill_id>")
@requires("queues.write")
@blueprint.response(204)
def delete_skill(skill_id: int) -> None:
    """Delete it; 409 `skill.in_use` while a queue wants it."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), skill_id)


@blueprint.put("/of-agent/<int:user_id>")
@requires("queues.write")
@blueprint.arguments(SkillsOfAgentSchema)
@blueprint.response(200, SkillsOfAgentSchema)
def put_skills_of_agent(given: dict[str, Any], user_id: int) -> dict[str, Any]:
    """From now on the agent can exactly these."""
    with tenant_session(tenant_id()) as db:
        actions.set_skills_of(db, current_actor(), user_id, given["skills"])
        return given
