"""Legs beside the customers' that fall silent: third numbers in calls, and telephones that are agents' phones.

A customer's own leg is the floor's (`calls/book.py`). Here too a far end of which nothing is heard is asked whether it
is there; one that does not answer is hung up, and its end takes the usual way.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from callcenter.calls import effects as fx
from callcenter.telephony import ports as p

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine

log = logging.getLogger(__name__)


class Vanishing:
    """Watches the silent ports of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._silent: dict[str, str] = {}  # leg id → port

    def on_media(self, event: p.MediaEvent) -> None:
        """A port has fallen silent, or is heard again."""
        match event:
            case p.RtpSilent(port_id=port) if (leg := self._leg_at(port)) is not None:
                self._silent[leg] = port
                self._ask(leg)
            case p.RtpStarted(port_id=port):
                self._silent = {leg: silent for leg, silent in self._silent.items() if silent != port}

    def on_asked(self, event: p.LegAsked) -> None:
        """One that was asked has answered, or has not."""
        if event.leg_id not in self._silent:
            return
        if event.alive:
            delay = self._engine.config.far_end_silent_s
            asyncio.get_running_loop().call_later(delay, self._ask, event.leg_id)
            return
        self._silent.pop(event.leg_id)
        log.warning("leg %s is gone: neither audio nor an answer", event.leg_id)
        self._engine.sip.hangup(event.leg_id)

    def _ask(self, leg_id: str) -> None:
        port = self._silent.get(leg_id)
        if port is None:
            return
        if self._leg_at(port) != leg_id:  # it has ended, or another one has its port
            del self._silent[leg_id]
            return
        try:
            self._engine.sip.ask(leg_id)
        except KeyError:
            del self._silent[leg_id]

    def _leg_at(self, port: str) -> str | None:
        """The leg that speaks at `port`, if it is a third number's or a telephone's that is answered."""
        for tenant in self._engine.tenants.values():
            floor = tenant.floor
            if port.startswith("party-"):
                call = floor.calls.get(port.removeprefix("party-").partition(".")[0])
                for party in call.parties.values() if call is not None else ():
                    if party.port_id == port and party.state == "talking" and party.dialog is not None:
                        return str(party.dialog["leg_id"])
            elif port.startswith(f"agent-{tenant.id}-"):
                for agent in floor.team.agents.values():
                    telephone = agent.phone_leg is not None and agent.device != "browser"
                    if telephone and agent.phone_leg and fx.agent_port(tenant.id, agent.user_id) == port:
                        return str(agent.phone_leg["leg_id"])
        return None
