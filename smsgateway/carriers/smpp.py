"""SMPP 3.4 over TCP and TLS, as an ESME. Settings: `smpp_settings.Settings`.

Each link connects, binds and connects again by itself. A text leaves on the link that has least to do, all its parts on
the same one. What an SMSC can't take for now goes back to the queue as long as no part of it was taken; a part that is
throttled behind one that was taken is tried again here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from smpplib import consts  # type: ignore[import-untyped]

from callcenter.clock import wall_s
from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers import smpp_receipts, smpp_settings
from smsgateway.carriers.connection import LOST, NOT_WRITTEN
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import (
    Accepted,
    Carrier,
    Health,
    Inbound,
    Listener,
    Lost,
    Outcome,
    Outgoing,
    Rejected,
    Returned,
)
from smsgateway.carriers.refs import normalise
from smsgateway.carriers.smpp_bind import Answer, Bind, BindRefused, Result
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
MOST_WAIT_S = 60.0
REFUSED_WAIT_S = 60.0  # a wrong password stays wrong
STABLE_S = 30.0
PART_TRIES_S = 30.0  # a throttled part behind one that was taken
MOST_UNSTORED = 4000  # receipts and texts that are not stored yet; more are put off


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


class Smpp:
    """A carrier. `window`: submissions that may be out on one link."""

    def __init__(self, settings: Settings, window: int, listener: Listener, name: str = "") -> None:
        self.settings, self.window, self.listener, self.name = settings, max(1, window), listener, name
        self._writer = Writer(settings)
        modes = (pdu.BIND_TRANSCEIVER,) if settings.mode == "transceiver" else (pdu.BIND_TRANSMITTER, pdu.BIND_RECEIVER)
        self._links = [Link(self, command) for _ in range(settings.binds) for command in modes]
        self._tasks: set[asyncio.Task[None]] = set()
        self._unstored = 0
        self._stopping = False

    async def start(self) -> None:
        """Connect all links, and keep them connected."""
        for link in self._links:
            self._spawn(link.run())
        self.tell_health()

    async def stop(self, grace_s: float) -> None:
        """Unbind and close."""
        self._stopping = True
        await asyncio.gather(*(link.stop(grace_s) for link in self._links))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.tell_health()

    async def submit(self, text: Outgoing) -> Outcome:
        """Send `text`, all parts at once."""
        if text.kind is not Kind.SMS:
            return Rejected("kind", "This carrier takes no multimedia messages.")
        bind = self._least_busy()
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

    def _least_busy(self) -> Bind | None:
        best: Bind | None = None
        for link in self._links:
            bind = link.bind
            if bind is not None and bind.bound and (best is None or bind.load < best.load):
                best = bind
        return best

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
        if self._unstored >= MOST_UNSTORED:
            bind.answer_message(received, consts.SMPP_ESME_RX_T_APPN)
            return
        now = wall_s()
        if smpp_receipts.is_receipt(message):
            receipt = smpp_receipts.read(message, self.settings, now)
            if receipt is None:
                log.warning("carrier %s: a receipt that says nothing of use", self.name)
                bind.answer_message(received, pdu.OK)
                return
            self._store(self.listener.receipt(receipt), bind, received)
            return
        part, raw = place_of(message, self.settings.join_s)
        said = decode(message.data_coding, raw, default=self.settings.gsm7)
        sender = self._sender(message.source, message.source_ton)
        inbound = Inbound(sender, message.destination, said.replace("\x00", ""), now, part=part)
        self._store(self.listener.inbound(inbound), bind, received)

    def _sender(self, source: str, ton: int) -> str:
        if source.isascii() and source.isdigit():
            if ton == 1:
                return f"+{source}"
            if self.settings.destination_strip and not source.startswith("0"):
                return f"{self.settings.destination_strip}{source}"
        return source

    def _store(self, storing: Awaitable[None], bind: Bind, received: pdu.Pdu) -> None:
        """Answer the carrier when what it told is stored; if it can't be, ask it to come again."""
        self._unstored += 1
        self._spawn(self._stored(storing, bind, received))

    async def _stored(self, storing: Awaitable[None], bind: Bind, received: pdu.Pdu) -> None:
        status = consts.SMPP_ESME_RX_T_APPN
        try:
            await storing
            status = pdu.OK
        except Exception:
            log.exception("carrier %s: what it told could not be stored; it is asked to tell it again", self.name)
        finally:
            self._unstored -= 1
            bind.answer_message(received, status)

    # -- links

    def tell_health(self) -> None:
        """Tell how many links are up, and what keeps the others."""
        able = [k for k in self._links if k.command != pdu.BIND_RECEIVER]
        up = sum(1 for k in self._links if k.bind is not None)
        sending = any(k.bind is not None and k.bind.bound for k in able)
        why = next((k.detail for k in self._links if k.bind is None and k.detail), "")
        detail = "stopped" if self._stopping else (f"{up} of {len(self._links)} bound" + (f"; {why}" if why else ""))
        self.listener.health(Health(sending and not self._stopping, detail, up, len(self._links)))

    def _spawn(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Link:
    """One place in the set of connections: connects, binds, and begins again with growing waits."""

    def __init__(self, carrier: Smpp, command: int) -> None:
        self.carrier, self.command = carrier, command
        self.bind: Bind | None = None  # while it is bound
        self.detail = "connecting"
        self._stopping = False
        self._ended: asyncio.Future[str] | None = None
        self._context: ssl.SSLContext | None = None

    async def run(self) -> None:
        """Connect for ever."""
        settings, loop = self.carrier.settings, asyncio.get_running_loop()
        wait_s = settings.again_s
        while not self._stopping:
            began = loop.time()
            try:
                await self._once()
                refused = False
            except BindRefused as error:
                self.detail, refused = str(error), error.ours
            except ssl.SSLCertVerificationError as error:
                self.detail, refused = f"its certificate is not good: {error.verify_message}", False
            except (OSError, TimeoutError) as error:
                self.detail, refused = f"can't connect: {str(error) or 'no answer in time'}", False
            except Exception as error:
                log.exception("carrier %s: a link failed", self.carrier.name)
                self.detail, refused = f"failed: {error}", False
            if loop.time() - began > STABLE_S:
                wait_s = settings.again_s
            if self._stopping:
                return
            log.warning("carrier %s: %s; connecting again", self.carrier.name, self.detail)
            self.carrier.tell_health()
            least = min(REFUSED_WAIT_S, settings.again_s * 30) if refused else wait_s
            await asyncio.sleep(least * random.uniform(0.8, 1.2))
            wait_s = min(MOST_WAIT_S, wait_s * 2)

    async def _once(self) -> None:
        """One connection from its beginning to its end."""
        carrier, settings = self.carrier, self.carrier.settings
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        make_bind: Callable[[], Bind] = functools.partial(
            Bind, settings, carrier.window, carrier.on_message, self._on_end
        )
        connecting = loop.create_connection(
            make_bind, settings.host, settings.port, ssl=self._tls(),
            server_hostname=settings.host if settings.tls else None,
        )  # fmt: skip
        _, bind = await asyncio.wait_for(connecting, settings.connect_s)
        try:
            await bind.bind(self.command)
        except BaseException:
            bind.close("not bound")
            raise
        self.bind, self.detail = bind, ""
        carrier.tell_health()
        try:
            self.detail = await self._ended
        finally:
            self.bind = None
            bind.close("ended")
        carrier.tell_health()

    def _tls(self) -> ssl.SSLContext | None:
        settings = self.carrier.settings
        if settings.tls and self._context is None:
            self._context = ssl.create_default_context(cadata=settings.ca or None)
        return self._context

    def _on_end(self, bind: Bind, reason: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)
        self.carrier.tell_health()

    async def stop(self, grace_s: float) -> None:
        """End this connection; there is no other after it."""
        self._stopping = True
        if self.bind is not None:
            await self.bind.end(grace_s)
