"""SIP transactions: Sippy's transaction manager, run inside the asyncio loop.

Sippy retransmits, answers retransmissions, matches responses and times out (RFC 3261, section 17). This file gives it a
socket of the asyncio loop, turns its timers from the loop, and repairs what a carrier could trip it with. Nothing runs
in another thread, so no event waits for a hand-over (docs/adr/0001-sippy-and-not-pyvoip.md has the figures).

What is changed in Sippy 2.5.0, each for a reason:
- its own UDP server (threads, packets may overtake each other) is replaced by a datagram endpoint of the loop;
- `;transport=UDP` in upper case, which breaks the next request of a dialog, is lower-cased (`_repair_sippy`);
- what it printed to standard output, with whole packets and their phone numbers, is logged in short, masked;
- the ACK of a failed INVITE goes where the INVITE went, not to the Contact of the failure (section 17.1.1.3);
- a response that matches no transaction is handed on instead of dropped: a 200 may come from a second branch, after the
  transaction ended, or for an INVITE of a process that died.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from hashlib import md5
from threading import get_ident
from typing import Any, Protocol

from sippy.Core.EventDispatcher import ED2
from sippy.Network_server import Remote_address
from sippy.SipConf import SipConf
from sippy.SipRequest import SipRequest
from sippy.SipResponse import SipResponse
from sippy.SipTransactionManager import TERMINATED, UACK, SipTMRetransmitO, SipTransactionManager
from sippy.SipURL import SipURL
from sippy.Time.MonoTime import MonoTime
from sippy.Time.Timeout import Timeout

from callcenter.clock import monotonic_s
from callcenter.telephony.sip.dialog import address_of, uri_of
from callcenter.telephony.sip.sparing import Sparing
from callcenter.telephony.sip.udp import Address, OneSocket, UdpSocket

log = logging.getLogger(__name__)

PRODUCT = "callcenter"
TICK_S = 0.05  # SIP's shortest timer is 0.5 s
LOG_EVERY_S = 10.0  # about the same far end
_MIN_DATAGRAM = 32
_CACHE_S = 32.0


class Handler(Protocol):
    """Who hears of requests and of responses nobody waits for. Exceptions of both are logged, never fatal."""

    def on_request(self, request: Any, transaction: Any) -> Any:
        """A new request (no CANCEL, no retransmission). Return None or (response or None, on_cancel, on_no_ack)."""

    def on_ack(self, request: Any) -> None:
        """An ACK that no transaction waits for: of a 200 that another process sent."""

    def on_stray(self, response: Any, source: Address) -> None:
        """A final response to an INVITE that no transaction waits for."""

    def admits(self, packet: bytes, host: str) -> bool:
        """Whether a packet from IP address `host` is looked at, asked of each before it is parsed."""

    def proved(self, host: str) -> None:
        """`host` has answered a request of ours."""


_repaired = False


def _repair_sippy() -> None:
    """Patch the process-wide oddities of Sippy, once."""
    global _repaired
    if _repaired:
        return
    _repaired = True
    SipConf.my_uaname = PRODUCT
    set_params = SipURL.setParams

    def set_params_lower(self: Any, params: list[str]) -> None:
        set_params(self, params)
        if self.transport is not None:
            self.transport = self.transport.lower()

    SipURL.setParams = set_params_lower

    def log_print(*words: object, **_: object) -> None:
        log.debug("sippy: %s", " ".join(str(w) for w in words)[:200])

    for module in ("SipTransactionManager", "SipMsg", "SipURL", "SipRequest", "Core.EventDispatcher"):
        vars(importlib.import_module(f"sippy.{module}"))["print"] = log_print

    def log_exception(message: str, *_: object, **__: object) -> None:
        log.warning("sippy: %s", message, exc_info=True)

    for module in ("SipTransactionManager", "Core.EventDispatcher"):
        vars(importlib.import_module(f"sippy.{module}"))["dump_exception"] = log_exception


class _NoLog:
    """Sippy's logger interface, silent."""

    level = 0

    def write(self, *_: object, **__: object) -> None:
        return

    ignore = write


class Transactions(SipTransactionManager):
    """Sippy's transaction manager over one UDP socket of the running loop. Open it with `open`."""

    def __init__(self, server: UdpSocket, handler: Handler) -> None:
        # Not super().__init__: it would open sockets of its own. These are all the attributes that it sets.
        self.global_config = {"_sip_logger": _NoLog(), "_sip_tm": self}
        self.server = server
        self.handler = handler
        self.l4r = OneSocket(server)
        self.tclient: dict[tuple[Any, ...], Any] = {}
        self.tserver: dict[tuple[Any, ...], Any] = {}
        self.req_cb = handler.on_request
        self.req_consumers: dict[str, Any] = {}
        self.l1rcache: dict[bytes, Any] = {}
        self.l2rcache: dict[bytes, Any] = {}
        self.cp_timer = Timeout(self.rCachePurge, _CACHE_S, -1)
        self.bound_port = 0
        self.dropped = 0  # datagrams that were no SIP, since the start
        self._sparing = Sparing(LOG_EVERY_S)
        self._tick_handle: asyncio.TimerHandle | None = None
        self._tick()

    @classmethod
    async def open(cls, host: str, port: int, advertised: Address, handler: Handler) -> Transactions:
        """Bind `host`:`port` and run; `advertised` is told to far ends ("" and 0: what is bound). Raises OSError if the
        port is taken."""
        _repair_sippy()
        ED2.my_ident = get_ident()
        loop = asyncio.get_running_loop()
        box: list[Transactions] = []

        def received(data: bytes, source: Address) -> None:
            if box:
                box[0].on_datagram(data, source)

        endpoint, server = await loop.create_datagram_endpoint(
            lambda: UdpSocket((advertised[0] or host, advertised[1] or port), received), local_addr=(host, port)
        )
        bound_port = int(endpoint.get_extra_info("sockname")[1])
        if not server.advertised[1]:
            server.advertised = (server.advertised[0], bound_port)
        sock = endpoint.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)  # bursts of answers wait here, not at the carrier
        self = cls(server, handler)
        self.bound_port = bound_port
        box.append(self)
        return self

    def close(self) -> None:
        """Stop the timers and close the socket; transactions under way are forgotten."""
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        for transaction in (*self.tclient.values(), *self.tserver.values()):
            _cancel_timers(transaction)
        self.cp_timer.cancel()
        self.server.shutdown()

    def _tick(self) -> None:
        """Run Sippy's due timers, as its own loop would."""
        self._tick_handle = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        ED2.last_ts = MonoTime()
        ED2.dispatchTimers()
        if ED2.twasted * 2 > len(ED2.tlisteners) > 64:
            ED2.tlisteners[:] = sorted(el for el in ED2.tlisteners if el.cb_func is not None)
            ED2.twasted = 0

    def on_datagram(self, data: bytes, source: Address) -> None:
        """One packet of the wire. Whatever it holds, nothing is raised."""
        if not self.handler.admits(data, source[0]):
            return
        try:
            self._receive(data, source)
        except Exception as error:
            self.dropped += 1
            if self._sparing.allows(source[0], monotonic_s()):
                log.warning("malformed SIP from %s:%s dropped (%d bytes): %s", *source, len(data), type(error).__name__)
            log.debug("malformed SIP", exc_info=True)

    def _receive(self, data: bytes, source: Address) -> None:
        if len(data) < _MIN_DATAGRAM:
            return  # keep-alives (CRLF, STUN)
        checksum = md5(data, usedforsecurity=False).digest()
        known = self.l1rcache.get(checksum) or self.l2rcache.get(checksum)
        if known is not None:
            if known.data is not None:
                self.transmitData(known.userv, known.data, known.address)
            return
        remote = Remote_address(source, "udp")
        if data.startswith(b"SIP/2.0 "):
            self._receive_response(SipResponse(data.decode()), checksum, remote)
        else:
            self._receive_request(SipRequest(data.decode()), checksum, remote)

    def _receive_response(self, response: Any, checksum: bytes, remote: Any) -> None:
        tid = response.getTId(True, True)
        code = response.scode
        if not 100 <= code <= 699:
            raise ValueError("status out of range")
        response.getHFBody("to").getTag()
        response.setSource(remote)
        if code >= 300:
            response.delHFs("contact")
            response.delHFs("record-route")
        elif code >= 200:
            _drop_unreadable(response, "contact")
            _drop_unreadable(response, "record-route")
        transaction = self.tclient.get(tid)
        if transaction is None or transaction.state is TERMINATED:
            if code >= 200 and tid[3] == "INVITE":
                self.handler.on_stray(response, remote.address)
            return
        try:
            self.handler.proved(remote.address[0])
            self.incomingResponse(response, transaction, checksum)
        except Exception:
            if code >= 200:
                self.tclient.pop(tid, None)  # it has no timers any more; the leg has its own
            raise
        if transaction.tid is not None and transaction.state is UACK:
            transaction.ack = transaction.own_ack
            transaction.ack_rAddr = transaction.own_ack.getTarget()
            self.sendACK(transaction)

    def limit_silence(self, transaction: Any, seconds: float) -> None:
        """Give up an INVITE after `seconds` without any response (Sippy's own limit is 32 s)."""
        transaction.teB.cancel()
        transaction.teB = Timeout(self.timerB, seconds, 1, transaction)

    def _receive_request(self, request: Any, checksum: bytes, remote: Any) -> None:
        tids = request.getTIds()
        via = request.getHFBody("via")
        request.getHFBody("to").getTag()
        if via.getAddr()[0] != remote.address[0]:
            via.params["received"] = remote.address[0]
        if "rport" in via.params:
            via.params["rport"] = str(remote.address[1])
        request.rtime = MonoTime()
        request.setSource(remote)
        if request.getMethod() == "ACK" and request.getTId(wTTG=True) not in self.tserver:
            self.handler.on_ack(request)
        try:
            self.incomingRequest(request, checksum, tids, self.server)
        except Exception:
            unfinished = self.tserver.pop(request.getTId(wBRN=True), None)
            if unfinished is not None:
                _cancel_timers(unfinished)
            raise

    def transmitData(
        self, userv: Any, data: Any, address: Any, cachesum: bytes | None = None, lossemul: int = 0
    ) -> None:
        userv.send_to(data, address)
        if cachesum is not None:
            self.l1rcache[cachesum] = SipTMRetransmitO(userv, data, address, None, lossemul)

    def awaits_answer(self, method: str) -> bool:
        """Whether a request of ours of this method has no final response yet."""
        return any(t.method == method and t.state is not TERMINATED for t in self.tclient.values())

    def send_raw(self, text: str, address: Address) -> None:
        """Send a message outside of any transaction (an ACK)."""
        self.server.send_to(text, address)


def _cancel_timers(transaction: Any) -> None:
    for name in ("teA", "teB", "teC", "teD", "teE", "teF", "teG"):
        timer = getattr(transaction, name, None)
        if timer is not None:
            timer.cancel()


def _drop_unreadable(message: Any, name: str) -> None:
    """Take header `name` out of `message` if it can't be parsed, so that nobody trips over it later."""
    try:
        for body in message.getHFBodys(name):
            body.getUrl().getAddr()
            address_of(uri_of(body.body))
    except Exception:
        log.warning("unreadable %s header in a response was ignored", name)
        message.delHFs(name)
