"""Which providers this installation has."""

from __future__ import annotations

import logging

from smsgateway.payments.alipay import Alipay
from smsgateway.payments.provider import Provider
from smsgateway.payments.settings import Settings
from smsgateway.payments.stripe import Stripe
from smsgateway.payments.transfer import Transfer

log = logging.getLogger(__name__)


def providers(settings: Settings) -> dict[str, Provider]:
    """Name → provider, in the order in which they are offered. Those that call back need PUBLIC_URL too."""
    found: list[Provider] = [Transfer()]
    if settings.public_url:
        if settings.stripe_secret_key and settings.stripe_webhook_secret:
            found.append(Stripe(settings.stripe_secret_key, settings.stripe_webhook_secret, settings.stripe_api_url))
        if settings.alipay_app_id and settings.alipay_private_key and settings.alipay_public_key:
            try:
                found.append(
                    Alipay(
                        settings.alipay_app_id,
                        settings.alipay_private_key,
                        settings.alipay_public_key,
                        settings.alipay_gateway,
                        settings.alipay_seller_id,
                    )
                )
            except ValueError as error:
                log.error("Alipay is not offered: a key can't be read (%s)", error)
    return {p.name: p for p in found}
