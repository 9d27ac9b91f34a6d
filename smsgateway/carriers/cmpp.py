"""CMPP 2.0 and 3.0 over TCP, as a service provider (SP). One or more connections, kept up by themselves."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from callcenter.clock import utc_now, wall_s
from smsgateway.carriers import cmpp_pdu as pdu
from smsgateway.carriers import settings as declared
from smsgateway.carriers import smpp_header
from smsgateway.carriers.cmpp_bind import Bind, Result
from smsgateway.carriers.cmpp_pdu import Deliver, Submit, Version
from smsgateway.carriers.connection import LOST, NOT_WRITTEN
from smsgateway.carriers.linked import Link, Linked
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import (
    Accepted,
    Carrier,
    Inbound,
    Listener,
    Lost,
    Outcome,
    Outgoing,
    Part,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.carriers.settings import Setting, SettingKind
from smsgateway.segments import MULTI, SINGLE, Encoding
from smsgateway.texts import Kind

log = logging.getLogger(__name__)
ZONE: Final = ZoneInfo("Asia/Shanghai")  # gateways' stamps
MAX_ASCII: Final = 159  # of a part without a header
FLOW_WAIT_S: Final = 1.0
ASCII, UCS2, GBK = 0, 8, 15
_K = SettingKind
SETTINGS: tuple[Setting, ...] = (
    Setting("host", _K.TEXT, required=True),
    Setting("port", _K.INTEGER, 7890, least=1, most=65535),
    Setting("version", _K.CHOICE, "2.0", choices=("2.0", "3.0")),
    Setting("sp_id", _K.TEXT, required=True, section="access"),
    Setting("shared_secret", _K.SECRET, required=True, section="access"),
    Setting("sp_number", _K.TEXT, required=True, section="access"),
    Setting("service_id", _K.TEXT, section="access"),
    Setting("fee_type", _K.TEXT, "01", section="behaviour"),
    Setting("fee_code", _K.TEXT, "000000", section="behaviour"),
    Setting("chinese", _K.CHOICE, "ucs2", choices=("ucs2", "gb18030"), section="behaviour"),
    Setting("binds", _K.INTEGER, 1, least=1, most=16, section="behaviour"),
    Setting("active_test_s", _K.NUMBER, 60.0, least=1, most=600, section="behaviour"),
    Setting("answer_s", _K.NUMBER, 30.0, least=1, most=300, section="behaviour"),
    Setting("again_s", _K.NUMBER, 2.0, least=0.1, most=60, section="behaviour"),
    Setting("join_s", _K.NUMBER, 120.0, least=1, most=3600, section="behaviour"),
)
_STATS: Final = {
    "DELIVRD": ReceiptStatus.DELIVERED,
    "EXPIRED": ReceiptStatus.EXPIRED,
    "ACCEPTD": ReceiptStatus.UNDER_WAY,
}


def faults(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with settings `given`."""
    wrong = declared.faults(SETTINGS, given)
    for name, longest in (("sp_id", 6), ("service_id", 10), ("sp_number", 20), ("fee_type", 2), ("fee_code", 6)):
        value = str(given.get(name) or "")
        if name not in wrong and (len(value) > longest or not value.isascii()):
            wrong[name] = f"{longest} letters and digits at most."
    return wrong


def make(carrier: TextCarrier, listener: Listener) -> Carrier:
    """The connection, not started."""
    return Cmpp(declared.whole(SETTINGS, carrier.settings), carrier.window, listener, carrier.name)


def parts(text: str, chinese: str, ref: int) -> tuple[int, list[bytes]]:
    """Msg_Fmt and the contents of `text`'s parts, with their headers where there are several. ASCII texts go as such,
    160 and 153 characters a part less what CMPP lacks; all others as UCS-2 or GB 18030."""
    if text.isascii():
        form, whole, single, multi = ASCII, text.encode("ascii"), MAX_ASCII, MULTI[Encoding.GSM7]
        pieces = [whole] if len(whole) <= single else [whole[i : i + multi] for i in range(0, len(whole), multi)]
    elif chinese == "gb18030":
        form, pieces = GBK, _cut(text, pdu.MAX_CONTENT, pdu.MAX_CONTENT - 6)
    else:
        form = UCS2
        single, multi = SINGLE[Encoding.UCS2] * 2, MULTI[Encoding.UCS2] * 2
        whole = text.encode("utf-16-be", "replace")
        pieces = [whole] if len(whole) <= single else _cut_utf16(whole, multi)
    if len(pieces) == 1:
        return form, pieces
    if len(pieces) > 255:
        raise ValueError("the text has more than 255 parts")
    return form, [bytes([5, 0, 3, ref & 255, len(pieces), n]) + piece for n, piece in enumerate(pieces, 1)]


def _cut(text: str, single: int, multi: int) -> list[bytes]:
    """GB 18030 cut between characters."""
    whole = text.encode("gb18030", "replace")
    if len(whole) <= single:
        return [whole]
    out, piece = [], bytearray()
    for character in text:
        raw = character.encode("gb18030", "replace")
        if len(piece) + len(raw) > multi:
            out.append(bytes(piece))
            piece.clear()
        piece += raw
    return [*out, bytes(piece)]


def _cut_utf16(whole: bytes, size: int) -> list[bytes]:
    out, at = [], 0
    while at < len(whole):
        end = min(at + size, len(whole))
        if end < len(whole) and 0xD8 <= whole[end - 2] <= 0xDB:  # a surrogate pair stays together
            end -= 2
        out.append(whole[at:end])
        at = end
    return out


class Cmpp(Linked[Bind]):
    """A carrier. `window`: submissions that may be out on one connection."""

    def __init__(self, settings: Mapping[str, Any], window: int, listener: Listener, name: str = "") -> None:
        super().__init__(listener, name, "connected")
        self.settings, self.window = settings, max(1, window)
        self.version = Version.V3 if settings["version"] == "3.0" else Version.V2
        again_s = float(settings["again_s"])
        self.links = [Link(self, self._connect, again_s, able=True) for _ in range(int(settings["binds"]))]
        self._ref = random.randrange(256)

    async def submit(self, text: Outgoing) -> Outcome:
        """Send `text`, all parts at once, on the connection with least to do."""
        if text.kind is not Kind.SMS:
            return Rejected("kind", "This carrier takes no multimedia messages.")
        bind = self.least_busy()
        if bind is None:
            return Returned("not_connected", float(self.settings["again_s"]))
        try:
            bodies = self._bodies(text)
        except ValueError as error:
            return Rejected("unsendable", str(error))
        return self._outcome(list(await asyncio.gather(*map(bind.submit, bodies))))

    def _bodies(self, text: Outgoing) -> list[bytes]:
        s = self.settings
        self._ref = (self._ref + 1) & 255
        form, contents = parts(text.body, s["chinese"], self._ref)
        number = s["sp_number"]
        source = text.sender if text.sender.startswith(number) else number
        phone = text.phone.removeprefix("+86").removeprefix("+")
        valid = datetime.fromtimestamp(text.expires_at, ZONE).strftime("%y%m%d%H%M%S") + "032+"
        return [
            pdu.submit(
                Submit(
                    total=len(contents), number=n, receipt=True, service_id=s["service_id"], sp_id=s["sp_id"],
                    source=source, destination=phone, format=form, content=content, udhi=len(contents) > 1,
                    fee_type=s["fee_type"], fee_code=s["fee_code"], valid=valid,
                ),
                self.version,
            )
            for n, content in enumerate(contents, 1)
        ]  # fmt: skip

    def _outcome(self, results: list[Result]) -> Outcome:
        answers = [r for r in results if not isinstance(r, str)]
        refs = tuple(str(msg_id) for msg_id, result in answers if result == 0)
        refused = next((r for _, r in answers if r not in (0, pdu.FLOW_CONTROL)), None)
        if refused is not None:
            return Rejected(str(refused), pdu.RESULTS.get(refused, "refused by the carrier"))
        if len(refs) == len(results):
            return Accepted(refs)
        if refs or LOST in results:
            return Lost(refs)
        if NOT_WRITTEN in results:
            return Returned(NOT_WRITTEN, float(self.settings["again_s"]))
        return Returned(str(pdu.FLOW_CONTROL), FLOW_WAIT_S)

    # -- what comes by itself

    def on_deliver(self, bind: Bind, sequence: int, message: Deliver) -> None:
        """A DELIVER: a receipt, or a text."""
        answer = functools.partial(_answer, bind, sequence, message.msg_id)
        if self.full:
            answer(False)
            return
        if message.is_receipt:
            try:
                report = pdu.report(message.content)
            except pdu.Malformed as error:
                log.warning("carrier %s: %s", self.name, error)
                bind.answer_deliver(sequence, message.msg_id, 1)
                return
            status = _STATS.get(report.stat.upper(), ReceiptStatus.FAILED)
            receipt = Receipt(str(report.msg_id), status, report.stat, _stamp(report.done))
            self.store(self.listener.receipt(receipt), answer)
            return
        digits = message.sender.removeprefix("+")
        number = f"+86{digits}" if len(digits) == 11 and digits.startswith("1") else f"+{digits}"
        sender = number if digits.isdigit() else message.sender
        part, said = read(message, float(self.settings["join_s"]))
        inbound = Inbound(sender, message.to, said, wall_s(), part=part)
        self.store(self.listener.inbound(inbound), answer)

    async def _connect(self) -> Bind:
        """A connection that is let in."""
        s = self.settings
        connecting = asyncio.get_running_loop().create_connection(
            lambda: Bind(self.version, self.window, float(s["active_test_s"]), float(s["answer_s"]), self.on_deliver),
            s["host"], int(s["port"]),
        )  # fmt: skip
        _, bind = await asyncio.wait_for(connecting, float(s["answer_s"]))
        try:
            await bind.bind(s["sp_id"], s["shared_secret"], utc_now().astimezone(ZONE).strftime("%m%d%H%M%S"))
        except BaseException:
            bind.close("not connected")
            raise
        return bind


def _answer(bind: Bind, sequence: int, msg_id: int, stored: bool) -> None:
    bind.answer_deliver(sequence, msg_id, 0 if stored else pdu.FLOW_CONTROL)


def read(message: Deliver, wait_s: float) -> tuple[Part | None, str]:
    """Where the text stands among its parts (None: it is whole), and its words. `wait_s` as in `Part`."""
    part, raw = None, message.content
    if message.udhi and raw:
        header, raw = smpp_header.cut(raw)
        part = smpp_header.concatenation(header, wait_s)
    if message.format == GBK:
        said = raw.decode("gb18030", "replace")
    elif message.format == UCS2:
        said = raw[: len(raw) & ~1].decode("utf-16-be", "replace")
    else:
        said = raw.decode("latin-1")
    return part, said.replace("\x00", "")


def _stamp(done: str) -> float:
    """YYMMDDhhmm in the gateways' zone as seconds since the epoch; now, if it is none or still to come."""
    try:
        return min(wall_s(), datetime.strptime(done, "%y%m%d%H%M").replace(tzinfo=ZONE).timestamp())
    except ValueError:
        return wall_s()
