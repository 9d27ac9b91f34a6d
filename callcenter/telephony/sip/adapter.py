"""`SippyPort`: the engine's way to SIP trunks. Read `leg.py` for what a leg may do, then `calls.py`, then this.

This file holds the tables (legs by id and by Call-ID, trunks) and deals out what comes in: requests of dialogs to their
call, new calls from trunks to the engine, strangers a refusal. Everything runs in the engine's asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from secrets import randbelow, token_hex
from typing import Any

from callcenter.clock import monotonic_s
from callcenter.ids import new_id
from callcenter.telephony.phones import PREFIX, PhoneCall, PhoneSpec, Registration
from callcenter.telephony.ports import Cause, Dialog, Sdp, SipEvent, TrunkSpec
from callcenter.telephony.sip import sdp as sdps
from callcenter.telephony.sip.admission import Admission, Refusal
from callcenter.telephony.sip.answering import ANSWERING, AnsweringLeg
from callcenter.telephony.sip.calls import Call
from callcenter.telephony.sip.dialog import ALLOW, DialogData, display_name, user_part
from callcenter.telephony.sip.gate import Gate
from callcenter.telephony.sip.inbound import InboundLeg
from callcenter.telephony.sip.line import Line, new_branch
from callcenter.telephony.sip.messages import body_of, response
from callcenter.telephony.sip.registrar import ASK_EVERY_S, Registrar, towards
from callcenter.telephony.sip.sdp import SessionId
from callcenter.telephony.sip.sparing import Sparing
from callcenter.telephony.sip.strays import Strays
from callcenter.telephony.sip.transactions import LOG_EVERY_S, Transactions
from callcenter.telephony.sip.trunk_book import TrunkBook
from callcenter.telephony.sip.udp import Address, own_address

log = logging.getLogger(__name__)

AFTERLIFE_S = 34.0  # 64 × T1 and a little: how long a dialog that ended is still recognised


class SippyPort:
    """Implements `ports.SipPort`. `host` and `port` are bound. `advertised_host` and `advertised_port` are what stands
    in Via and Contact, and the host in session descriptions too: the public address behind a NAT that maps ports one
    to one. By default Via and Contact name `host` (or this host's own address if that is 0.0.0.0) and `port`, session
    descriptions the address that they were given. `no_response_s` ends an INVITE that gets no response at all,
    `cancel_grace_s` the wait for the final response to a cancelled one; `options_timeout_s` is the patience of a
    trunk's health check; `stop_wait_s` that of `stop`, for the final responses to our CANCELs and again for those to
    our BYEs; `ask_phones_every_s` is the pace of OPTIONS to registered phones."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        advertised_host: str = "",
        advertised_port: int = 0,
        no_response_s: float = 32.0,
        cancel_grace_s: float = 5.0,
        options_timeout_s: float = 4.0,
        stop_wait_s: float = 2.0,
        ask_phones_every_s: float = ASK_EVERY_S,
    ) -> None:
        self.host, self.port = host, port
        self._advertised_host = advertised_host or (own_address() if host == "0.0.0.0" else host)
        self._advertised_port, self._media_host = advertised_port, advertised_host
        self._no_response_s, self._cancel_grace_s = no_response_s, cancel_grace_s
        self._options_timeout_s, self._stop_wait_s = options_timeout_s, stop_wait_s
        self._ask_phones_every_s = ask_phones_every_s
        self._legs: dict[str, Call] = {}
        self._dialogs: dict[str, Call] = {}  # by Call-ID, those that ended stay for AFTERLIFE_S
        self._ended: deque[tuple[float, Call]] = deque()
        self._finished: OrderedDict[str, None] = OrderedDict()  # ids of legs that ended
        self._on_event: Callable[[SipEvent], None] = lambda _: None
        self._all_ended: asyncio.Event | None = None  # wanted while stopping
        self._sparing = Sparing(LOG_EVERY_S)
        self._line: Line
        self._trunks: TrunkBook
        self._gate: Gate | None = None
        self._admission: Admission
        self._strays: Strays
        self._phones: Registrar

    # ------------------------------------------------------------------------------------------------------ SipPort

    async def start(self, on_event: Callable[[SipEvent], None]) -> None:
        self._on_event = on_event
        loop = asyncio.get_running_loop()
        advertised = (self._advertised_host, self._advertised_port)
        transactions = await Transactions.open(self.host, self.port, advertised, self)
        self._line = Line(
            transactions,
            loop,
            transactions.server.advertised,
            self._tell,
            self._leg_ended,
            self._cancel_grace_s,
            self._no_response_s,
        )
        self.port = transactions.bound_port
        self._strays = Strays(self._line, AFTERLIFE_S)
        self._trunks = TrunkBook(self._line, self._options_timeout_s)
        self._gate = Gate(self._trunks.is_known)
        self._admission = Admission(self._trunks, self._gate)
        self._phones = Registrar(self._line, self._gate, self._ask_phones_every_s)

    async def stop(self) -> None:
        for call in list(self._legs.values()):
            call.hangup()
        await self._trunks.stop()
        await self._phones.stop()
        if self._legs:
            self._all_ended = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), self._stop_wait_s)
        for call in list(self._legs.values()):
            call.give_up()
        await asyncio.sleep(0.05)
        for _ in range(round(self._stop_wait_s / 0.05)):
            if not self._line.transactions.awaits_answer("BYE"):
                break
            await asyncio.sleep(0.05)
        self._line.transactions.close()

    def set_trunks(self, trunks: Mapping[int, TrunkSpec]) -> None:
        self._trunks.set(trunks)

    def originate(
        self,
        leg_id: str,
        trunk_id: int,
        to_number: str,
        caller_id: str,
        local: Sdp,
        ring_timeout_s: float,
        caller_name: str = "",
    ) -> None:
        if leg_id in self._legs or leg_id in self._finished:
            raise KeyError(f"leg {leg_id} was there before")
        spec = self._trunks.spec(trunk_id)
        data, identity = self._first_request(spec, to_number, caller_id, caller_name)
        call = Call(self._line, leg_id, trunk_id, spec, data)
        self._add(call)
        refusal = self._trunks.unusable(spec)
        if refusal:
            call.fail(Cause.REJECTED, refusal)
            return
        self._trunks.when_known(
            spec,
            lambda found: self._originate_to(call, found, self._seen_from_outside(local), ring_timeout_s, identity),
        )

    @property
    def address(self) -> Address:
        """Where phones register: the address told to far ends. After `start`."""
        return self._line.address

    def set_phone(self, phone_id: int, spec: PhoneSpec | None) -> None:
        self._phones.set(phone_id, spec)

    def restore_phone(self, phone_id: int, registration: Registration) -> None:
        self._phones.restore(phone_id, registration)

    def call_phone(
        self, leg_id: str, phone_id: int, caller_id: str, caller_name: str, local: Sdp, ring_timeout_s: float
    ) -> None:
        if leg_id in self._legs or leg_id in self._finished:
            raise KeyError(f"leg {leg_id} was there before")
        data = self._phones.dialog(phone_id, caller_id, display_name(caller_name).strip(' "'))
        call = Call(self._line, leg_id, 0, self._phones.trunk(phone_id), data)
        self._add(call)
        call.originate(self._seen_from_outside(local), ring_timeout_s, _auto_answer(self._line.address[0]))

    def _originate_to(
        self, call: Call, found: Address | None, local: Sdp, ring_timeout_s: float, identity: tuple[str, ...]
    ) -> None:
        if call.book.ended:
            return  # hung up during the look-up
        if found is None:
            call.fail(Cause.UNREACHABLE, "the trunk's host name is unknown")
            return
        call.data = replace(call.data, destination=found)
        call.originate(local, ring_timeout_s, identity)

    def hangup(self, leg_id: str) -> None:
        if (call := self._leg(leg_id)) is not None:
            call.hangup()

    def send_hold(self, leg_id: str, local: Sdp) -> None:
        if (call := self._leg(leg_id)) is not None:
            call.midcall.send_hold(self._seen_from_outside(local))

    def ask(self, leg_id: str) -> None:
        if (call := self._leg(leg_id)) is not None:
            call.midcall.ask()

    def prepare(self, leg_id: str, local: Sdp) -> Dialog | None:
        call = self._inbound(leg_id)
        return call.prepare(self._seen_from_outside(local)) if call is not None else None

    def accept(self, leg_id: str, local: Sdp, ring_only: bool = False) -> None:
        call = self._inbound(leg_id)
        if call is not None and ring_only:
            call.ring()
        elif call is not None:
            call.answer(self._seen_from_outside(local))

    def reject(self, leg_id: str, status: int, reason: str) -> None:
        call = self._inbound(leg_id)
        if call is not None:
            call.refuse(status, reason)

    def adopt(self, dialog: Dialog) -> None:
        if dialog.leg_id in self._legs:
            return
        data = DialogData.from_port(dialog)
        spec = self._trunks.spec_or_none(dialog.trunk_id) if dialog.trunk_id else towards(data.destination)
        if dialog.state == ANSWERING:
            self._add(answering := AnsweringLeg(self._line, dialog, spec))
            answering.answer_again()
            return
        call = Call(self._line, dialog.leg_id, dialog.trunk_id, spec, data)
        self._add(call)
        call.adopt(dialog.state == "confirmed")

    def _seen_from_outside(self, local: Sdp) -> Sdp:
        if not self._media_host:
            return local
        return replace(local, address=replace(local.address, ip=self._media_host))

    def live_legs(self) -> int:
        """How many legs have not ended."""
        return len(self._legs)

    # -------------------------------------------------------------------------------------------------------- tables

    def _leg(self, leg_id: str) -> Call | None:
        call = self._legs.get(leg_id)
        if call is None and leg_id not in self._finished:
            raise KeyError(leg_id)
        return call

    def _inbound(self, leg_id: str) -> InboundLeg | None:
        call = self._legs.get(leg_id)
        if isinstance(call, InboundLeg):
            return call
        if call is None and leg_id in self._finished:
            return None
        raise KeyError(leg_id)

    def _add(self, call: Call) -> None:
        self._legs[call.leg_id] = call
        self._dialogs[call.data.call_id] = call

    def _leg_ended(self, call: Call) -> None:
        if self._legs.pop(call.leg_id, None) is None:
            return
        self._admission.left(call.leg_id)
        if not self._legs and self._all_ended is not None:
            self._all_ended.set()
        now = monotonic_s()
        self._finished[call.leg_id] = None
        while len(self._finished) > 100_000:
            self._finished.popitem(last=False)
        self._ended.append((now, call))
        while self._ended and self._ended[0][0] < now - AFTERLIFE_S:
            self._dialogs.pop(self._ended.popleft()[1].data.call_id, None)

    def _tell(self, event: SipEvent) -> None:
        # Never from inside a call of the engine's, and in the order in which things happened.
        self._line.loop.call_soon(self._on_event, event)

    def _first_request(
        self, spec: TrunkSpec, to_number: str, caller_id: str, caller_name: str
    ) -> tuple[DialogData, tuple[str, ...]]:
        """The dialog of an INVITE not yet sent, and its header lines about the caller."""
        host, port = self._line.address
        domain = spec.from_domain or host
        user, callee = user_part(caller_id) or "anonymous", user_part(to_number)
        transport = "" if spec.transport == "udp" else f";transport={spec.transport}"
        caller = f"{display_name(caller_name)}<sip:{user}@{domain}>"
        routes: tuple[str, ...] = ()
        if spec.outbound_proxy is not None:
            routes = (f"<sip:{spec.outbound_proxy[0]}:{spec.outbound_proxy[1]};lr>",)
        data = DialogData(
            call_id=f"{token_hex(12)}@{host}",
            local=f"{caller};tag={token_hex(8)}",
            remote=f"<sip:{callee}@{spec.host}>",
            remote_target=f"sip:{callee}@{spec.host}:{spec.port}{transport}",
            destination=(spec.host, spec.port),
            via=self._line.via,
            branch=new_branch(),
            contact=f"<sip:{user}@{host}:{port}>",
            cseq=randbelow(1 << 20) + 1,
            routes=routes,
            session=SessionId(randbelow(1 << 31) + 1),
        )
        return data, (f"P-Asserted-Identity: {caller}",) if caller_id else ("Privacy: id",)

    # ------------------------------------------------------------------------------------------------- what comes in

    def on_request(self, req: Any, transaction: Any) -> Any:
        """Called by `Transactions` for each new request."""
        call = self._dialogs.get(str(req.getHFBody("call-id")))
        from_tag, to_tag = req.getHFBody("from").getTag(), req.getHFBody("to").getTag()
        if to_tag is not None:
            # Without a tag of theirs the 200 was lost and its BYE came first.
            if call is not None and call.data.local_tag == to_tag and call.data.remote_tag in ("", from_tag):
                self.proved(req.getSource()[0])
                return call.on_request(req, transaction)
            return response(req, 481, "Call does not exist"), None, None
        method = req.getMethod()
        if method == "INVITE":
            if call is not None:
                return response(req, 482, "Merged request"), None, None
            return self._invited(req, transaction)
        if method == "REGISTER":
            return self._phones.register(req), None, None
        if method == "OPTIONS":
            return response(req, 200, "OK", allow=ALLOW), None, None
        if method in ("BYE", "UPDATE", "INFO"):
            return response(req, 481, "Call does not exist"), None, None
        status, words = (603, "Decline") if method == "REFER" else (405, "Method not allowed")
        return response(req, status, words, allow=ALLOW), None, None

    def _invited(self, req: Any, transaction: Any) -> Any:
        phone = self._phones.caller(req)
        spec = self._admission.judge(req, monotonic_s()) if phone is None else self._phone_spec(phone)
        if isinstance(spec, Refusal):
            return spec.response(req), None, None
        for body in req.getHFBodys("require"):
            refusal = response(req, 420, "Bad extension")
            refusal.appendHeader(_unsupported(str(body)))
            return refusal, None, None
        text = body_of(req)
        try:
            offer = sdps.parse(text) if text else None
        except sdps.UnusableSdp as error:
            return response(req, 488, str(error)), None, None
        try:
            leg_id = new_id() if phone is None else f"{PREFIX}in.{new_id()}"
            leg = InboundLeg(self._line, leg_id, spec.trunk_id, spec, req, transaction, offer)
        except ValueError:
            return response(req, 400, "Contact is missing or unreadable"), None, None
        self._add(leg)
        told = leg.announce()
        if isinstance(phone, PhoneSpec):
            self._tell(PhoneCall(leg_id, told.at, phone.phone_id, told.to_number, told.sdp))
        else:
            self._admission.entered(leg_id, spec.trunk_id)
            self._tell(told)
        return leg.trying(req), leg.caller_cancelled, leg.never_acknowledged

    def _phone_spec(self, phone: PhoneSpec | Refusal) -> TrunkSpec | Refusal:
        return self._phones.trunk(phone.phone_id) if isinstance(phone, PhoneSpec) else phone

    def admits(self, packet: bytes, host: str) -> bool:
        """Called by `Transactions` for each packet before it is parsed."""
        now = monotonic_s()
        if self._gate is None or self._gate.admits(packet, host, now):
            return True
        if self._sparing.allows(host, now):
            log.warning("too many packets from %s: dropped (%d of all since the start)", host, self._gate.dropped)
        return False

    def proved(self, host: str) -> None:
        """Called by `Transactions` for a response to a request of ours: its branch is known to our peer only."""
        if self._gate is not None:
            self._gate.learn(host, monotonic_s())

    def on_ack(self, req: Any) -> None:
        """Called by `Transactions` for an ACK of a 200 that a former process sent."""
        call = self._dialogs.get(str(req.getHFBody("call-id")))
        if isinstance(call, AnsweringLeg) and call.data.local_tag == req.getHFBody("to").getTag():
            call.acknowledged()

    def on_stray(self, resp: Any, source: Address) -> None:
        """Called by `Transactions` for a final response to an INVITE that no transaction waits for. From a stranger it
        is ignored: it would let anybody send our BYE to a third address."""
        call = self._dialogs.get(str(resp.getHFBody("call-id")))
        if call is not None or self._trunks.is_known(source[0]):
            self._strays.receive(resp, source, call)


def _auto_answer(host: str) -> tuple[str, ...]:
    """Header lines by which phones of all makes answer by themselves; one that knows none of them rings."""
    return (
        f"Call-Info: <sip:{host}>;answer-after=0",
        f"Alert-Info: <http://{host}>;info=alert-autoanswer;delay=0",
        "Answer-Mode: Auto",
    )


def _unsupported(names: str) -> Any:
    from sippy.SipHeader import SipHeader

    return SipHeader(name="unsupported", bodys=names)
