"""ICE, DTLS and SRTP towards one browser, by aiortc; with every private name of theirs that the edge uses.

aiortc's RTCPeerConnection would start a decoder thread for each receiver and wake 50 times a second for each sender.
The edge only relays, so it takes the layers below (RTCIceTransport, RTCDtlsTransport) and handles packets itself, in
the socket's callback, with no task switch. `check_private_names` fails at start, in plain words, when a new version of
the libraries lacks a name; `tests/telephony/edge/test_aiortc_transport.py` holds it and the behaviour behind the names.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import pylibsrtp
from aioice.ice import Connection, StunProtocol
from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
)

from callcenter.telephony.edge.sdp import LocalCandidate

log = logging.getLogger(__name__)
MAX_WAITING = 64  # DTLS datagrams not yet read; more come only from somebody who means harm


def check_private_names() -> None:
    """Raise RuntimeError naming what is missing if the installed aiortc or aioice is not what this module was
    written for."""
    missing = [
        f"{owner.__module__}.{owner.__qualname__}.{name}"
        for owner, names in (
            (RTCDtlsTransport, ("_set_role", "_handle_rtp_data", "_handle_rtcp_data", "_recv_next", "_setup_srtp")),
            (
                Connection,
                ("data_received", "check_incoming", "get_component_candidates", "_check_periodic", "recv", "send"),
            ),
            (StunProtocol, ("datagram_received", "send_data")),
        )
        for name in names
        if not callable(getattr(owner, name, None))
    ]
    gatherer = RTCIceGatherer(iceServers=[])
    connection = getattr(gatherer, "_connection", None)
    dtls = RTCDtlsTransport(RTCIceTransport(gatherer), [RTCCertificate.generateCertificate()])
    missing += [f"aioice.Connection().{n}" for n in ("_nominated", "_queue") if not hasattr(connection, n)]
    missing += [f"aiortc.RTCDtlsTransport().{n}" for n in ("_rx_srtp", "_tx_srtp", "_role") if not hasattr(dtls, n)]
    if "addresses" not in inspect.signature(Connection.get_component_candidates).parameters:
        missing.append("aioice.Connection.get_component_candidates(addresses=…)")
    if missing:
        raise RuntimeError(f"aiortc/aioice lack what the browser edge needs: {', '.join(missing)}; pin aiortc==1.16.0")


class BrowserTransport:
    """The encrypted way to one browser: gather, then connect, then packets both ways until closed.

    `on_rtp` and `on_rtcp` get decrypted packets in the loop; `on_state` gets "connected" once and "closed" (with a
    sentence for a person) once. `last_seen_s` is when the browser last proved to be there (an authenticated packet or
    ICE check), on the monotonic clock.
    """

    def __init__(
        self,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_state: Callable[[str, str], None],
        *,
        addresses: Sequence[str] = (),
        loopback: bool = True,
    ) -> None:
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._on_state = on_state
        self._addresses = tuple(addresses)
        self._loopback = loopback
        self._gatherer = RTCIceGatherer(iceServers=[])
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._dtls.on("statechange", self._dtls_changed)
        self._connection: Any = self._gatherer._connection
        self._queue_data = self._connection.data_received
        self._check_incoming = self._connection.check_incoming
        self._gather = self._connection.get_component_candidates
        self._connection.data_received = self._data_received
        self._connection.check_incoming = self._checked
        self._connection.get_component_candidates = self._gather_here
        self._unprotect: Callable[[bytes], bytes] | None = None
        self._protect: Callable[[bytes], bytes] | None = None
        self._pair: Any = None
        self._remote: tuple[str, int] = ("", 0)
        self._sendto: Callable[[bytes, tuple[str, int]], None] | None = None
        self._told = ""
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.last_seen_s = time.monotonic()

    async def gather(self) -> tuple[str, str, tuple[tuple[str, str], ...], tuple[LocalCandidate, ...]]:
        """Open the sockets: (ICE user name, password, fingerprints, candidates). Raises OSError if no address can be
        bound."""
        await self._gatherer.gather()
        found = tuple(
            LocalCandidate(c.foundation, c.priority, c.ip, c.port) for c in self._gatherer.getLocalCandidates()
        )
        if not found:
            raise OSError("no local address for browser audio could be bound")
        own = self._gatherer.getLocalParameters()
        digests = tuple(
            (f.algorithm, f.value) for f in self._dtls.getLocalParameters().fingerprints if f.algorithm == "sha-256"
        )
        return own.usernameFragment, own.password, digests, found

    def connect(self, ufrag: str, pwd: str, fingerprints: Sequence[tuple[str, str]], dtls_server: bool) -> None:
        """Begin ICE and DTLS in the background. `dtls_server`: wait for the browser's handshake, otherwise start it.

        The browser's candidates are not asked for: it checks towards ours and is found by that, so that nobody can
        have the edge send to an address of his choice.
        """
        self._task = asyncio.create_task(self._run(ufrag, pwd, fingerprints, dtls_server))

    async def _run(self, ufrag: str, pwd: str, fingerprints: Sequence[tuple[str, str]], dtls_server: bool) -> None:
        if dtls_server:
            self._dtls._set_role("server")
        await self._ice.start(RTCIceParameters(usernameFragment=ufrag, password=pwd))
        if self._ice.state != "completed":
            self._tell("closed", "no connection to the browser (ICE failed)")
            return
        remote = RTCDtlsParameters(fingerprints=[RTCDtlsFingerprint(algorithm=a, value=v) for a, v in fingerprints])
        await self._dtls.start(remote)

    def _dtls_changed(self) -> None:
        state = self._dtls.state
        if state == "connected":
            self._unprotect = self._dtls._rx_srtp.unprotect
            self._protect = self._dtls._tx_srtp.protect
            self._tell("connected", "")
        elif state == "failed":
            self._tell("closed", "the browser's certificate or handshake was not accepted (DTLS failed)")
        elif state == "closed":
            self._tell("closed", "the browser ended the connection or no longer answers")

    def _tell(self, state: str, detail: str) -> None:
        if state != self._told and self._told != "closed" and not self._closing:
            self._told = state
            self._on_state(state, detail)

    async def _gather_here(self, component: int, addresses: list[str], timeout: int = 5) -> Any:
        chosen = list(self._addresses)
        if not chosen:
            chosen = addresses + (["127.0.0.1"] if self._loopback and "127.0.0.1" not in addresses else [])
        return await self._gather(component=component, addresses=chosen, timeout=timeout)

    def _checked(self, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        self.last_seen_s = time.monotonic()
        self._check_incoming(message, addr, protocol)

    def _data_received(self, data: bytes, component: int) -> None:
        if len(data) < 8:
            return
        if self._unprotect is None or not 127 < data[0] < 192:
            if 19 < data[0] < 64 and self._connection._queue.qsize() < MAX_WAITING:
                self._queue_data(data, component)
            return
        try:
            if 192 <= data[1] <= 223:
                plain = self._dtls._rx_srtp.unprotect_rtcp(data)
                self.last_seen_s = time.monotonic()
                self._on_rtcp(plain)
            else:
                plain = self._unprotect(data)
                self.last_seen_s = time.monotonic()
                self._on_rtp(plain)
        except (pylibsrtp.Error, ValueError) as exc:  # forged, replayed or too long
            log.debug("packet of the browser not accepted: %s", exc)

    def _send(self, data: bytes) -> None:
        pair = self._connection._nominated.get(1)
        if pair is None:
            return
        if pair is not self._pair:
            self._pair, self._remote, self._sendto = pair, pair.remote_addr, pair.protocol.transport.sendto
        if self._sendto is not None:
            self._sendto(data, self._remote)

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet. Dropped silently while not connected."""
        if self._protect is not None:
            try:
                self._send(self._protect(packet))
            except (pylibsrtp.Error, ValueError) as exc:
                log.debug("packet for the browser not sent: %s", exc)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one compound RTCP packet. Dropped silently while not connected."""
        if self._protect is not None:
            try:
                self._send(self._dtls._tx_srtp.protect_rtcp(packet))
            except (pylibsrtp.Error, ValueError) as exc:
                log.debug("report for the browser not sent: %s", exc)

    async def close(self) -> None:
        """End it: tells the browser (DTLS close) and frees the sockets. No event follows."""
        self._closing = True
        self._protect = self._unprotect = None
        await self._dtls.stop()
        await self._ice.stop()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)
