"""One browser's session in the aiortc edge: DTLS-SRTP on one side, plain PCMU RTP on the other, nothing decoded.

A session outlives its connection: a page that is reloaded or a network that comes back offers again under the same id
and finds the same plain RTP address, so the media process need not be told. The former connection carries the audio
until the new one stands.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address

from callcenter.clock import wall_s
from callcenter.telephony.edge.aiortc_transport import BrowserTransport
from callcenter.telephony.edge.liveness import GIVE_UP_S, QUIET_S, STATS_EVERY_S, next_state
from callcenter.telephony.edge.reports import INTERVAL_S, Reports
from callcenter.telephony.edge.rtp import Stream
from callcenter.telephony.edge.sdp import BrowserOffer, LocalSide, answer_setup, build_answer
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress

log = logging.getLogger(__name__)

NEXT_GIVE_UP_S = 10.0  # a new connection that does not stand by then is dropped if the former one still carries
FIRST_REPORT_S = 0.3  # so that the browser's first report can tell the round trip


@dataclass(frozen=True)
class Listen:
    """Where browsers reach the edge. `addresses` are the local ones to bind (none: all of the machine, and the
    loopback one if `loopback`); `advertise` is what browsers are told in place of them, for a machine behind a 1:1
    NAT."""

    addresses: tuple[str, ...] = ()
    loopback: bool = True
    advertise: str = ""

    @classmethod
    def at(cls, ip: str) -> Listen:
        """For the address `ip` of the settings: a loopback one means every address of this machine, a local one
        itself, any other one that a NAT carries to this machine. Raises ValueError if it is no address."""
        if ip_address(ip).is_loopback:
            return cls()
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((ip, 0))
            except OSError:
                return cls((source_ip(MediaAddress(ip, 9)),), loopback=False, advertise=ip)
        return cls((ip,), loopback=False)


def source_ip(target: MediaAddress) -> str:
    """The local address from which packets to `target` leave."""
    with socket.socket(socket.AF_INET6 if ":" in target.ip else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((target.ip, target.port))
        return str(probe.getsockname()[0])


class _PlainRtp(asyncio.DatagramProtocol):
    """The UDP socket towards the media process."""

    def __init__(self, on_packet: Callable[[bytes, str], None]) -> None:
        self._on_packet = on_packet

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # type: ignore[override]  # addr is typed for all families
        self._on_packet(data, addr[0])

    def error_received(self, exc: Exception) -> None:
        log.debug("plain RTP socket: %s", exc)


class _Connection:
    """One encrypted connection of a session with its RTCP."""

    def __init__(self, session: Session, listen: Listen) -> None:
        self.session = session
        self.stream = Stream(secrets.randbits(32))
        self.reports = Reports(session.inbound, self.stream, session.cname)
        self.usable = False
        self.transport = BrowserTransport(
            self._rtp, self._rtcp, self._state, addresses=listen.addresses, loopback=listen.loopback
        )

    def _rtp(self, packet: bytes) -> None:
        self.session.from_browser(self, packet)

    def _rtcp(self, packet: bytes) -> None:
        self.reports.receive(packet, time.monotonic(), wall_s())

    def _state(self, state: str, detail: str) -> None:
        self.usable = state == "connected"
        self.session.connection_changed(self, detail)

    def send_report(self) -> None:
        self.transport.send_rtcp(self.reports.build(time.monotonic(), wall_s()))


class Session:
    """One browser's audio. `address` is where the media process sends for it."""

    def __init__(self, session_id: str, on_event: Callable[[EdgeEvent], None]) -> None:
        self.session_id = session_id
        self.state = EdgeState.CONNECTING
        self.cname = secrets.token_hex(8)
        self.inbound = Stream(secrets.randbits(32))
        self.target = MediaAddress("", 0)
        self.address = MediaAddress("", 0)
        self.lock = asyncio.Lock()
        self._on_event = on_event
        self._plain: asyncio.DatagramTransport | None = None
        self._live: _Connection | None = None
        self._next: _Connection | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._since_s = self._offered_s = time.monotonic()
        self._report_at_s = time.monotonic() + INTERVAL_S * random.random()
        self._stats_at_s = time.monotonic() + STATS_EVERY_S
        self._stats_complete = False

    async def offer(self, offer: BrowserOffer, target: MediaAddress, listen: Listen) -> str:
        """Take a new connection for this session and answer it. The former one goes on until the new one stands."""
        await self._bind(target)
        connection = _Connection(self, listen)
        try:
            ufrag, pwd, fingerprints, candidates = await connection.transport.gather()
        except OSError:
            await connection.transport.close()
            raise
        if listen.advertise:
            candidates = tuple(replace(c, ip=listen.advertise) for c in candidates)
        if self._next is not None:
            self._retire(self._next)
        self._next = connection
        connection.transport.connect(
            offer.ice_ufrag, offer.ice_pwd, offer.fingerprints, dtls_server=answer_setup(offer) == "passive"
        )
        self._offered_s = time.monotonic()
        if not self._heard(self._offered_s):
            self._enter(EdgeState.CONNECTING, "")
        local = LocalSide(ufrag, pwd, fingerprints, candidates, answer_setup(offer), connection.stream.ssrc, self.cname)
        return build_answer(offer, local)

    async def _bind(self, target: MediaAddress) -> None:
        """Have a socket from which `target` is reached; the present one if it is on the right address."""
        ip = source_ip(target)
        self.target = target
        if self._plain is not None:
            if self.address.ip == ip:
                return
            self._plain.close()
        loop = asyncio.get_running_loop()
        for attempt in range(16):
            transport, _ = await loop.create_datagram_endpoint(lambda: _PlainRtp(self._from_media), local_addr=(ip, 0))
            port = int(transport.get_extra_info("sockname")[1])
            if port % 2 == 0 or attempt == 15:  # an even port, as RTP has it (RFC 3550 section 11)
                self._plain = transport
                self.address = MediaAddress(ip, port)
                return
            transport.close()

    def from_browser(self, connection: _Connection, packet: bytes) -> None:
        """A decrypted packet of the browser, on to the media process."""
        if connection is not self._live:
            return
        out = self.inbound.forward(packet, time.monotonic())
        if out is not None and self._plain is not None:
            self._plain.sendto(out, (self.target.ip, self.target.port))

    def _from_media(self, packet: bytes, ip: str) -> None:
        live = self._live
        if live is None or ip != self.target.ip:
            return
        out = live.stream.forward(packet, time.monotonic())
        if out is not None:
            live.transport.send_rtp(out)

    def connection_changed(self, connection: _Connection, detail: str) -> None:
        """A connection came up or ended."""
        if connection is self._next and connection.usable:
            if self._live is not None:
                self._retire(self._live)
            self._live, self._next = connection, None
            self._report_at_s = time.monotonic() + FIRST_REPORT_S
            self.state, self._since_s = EdgeState.CONNECTED, time.monotonic()
            self._emit("")
        elif connection is self._next:
            self._next = None
            self._retire(connection)
            carried = self._live is not None and self._live.usable
            self._enter(EdgeState.CONNECTED if carried else EdgeState.INTERRUPTED, detail)
        elif connection is self._live and not connection.usable and self._next is None:
            self._enter(EdgeState.INTERRUPTED, detail)

    def tick(self, now_s: float, judge: bool) -> None:
        """What time brings: reports, figures, interruption, the end. `judge` is False when the process itself was
        held up, so that silence says nothing of the browser."""
        live = self._live
        if live is not None and live.usable and now_s >= self._report_at_s:
            self._report_at_s = now_s + INTERVAL_S * (0.75 + 0.5 * random.random())
            live.send_report()
        if not judge:
            return
        quiet_s = now_s - live.transport.last_seen_s if live is not None else 0.0
        usable = live is not None and live.usable
        if self._next is not None and self._heard(now_s) and now_s - self._offered_s > NEXT_GIVE_UP_S:
            self._retire(self._next)
            self._next = None
        state = next_state(self.state, quiet_s, now_s - self._since_s, usable)
        if state is not self.state:
            self._enter(
                state,
                {
                    EdgeState.INTERRUPTED: "nothing heard from the browser",
                    EdgeState.CLOSED: f"not connected for {GIVE_UP_S:.0f} s",
                }.get(state, ""),
            )
        elif live is not None and self.state is EdgeState.CONNECTED:
            complete = live.reports.round_trip_ms is not None
            if now_s >= self._stats_at_s or complete > self._stats_complete:
                self._stats_at_s = now_s + STATS_EVERY_S
                self._stats_complete = complete
                self._emit("")

    def _heard(self, now_s: float) -> bool:
        """Whether the connection in use carries: it stands and the browser was heard just now."""
        live = self._live
        return live is not None and live.usable and now_s - live.transport.last_seen_s < QUIET_S

    def _enter(self, state: EdgeState, detail: str) -> None:
        changed = state is not self.state or state is EdgeState.CONNECTING
        if changed:
            self.state, self._since_s = state, time.monotonic()
            self._emit(detail)

    def _emit(self, detail: str) -> None:
        stats = self._live.reports.figures() if self._live is not None else {}
        self._on_event(EdgeEvent(wall_s(), self.session_id, self.state, detail, stats))

    def _retire(self, connection: _Connection) -> None:
        task = asyncio.create_task(connection.transport.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End the connections and free the sockets. The state stays as it is: who closes knows."""
        for connection in (self._live, self._next):
            if connection is not None:
                self._retire(connection)
        self._live = self._next = None
        if self._plain is not None:
            self._plain.close()
            self._plain = None
        if self._closing:
            await asyncio.wait(self._closing, timeout=2.0)
