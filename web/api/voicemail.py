"""One's own voicemail box: what callers hear before they leave a message."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.auth import own
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput
from callcenter.prompts import names
from callcenter.prompts.models import Prompt
from web.http import current_actor, requires, tenant_id
from web.schemas.prompts import GreetingSchema

blueprint = Blueprint("voicemail", __name__, url_prefix="/api/voicemail", description="Voicemail")


@blueprint.get("/greeting")
@requires("desk.use")
@blueprint.response(200, GreetingSchema)
def get_greeting() -> dict[str, str]:
    """My greeting; empty: the installation's."""
    return {"greeting": own.greeting_of(current_actor())}


@blueprint.put("/greeting")
@requires("desk.use")
@blueprint.arguments(GreetingSchema)
@blueprint.response(200, GreetingSchema)
def put_greeting(given: dict[str, Any]) -> dict[str, str]:
    """Choose my greeting: a prompt of the enterprise, or a text to be spoken."""
    greeting = given["greeting"].strip()
    if greeting and not _greets(greeting):
        raise InvalidInput("Check the marked fields.", fields={"greeting": "Choose a prompt or write a text."})
    own.choose_greeting(current_actor(), greeting)
    return {"greeting": greeting}


def _greets(greeting: str) -> bool:
    try:
        name = names.parse(greeting)
    except names.BadName:
        return False
    if isinstance(name, names.OfEnterprise):
        with tenant_session(tenant_id()) as db:
            return db.get(Prompt, name.id) is not None
    return isinstance(name, names.Spoken | names.Installed)
