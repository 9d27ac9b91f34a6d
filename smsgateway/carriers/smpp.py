"""SMPP 3.4 over TCP and TLS, as an ESME. Settings: `smpp_settings.Settings`.

Each link connects, binds and connects again by itself. A text leaves on the link that has least to do, all its parts on
the same one. What an SMSC can't take for now goes back to the queue as long as no part of it was taken; a part that is
throttled behind one that was taken is tried again here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Mapping
from typing import Final

from smpplib import consts  # type: ignore[import-untyped]

from callcenter.clock import wall_s
from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers import smpp_receipts, smpp_settings
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
    Rejected,
    Returned,
)
from smsgateway.carriers.refs import normalise
from smsgateway.carriers.smpp_bind import Answer, Bind, Result
from smsgateway.carriers.smpp_header import place_of
from smsgateway.carriers.smpp_settings import SETTINGS as SETTINGS
from smsgateway.carriers.smpp_settings import Settings
from smsgateway.carriers.smpp_text import Writer, decode
from smsgateway.texts import Kind

log = logging.getLogger(__name__)
TEMPORARY: Final = frozenset({
    consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL, consts.SMPP_ESME_RX_T_APPN, consts.SMPP_ESME_RSYSERR,
    consts.SMPP_ESME_RINVBNDSTS,
})  # fmt: skip
PART_TRIES_S = 30.0  # a throttled part behind one that was taken


def make(carrier: TextCarrier, listener: Listener) -> Carrier:
    """The connection of `carrier`."""
    return Smpp(smpp_settings.read(carrier.settings), carrier.window, listener, carrier.name)


def faults(settings: Mapping[str, object]) -> dict[str, str]:
    """Field of the settings → what is wrong."""
    out = smpp_settings.faults(settings)
    if not out and settings.get("ca"):
        try:
            ssl.create_default_context(cadata=str(settings["ca"]))
        except (ssl.SSLError, ValueError):
            out["ca"] = "This is no certificate in PEM form. Paste it with its BEGIN and END lines."
    return out


class Smpp(Linked[Bind]):
    """A carrier. `window`: submissions that may be out on one link."""

    def __init__(self, settings: Settings, window: int, listener: Listener, name: str = "") -> None:
        super().__init__(listener, name, "bound")
        self.settings, self.window = settings, max(1, window)
        self._writer = Writer(settings)
        self._context: ssl.SSLContext | None = None
        modes = (pdu.BIND_TRANSCEIVER,) if settings.mode == "transceiver" else (pdu.BIND_TRANSMITTER, pdu.BIND_RECEIVER)
        self.links = [
            Link(self, functools.partial(self._connect, command), settings.again_s, command != pdu.BIND_RECEIVER)
            for _ in range(settings.binds)
            for command in modes
        ]

    async def submit(self, text: Outgoing) -> Outcome:
        """Send `text`, all parts at once."""
        if text.kind is not Kind.SMS:
            return Rejected("kind", "This carrier takes no multimedia messages.")
        bind = self.least_busy()
        if bind is None:
            return Returned("not_bound", self.settings.again_s)
        try:
            bodies = self._writer.bodies(text, wall_s())
        except ValueError as error:
            return Rejected("unsendable", str(error))
        if len(bodies) == 1:
            return self._outcome([await bind.submit(bodies[0])])
        results: list[Result] = list(await asyncio.gather(*map(bind.submit, bodies)))
        if any(isinstance(r, Answer) and r.status == pdu.OK for r in results):
            await self._again(bind, bodies, results)
        return self._outcome(results)

    async def _again(self, bind: Bind, bodies: list[bytes], results: list[Result]) -> None:
        """Send the parts again that the SMSC put off, as others of the same text were taken."""
        loop = asyncio.get_running_loop()
        until, wait_s = loop.time() + PART_TRIES_S, self.settings.throttle_s
        while loop.time() < until:
            off = [i for i, r in enumerate(results) if isinstance(r, Answer) and r.status in TEMPORARY]
            if not off:
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 5.0)
            for i in off:
                results[i] = await bind.submit(bodies[i])

    def _outcome(self, results: list[Result]) -> Outcome:
        notation = self.settings.notations.answer
        refs, refused, off = [], None, None
        for result in results:
            if not isinstance(result, Answer):
                continue
            if result.status == pdu.OK:
                refs.append(normalise(result.message_id, notation))
            elif result.status in TEMPORARY:
                off = result
            else:
                refused = result
        taken = tuple(refs)
        if refused is not None:
            return Rejected(pdu.status_code(refused.status), pdu.status_text(refused.status))
        if len(taken) == len(results):
            return Accepted(taken)
        if LOST in results or taken:
            return Lost(taken)
        if off is None:
            return Returned(NOT_WRITTEN, self.settings.again_s)
        return Returned(pdu.status_code(off.status), self.settings.throttle_s)

    # -- what comes by itself

    def on_message(self, bind: Bind, received: pdu.Pdu) -> None:
        """A deliver_sm or data_sm."""
        try:
            read = pdu.short_message if received.command == pdu.DELIVER_SM else pdu.data_message
            message = read(received.body)
        except pdu.Malformed as error:
            log.warning("carrier %s: a message that can't be read: %s", self.name, error)
            bind.answer_message(received, consts.SMPP_ESME_RX_P_APPN)
            return
        if self.full:
            bind.answer_message(received, consts.SMPP_ESME_RX_T_APPN)
            return
        now = wall_s()
        if smpp_receipts.is_receipt(message):
            receipt = smpp_receipts.read(message, self.settings, now)
            if receipt is None:
                log.warning("carrier %s: a receipt that says nothing of use", self.name)
                bind.answer_message(received, pdu.OK)
                return
            self.store(self.listener.receipt(receipt), functools.partial(_answer, bind, received))
            return
        part, raw = place_of(message, self.settings.join_s)
        said = decode(message.data_coding, raw, default=self.settings.gsm7)
        sender = self._sender(message.source, message.source_ton)
        inbound = Inbound(sender, message.destination, said.replace("\x00", ""), now, part=part)
        self.store(self.listener.inbound(inbound), functools.partial(_answer, bind, received))

    def _sender(self, source: str, ton: int) -> str:
        if source.isascii() and source.isdigit():
            if ton == 1:
                return f"+{source}"
            if self.settings.destination_strip and not source.startswith("0"):
                return f"{self.settings.destination_strip}{source}"
        return source

    # -- links

    async def _connect(self, command: int) -> Bind:
        """A connection that is bound by `command`."""
        settings = self.settings
        connecting = asyncio.get_running_loop().create_connection(
            lambda: Bind(settings, self.window, self.on_message), settings.host, settings.port, ssl=self._tls(),
            server_hostname=settings.host if settings.tls else None,
        )  # fmt: skip
        _, bind = await asyncio.wait_for(connecting, settings.connect_s)
        try:
            await bind.bind(command)
        except BaseException:
            bind.close("not bound")
            raise
        return bind

    def _tls(self) -> ssl.SSLContext | None:
        if self.settings.tls and self._context is None:
            self._context = ssl.create_default_context(cadata=self.settings.ca or None)
        return self._context


def _answer(bind: Bind, received: pdu.Pdu, stored: bool) -> None:
    bind.answer_message(received, pdu.OK if stored else consts.SMPP_ESME_RX_T_APPN)
