"""Texts that menus ask for: a fact becomes a send, once for each call and node."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.calls.facts import TextAsked
from callcenter.errors import AppError
from callcenter.log import mask_numbers
from smsgateway.sending.actions import ask_in
from smsgateway.sending.new import NewSend
from smsgateway.sending.signing import signature_of
from smsgateway.texts import Purpose, Source

log = logging.getLogger(__name__)


def send(session: Session, tenant_id: int, asked: TextAsked) -> None:
    """Ask for the text in the transaction that folds the fact. What can't be sent at all is told on the log; what a
    check refuses stands in the send."""
    # What callers keyed and other systems answered is in the body already: no brace of it is a placeholder.
    body = asked.body.replace("{{", "{{{{").replace("}}", "}}}}")
    new = NewSend(
        body=body, audience={"numbers": [asked.number]}, purpose=Purpose.SERVICE.value, source=Source.MENU,
        signature=signature_of(session, tenant_id), call_id=asked.call_id,
    )  # fmt: skip
    try:
        with session.begin_nested():
            ask_in(session, Actor(tenant_id, None, "menu"), new, key=f"menu:{asked.call_id}:{asked.node_id}")
    except AppError as error:
        log.warning("a menu's text to %s: %s %s", mask_numbers(asked.number), error.message, error.fields)
