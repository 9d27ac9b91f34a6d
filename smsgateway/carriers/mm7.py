"""MMS over MM7 1.4 (SOAP over HTTP), as a value-added service provider (VASP).

What the MMSC tells by itself (receipts, read reports, messages) it posts to `web/api/carrier_callbacks.py`, which reads
it by `receipt` and `reply` below.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from callcenter import config, ids
from smsgateway.carriers import answers, images
from smsgateway.carriers import mm7_soap as soap
from smsgateway.carriers import settings as declared
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.pooled import Pooled
from smsgateway.carriers.port import (
    Accepted,
    Attachment,
    Carrier,
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
from smsgateway.texts import Kind

log = logging.getLogger(__name__)
FAILURES_TO_DOWN: Final = 3
AGAIN_S: Final = 5.0
_K = SettingKind
SETTINGS: tuple[Setting, ...] = (
    Setting("url", _K.TEXT, required=True),
    Setting("timeout_s", _K.NUMBER, 30.0, least=1, most=300),
    Setting("vasp_id", _K.TEXT, required=True, section="access"),
    Setting("vas_id", _K.TEXT, section="access"),
    Setting("username", _K.TEXT, section="access"),
    Setting("password", _K.SECRET, section="access"),
    Setting("short_code", _K.TEXT, section="access"),
    Setting("service_code", _K.TEXT, section="behaviour"),
    Setting("max_bytes", _K.INTEGER, 300_000, least=10_000, most=10_000_000, section="behaviour"),
    Setting("max_side", _K.INTEGER, 1280, least=64, most=8000, section="behaviour"),
    Setting("callback_token", _K.SECRET, section="callbacks"),
)
_STATUSES: Final = {
    "retrieved": ReceiptStatus.DELIVERED,
    "expired": ReceiptStatus.EXPIRED,
    "rejected": ReceiptStatus.FAILED,
    "indeterminate": ReceiptStatus.FAILED,
    "unreachable": ReceiptStatus.FAILED,
    "deferred": ReceiptStatus.UNDER_WAY,
    "forwarded": ReceiptStatus.UNDER_WAY,
}


def faults(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with settings `given`."""
    wrong = declared.faults(SETTINGS, given)
    url = urlsplit(str(given.get("url") or ""))
    if "url" not in wrong and (url.scheme not in ("http", "https") or not url.hostname):
        wrong["url"] = "Give an address that begins with https:// or http://."
    return wrong


def make(carrier: TextCarrier, listener: Listener) -> Carrier:
    """The connection, not started."""
    return Mm7(declared.whole(SETTINGS, carrier.settings), listener, carrier.window)


class Mm7(Pooled):
    """A `Carrier` for MMS."""

    def __init__(self, settings: Mapping[str, Any], listener: Listener, window: int) -> None:
        super().__init__(settings, listener, window, FAILURES_TO_DOWN)

    async def submit(self, text: Outgoing) -> Outcome:
        """Send an MMS."""
        if text.kind is not Kind.MMS:
            return Rejected("kind", "This carrier takes multimedia messages only.")
        if self.client is None:
            return Returned("closed")
        with self.out():
            try:
                kind, body = await asyncio.to_thread(self.request, text)
                return await self._post(self.client, kind, body)
            except (images.NoPicture, OSError) as error:
                return Rejected("media", str(error)[:200])

    def request(self, text: Outgoing) -> tuple[str, bytes]:
        """Content type and body for `text`. Reads its files and makes pictures fit; raises NoPicture, OSError."""
        s = self.settings
        parts: list[soap.Part] = []
        room = int(s["max_bytes"]) - len(text.body.encode()) - 4096
        for number, attachment in enumerate(text.media):
            share = max(2048, room // max(1, len(text.media)))
            parts.append(self._part(number, attachment, share))
        if text.body:
            parts.append(soap.Part("text", "text/plain; charset=utf-8", "text.txt", text.body.encode()))
        message = soap.Submit(
            transaction=ids.new_id(),
            vasp_id=s["vasp_id"],
            vas_id=s["vas_id"],
            sender=text.sender.lstrip("+") or s["short_code"],
            to=text.phone,
            subject=text.subject,
            service_code=s["service_code"],
            linked="",
            expires=datetime.fromtimestamp(text.expires_at, UTC).isoformat(timespec="seconds"),
            parts=[soap.smil(parts), *parts],
        )
        return soap.submit(message, f"mm7-{uuid.uuid4().hex}")

    def _part(self, number: int, attachment: Attachment, room: int) -> soap.Part:
        path = Path(attachment.path)
        raw = (path if path.is_absolute() else config.load().var / path).read_bytes()
        kind = attachment.type
        if kind.startswith("image/"):
            raw, kind = images.fit(raw, room, int(self.settings["max_side"]))
        elif len(raw) > room:
            raise images.NoPicture("An attachment is larger than the carrier takes.")
        name = f"{Path(attachment.name).stem or 'part'}.{kind.rpartition('/')[2]}"
        return soap.Part(f"part{number}", kind, name, raw)

    async def _post(self, client: aiohttp.ClientSession, kind: str, body: bytes) -> Outcome:
        headers = {"Content-Type": kind, "SOAPAction": '""'}
        if self.settings["username"]:
            pair = f"{self.settings['username']}:{self.settings['password']}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        try:
            async with client.post(self.settings["url"], data=body, headers=headers, allow_redirects=False) as reply:
                raw = await answers.body(reply)
                status, reply_kind = reply.status, reply.headers.get("Content-Type", "")
        except aiohttp.ClientConnectorError as error:
            self._failed(f"can't connect: {error.os_error.strerror or error.os_error}")
            return Returned("connect", AGAIN_S)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._failed(f"no answer: {type(error).__name__}")
            return Lost()
        return self._outcome(status, raw, reply_kind)

    def _outcome(self, status: int, raw: bytes, kind: str) -> Outcome:
        if status in (429, 503):
            return Returned(str(status), AGAIN_S)
        if status in (401, 403, 404):
            self._failed(f"refused with HTTP {status}")
            return Returned(str(status), AGAIN_S)
        try:
            said = soap.answer(raw, kind)
        except soap.Malformed as error:
            self._failed(f"an answer that can't be read: {error}")
            return Lost()
        self.well()
        if said.code in soap.SUCCESS:
            ref = normalise(said.message_id)
            return Accepted((ref,) if ref else ())
        if said.code in soap.TEMPORARY:
            return Returned(str(said.code), AGAIN_S)
        return Rejected(str(said.code), said.text or "refused by the carrier")

    def _failed(self, detail: str) -> None:
        if self.failed(detail):
            # Nothing but a message tells whether it is back: let the next one try after a while.
            asyncio.get_running_loop().call_later(AGAIN_S * 2, self.hope, "trying again")


def receipt(told: soap.Incoming, now: float) -> Receipt | None:
    """A delivery or read report as a receipt; None if it names no message."""
    ref = normalise(told.message_id)
    if not ref:
        return None
    if told.kind == "ReadReplyReq":
        return Receipt(ref, ReceiptStatus.READ, told.status[:40], now)
    status = _STATUSES.get(told.status.lower(), ReceiptStatus.FAILED)
    return Receipt(ref, status, told.status[:40], _at(told.at, now))


def reply(told: soap.Incoming, folder: Path, now: float) -> Inbound:
    """A message from a subscriber. Its pictures are written into `folder`."""
    media = []
    for part in told.parts:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{ids.new_id().lower()}-{part.name}"
        path.write_bytes(part.content)
        media.append(Attachment(str(path), part.type, part.name))
    return Inbound(_number(told.sender), told.to, told.text, now, told.message_id[:100], told.subject, tuple(media))


def _number(given: str) -> str:
    digits = given.partition("/")[0].strip()
    return f"+{digits}" if digits.isdigit() and len(digits) > 10 and not digits.startswith(("0", "1")) else digits


def _at(text: str, now: float) -> float:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        return now
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() if given.year > 2000 else now
