"""What an enterprise has settled for all its texts: the signature."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.db.session import tenant_session
from smsgateway.sending import signing
from web.http import current_actor, requires, tenant_id
from web.schemas.text_settings import TextSettingsChangesSchema, TextSettingsSchema

blueprint = Blueprint("text-settings", __name__, url_prefix="/api/text-settings", description="Settings of texts")


def _shown(found: signing.Signing) -> dict[str, Any]:
    return {"signature": found.own, "usual_signature": found.usual, "signature_required": found.required}


@blueprint.get("")
@requires("texts.templates")
@blueprint.response(200, TextSettingsSchema)
def get_text_settings() -> dict[str, Any]:
    """The usual signature, and whether every text must carry it."""
    with tenant_session(tenant_id()) as db:
        return _shown(signing.signing_of(db, tenant_id()))


@blueprint.patch("")
@requires("texts.templates", "rules.write")
@blueprint.arguments(TextSettingsChangesSchema)
@blueprint.response(200, TextSettingsSchema)
def patch_text_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Change them. They hold for what is sent from now on."""
    changes = {"signature": given.get("signature"), "required": given.get("signature_required")}
    with tenant_session(tenant_id()) as db:
        return _shown(signing.change(db, current_actor(), **changes))
