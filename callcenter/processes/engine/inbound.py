"""Calls that come in: whose number was dialed, who calls, where the call goes.

A call is here between its INVITE and the floor: 180 goes out at once, the media port is opened and the caller looked up
side by side (LOOKUP_S at most), then the number's rules say where it goes and the floor has it. A caller who hangs up
in between leaves nothing behind: no port, no channel, no call.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callcenter import log as logs
from callcenter import wire
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.party_views import plain
from callcenter.clock import wall_s
from callcenter.log import mask_numbers
from callcenter.numbers.asking import ask_caller
from callcenter.numbers.caller import Caller, unknown
from callcenter.numbers.dialed import find_number
from callcenter.numbers.routing import NumberDoc, route
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine
    from callcenter.processes.engine.tenant import Tenant

log = logging.getLogger(__name__)
LOOKUP_S = 0.3
INBOUND = "inbound"  # `Call.mode`


@dataclass
class _Arriving:
    """A call that is not on the floor yet."""

    tenant: Tenant
    trunk_id: int
    gone: bool = False


class Inbound:
    """Calls on their way to the floors."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._arriving: dict[str, _Arriving] = {}

    def invited(self, event: p.InboundCall) -> None:
        """An INVITE from a trunk."""
        engine = self.engine
        tenant = next((t for t in engine.tenants.values() if ("trunk", event.trunk_id) in t.documents), None)
        if tenant is None:  # an engine that has just begun: 404 would say that there is no such number
            log.warning("trunk %d is not served here yet", event.trunk_id)
            engine.sip.reject(event.leg_id, 503, "Service Unavailable")
            return
        number = find_number(tenant.numbers.values(), event.to_number, event.trunk_id)
        if number is None:
            log.warning("trunk %d: nobody has the number %s", event.trunk_id, mask_numbers(event.to_number))
            engine.sip.reject(event.leg_id, 404, "Not Found")
            return
        engine.sip.accept(event.leg_id, event.sdp, ring_only=True)
        tenant.trunks.take(event.trunk_id)
        self._arriving[event.leg_id] = _Arriving(tenant, event.trunk_id)
        engine.spawn(self._arrive(tenant, number, event), "a call that comes in")

    def ended(self, leg_id: str) -> bool:
        """A leg ended; whether it was on its way here."""
        arriving = self._arriving.get(leg_id)
        if arriving is None:
            return False
        arriving.gone = True
        return True

    async def _arrive(self, tenant: Tenant, number: NumberDoc, event: p.InboundCall) -> None:
        call_id = event.leg_id
        arriving = self._arriving[call_id]
        port: p.MediaAddress | BaseException | None = None
        try:
            with logs.bind(tenant=tenant.id, call=call_id):
                port, caller = await asyncio.gather(
                    self.engine.open_port(tenant, call_id, event.sdp.codec),
                    ask_caller(self.engine.redis, tenant.id, event.from_number, LOOKUP_S, did=number.e164),
                    return_exceptions=True,
                )
                if arriving.gone:
                    return
                if isinstance(port, BaseException):
                    log.error("no media port for a call that comes in: %s", port)
                    self.engine.sip.reject(call_id, 503, "Service Unavailable")
                    return
                known = caller if isinstance(caller, Caller) else unknown(tenant.caller_number(event.from_number))
                try:
                    self._hand_over(tenant, number, event, known)
                except Exception:
                    log.exception("a call that comes in can't be routed")
                    self.engine.sip.reject(call_id, 500, "Server Internal Error")
                if call_id in tenant.floor.calls:
                    arriving.trunk_id = 0  # the floor gives it back
        finally:
            del self._arriving[call_id]
            if arriving.trunk_id:
                tenant.trunks.release(arriving.trunk_id)
                if isinstance(port, p.MediaAddress):
                    self.engine.media.delete_port(fx.call_port(call_id))

    def _hand_over(self, tenant: Tenant, number: NumberDoc, event: p.InboundCall, caller: Caller) -> None:
        now = wall_s()
        routed = route(number, tenant.calendars, caller, now, tenant.time_zone, on_shift=tenant.on_shift())
        first = caller.matches[0] if caller.matches else None
        call = Call(
            call_id=event.leg_id,
            control="",
            mode=INBOUND,
            number=caller.number,
            caller_id=number.e164,
            trunk_id=event.trunk_id,
            dialed=event.to_number,
            started_at=event.at,
            ring_timeout_s=0.0,
            customer_id=first.customer_id if first is not None and len(caller.choices) == 0 else None,
            lead_id=None,
            card=dict(caller.card),
            direction="in",
            did=number.e164,
            did_id=number.id,
            language=routed.language,
            caller={**wire.plain(caller), "matches": list(caller.choices), "display_name": event.display_name},
            codec=event.sdp.codec,
            record_rule=number.record,
            priority=routed.priority,
            sticky_agent=routed.sticky_agent,
        )
        self.engine.far_media(fx.call_port(call.call_id), event.sdp)
        tenant.floor.arrive(call, routed.destination, now)
        self.engine.apply(tenant)

    async def answer(self, tenant: Tenant, call_id: str) -> None:
        """200, once the call is known for good, with all that a successor needs to go on with it before its ACK."""
        engine, call = self.engine, tenant.floor.calls.get(call_id)
        if call is None:
            return
        try:
            address = await engine.media.create_port(fx.call_port(call_id))  # it is there: its address
            local = p.Sdp(address, call.codec)
            dialog = engine.sip.prepare(call_id, local)
            if dialog is not None:
                call.dialog = plain(dialog)
                engine.journal.call(tenant.id, call_id, call)
            await engine.journal.durable()
            if tenant.floor.calls.get(call_id) is not call or call.hanging_up_since is not None:
                return
            engine.fence.check()
            engine.sip.accept(call_id, local)
        except (RuntimeError, KeyError) as error:
            log.error("call %s can't be answered: %s", call_id, error)
            tenant.floor.hang_up(call, "system", wall_s())
            self.engine.apply(tenant)

    def refuse(self, tenant: Tenant, effect: fx.RefuseLeg) -> None:
        """A final refusal."""
        try:
            self.engine.sip.reject(effect.call_id, effect.status, effect.reason)
        except KeyError:
            log.warning("tenant %d: the call to refuse is gone", tenant.id)
