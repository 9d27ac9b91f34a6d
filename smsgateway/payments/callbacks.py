"""From a provider's message to the one credit."""

from __future__ import annotations

import logging
from datetime import datetime

from callcenter.db.session import platform_session
from smsgateway.payments.provider import BadCallback, Callback, Other, Provider, Refunded, Reply
from smsgateway.purse import orders

log = logging.getLogger(__name__)


def receive(provider: Provider, callback: Callback, now: datetime) -> Reply:
    """Believe the message or not, book it once, and answer.

    What is true but does not fit (an unknown order, another amount) is logged, shown to the operator and answered as
    understood: repeating it would not help. So is money that a provider gave back to the payer: what of it has been
    sent for is the operator's to say, who corrects the balance.
    """
    try:
        told = provider.read(callback, now.timestamp())
    except BadCallback as error:
        log.warning("a callback of %s was not believed: %s", provider.name, error)
        return provider.reply(False)
    if isinstance(told, Other):
        log.info("%s: %s", provider.name, told.what)
        return provider.reply(True)
    with platform_session() as session:
        if isinstance(told, Refunded):
            known = orders.question_refund(session, provider.name, told, now)
            log.warning("%s: a payment went back to its payer, of %s order", provider.name, "an" if known else "no")
            return provider.reply(True)
        taken = orders.take(session, provider.name, told, now)
    log.info("%s: a payment was %s", provider.name, taken)
    return provider.reply(True)
