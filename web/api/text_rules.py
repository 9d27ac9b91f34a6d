"""Recurring sends: birthdays and renewals."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from smsgateway.sending import rules
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.text_desk import (
    NewTextRuleSchema,
    TextRuleChangesSchema,
    TextRulePageSchema,
    TextRuleQuery,
    TextRuleSchema,
)

blueprint = Blueprint("text_rules", __name__, url_prefix="/api/text-rules", description="Recurring texts")


@blueprint.get("")
@requires("texts.templates")
@blueprint.arguments(TextRuleQuery, location="query")
@blueprint.response(200, TextRulePageSchema)
def list_rules(args: dict[str, Any]) -> dict[str, Any]:
    """Recurring sends by name."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, rules.listed(args), args)
        page["items"] = rules.rendered(db, page["items"])
        return page


@blueprint.post("")
@requires("texts.templates", "texts.send")
@blueprint.arguments(NewTextRuleSchema)
@blueprint.response(201, TextRuleSchema)
def create_rule(given: dict[str, Any]) -> dict[str, Any]:
    """A new one. Its sends are of the user who makes it: by their number, and approved if theirs have to be."""
    with tenant_session(tenant_id()) as db:
        return rules.one(db, rules.create(db, current_actor(), given).id)


@blueprint.get("/<int:rule_id>")
@requires("texts.templates")
@blueprint.response(200, TextRuleSchema)
def get_rule(rule_id: int) -> dict[str, Any]:
    """One."""
    with tenant_session(tenant_id()) as db:
        return rules.one(db, rule_id)


@blueprint.patch("/<int:rule_id>")
@requires("texts.templates", "texts.send")
@blueprint.arguments(TextRuleChangesSchema)
@blueprint.response(200, TextRuleSchema)
def change_rule(given: dict[str, Any], rule_id: int) -> dict[str, Any]:
    """Change it; the day's send that is already made stays as it is and can be cancelled."""
    with tenant_session(tenant_id()) as db:
        rules.update(db, current_actor(), rule_id, given)
        return rules.one(db, rule_id)


@blueprint.delete("/<int:rule_id>")
@requires("texts.templates")
@blueprint.response(204)
def delete_rule(rule_id: int) -> None:
    """Delete it; its sends stay."""
    with tenant_session(tenant_id()) as db:
        rules.delete(db, current_actor(), rule_id)
