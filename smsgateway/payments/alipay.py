"""Alipay: its payment page for computers, and signed asynchronous notices.

Sources: https://opendocs.alipay.com/open/270/105898 (alipay.trade.page.pay), https://opendocs.alipay.com/open/270/105902
(asynchronous notice), https://opendocs.alipay.com/common/02mse7 (signing by hand). RSA2 is SHA256withRSA (PKCS #1 v1.5)
over the parameters sorted by name and joined as `a=1&b=2`, unescaped. A request signs all but `sign`; a notice all but
`sign` and `sign_type`. A notice is repeated for a day until we answer "success"; one payment may be told as
TRADE_SUCCESS and months later again as TRADE_FINISHED. `notify_time` is when this very message was sent.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import urllib.parse
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from callcenter.clock import to_utc, wall_s
from smsgateway.payments.provider import BadCallback, Callback, Other, Paid, Payable, Refunded, Reply
from smsgateway.purse import money

CURRENCY: Final = "CNY"
ZONE: Final = ZoneInfo("Asia/Shanghai")
TIME: Final = "%Y-%m-%d %H:%M:%S"
TOLERANCE_S: Final = 25 * 3600 + 900  # it repeats for 25 hours, and may keep the time of the first try
_MOST_FIELDS = 100


def content(fields: Mapping[str, str], *, empty: bool = False) -> bytes:
    """What is signed of `fields`; those without a value stand in it only with `empty`."""
    return "&".join(f"{k}={fields[k]}" for k in sorted(fields) if fields[k] or empty).encode()


def sign(key: RSAPrivateKey, signed: bytes) -> str:
    """RSA2, base64."""
    return base64.b64encode(key.sign(signed, PKCS1v15(), hashes.SHA256())).decode()


def _der(key: str) -> bytes:
    """A key as PEM, or as the bare base64 that Alipay's console shows."""
    lines = [line for line in key.splitlines() if not line.startswith("-----")]
    return base64.b64decode("".join(lines))


def private_key(key: str) -> RSAPrivateKey:
    """Our application's key (PKCS #8 or PKCS #1). Raises ValueError."""
    loaded = load_der_private_key(_der(key), None)
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError("ALIPAY_PRIVATE_KEY is not an RSA key")
    return loaded


def public_key(key: str) -> RSAPublicKey:
    """Alipay's key. Raises ValueError."""
    loaded = load_der_public_key(_der(key))
    if not isinstance(loaded, RSAPublicKey):
        raise ValueError("ALIPAY_PUBLIC_KEY is not an RSA key")
    return loaded


class Alipay:
    """One application at Alipay. `seller_id`: our account there; empty: not compared."""

    name = "alipay"

    def __init__(self, app_id: str, own_key: str, alipay_key: str, gateway: str, seller_id: str = "") -> None:
        self._app_id = app_id
        self._own = private_key(own_key)
        self._theirs = public_key(alipay_key)
        self._gateway = gateway
        self._seller_id = seller_id

    def takes(self, currency: str) -> bool:
        """Renminbi."""
        return currency == CURRENCY

    def start(self, payable: Payable) -> str | None:
        """The signed address of Alipay's page; nothing is asked of Alipay before the payer goes there."""
        order = {
            "out_trade_no": payable.number,
            "total_amount": money.plain(payable.amount_minor, CURRENCY),
            "subject": payable.subject,
            "product_code": "FAST_INSTANT_TRADE_PAY",
        }
        fields = {
            "app_id": self._app_id,
            "method": "alipay.trade.page.pay",
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": to_utc(wall_s()).astimezone(ZONE).strftime(TIME),
            "version": "1.0",
            "return_url": payable.return_url,
            "notify_url": payable.notify_url,
            "biz_content": json.dumps(order, ensure_ascii=False, separators=(",", ":")),
        }
        fields["sign"] = sign(self._own, content(fields))
        return f"{self._gateway}?{urllib.parse.urlencode(fields)}"

    def read(self, callback: Callback, now_s: float) -> Paid | Refunded | Other:
        """An asynchronous notice. One of a refund tells in `refund_fee` how much has gone back in all."""
        fields = _fields(callback.body)
        self._believe(fields, now_s)
        status = fields.get("trade_status", "")
        if status not in ("TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"):
            return Other(status or "a notice that is not of a trade")
        try:
            if float(fields.get("refund_fee") or 0):
                back = money.parse(fields["refund_fee"], CURRENCY)
                return Refunded(fields["out_trade_no"], fields["trade_no"], back, CURRENCY)
            if status == "TRADE_CLOSED":
                return Other(status)
            amount = money.parse(fields["total_amount"], CURRENCY)
            return Paid(fields["out_trade_no"], fields["trade_no"], amount, CURRENCY)
        except (KeyError, ValueError) as error:
            raise BadCallback("not a payment") from error

    def reply(self, understood: bool) -> Reply:
        """Alipay repeats until it hears exactly "success"."""
        return Reply(200, "success") if understood else Reply(400, "failure")

    def _believe(self, fields: dict[str, str], now_s: float) -> None:
        if fields.get("sign_type") != "RSA2":
            raise BadCallback("not signed by RSA2")
        try:
            given = base64.b64decode(fields.get("sign", ""), validate=True)
        except binascii.Error as error:
            raise BadCallback("wrong signature") from error
        signed = {k: v for k, v in fields.items() if k not in ("sign", "sign_type")}
        # Its documents leave open whether a field without a value is signed.
        if not any(self._fits(given, content(signed, empty=empty)) for empty in (False, True)):
            raise BadCallback("wrong signature")
        for name, own in (("app_id", self._app_id), ("seller_id", self._seller_id)):
            if own and not hmac.compare_digest(fields.get(name, "").encode(), own.encode()):
                raise BadCallback(f"for another {name}")
        try:
            at = datetime.strptime(fields.get("notify_time", ""), TIME).replace(tzinfo=ZONE)
        except ValueError as error:
            raise BadCallback("no time") from error
        if abs(now_s - at.timestamp()) > TOLERANCE_S:
            raise BadCallback("sent too long ago, or ahead of our clock")

    def _fits(self, given: bytes, signed: bytes) -> bool:
        try:
            self._theirs.verify(given, signed, PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise BadCallback("not a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadCallback("a field comes twice")
    return fields
