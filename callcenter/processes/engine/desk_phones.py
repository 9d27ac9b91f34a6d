"""Telephones as agents' phones: the engine calls the number, and the answered call is the agent's nailed-up leg.

Its media port is the agent's own, so that everything above works as with a browser. A leg is named
`phone.{tenant}.{user}.{id}`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callcenter import ids, wire
from callcenter.acd.agent import Agent
from callcenter.calls import effects as fx
from callcenter.calls.party_views import plain
from callcenter.clock import wall_s
from callcenter.errors import Conflict, InvalidInput, Unavailable
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine, Tenant

log = logging.getLogger(__name__)
PREFIX = "phone."
RING_S = 30.0


@dataclass
class DeskPhone:
    """An agent's telephone that is being called or is up."""

    tenant: Tenant
    user_id: int
    leg_id: str
    trunk_id: int


class DeskPhones:
    """The telephones of all agents of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._legs: dict[str, DeskPhone] = {}
        self._of: dict[tuple[int, int], str] = {}  # tenant and user → the leg that is his phone now

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
        if kind != "number" or not number:
            raise InvalidInput("Give the telephone's number.", fields={"number": "Give the telephone's number."})
        await self._call(tenant, agent, number)

    async def _call(self, tenant: Tenant, agent: Agent, number: str) -> None:
        engine, user_id = self._engine, agent.user_id
        self.close(tenant, user_id)
        choice = engine.choose_trunk(tenant, number, None)
        if choice is None:
            raise Unavailable("No line is free to call your telephone. Try again in a moment.", code="no_trunk")
        leg = DeskPhone(tenant, user_id, f"{PREFIX}{tenant.id}.{user_id}.{ids.new_id(wall_s())}", choice.trunk_id)
        port, codec = fx.agent_port(tenant.id, user_id), engine.trunk_codec(tenant, choice.trunk_id)
        agent.device, agent.device_number = "number", number
        engine.edge.close(f"{tenant.id}-{user_id}")
        engine.media.delete_port(port)
        self._legs[leg.leg_id] = leg
        self._of[tenant.id, user_id] = leg.leg_id
        tenant.floor.team.phone(user_id, "off", wall_s())
        tenant.floor.team.phone(user_id, "connecting", wall_s())
        engine.apply(tenant)
        try:
            await engine.journal.durable()
            address = await engine.media.create_port(port, codec=codec)
            if self._of.get((tenant.id, user_id)) != leg.leg_id:
                raise Conflict("Your phone was changed meanwhile.", code="phone_changed")
            sdp = p.Sdp(address, codec)
            engine.sip.originate(leg.leg_id, choice.trunk_id, choice.dialed, choice.caller_id, sdp, RING_S)
        except (RuntimeError, KeyError, Conflict) as error:
            self._over(leg)
            if isinstance(error, Conflict):
                raise
            log.error("the telephone of agent %d can't be called: %s", user_id, error)
            raise Unavailable(
                "Your telephone can't be called now. Try again in a moment.", code="not_placed"
            ) from error

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
        """An event of a telephone's leg."""
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
            case p.LegUpdated(sdp=sdp) if mine:
                self._far_media(leg, sdp)
            case p.LegEnded():
                self._over(leg)
                if mine:
                    team.phone(leg.user_id, "off", wall_s())
        self._engine.apply(tenant)

    def _over(self, leg: DeskPhone) -> None:
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
        tenant.trunks.take(dialog.trunk_id)
        self._engine.sip.adopt(dialog)
        if dialog.state != "confirmed":
            raise KeyError(f"the telephone of agent {agent.user_id} was still ringing")
