"""Stripe: a hosted Checkout page, and signed webhooks.

Sources: https://docs.stripe.com/webhooks (signature: header `Stripe-Signature: t=<seconds>,v1=<hex>,…`, HMAC-SHA256
with the endpoint's secret over `<t>.<body>`; tolerance of five minutes), https://docs.stripe.com/api/checkout/sessions
and https://docs.stripe.com/api/payment_intents.

Our order's number is the session's `client_reference_id`, and stands in the metadata of session and payment intent.
Session and intent of one payment both tell of it: the intent's id names the payment in either.

Stripe counts some currencies by other units than ISO 4217: https://docs.stripe.com/currencies#minor-units (ISK and UGX
by hundredths, MGA whole).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from smsgateway.payments.provider import BadCallback, Callback, Other, Paid, Payable, ProviderAway, Refunded, Reply
from smsgateway.purse import money

TOLERANCE_S = 300
TIMEOUT_S = 10.0
_MOST_BYTES = 1 << 20
_SESSION_EVENTS = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The `v1` signature of `body` as sent at `at_s`, hexadecimal."""
    return hmac.new(secret.encode(), str(at_s).encode() + b"." + body, hashlib.sha256).hexdigest()


class Stripe:
    """One Stripe account."""

    name = "stripe"

    def __init__(self, secret_key: str, webhook_secret: str, api_url: str) -> None:
        self._key = secret_key
        self._webhook_secret = webhook_secret
        self._api_url = api_url

    def takes(self, currency: str) -> bool:
        """Any currency: Stripe refuses what the account can't take."""
        return True

    def start(self, payable: Payable) -> str | None:
        """Open a Checkout session; its address. The order's number makes a repeated request the same session."""
        form = {
            "mode": "payment",
            "client_reference_id": payable.number,
            "metadata[order]": payable.number,
            "payment_intent_data[metadata][order]": payable.number,
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": payable.currency.lower(),
            "line_items[0][price_data][unit_amount]": str(_units(payable.amount_minor, payable.currency)),
            "line_items[0][price_data][product_data][name]": payable.subject,
            "success_url": payable.return_url,
            "cancel_url": payable.return_url,
        }
        request = urllib.request.Request(
            f"{self._api_url}/v1/checkout/sessions",
            data=urllib.parse.urlencode(form).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Idempotency-Key": f"order-{payable.number}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                url = json.loads(answer.read(_MOST_BYTES)).get("url")
        except urllib.error.HTTPError as error:
            raise ProviderAway(f"Stripe answered {error.code}") from error
        except (OSError, ValueError, AttributeError) as error:
            raise ProviderAway(f"Stripe: {error}") from error
        if not isinstance(url, str) or not url.startswith("https://"):
            raise ProviderAway("Stripe gave no address to pay at")
        return url

    def read(self, callback: Callback, now_s: float) -> Paid | Refunded | Other:
        """A webhook event."""
        self._believe(callback, now_s)
        try:
            event = json.loads(callback.body)
            kind, thing = event["type"], event["data"]["object"]
            if kind in _SESSION_EVENTS:
                return _session(kind, thing)
            if kind == "payment_intent.succeeded":
                return _intent(thing)
            if kind == "charge.refunded":
                return _refund(thing)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadCallback(f"not an event: {type(error).__name__}") from error
        return Other(str(kind))

    def reply(self, understood: bool) -> Reply:
        """Stripe repeats whatever is not answered by 2xx."""
        return Reply(200, "received") if understood else Reply(400, "not believed")

    def _believe(self, callback: Callback, now_s: float) -> None:
        pairs = [part.strip().partition("=") for part in callback.headers.get("stripe-signature", "").split(",")]
        times = [value for name, _, value in pairs if name == "t"]
        given = [value for name, _, value in pairs if name == "v1"]
        if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12 or not given:
            raise BadCallback("no signature")
        at_s = int(times[0])
        wanted = signature(self._webhook_secret, at_s, callback.body)
        if not any(hmac.compare_digest(wanted.encode(), g.encode()) for g in given):
            raise BadCallback("wrong signature")
        if abs(now_s - at_s) > TOLERANCE_S:
            raise BadCallback("signed too long ago, or ahead of our clock")


def _session(kind: str, session: dict[str, Any]) -> Paid | Other:
    if session["payment_status"] != "paid":
        return Other(f"{kind}, not paid yet")
    number = session.get("client_reference_id") or (session.get("metadata") or {}).get("order") or ""
    intent = session.get("payment_intent") or session["id"]
    ref = intent["id"] if isinstance(intent, dict) else intent
    return _paid(number, ref, session["amount_total"], session["currency"])


def _intent(intent: dict[str, Any]) -> Paid | Other:
    number = (intent.get("metadata") or {}).get("order")
    if number is None:
        return Other("a payment that is not of an order")
    return _paid(number, intent["id"], intent["amount_received"], intent["currency"])


def _refund(charge: dict[str, Any]) -> Refunded | Other:
    number = (charge.get("metadata") or {}).get("order")
    if number is None:
        return Other("a refund that is not of an order")
    back = _paid(number, charge.get("payment_intent") or charge["id"], charge["amount_refunded"], charge["currency"])
    return Refunded(back.number, back.ref, back.amount_minor, back.currency)


def _decimals(currency: str) -> int:
    """Digits behind the point in Stripe's units."""
    return {"ISK": 2, "UGX": 2, "MGA": 0}.get(currency, money.decimals(currency))


def _units(amount_minor: int, currency: str) -> int:
    """Our minor units as Stripe's. Raises ProviderAway for what Stripe can't take exactly."""
    return _scaled(amount_minor, _decimals(currency) - money.decimals(currency), ProviderAway)


def _scaled(amount: int, digits: int, error: type[Exception]) -> int:
    if digits >= 0:
        return amount * int(10**digits)
    value, rest = divmod(amount, int(10**-digits))
    if rest:
        raise error("an amount that can't be written in the other's units")
    return value


def _paid(number: Any, ref: Any, amount: Any, currency: Any) -> Paid:
    whole = isinstance(amount, int) and not isinstance(amount, bool)
    if not (isinstance(number, str) and isinstance(ref, str) and ref and whole and isinstance(currency, str)):
        raise BadCallback("not a payment")
    code = currency.upper()
    return Paid(number, ref, _scaled(amount, money.decimals(code) - _decimals(code), BadCallback), code)
