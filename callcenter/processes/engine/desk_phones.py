"""Telephones as agents' phones: the engine calls a number or a registered SIP phone, and the answered call is the
agent's nailed-up leg.

Its media port is the agent's own, so that everything above works as with a browser. A leg is named
`phone.{tenant}.{user}.{id}`. What the agent dials on a SIP phone of his is a new leg of this kind, which takes the
place of the one that is up; when it stands, the number is called as one that he clicked (`phone.in.{id}`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callcenter import ids, wire
from callcenter.acd.agent import Agent
from callcenter.calls import effects as fx
from callcenter.calls.commands import Dial
from callcenter.calls.party_views import plain
from callcenter.clock import wall_s
from callcenter.errors import Conflict, InvalidInput, Unavailable
from callcenter.processes.engine.sip_phones import SipPhones
from callcenter.telephony import ports as p
from callcenter.telephony.phones import PREFIX, PhoneCall, PhoneRegistered

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine, Tenant

__all__ = ["PREFIX", "DeskPhones"]

log = logging.getLogger(__name__)
RING_S = 30.0
CALLER_ID, CALLER_NAME = "desk", "Call centre"  # what the agent's own phone shows


@dataclass
class DeskPhone:
    """An agent's telephone that is being called or is up. `trunk_id` 0: a SIP phone of ours. `dials`: what he dialed on
    it, until the leg is up."""

    tenant: Tenant
    user_id: int
    leg_id: str
    trunk_id: int
    dials: Dial | None = None


class DeskPhones:
    """The telephones of all agents of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._legs: dict[str, DeskPhone] = {}
        self._of: dict[tuple[int, int], str] = {}  # tenant and user → the leg that is his phone now
        self._arriving: set[str] = set()  # calls from SIP phones that are being judged
        self.sip = SipPhones(engine)
        self.dialed: Callable[[PhoneCall], None] = self._nobody_dials
        self.dial: Callable[[Tenant, Dial], None] = lambda tenant, command: None

    async def choose(self, tenant: Tenant, user_id: int, kind: str, number: str) -> None:
        """Carry out `commands.PhoneDevice`. Raises Conflict in a call, Unavailable without a free line."""
        agent = tenant.floor.team.agent(user_id)
        if tenant.floor.call_of(user_id) is not None or agent.supervising:
            raise Conflict("Finish your call before you change your phone.", code="busy")
        if kind == "browser":
            self.close(tenant, user_id)
            if agent.device != "browser":
                agent.device = "browser"
                tenant.floor.team.phone(user_id, "off", wall_s())
                self._engine.media.delete_port(fx.agent_port(tenant.id, user_id))
            return
        if agent.phone.state == "connected" and (agent.device, agent.device_number) == (kind, number):
            return  # it is up
        if kind == "sip":
            await self._call_sip(tenant, agent)
            return
        if kind != "number" or not number:
            raise InvalidInput("Give the telephone's number.", fields={"number": "Give the telephone's number."})
        await self._call(tenant, agent, number)

    async def _call(self, tenant: Tenant, agent: Agent, number: str) -> None:
        engine = self._engine
        self.close(tenant, agent.user_id)
        choice = engine.choose_trunk(tenant, number, None)
        if choice is None:
            raise Unavailable("No line is free to call your telephone. Try again in a moment.", code="no_trunk")
        leg = self._begin(tenant, agent, "number", number, choice.trunk_id)
        codec = engine.trunk_codec(tenant, choice.trunk_id)

        def invite(sdp: p.Sdp) -> None:
            engine.sip.originate(leg.leg_id, choice.trunk_id, choice.dialed, choice.caller_id, sdp, RING_S)

        await self._invite(leg, codec, invite)

    async def _call_sip(self, tenant: Tenant, agent: Agent) -> None:
        phone_id = self.sip.of_user(tenant, agent.user_id)
        if phone_id is None:
            raise Conflict("You have no SIP phone. Ask your administrator for one.", code="no_sip_phone")
        if not self.sip.is_registered(phone_id):
            raise Conflict("Your SIP phone is not registered. Look whether it is on.", code="phone_not_registered")
        self.close(tenant, agent.user_id)
        leg = self._begin(tenant, agent, "sip", "", 0)

        def invite(sdp: p.Sdp) -> None:
            self._engine.sip.call_phone(leg.leg_id, phone_id, CALLER_ID, CALLER_NAME, sdp, RING_S)

        await self._invite(leg, "pcmu", invite)

    def _begin(
        self, tenant: Tenant, agent: Agent, device: str, number: str, trunk_id: int, leg_id: str = ""
    ) -> DeskPhone:
        """From here on the agent's phone is this leg, which is not up yet."""
        user_id = agent.user_id
        leg = DeskPhone(tenant, user_id, leg_id or f"{PREFIX}{tenant.id}.{user_id}.{ids.new_id(wall_s())}", trunk_id)
        agent.device, agent.device_number = device, number
        self._engine.edge.close(f"{tenant.id}-{user_id}")
        self._engine.media.delete_port(fx.agent_port(tenant.id, user_id))
        self._legs[leg.leg_id] = leg
        self._of[tenant.id, user_id] = leg.leg_id
        tenant.floor.team.phone(user_id, "off", wall_s())
        tenant.floor.team.phone(user_id, "connecting", wall_s())
        self._engine.apply(tenant)
        return leg

    async def _invite(self, leg: DeskPhone, codec: str, invite: Callable[[p.Sdp], None]) -> None:
        """Open the agent's port and send or answer the INVITE with it; a leg that can't be had is over."""
        engine = self._engine
        try:
            await engine.journal.durable()
            address = await engine.media.create_port(fx.agent_port(leg.tenant.id, leg.user_id), codec=codec)
            if self._of.get((leg.tenant.id, leg.user_id)) != leg.leg_id:
                raise Conflict("Your phone was changed meanwhile.", code="phone_changed")
            invite(p.Sdp(address, codec))
        except (RuntimeError, KeyError, Conflict) as error:
            self._over(leg)
            if isinstance(error, Conflict):
                raise
            log.error("the telephone of agent %d can't be called: %s", leg.user_id, error)
            raise Unavailable(
                "Your telephone can't be called now. Try again in a moment.", code="not_placed"
            ) from error

    async def answer(self, tenant: Tenant, user_id: int, event: PhoneCall, dials: Dial) -> None:
        """A SIP phone's own call becomes the agent's phone; when it is up, `dials` is called. Raises Conflict if the
        phone gave up or was changed meanwhile, Unavailable without a media port."""
        if event.leg_id not in self._arriving:
            raise Conflict("The call was given up.", code="given_up")
        self.close(tenant, user_id)
        leg = self._begin(tenant, tenant.floor.team.agent(user_id), "sip", "", 0, event.leg_id)
        leg.dials = dials
        await self._invite(leg, event.sdp.codec, lambda sdp: self._engine.sip.accept(event.leg_id, sdp))

    async def restore(self, tenant: Tenant) -> None:
        """What a former engine knew of the tenant's SIP phones; before its agents are taken up."""
        await self.sip.restore(tenant)

    def close(self, tenant: Tenant, user_id: int) -> None:
        """Hang up the agent's telephone. Harmless if there is none."""
        leg_id = self._of.pop((tenant.id, user_id), "")
        agent = tenant.floor.team.agents.get(user_id)
        if agent is not None:
            agent.phone_leg = None
        if leg_id:
            try:
                self._engine.sip.hangup(leg_id)
            except KeyError:
                log.debug("the telephone was not called yet")

    def on_sip(self, event: p.SipEvent) -> None:
        """An event of a telephone's leg, or of a SIP phone."""
        if isinstance(event, PhoneRegistered):
            self.sip.on_registered(event)
            return
        if isinstance(event, PhoneCall):
            self._arriving.add(event.leg_id)
            self.dialed(event)
            return
        if isinstance(event, p.LegEnded):
            self._arriving.discard(event.leg_id)
        leg = self._legs.get(event.leg_id)
        if leg is None:
            return
        tenant, team = leg.tenant, leg.tenant.floor.team
        agent = team.agents.get(leg.user_id)
        mine = self._of.get((tenant.id, leg.user_id)) == leg.leg_id and agent is not None
        match event:
            case p.LegTrying(dialog=dialog) if mine and agent is not None:
                agent.phone_leg = plain(dialog)
                team.phone(leg.user_id, "connecting", wall_s())
            case p.LegAnswered(dialog=dialog, sdp=sdp) if mine and agent is not None:
                agent.phone_leg = plain(dialog)
                self._far_media(leg, sdp)
                team.phone(leg.user_id, "connected", wall_s())
                call = tenant.floor.call_of(leg.user_id)
                if call is not None:
                    tenant.floor.reattach(call)
                dials, leg.dials = leg.dials, None
                if dials is not None:
                    self.dial(tenant, dials)
            case p.LegUpdated(sdp=sdp) if mine:
                self._far_media(leg, sdp)
            case p.LegEnded():
                self._over(leg)
                if mine:
                    team.phone(leg.user_id, "off", wall_s())
                    self.sip_phone_gone(tenant, leg.user_id)
        self._engine.apply(tenant)

    def sip_phone_gone(self, tenant: Tenant, user_id: int) -> None:
        """Who has no SIP phone any more speaks through the browser again, when the call that is up on it has ended."""
        agent = tenant.floor.team.agents.get(user_id)
        stands = (tenant.id, user_id) in self._of
        if agent is not None and agent.device == "sip" and not stands and self.sip.of_user(tenant, user_id) is None:
            agent.device = "browser"
            tenant.floor.team.phone(user_id, "off", wall_s())

    def _nobody_dials(self, event: PhoneCall) -> None:
        self._engine.sip.reject(event.leg_id, 403, "Dialing is not possible here")

    def _over(self, leg: DeskPhone) -> None:
        if leg.trunk_id:
            leg.tenant.trunks.release(leg.trunk_id)
        self._legs.pop(leg.leg_id, None)
        if self._of.get((leg.tenant.id, leg.user_id)) == leg.leg_id:
            del self._of[leg.tenant.id, leg.user_id]
            agent = leg.tenant.floor.team.agents.get(leg.user_id)
            if agent is not None:
                agent.phone_leg = None

    def _far_media(self, leg: DeskPhone, sdp: p.Sdp) -> None:
        port = fx.agent_port(leg.tenant.id, leg.user_id)
        try:
            self._engine.media.update_port(
                port, remote=sdp.address, codec=sdp.codec, dtmf_pt=sdp.dtmf_pt,
                sending=sdp.direction in ("sendrecv", "recvonly"),
            )  # fmt: skip
        except KeyError:
            log.warning("the agent's telephone has no media port any more")

    def take_up(self, tenant: Tenant, agent: Agent) -> None:
        """A saved agent's telephone goes on. Raises KeyError if it was not up."""
        if agent.phone_leg is None:
            raise KeyError(f"agent {agent.user_id} has no telephone that is up")
        dialog = wire.convert(agent.phone_leg, p.Dialog)
        leg = DeskPhone(tenant, agent.user_id, dialog.leg_id, dialog.trunk_id)
        self._legs[leg.leg_id] = leg
        self._of[tenant.id, agent.user_id] = leg.leg_id
        if dialog.trunk_id:
            tenant.trunks.take(dialog.trunk_id)
        self._engine.sip.adopt(dialog)
        if dialog.state != "confirmed":
            raise KeyError(f"the telephone of agent {agent.user_id} was still ringing")
