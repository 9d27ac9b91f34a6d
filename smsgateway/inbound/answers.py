"""What a text that came in sets off by itself: confirmations and automatic answers, asked for as any other send.

They stand in the transaction that stores the text, under a key of its id: none is lost, none is sent twice. An
enterprise that may not send (its account has ended, its purse is empty) is no reason to lose a text that came in.
"""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.errors import AppError
from smsgateway.models import TextTemplate
from smsgateway.sending.actions import ask_in
from smsgateway.sending.new import NewSend
from smsgateway.sending.signing import signature_of
from smsgateway.texts import Kind, Purpose, Source

log = logging.getLogger(__name__)
VALID_H = 4  # an answer that comes later is none


def confirm(session: Session, actor: Actor, phone: str, body: str, inbound_id: int) -> bool:
    """Confirm a wish. Whether that could be asked for."""
    new = NewSend(
        body=body, audience={"numbers": [phone]}, purpose=Purpose.SERVICE.value, source=Source.OPT_OUT, valid_h=VALID_H,
        signature=signature_of(session, actor.tenant_id),
    )  # fmt: skip
    return _ask(session, actor, new, f"wish:{inbound_id}")


def answer(session: Session, actor: Actor, phone: str, template_id: int, inbound_id: int) -> bool:
    """Send a template to who wrote. Whether that could be asked for."""
    template = session.get_one(TextTemplate, template_id)
    new = NewSend(
        body=template.body, audience={"numbers": [phone]}, kind=Kind.SMS.value, purpose=Purpose.SERVICE.value,
        source=Source.ANSWER, template_id=template_id, valid_h=VALID_H,
        signature=signature_of(session, actor.tenant_id),
    )  # fmt: skip
    return _ask(session, actor, new, f"answer:{inbound_id}")


def _ask(session: Session, actor: Actor, new: NewSend, key: str) -> bool:
    try:
        ask_in(session, actor, new, key)
    except AppError as error:
        log.warning("%s is not answered: %s", key, error.message)
        return False
    return True
