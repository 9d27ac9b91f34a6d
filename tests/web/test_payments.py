"""Payment providers' callbacks: believed by signature and age alone, and credited once whatever comes how often.

The messages are made here by the rules of the providers' documents (named in `smsgateway/payments/*.py`), with keys of
our own.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from flask import Flask
from werkzeug.test import TestResponse

from callcenter.db.session import platform_session
from smsgateway.payments.provider import BadCallback, ProviderAway
from smsgateway.payments.stripe import _paid as stripe_paid
from smsgateway.payments.stripe import _units as stripe_units
from smsgateway.purse import money, proof
from smsgateway.purse.models import TopUpOrder
from tests.web.conftest import Browser

ROOT = Path(__file__).parents[2]
SECRET = "whsec_only_for_tests"
APP, SELLER = "2021000000000001", "2088000000000001"
_ALIPAY_KEY, _OWN_KEY = generate_private_key(65537, 2048), generate_private_key(65537, 2048)
_STRANGER = generate_private_key(65537, 2048)


def _private(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _public(key: RSAPrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


class _StripeApi(BaseHTTPRequestHandler):
    """Stripe's side of a new Checkout session."""

    asked: list[dict[str, str]] = []
    keys: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append(dict(urllib.parse.parse_qsl(body)))
        self.keys.append(self.headers["Idempotency-Key"])
        good = self.headers["Authorization"] == "Bearer sk_only_for_tests" and self.path == "/v1/checkout/sessions"
        answer = json.dumps({"id": "cs_1", "url": "https://checkout.stripe.example/c/cs_1"} if good else {}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def stripe_api() -> Iterator[str]:
    _StripeApi.asked.clear()
    _StripeApi.keys.clear()
    server = HTTPServer(("127.0.0.1", 0), _StripeApi)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, stripe_api: str) -> None:
    for name, value in {
        "PUBLIC_URL": "https://calls.example", "STRIPE_SECRET_KEY": "sk_only_for_tests",
        "STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_URL": stripe_api, "ALIPAY_APP_ID": APP,
        "ALIPAY_PRIVATE_KEY": _private(_OWN_KEY), "ALIPAY_PUBLIC_KEY": _public(_ALIPAY_KEY),
        "ALIPAY_SELLER_ID": SELLER,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def order(owner: Browser, provider: str, amount: str = "100.00") -> dict[str, Any]:
    made: dict[str, Any] = owner.post(
        "/api/top-ups", {"kind": "sms", "amount": amount, "provider": provider}
    ).get_json()
    return made


def available(owner: Browser) -> int:
    return int(owner.get("/api/purse").get_json()["balances"][0]["available_minor"])


class Stripe:
    """Stripe as it tells of an order."""

    def __init__(self, app: Flask, number: str) -> None:
        self.app, self.number = app, number

    def session(self, **more: Any) -> dict[str, Any]:
        thing = {
            "id": "cs_1", "object": "checkout.session", "client_reference_id": self.number, "amount_total": 10000,
            "currency": "cny", "payment_status": "paid", "payment_intent": "pi_1", "metadata": {"order": self.number},
        }  # fmt: skip
        return {"id": "evt_1", "type": "checkout.session.completed", "data": {"object": {**thing, **more}}}

    def intent(self, **more: Any) -> dict[str, Any]:
        thing = {
            "id": "pi_1", "object": "payment_intent", "amount": 10000, "amount_received": 10000, "currency": "cny",
            "status": "succeeded", "metadata": {"order": self.number},
        }  # fmt: skip
        return {"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": {**thing, **more}}}

    def send(
        self, event: Any, *, at_s: float | None = None, secret: str = SECRET, tamper: bytes = b"", more: str = ""
    ) -> TestResponse:
        body = json.dumps(event).encode()
        t = str(int(time.time() if at_s is None else at_s))
        mac = HMAC(secret.encode(), hashes.SHA256())
        mac.update(t.encode() + b"." + body)
        header = f"t={t},{more}v1={mac.finalize().hex()},v0=00"
        return self.post(body + tamper, {"Stripe-Signature": header})

    def post(self, body: bytes, headers: dict[str, str]) -> TestResponse:
        return self.app.test_client().post("/api/payments/stripe", data=body, headers=headers)


class Alipay:
    """Alipay as it tells of an order."""

    def __init__(self, app: Flask, number: str) -> None:
        self.app, self.number = app, number

    def send(
        self, *, key: RSAPrivateKey = _ALIPAY_KEY, tamper: dict[str, str] | None = None, sent_s: float | None = None,
        **more: str,
    ) -> TestResponse:  # fmt: skip
        at = datetime.fromtimestamp(time.time() if sent_s is None else sent_s, ZoneInfo("Asia/Shanghai"))
        fields = {
            "notify_time": f"{at:%Y-%m-%d %H:%M:%S}", "notify_type": "trade_status_sync", "notify_id": "n1",
            "app_id": APP, "charset": "utf-8", "version": "1.0", "trade_no": "2026030122001", "buyer_id": "2088",
            "out_trade_no": self.number, "seller_id": SELLER, "trade_status": "TRADE_SUCCESS", "total_amount": "100.00",
            "subject": "充值 短信 + & =", **more,
        }  # fmt: skip
        signed = "&".join(f"{k}={fields[k]}" for k in sorted(fields)).encode()
        fields["sign"] = base64.b64encode(key.sign(signed, PKCS1v15(), hashes.SHA256())).decode()
        fields |= {"sign_type": "RSA2", **(tamper or {})}
        return self.app.test_client().post("/api/payments/alipay", data=fields)


@pytest.mark.promise("S9")
def test_stripe_pays_an_order_once_whatever_is_repeated_or_comes_in_another_order(app: Flask, owner: Browser) -> None:
    made = order(owner, "stripe")
    stripe = Stripe(app, made["number"])
    for event in (stripe.intent(), stripe.session(), stripe.session(), stripe.intent()):
        assert stripe.send(event).status_code == 200
    assert available(owner) == 10000
    shown = owner.get(f"/api/top-ups/{made['id']}").get_json()
    assert (shown["state"], shown["credited_by"]) == ("paid", "stripe")
    with platform_session() as s:
        assert proof.faults(s) == []


@pytest.mark.promise("S9")
def test_alipay_pays_an_order_once_and_hears_success_each_time(app: Flask, owner: Browser) -> None:
    made = order(owner, "alipay")
    alipay = Alipay(app, made["number"])
    for status in ("WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_SUCCESS", "TRADE_FINISHED"):
        answer = alipay.send(trade_status=status)
        assert (answer.status_code, answer.get_data()) == (200, b"success")
        assert available(owner) == (0 if status == "WAIT_BUYER_PAY" else 10000)
    with platform_session() as s:
        assert proof.faults(s) == []


@pytest.mark.promise("S9")
def test_a_stripe_message_that_is_not_signed_by_stripe_just_now_moves_nothing(app: Flask, owner: Browser) -> None:
    stripe = Stripe(app, order(owner, "stripe")["number"])
    event = stripe.session()
    body = json.dumps(event).encode()
    bad = [
        stripe.send(event, secret="whsec_another"),
        stripe.send(event, tamper=b" "),
        stripe.send(event, at_s=time.time() - 301),
        stripe.send(event, at_s=time.time() + 330),
        stripe.post(body, {}),
        stripe.post(body, {"Stripe-Signature": "t=1,v1="}),
        stripe.post(body, {"Stripe-Signature": "t=²,v1=é"}),
        stripe.post(body, {"Stripe-Signature": f"t={'9' * 400},v1=00"}),
        stripe.send([]), stripe.send({"type": "checkout.session.completed"}), stripe.send({"type": 1, "data": 2}),
        stripe.send(stripe.session(amount_total="10000")), stripe.send(stripe.session(amount_total=True)),
    ]  # fmt: skip
    assert [a.status_code for a in bad] == [400] * len(bad)
    assert available(owner) == 0
    assert stripe.send(event, more="v1=00,").status_code == 200, "an old secret's signature stands beside the new one's"
    assert available(owner) == 10000


@pytest.mark.promise("S9")
def test_an_alipay_notice_that_is_not_signed_by_alipay_for_us_moves_nothing(app: Flask, owner: Browser) -> None:
    alipay = Alipay(app, order(owner, "alipay")["number"])
    bad = [
        alipay.send(key=_STRANGER),
        alipay.send(tamper={"total_amount": "1000.00"}),
        alipay.send(tamper={"sign": ""}),
        alipay.send(tamper={"sign": "%%%"}),
        alipay.send(tamper={"sign_type": "RSA"}),
        alipay.send(app_id="2021000000000002"),
        alipay.send(seller_id="2088000000000002"),
        alipay.send(sent_s=time.time() - 26 * 3600),
        alipay.send(sent_s=time.time() + 3600 * 26),
        alipay.send(total_amount="1.001"),
        app.test_client().post("/api/payments/alipay", data=b"\xff\xfe&&&==="),
        app.test_client().post("/api/payments/alipay", data=b"a=1&a=2"),
    ]
    assert [(a.status_code, a.get_data()) for a in bad] == [(400, b"failure")] * len(bad)
    assert available(owner) == 0
    assert alipay.send(passback_params="").get_data() == b"success", "a field without a value may be signed"
    assert available(owner) == 10000


@pytest.mark.promise("S9")
def test_a_true_payment_that_does_not_fit_the_order_is_shown_to_the_operator_and_not_credited(
    app: Flask, owner: Browser
) -> None:
    made = order(owner, "stripe")
    stripe, alipay = Stripe(app, made["number"]), Alipay(app, made["number"])
    for answer in (
        stripe.send(stripe.session(amount_total=9999)),
        stripe.send(stripe.session(amount_total=9999)),
        stripe.send(stripe.session(currency="usd", payment_intent="pi_2")),
        alipay.send(),
        stripe.send(stripe.session(payment_status="unpaid")),
        stripe.send({"type": "charge.refunded", "data": {"object": {}}}),
        Stripe(app, "T260301NOSUCHX").send(stripe.session(client_reference_id="T260301NOSUCHX")),
        stripe.send(stripe.session(client_reference_id="x\x00'; --")),
    ):
        assert answer.status_code == 200
    assert available(owner) == 0
    assert stripe.send(stripe.session()).status_code == 200
    assert stripe.send(stripe.session(payment_intent="pi_3")).status_code == 200
    assert available(owner) == 10000
    with platform_session() as s:
        odd = s.get_one(TopUpOrder, made["id"]).detail["odd"]
    assert [(o["why"], o["ref"]) for o in odd] == [
        ("amount", "pi_1"), ("currency", "pi_2"), ("provider", "2026030122001"), ("paid_twice", "pi_3"),
    ]  # fmt: skip


def test_a_payment_of_one_order_does_not_pay_another(app: Flask, owner: Browser) -> None:
    first, second = order(owner, "stripe"), order(owner, "stripe")
    stripe = Stripe(app, first["number"])
    stripe.send(stripe.session())
    stripe.send(stripe.session(client_reference_id=second["number"]))
    assert available(owner) == 10000
    assert owner.get(f"/api/top-ups/{second['id']}").get_json()["state"] == "open"


def test_callbacks_that_come_at_once_credit_once(app: Flask, owner: Browser) -> None:
    made = order(owner, "stripe")
    stripe = Stripe(app, made["number"])
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda e=e: answers.append(stripe.send(e).status_code))
        for e in [stripe.session(), stripe.intent()] * 5
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert answers == [200] * 10
    assert available(owner) == 10000


@pytest.mark.promise("S9")
def test_the_payer_goes_to_the_providers_page_with_the_orders_number_and_amount(owner: Browser) -> None:
    made = order(owner, "stripe")
    for _ in range(2):
        answer = owner.post(f"/api/top-ups/{made['id']}/pay").get_json()
        assert answer == {"url": "https://checkout.stripe.example/c/cs_1"}
    asked = _StripeApi.asked[0]
    assert asked["client_reference_id"] == asked["payment_intent_data[metadata][order]"] == made["number"]
    assert asked["line_items[0][price_data][unit_amount]"] == "10000"
    assert _StripeApi.keys[0] == _StripeApi.keys[1]

    made = order(owner, "alipay", "88.8")
    address = owner.post(f"/api/top-ups/{made['id']}/pay").get_json()["url"]
    fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    told = json.loads(fields["biz_content"])
    assert (told["out_trade_no"], told["total_amount"]) == (made["number"], "88.80")
    assert fields["notify_url"] == "https://calls.example/api/payments/alipay"
    given = base64.b64decode(fields.pop("sign"))
    signed = "&".join(f"{k}={fields[k]}" for k in sorted(fields)).encode()
    _OWN_KEY.public_key().verify(given, signed, PKCS1v15(), hashes.SHA256())


def test_an_order_is_kept_while_the_provider_is_away(owner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    made = order(owner, "stripe")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_revoked")
    answer = owner.post(f"/api/top-ups/{made['id']}/pay")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "provider_away")
    monkeypatch.setenv("STRIPE_API_URL", "http://127.0.0.1:9")
    assert owner.post(f"/api/top-ups/{made['id']}/pay").status_code == 503
    monkeypatch.delenv("PUBLIC_URL")
    assert owner.post(f"/api/top-ups/{made['id']}/pay").get_json()["code"] == "provider_not_offered"
    assert owner.get(f"/api/top-ups/{made['id']}").get_json()["state"] == "open"


def test_only_offered_providers_are_heard(app: Flask, owner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.test_client()
    monkeypatch.setenv("ALIPAY_PRIVATE_KEY", "bm90IGEga2V5")
    assert owner.get("/api/top-ups/options").get_json()["providers"] == ["transfer", "stripe"], "a key can't be read"
    assert client.post("/api/payments/nobody", data=b"x").status_code == 404
    assert client.post("/api/payments/transfer", data=b"x").status_code == 404
    assert client.post("/api/payments/stripe", data=b"x" * (600 * 1024)).status_code == 413
    monkeypatch.delenv("STRIPE_WEBHOOK_SECRET")
    assert client.post("/api/payments/stripe", data=b"x").status_code == 404


@pytest.mark.promise("S9")
def test_money_that_a_provider_gave_back_is_shown_to_the_operator_each_part_once(app: Flask, owner: Browser) -> None:
    made = order(owner, "stripe")
    stripe = Stripe(app, made["number"])
    stripe.send(stripe.session())

    def charge(back: int) -> Any:
        thing = {
            "id": "ch_1", "payment_intent": "pi_1", "amount_refunded": back, "currency": "cny",
            "metadata": {"order": made["number"]},
        }  # fmt: skip
        return {"type": "charge.refunded", "data": {"object": thing}}

    for back in (3000, 3000, 10000):
        assert stripe.send(charge(back)).status_code == 200
    assert available(owner) == 10000, "what of it is spent already is not for a provider to say"
    with platform_session() as s:
        odd = s.get_one(TopUpOrder, made["id"]).detail["odd"]
    assert [(o["why"], o["ref"], o["amount_minor"]) for o in odd] == [
        ("refunded", "pi_1", 3000), ("refunded", "pi_1", 10000),
    ]  # fmt: skip
    other = order(owner, "alipay")
    alipay = Alipay(app, other["number"])
    alipay.send()
    for status, given in (("TRADE_SUCCESS", "40.00"), ("TRADE_CLOSED", "100.00")):
        assert alipay.send(trade_status=status, refund_fee=given).get_data() == b"success"
    with platform_session() as s:
        odd = s.get_one(TopUpOrder, other["id"]).detail["odd"]
        assert proof.faults(s) == []
    assert [(o["why"], o["amount_minor"]) for o in odd] == [("refunded", 4000), ("refunded", 10000)]
    assert available(owner) == 20000


@pytest.mark.parametrize(
    ("currency", "amount", "units"),
    [("CNY", 1234, 1234), ("JPY", 500, 500), ("RWF", 500, 500), ("ISK", 5, 500), ("UGX", 5, 500), ("MGA", 500, 5),
     ("KWD", 1230, 1230)],
)  # fmt: skip
def test_an_amount_goes_to_stripe_and_comes_back_in_its_units(currency: str, amount: int, units: int) -> None:
    assert stripe_units(amount, currency) == units
    told = stripe_paid("T1", "pi_1", units, currency.lower())
    assert (told.amount_minor, told.currency) == (amount, currency)


def test_what_stripe_can_not_take_exactly_is_not_begun_and_not_believed() -> None:
    with pytest.raises(ProviderAway):
        stripe_units(501, "MGA")
    with pytest.raises(BadCallback):
        stripe_paid("T1", "pi_1", 501, "isk")


def test_browser_and_server_count_currencies_alike() -> None:
    page = (ROOT / "web/ui/src/kit/money.ts").read_text()
    for name, digits in (("NO_DECIMALS", 0), ("THREE_DECIMALS", 3)):
        line = next(x for x in page.splitlines() if x.startswith(f"const {name}"))
        assert set(re.findall('"([A-Z]{3})"', line)) == {c for c, d in money.DECIMALS.items() if d == digits}
