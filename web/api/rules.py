"""Calling rules: when and how often a number may be called."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.compliance.models import RuleSet
from callcenter.db.session import tenant_session
from dialer.actions import rules as actions
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.rules import NewRuleSetSchema, RuleSetChangesSchema, RuleSetPageSchema, RuleSetSchema

blueprint = Blueprint("rules", __name__, url_prefix="/api/rules", description="Calling rules")


@blueprint.get("")
@requires("campaigns.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, RuleSetPageSchema)
def list_rule_sets(args: dict[str, Any]) -> dict[str, Any]:
    """All rule sets, the default first."""
    with tenant_session(tenant_id()) as db:
        return paged(db, select(RuleSet).order_by(RuleSet.is_default.desc(), RuleSet.name, RuleSet.id), args)


@blueprint.post("")
@requires("rules.write")
@blueprint.arguments(NewRuleSetSchema)
@blueprint.response(201, RuleSetSchema)
def create_rule_set(given: dict[str, Any]) -> RuleSet:
    """A new rule set."""
    with tenant_session(tenant_id()) as db:
        return actions.create(db, current_actor(), given)


@blueprint.patch("/<int:rule_set_id>")
@requires("rules.write")
@blueprint.arguments(RuleSetChangesSchema)
@blueprint.response(200, RuleSetSchema)
def change_rule_set(given: dict[str, Any], rule_set_id: int) -> RuleSet:
    """Change it; what is dialed from now on is judged by it."""
    with tenant_session(tenant_id()) as db:
        return actions.update(db, current_actor(), rule_set_id, given)


@blueprint.delete("/<int:rule_set_id>")
@requires("rules.write")
@blueprint.response(204)
def delete_rule_set(rule_set_id: int) -> None:
    """Delete one that is not the default and that no campaign follows."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), rule_set_id)
