"""A carrier that is reached by HTTP, described by the operator: what is asked, and how to read what comes back.

Receipts and replies come to the web process (`web/api/carrier_callbacks.py`), which reads them by `receipts` and
`replies` below.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from callcenter.clock import wall_s
from smsgateway.carriers import answers
from smsgateway.carriers import http_words as language
from smsgateway.carriers import settings as declared
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.pooled import Pooled
from smsgateway.carriers.port import (
    Accepted,
    Inbound,
    Listener,
    Lost,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.carriers.refs import normalise
from smsgateway.carriers.settings import Setting, SettingKind

log = logging.getLogger(__name__)
FAILURES_TO_DOWN: Final = 5  # in a row
PROBE_S: Final = 10.0
MAX_ERROR: Final = 300
_K = SettingKind
SETTINGS: tuple[Setting, ...] = (
    Setting("url", _K.TEXT, required=True),
    Setting("method", _K.CHOICE, "POST", choices=("POST", "GET", "PUT")),
    Setting("timeout_s", _K.NUMBER, 10.0, least=0.5, most=120),
    Setting("auth", _K.CHOICE, "none", choices=("none", "basic", "bearer"), section="access"),
    Setting("username", _K.TEXT, section="access"),
    Setting("password", _K.SECRET, section="access"),
    Setting("signature", _K.CHOICE, "none", choices=language.SIGNATURES, section="access"),
    Setting("signature_header", _K.TEXT, "X-Signature", section="access"),
    Setting("secret", _K.SECRET, section="access"),
    Setting("format", _K.CHOICE, "json", choices=language.FORMATS, section="request"),
    Setting(
        "template", _K.LINES, '{"to": "{{phone}}", "from": "{{sender}}", "text": "{{body}}", "id": "{{id}}"}',
        section="request",
    ),
    Setting("headers", _K.LINES, section="request"),
    Setting("accepted_statuses", _K.TEXT, "200 201 202", section="response"),
    Setting("accepted_finder", _K.TEXT, section="response"),
    Setting("accepted_values", _K.TEXT, section="response"),
    Setting("ref_finder", _K.TEXT, "id", section="response"),
    Setting("code_finder", _K.TEXT, "code", section="response"),
    Setting("again_statuses", _K.TEXT, "429 503", section="response"),
    Setting("again_codes", _K.TEXT, section="response"),
    Setting("callback_token", _K.SECRET, section="callbacks"),
    Setting("receipts_finder", _K.TEXT, section="callbacks"),
    Setting("receipt_ref_finder", _K.TEXT, "id", section="callbacks"),
    Setting("receipt_status_finder", _K.TEXT, "status", section="callbacks"),
    Setting("receipt_statuses", _K.LINES, "delivered: delivered DELIVRD\nexpired: expired EXPIRED\n"
            "under_way: sent accepted ACCEPTD ENROUTE", section="callbacks"),
    Setting("replies_finder", _K.TEXT, section="callbacks"),
    Setting("reply_from_finder", _K.TEXT, "from", section="callbacks"),
    Setting("reply_to_finder", _K.TEXT, "to", section="callbacks"),
    Setting("reply_body_finder", _K.TEXT, "text", section="callbacks"),
    Setting("reply_ref_finder", _K.TEXT, "id", section="callbacks"),
    Setting("callback_answer", _K.LINES, "OK", section="callbacks"),
)  # fmt: skip


def faults(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with settings `given`."""
    wrong = declared.faults(SETTINGS, given)
    whole = declared.whole(SETTINGS, given)
    url = urlsplit(str(whole["url"]))
    if "url" not in wrong and (url.scheme not in ("http", "https") or not url.hostname):
        wrong["url"] = "Give an address that begins with https:// or http://."
    for name in ("url", "template", "headers"):
        strange = language.unknown(str(whole[name]))
        if strange and name not in wrong:
            wrong[name] = (
                f"Nothing fills {', '.join(f'{{{{{s}}}}}' for s in strange)}. Use {', '.join(sorted(language.NAMES))}."
            )
    for name, check in (("headers", lambda t: language.headers(t, {})), ("receipt_statuses", language.meanings)):
        try:
            check(str(whole[name]))
        except ValueError as error:
            wrong.setdefault(name, f"Write each line as name: value. This is not: {str(error)[:60]}")
    if "receipt_statuses" not in wrong:
        strange = sorted(set(language.meanings(str(whole["receipt_statuses"]))) - {s.value for s in ReceiptStatus})
        if strange:
            known = ", ".join(s.value for s in ReceiptStatus)
            wrong["receipt_statuses"] = f"Begin each line with one of {known}; not {', '.join(strange)}."
    for setting in SETTINGS:
        value = str(whole[setting.name])
        if setting.name.endswith("_finder") and value.startswith("re:"):
            try:
                re.compile(value[3:])
            except re.error as error:
                wrong[setting.name] = f"This pattern can't be read: {error}."
    for name in ("accepted_statuses", "again_statuses"):
        if any(not w.isdecimal() for w in language.words(str(whole[name]))):
            wrong.setdefault(name, "Give numbers such as 200 202.")
    if whole["signature"] != "none" and not whole["secret"]:
        wrong.setdefault("secret", "This is needed.")
    return wrong


def make(carrier: TextCarrier, listener: Listener) -> HttpCarrier:
    """The connection, not started."""
    return HttpCarrier(declared.whole(SETTINGS, carrier.settings), listener, carrier.window)


class HttpCarrier(Pooled):
    """A `Carrier` over one pool of HTTP connections."""

    def __init__(self, settings: Mapping[str, Any], listener: Listener, window: int) -> None:
        super().__init__(settings, listener, window, FAILURES_TO_DOWN)
        self._accepted = frozenset(int(w) for w in language.words(settings["accepted_statuses"]))
        self._again = frozenset(int(w) for w in language.words(settings["again_statuses"]))
        self._again_codes = frozenset(w.lower() for w in language.words(settings["again_codes"]))
        self._values = frozenset(w.lower() for w in language.words(settings["accepted_values"]))
        self._probe: asyncio.Task[None] | None = None

    async def stop(self, grace_s: float) -> None:
        """Wait for what is out, and close."""
        if self._probe is not None:
            self._probe.cancel()
        await super().stop(grace_s)

    async def submit(self, text: Outgoing) -> Outcome:
        """One request. Nothing was sent for certain when no connection could be made; everything else that ends
        without an answer is lost."""
        if self.client is None:
            return Returned("closed")
        with self.out():
            return await self._ask(self.client, text)

    async def _ask(self, client: aiohttp.ClientSession, text: Outgoing) -> Outcome:
        url, body, headers = self.request(text)
        try:
            async with client.request(
                self.settings["method"], url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                raw = await answers.body(answer)
                outcome = self.outcome(answer.status, raw, answer.headers.get("Content-Type", ""))
        except aiohttp.ClientConnectorError as error:
            self._failed(f"can't connect: {error.os_error.strerror or error.os_error}")
            return Returned("connect")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed(f"no answer: {type(error).__name__}")
            return Lost()
        if isinstance(outcome, Lost):
            self._failed(f"answered {answer.status}")
        else:
            self.well()
        return outcome

    def request(self, text: Outgoing) -> tuple[str, bytes | None, dict[str, str]]:
        """Address, body and headers of the request for `text`."""
        values = {
            "phone": text.phone,
            "phone_digits": text.phone.lstrip("+"),
            "sender": text.sender,
            "body": text.body,
            "id": str(text.id),
            "parts": str(text.segments),
            "encoding": text.encoding,
            "valid_s": str(max(0, int(text.expires_at - wall_s()))),
            "now": str(int(wall_s())),
        }
        settings = self.settings
        url = language.render(settings["url"], values, "url")
        headers = language.headers(settings["headers"], values)
        body = None
        if settings["method"] != "GET":
            body = language.render(settings["template"], values, settings["format"]).encode()
            headers.setdefault("Content-Type", language.TYPES[settings["format"]])
        if settings["auth"] == "basic":
            pair = f"{settings['username']}:{settings['password']}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif settings["auth"] == "bearer":
            headers["Authorization"] = f"Bearer {settings['password']}"
        if settings["signature"] != "none":
            signed = body.decode() if body is not None else urlsplit(url).query
            headers[settings["signature_header"]] = language.signature(
                settings["signature"], settings["secret"], signed
            )
        return url, body, headers

    def outcome(self, status: int, raw: bytes, content_type: str) -> Outcome:
        """What an answer means."""
        document = language.read(raw, content_type)
        code = document.find(self.settings["code_finder"]) or str(status)
        if status in self._again or code.lower() in self._again_codes:
            return Returned(code)
        said = document.find(self.settings["accepted_finder"])
        if status in self._accepted and (not self._values or (said or "").lower() in self._values):
            ref = normalise(document.find(self.settings["ref_finder"]) or "")
            return Accepted((ref,) if ref else ())
        if status >= 500:
            return Lost()  # it may have been sent before the fault
        return Rejected(code[:40], document.text[:MAX_ERROR] or f"HTTP {status}")

    def _failed(self, detail: str) -> None:
        if self.failed(detail):
            self._probe = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        """Whether a connection can be made again: nothing is asked, so nothing is sent."""
        url = urlsplit(language.render(self.settings["url"], {}, "url"))
        port = url.port or (443 if url.scheme == "https" else 80)
        while self.down:
            await asyncio.sleep(PROBE_S)
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection(url.hostname, port), PROBE_S)
                writer.close()
            except (OSError, TimeoutError):
                continue
            self.hope("ready")


def receipts(settings: Mapping[str, Any], document: language.Document, now: float) -> list[Receipt]:
    """The receipts in a callback, by a carrier's (whole) settings. A status that no line names is a failure."""
    meanings = language.meanings(settings["receipt_statuses"])
    out = []
    for entry in document.each(settings["receipts_finder"]):
        ref = normalise(entry.find(settings["receipt_ref_finder"]) or "")
        said = entry.find(settings["receipt_status_finder"])
        if ref and said is not None:
            status = next((m for m, carriers in meanings.items() if said.lower() in carriers), "failed")
            out.append(Receipt(ref, ReceiptStatus(status), said[:40], now))
    return out


def replies(settings: Mapping[str, Any], document: language.Document, now: float) -> list[Inbound]:
    """The texts in a callback."""
    out = []
    for entry in document.each(settings["replies_finder"]):
        sender = entry.find(settings["reply_from_finder"])
        body = entry.find(settings["reply_body_finder"])
        if sender and body is not None:
            to = entry.find(settings["reply_to_finder"]) or ""
            out.append(Inbound(sender, to, body, now, (entry.find(settings["reply_ref_finder"]) or "")[:100]))
    return out
