"""Third numbers in calls: their INVITEs, media ports and trunk channels.

A leg is named by its party's key, `{call id}.{n}`; tried again over another trunk it is `{call id}.{n}~{k}`. Its
channel is taken before the INVITE and given back once its end is told, even if the call it was for is long gone.
"""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callcenter import wire
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.parties import NUMBER_RING_S
from callcenter.clock import wall_s
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine, Tenant

log = logging.getLogger(__name__)
TRUNK_FAULTS = frozenset({p.Cause.CONGESTION, p.Cause.UNREACHABLE, p.Cause.REJECTED})


@dataclass
class ThirdLeg:
    """One third number. `tried`: trunks, the present one last. `sent`: its INVITE is handed to SIP. `wanted` False: the
    call does without it."""

    tenant: Tenant
    call_id: str
    key: str
    number: str
    tried: list[int] = field(default_factory=list)
    sent: bool = False
    rang: bool = False
    wanted: bool = True

    @property
    def leg_id(self) -> str:
        """As SIP knows it."""
        again = len(self.tried) - 1
        return f"{self.key}~{again}" if again else self.key


class ThirdLegs:
    """The third numbers of all calls of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._legs: dict[str, ThirdLeg] = {}

    # --------------------------------------------------------------------------------------------------- effects out

    def originate(self, tenant: Tenant, effect: fx.OriginateParty) -> None:
        """Carry out `effects.OriginateParty`."""
        leg = ThirdLeg(tenant, effect.call_id, effect.party_key, effect.number)
        self._legs[leg.key] = leg
        self._engine.spawn(self._begin(leg), "calling a third number")

    async def _begin(self, leg: ThirdLeg) -> None:
        await self._engine.journal.durable()  # never an INVITE for a call that a successor would not know of
        if not leg.wanted:
            self._legs.pop(leg.key, None)
        elif not self._next_trunk(leg):
            self._lost(leg, "no_line")

    def _next_trunk(self, leg: ThirdLeg) -> bool:
        """Go on over a trunk that was not tried; False if there is none."""
        choice = self._engine.choose_trunk(leg.tenant, leg.number, None, frozenset(leg.tried))
        if choice is None:
            return False
        leg.tried.append(choice.trunk_id)
        leg.sent = False
        self._engine.spawn(self._invite(leg, choice.dialed, choice.caller_id), "calling a third number")
        return True

    async def _invite(self, leg: ThirdLeg, dialed: str, caller_id: str) -> None:
        engine, trunk_id = self._engine, leg.tried[-1]
        codec = engine.trunk_codec(leg.tenant, trunk_id)
        call = leg.tenant.floor.calls.get(leg.call_id)
        try:
            near = call.port if call is not None else ""
            address = await engine.media.create_port(fx.party_port(leg.key), near=near, codec=codec)
            if not leg.wanted:
                engine.media.delete_port(fx.party_port(leg.key))
                self._over(leg)
                return
            engine.sip.originate(leg.leg_id, trunk_id, dialed, caller_id, p.Sdp(address, codec), NUMBER_RING_S)
            leg.sent = True
        except (RuntimeError, KeyError) as error:
            log.error("third number of call %s can't be called: %s", leg.call_id, error)
            self._over(leg)
            self._lost(leg, "failed")

    def hang_up(self, key: str) -> None:
        """Carry out `effects.HangUpParty`."""
        leg = self._legs.get(key)
        self._engine.audio.close(fx.party_port(key))
        if leg is None:
            return
        leg.wanted = False
        if leg.sent:
            self._engine.sip.hangup(leg.leg_id)

    # ----------------------------------------------------------------------------------------------------- events in

    def on_sip(self, event: p.SipEvent) -> None:
        """An event of a third number's leg."""
        key, _, again = event.leg_id.partition("~")
        leg = self._legs.get(key)
        if leg is None or int(again or 0) != len(leg.tried) - 1:
            return
        if isinstance(event, p.LegEnded):
            fault = event.cause in TRUNK_FAULTS and not leg.rang and leg.wanted
            leg.tenant.trunks.release(leg.tried[-1])
            if fault and self._next_trunk(leg):
                return
            self._legs.pop(key, None)
        elif isinstance(event, p.LegRinging | p.LegEarlyMedia | p.LegAnswered):
            leg.rang = True
        if isinstance(event, p.LegEarlyMedia | p.LegAnswered | p.LegUpdated):
            self._far_media(key, event.sdp)
        told = dataclasses.replace(event, leg_id=key)  # type: ignore[type-var]  # a union of dataclasses
        leg.tenant.floor.sip(told, wall_s())
        self._engine.apply(leg.tenant)

    def _far_media(self, key: str, sdp: p.Sdp) -> None:
        try:
            self._engine.media.update_port(
                fx.party_port(key), remote=sdp.address, codec=sdp.codec, dtmf_pt=sdp.dtmf_pt,
                sending=sdp.direction in ("sendrecv", "recvonly"),
            )  # fmt: skip
        except KeyError:
            log.warning("the third number has no media port any more")

    def _lost(self, leg: ThirdLeg, outcome: str) -> None:
        self._legs.pop(leg.key, None)
        leg.tenant.floor.party_lost(leg.call_id, leg.key, outcome, wall_s())
        self._engine.apply(leg.tenant)

    def _over(self, leg: ThirdLeg) -> None:
        leg.tenant.trunks.release(leg.tried[-1])
        self._legs.pop(leg.key, None)

    # ----------------------------------------------------------------------------------------------------- restoring

    async def take_up(self, tenant: Tenant, call: Call) -> None:
        """The third numbers of a saved call: one that talked goes on, one that rang is cancelled. A party whose audio
        is lost has no dialog any more when this returns: the floor lets it go."""
        for party in call.parties.values():
            if not party.leg_id or party.dialog is None:
                continue
            dialog = wire.convert(party.dialog, p.Dialog)
            again = int(dialog.leg_id.partition("~")[2] or 0)
            leg = ThirdLeg(tenant, call.call_id, party.key, party.number, [dialog.trunk_id] * (again + 1), True, True)
            self._legs[party.key] = leg
            tenant.trunks.take(dialog.trunk_id)
            self._engine.sip.adopt(dialog)
            try:
                if party.state == "talking":
                    await self._engine.media.take_up(fx.party_port(party.key))
            except KeyError:
                log.warning("third number %s has lost its audio", party.key)
                party.dialog = None
