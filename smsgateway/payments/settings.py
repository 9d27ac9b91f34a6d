"""The operator's settings of payments, from the environment.

A provider without its keys is not offered. Keys may be given as they are or as the path of a file that holds them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from smsgateway.purse import money


@dataclass(frozen=True)
class Settings:
    """`public_url`: where providers and browsers reach this installation. Limits of an order are decimal text, in the
    currency of the account."""

    public_url: str
    bank_details: str
    top_up_min: str
    top_up_max: str
    stripe_secret_key: str
    stripe_webhook_secret: str
    stripe_api_url: str
    alipay_app_id: str
    alipay_private_key: str
    alipay_public_key: str
    alipay_seller_id: str
    alipay_gateway: str


def _given(value: str) -> str:
    """The value, or what stands in the file of that name."""
    value = value.strip()
    return Path(value).read_text().strip() if value.startswith("/") else value


def load() -> Settings:
    """The settings of this process. Ends it with a plain sentence if a limit is no amount."""
    env = os.environ.get
    settings = Settings(
        public_url=env("PUBLIC_URL", "").rstrip("/"),
        bank_details=env("BANK_DETAILS", "").replace("\\n", "\n"),
        top_up_min=env("TOP_UP_MIN", "10"),
        top_up_max=env("TOP_UP_MAX", "1000000"),
        stripe_secret_key=_given(env("STRIPE_SECRET_KEY", "")),
        stripe_webhook_secret=_given(env("STRIPE_WEBHOOK_SECRET", "")),
        stripe_api_url=env("STRIPE_API_URL", "https://api.stripe.com").rstrip("/"),
        alipay_app_id=env("ALIPAY_APP_ID", ""),
        alipay_private_key=_given(env("ALIPAY_PRIVATE_KEY", "")),
        alipay_public_key=_given(env("ALIPAY_PUBLIC_KEY", "")),
        alipay_seller_id=env("ALIPAY_SELLER_ID", ""),
        alipay_gateway=env("ALIPAY_GATEWAY", "https://openapi.alipay.com/gateway.do"),
    )
    for name, value in (("TOP_UP_MIN", settings.top_up_min), ("TOP_UP_MAX", settings.top_up_max)):
        try:
            money.parse(value, "CNY")
        except money.NotAnAmount:
            raise SystemExit(f"{name}={value!r} is not an amount; give one such as 100.00") from None
    return settings
