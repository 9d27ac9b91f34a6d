"""Templates of texts."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from smsgateway.sending import queries, templates
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.text_desk import (
    NewTextTemplateSchema,
    TemplateTestSchema,
    TextTemplateChangesSchema,
    TextTemplatePageSchema,
    TextTemplateQuery,
    TextTemplateSchema,
)
from web.schemas.texts import TextSendSchema

blueprint = Blueprint("text_templates", __name__, url_prefix="/api/text-templates", description="Templates of texts")


@blueprint.get("")
@requires("texts.send")
@blueprint.arguments(TextTemplateQuery, location="query")
@blueprint.response(200, TextTemplatePageSchema)
def list_templates(args: dict[str, Any]) -> dict[str, Any]:
    """Templates by name."""
    with tenant_session(tenant_id()) as db:
        return paged(db, templates.listed(args), args, templates.rendered)


@blueprint.post("")
@requires("texts.templates")
@blueprint.arguments(NewTextTemplateSchema)
@blueprint.response(201, TextTemplateSchema)
def create_template(given: dict[str, Any]) -> dict[str, Any]:
    """A new template; its placeholders are checked."""
    with tenant_session(tenant_id()) as db:
        return templates.one(db, templates.create(db, current_actor(), given).id)


@blueprint.get("/<int:template_id>")
@requires("texts.send")
@blueprint.response(200, TextTemplateSchema)
def get_template(template_id: int) -> dict[str, Any]:
    """One template."""
    with tenant_session(tenant_id()) as db:
        return templates.one(db, template_id)


@blueprint.patch("/<int:template_id>")
@requires("texts.templates")
@blueprint.arguments(TextTemplateChangesSchema)
@blueprint.response(200, TextTemplateSchema)
def change_template(given: dict[str, Any], template_id: int) -> dict[str, Any]:
    """Change it. What was sent with it stays as it was; recurring sends use it as it is then."""
    with tenant_session(tenant_id()) as db:
        templates.update(db, current_actor(), template_id, given)
        return templates.one(db, template_id)


@blueprint.delete("/<int:template_id>")
@requires("texts.templates")
@blueprint.response(204)
def delete_template(template_id: int) -> None:
    """Delete one that no recurring send uses."""
    with tenant_session(tenant_id()) as db:
        templates.delete(db, current_actor(), template_id)


@blueprint.post("/<int:template_id>/test")
@requires("texts.templates", "texts.send")
@blueprint.arguments(TemplateTestSchema)
@blueprint.response(201, TextSendSchema)
def test_template(given: dict[str, Any], template_id: int) -> dict[str, Any]:
    """Send it to one's own number, or to the one given. It passes the checks and is charged as any text."""
    actor = current_actor()
    send = templates.test(actor, template_id, given["phone"], given["values"])
    with tenant_session(tenant_id()) as db:
        return queries.one(db, actor, send.id)
