"""Click to call: the agent's phone calls a number, a lead, a customer or a contact."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.calls.commands import Dial
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Forbidden, InvalidInput
from callcenter.events import streams
from crm.addressbook.contacts import find_contact
from crm.addressbook.models import Contact
from crm.queries.dialing import callee
from web.http import current_actor, requires, tenant_id
from web.schemas.dial import DialedSchema, DialSchema

blueprint = Blueprint("dial", __name__, url_prefix="/api/dial", description="Click to call")


def _contact(db: Session, actor: Actor, given: dict[str, Any]) -> Contact | None:
    """The contact that is called, if it is one; its number is put into `given`."""
    if "contact_id" not in given:
        return None
    if "contacts.read" not in actor.permissions:
        raise Forbidden("Your roles do not allow this.", params={"missing": ["contacts.read"]})
    contact = find_contact(db, actor, given.pop("contact_id"))
    index = given.pop("phone_index", 0)
    if "number" not in given:
        if index >= len(contact.phones):
            raise InvalidInput("There is no such number.", fields={"phone_index": "Choose one of the numbers."})
        given["number"] = contact.phones[index]
    return contact


@blueprint.post("")
@requires("calls.dial")
@blueprint.arguments(DialSchema)
@blueprint.response(200, DialedSchema)
def dial(given: dict[str, Any]) -> Any:
    """Call somebody from the agent's phone. The engine judges window, blacklist and tries, and answers why not."""
    actor = current_actor()
    if actor.user_id is None:
        raise Forbidden("Only a user can dial.")
    with tenant_session(tenant_id()) as db:
        contact = _contact(db, actor, given)
        found = callee(db, actor, now=utc_now(), **given)
        if contact is not None and not found.name:
            found = replace(found, name=contact.name, card={**found.card, "name": contact.name})
    return streams.send(tenant_id(), Dial(user_id=actor.user_id, **asdict(found)))
