"""The demo carrier: a SIP peer on loopback whose subscribers ring, answer, talk, are busy or are not there.

A shell around pure parts: `sip/endpoint.py` (signalling), `subscribers.py` (who does what), `conversation.py` (what is
said when). It owns the socket, the 20 ms clock and the calls.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter

from demo.phones import Phones
from demo.rtp import TICK_S, NoPort, RtpPool
from demo.session import Owner, Session, Through
from demo.settings import PHONE_PORTS, Settings
from demo.sip.call import Call, Event, Invited
from demo.sip.endpoint import Endpoint
from demo.sip.message import Address
from demo.sip.registrar import Binding, Registrar
from demo.sip.sdp import BadSdp, read
from demo.subscribers import FAST, NORMAL, digits, phone_numbers, subscriber
from demo.visit import Visit, visitor
from demo.voices import Voices

log = logging.getLogger(__name__)

_LAG_S = 1.0
"""A clock further behind than this starts afresh rather than catching up."""


class Carrier(asyncio.DatagramProtocol):
    """`start`, then calls come and go until `stop`. `outcomes` counts ended calls by kind and why."""

    def __init__(self, settings: Settings) -> None:
        self.outcomes: Counter[str] = Counter()
        self._settings = settings
        self._pace = FAST if settings.fast else NORMAL
        self._voices = Voices(settings.sounds_dir)
        rng = self._rng = random.SystemRandom()
        self._password = secrets.token_hex(16)
        self._phone_users = {digits(n): f"phone{i}" for i, n in enumerate(phone_numbers(settings.phones), 1)}
        accounts = {**settings.accounts, **dict.fromkeys(self._phone_users.values(), self._password)}
        self._registrar = Registrar(accounts, rng)
        self._endpoint = Endpoint((settings.host, settings.port), self._registrar, rng)
        last = settings.rtp_last - PHONE_PORTS * settings.phones
        self._pool = RtpPool(settings.host, settings.rtp_first, last, rng)
        self._owners: dict[Call, Owner] = {}
        self._sessions: dict[Session, None] = {}
        self._throughs: dict[Through, None] = {}
        self._phones = Phones(settings, self._voices, list(self._phone_users.values()), self._password)
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._clock: asyncio.Task[None] | None = None
        self._settling = False

    # ------------------------------------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Open the SIP port (OSError when it is taken) and start what runs beside it."""
        loop = asyncio.get_running_loop()
        local = (self._settings.host, self._settings.port)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=local)
        self._clock = loop.create_task(self._run_clock())
        self._voices.start()
        self._phones.start()
        log.info("demo carrier on %s:%d, %d softphones", *local, self._settings.phones)

    async def stop(self) -> None:
        """Hang up everything and give the ports back. Returns within about two seconds."""
        now = asyncio.get_running_loop().time()
        owners: list[Session | Through] = [*self._sessions, *self._throughs]
        for owner in owners:
            owner.hang_up("carrier stops", now)
        self._settle()
        await self._phones.stop()
        if self._clock:
            self._clock.cancel()
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.close()
        log.info("demo carrier stopped; calls: %s", dict(self.outcomes))

    # -------------------------------------------------------------------------------------------------- datagrams

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """One SIP message, or noise."""
        try:
            self._endpoint.receive(data, addr, asyncio.get_running_loop().time())
        except Exception:
            log.exception("a datagram from %s:%d could not be handled", *addr[:2])
        self._settle()

    def error_received(self, exc: Exception) -> None:
        """ICMP says that a far end is gone; its transactions time out by themselves."""

    def _settle(self) -> None:
        """Carry out what the endpoint wants, until it wants nothing."""
        if self._settling:
            return
        self._settling = True
        loop = asyncio.get_running_loop()
        try:
            while self._endpoint.outbox or self._endpoint.events:
                outbox, self._endpoint.outbox = self._endpoint.outbox, []
                for datagram, to in outbox:
                    self._send(datagram, to)
                events, self._endpoint.events = self._endpoint.events, []
                for event in events:
                    self._act(event, loop.time())
        finally:
            self._settling = False
        if self._timer:
            self._timer.cancel()
        due = self._endpoint.next_timer()
        self._timer = loop.call_at(due, self._run_timers) if due is not None else None

    def _send(self, datagram: bytes, to: Address) -> None:
        if self._transport and not self._transport.is_closing():
            try:
                self._transport.sendto(datagram, to)
            except OSError as error:
                log.warning("nothing can be sent to %s:%d: %s", *to, error)

    def _act(self, event: Event, now: float) -> None:
        try:
            if isinstance(event, Invited):
                self._invited(event, now)
            elif owner := self._owners.get(event.call):
                owner.take(event, now)
        except Exception:
            log.exception("call %s could not go on", event.call.call_id)
            self._endpoint.hang_up(event.call, now)

    def _run_timers(self) -> None:
        try:
            self._endpoint.run_timers(asyncio.get_running_loop().time())
        except Exception:
            log.exception("a SIP timer failed")
        self._settle()

    # ------------------------------------------------------------------------------------------------------ calls

    def _invited(self, event: Invited, now: float) -> None:
        user = self._phone_users.get(digits(event.call.number)) or event.call.number
        binding = self._registrar.find(user, now)
        if binding:
            self._pass_on(event, binding, now)
            return
        session = Session(
            self._endpoint,
            event.call,
            subscriber(event.call.number, self._pace),
            self._voices,
            self._pool.open,
            self._session_ended,
            self._settle,
        )
        self._owners[event.call] = session
        self._sessions[session] = None
        session.start(event.sdp, now)

    def call_in(self, number: str, to: Address) -> bool:
        """Let a subscriber call `number` at the SIP address `to`. Nothing happens, and False is returned, while one is
        calling already or no port is free."""
        if any(isinstance(session, Visit) for session in self._sessions):
            return False
        try:
            port = self._pool.open(asyncio.get_running_loop().time())
        except NoPort:
            return False
        who = visitor(self._rng, self._pace)
        visit = Visit(
            self._endpoint, who, number, to, self._voices, port, self._session_ended, self._settle
        )  # fmt: skip
        self._owners[visit.call] = visit
        self._sessions[visit] = None
        self._settle()
        return True

    def _session_ended(self, session: Session, why: str) -> None:
        self._sessions.pop(session, None)
        self._owners.pop(session.call, None)
        sent, received = session.packets
        kind = session.label or session.who.kind.value
        self._count(session.call, kind, why, f"; {sent} packets sent, {received} received")

    def _pass_on(self, event: Invited, binding: Binding, now: float) -> None:
        """One call at a time a phone; the phone's own clock answers it."""
        if any(through.binding_uri == binding.uri for through in self._throughs):
            self._endpoint.reject(event.call, 486, "Busy Here", now)
            self._count(event.call, "phone", "486")
            return
        try:
            offer = read(event.sdp).write()
        except BadSdp:
            self._endpoint.reject(event.call, 488, "Not Acceptable Here", now)
            self._count(event.call, "phone", "488")
            return
        sender = digits(event.call.remote.split("@")[0]) or "anonymous"
        phone = self._endpoint.invite(binding.uri, binding.address, sender, offer, now)
        through = Through(self._endpoint, event.call, phone, binding.uri, self._through_ended)
        self._throughs[through] = None
        self._owners[event.call] = self._owners[phone] = through

    def _through_ended(self, through: Through, why: str) -> None:
        self._throughs.pop(through, None)
        self._owners.pop(through.caller, None)
        self._owners.pop(through.phone, None)
        self._count(through.caller, "phone", why)

    def _count(self, call: Call, kind: str, why: str, more: str = "") -> None:
        self.outcomes[f"{kind}: {why}"] += 1
        log.info("call %s to %s (%s) ended: %s%s", call.call_id, call.number, kind, why, more)

    # ------------------------------------------------------------------------------------------------------ clock

    async def _run_clock(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            now = loop.time()
            if now - due > _LAG_S:
                due = now
            await asyncio.sleep(max(0.0, due - now))
            self._tick(loop.time())

    def _tick(self, now: float) -> None:
        for session in list(self._sessions):
            try:
                session.tick(now)
            except Exception:
                log.exception("call %s could not go on", session.call.call_id)
                session.hang_up("fault", now)
        if self._endpoint.outbox or self._endpoint.events:
            self._settle()
