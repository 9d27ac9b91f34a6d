"""Carries events to the floors and their effects out. One `Tenant` per enterprise (`tenant.py`), one `Engine` for all.

Nothing is decided here. Every event takes the same way: floor, effects, journal; the audio of a connection is patched
before anything is written, because a caller is waiting.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import redis.asyncio as aioredis

from callcenter import log as logs
from callcenter.acd import roster
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.facts import LeadReturned
from callcenter.calls.trying import TRY
from callcenter.clock import monotonic_s, wall_s
from callcenter.config import Config
from callcenter.events.envelope import FACTS
from callcenter.processes.engine.asking import Asking
from callcenter.processes.engine.audio import Audio
from callcenter.processes.engine.desk_phones import PREFIX, DeskPhones
from callcenter.processes.engine.fence import Fence
from callcenter.processes.engine.inbound import Inbound
from callcenter.processes.engine.journal import Journal, tickets_key, today_key
from callcenter.processes.engine.lines import Lines
from callcenter.processes.engine.queue_boards import QueueBoards
from callcenter.processes.engine.tenant import Tenant
from callcenter.processes.engine.third_legs import ThirdLegs
from callcenter.processes.engine.vanishing import Vanishing
from callcenter.telephony import ports as p
from ivr.control import where

__all__ = ["Engine", "Tenant"]

log = logging.getLogger(__name__)
CLOCK_STEP_S = 1.0  # less is the clock's ordinary slewing


class Engine(Lines):
    """Owns the live calls of its tenants; see the package's text."""

    def __init__(
        self, config: Config, connection: aioredis.Redis, sip: p.SipPort, media: p.MediaPort, edge: p.EdgePort,
        prompts: dict[str, str],
    ) -> None:  # fmt: skip
        self.config, self.redis = config, connection
        self.sip, self.media, self.edge = sip, media, edge
        self.prompts = prompts
        self.fence = Fence(connection, config.engine_id, config.redis_url)
        self.journal = Journal(self.fence)
        self.tenants: dict[int, Tenant] = {}
        self.audio = Audio(self)
        self.inbound = Inbound(self)
        self.boards = QueueBoards(self)
        self.asking = Asking()
        self._media_down: set[int] = set()  # workers that are away
        self.dial_ticket: Callable[[Tenant, str, int], None] = lambda tenant, ticket_id, user_id: None
        self.third_legs = ThirdLegs(self)
        self.desk_phones = DeskPhones(self)
        self.vanishing = Vanishing(self)
        self.dial_preview: Callable[[Tenant, int], None] = lambda tenant, user_id: None
        self.trunk_health: dict[int, p.TrunkHealth] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._clock_offset = wall_s() - monotonic_s()
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Any, what: str) -> None:
        """Run a coroutine on its own; a failure is logged with what it was."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(t: asyncio.Task[Any]) -> None:
            self._tasks.discard(t)
            if not t.cancelled() and t.exception() is not None:
                log.error("%s failed", what, exc_info=t.exception())

        task.add_done_callback(done)

    # --------------------------------------------------------------------------------------------------- events in

    def open_tenant(self, tenant_id: int) -> Tenant:
        """The tenant, here from now on if it was not yet."""
        if tenant_id not in self.tenants:
            self.tenants[tenant_id] = Tenant(tenant_id)
            self.tenants[tenant_id].floor.silent_s = self.config.far_end_silent_s
        return self.tenants[tenant_id]

    def find(self, call_id: str) -> Tenant | None:
        """The tenant whose floor has this call."""
        return next((t for t in self.tenants.values() if call_id in t.floor.calls), None)

    def on_sip(self, event: p.SipEvent) -> None:
        """From the SIP adapter."""
        self.fence.check()
        if isinstance(event, p.TrunkHealth):
            self.trunk_health[event.trunk_id] = event
            for tenant in self.tenants.values():
                if ("trunk", event.trunk_id) in tenant.documents:
                    tenant.trunks.set_health(event.trunk_id, event.up)
            return
        if isinstance(event, p.InboundCall):
            self.inbound.invited(event)
            return
        if isinstance(event, p.LegAsked):
            self.vanishing.on_asked(event)
        if event.leg_id.startswith(PREFIX):
            self.desk_phones.on_sip(event)
            return
        if "." in event.leg_id:
            self.third_legs.on_sip(event)
            return
        call_id = event.leg_id.split("~")[0]
        owner = self.find(call_id)
        if owner is None:
            if isinstance(event, p.LegEnded):
                self.inbound.ended(call_id)
            return
        call = owner.floor.calls[call_id]
        with logs.bind(tenant=owner.id, call=call_id):
            if isinstance(event, p.LegEnded) and self._try_next_trunk(owner, call, event):
                return
            if isinstance(event, p.LegAnswered | p.LegEarlyMedia | p.LegUpdated):
                self.far_media(fx.call_port(call_id), event.sdp)
            if event.leg_id != call_id:
                event = dataclasses.replace(event, leg_id=call_id)  # type: ignore[type-var]  # a union of dataclasses
            owner.floor.sip(event, wall_s())
            self.apply(owner)

    def on_media(self, event: p.MediaEvent) -> None:
        """From the media client."""
        self.fence.check()
        now = wall_s()
        if isinstance(event, p.MediaUp):
            self._media_down.discard(event.worker)
        elif isinstance(event, p.MediaDown):
            self._media_down.add(event.worker)
        for tenant in self.tenants.values():
            tenant.floor.media(event, now)
            self._carry_out(tenant)
        self.vanishing.on_media(event)
        self._arm()

    @property
    def media_up(self) -> bool:
        """Whether a media worker is there to take calls."""
        return len(self._media_down) < self.config.media_workers

    def on_edge(self, event: p.EdgeEvent) -> None:
        """From the browser edge."""
        self.fence.check()
        tenant_id, _, user_id = event.session_id.partition("-")
        tenant = self.tenants.get(int(tenant_id))
        if tenant is None:
            return
        agent = tenant.floor.team.agents.get(int(user_id))
        if agent is not None and agent.device != "browser":
            return  # the session that his telephone has taken the place of
        state = {p.EdgeState.CLOSED: "off"}.get(event.state, event.state.value)
        stats = {k: v for k, v in event.stats.items() if k in ("loss", "jitter_ms", "round_trip_ms", "mos")}
        tenant.floor.team.phone(int(user_id), state, wall_s(), **stats)
        self.apply(tenant)

    # -------------------------------------------------------------------------------------------------- effects out

    def apply(self, tenant: Tenant) -> None:
        """Carry out what the floor wants done."""
        self._carry_out(tenant)
        self._arm()

    def _carry_out(self, tenant: Tenant) -> None:
        while effects := tenant.floor.take():
            for effect in effects:
                try:
                    self._apply(tenant, effect)
                except Exception:  # the others must still be done: somebody's hang-up is among them
                    log.exception("%s of tenant %d was not done", type(effect).__name__, tenant.id)

    def _apply(self, tenant: Tenant, effect: fx.Effect) -> None:
        now = wall_s()
        if self.audio.carry_out(tenant, effect) or self._apply_in(tenant, effect):
            return
        match effect:
            case fx.OriginateParty():
                self.third_legs.originate(tenant, effect)
            case fx.HangUpParty(party_key=key):
                self.third_legs.hang_up(key)
            case fx.ParkedChanged():
                self.journal.live(tenant.id, "parked", {"calls": tenant.floor.parked()})
            case fx.HangUpLeg(call_id=call_id):
                self.sip.hangup(self._leg_id(tenant, call_id))
            case fx.AskLeg(call_id=call_id):
                self.sip.ask(self._leg_id(tenant, call_id))
            case fx.Originate(call_id=call_id):
                self.spawn(self._originate(tenant, call_id, call_id), "originate")
            case fx.Fact(fact=fact, call_id=call_id):
                self.journal.fact(FACTS.pack(fact, tenant=tenant.id, at=now, call=call_id))
            case fx.AgentChanged(user_id=user_id):
                self._save_agent(tenant, user_id)
            case fx.AgentGone(user_id=user_id, last=last):
                self.journal.agent_gone(tenant.id, user_id)
                self.journal.live(tenant.id, f"agent:{user_id}", last)
            case fx.CallChanged(call_id=call_id):
                call = tenant.floor.calls.get(call_id)
                if call is not None:
                    self.journal.call(tenant.id, call_id, call)
                    if call.mode == TRY:
                        self.publish_try(tenant, call)
            case fx.CallGone():
                self._call_gone(tenant, effect)
            case fx.ClosePhone(user_id=user_id):
                self.desk_phones.close(tenant, user_id)
                self.edge.close(f"{tenant.id}-{user_id}")
                self.audio.close(fx.agent_port(tenant.id, user_id))
            case fx.Observed(campaign_id=campaign, kind=kind, at=at, value=value):
                if campaign in tenant.campaigns:
                    tenant.campaigns[campaign].observe(kind, at, value)
            case fx.DialPreview(user_id=user_id):
                self.dial_preview(tenant, user_id)
            case fx.ReturnLead(entry=entry, reason=reason, retry_after_s=retry_after_s):
                self.return_lead(tenant, dict(entry), reason, retry_after_s)
            case _:
                raise TypeError(f"no one carries out {type(effect).__name__}")

    def _apply_in(self, tenant: Tenant, effect: fx.Effect) -> bool:
        """Effects of calls that come in and wait; False for others."""
        match effect:
            case fx.AnswerLeg(call_id=call_id):
                self.spawn(self.inbound.answer(tenant, call_id), "answer")
            case fx.RefuseLeg():
                self.inbound.refuse(tenant, effect)
            case fx.AskHttp(call_id=call_id, ask=ask):
                self.spawn(self._ask_http(tenant, call_id, ask), "a menu's request")
            case fx.QueueChanged(queue_id=queue_id):
                self.boards.changed(tenant.id, queue_id)
            case fx.TodayChanged(queue_id=queue_id):
                self.journal.save(today_key(tenant.id), str(queue_id), tenant.floor.today.get(queue_id))
            case fx.TicketChanged(ticket_id=ticket_id):
                self.journal.save(tickets_key(tenant.id), ticket_id, tenant.floor.tickets.get(ticket_id))
            case fx.TryEnded(call=call):
                self.publish_try(tenant, call)
            case fx.DialQueued(ticket_id=ticket_id, user_id=user_id):
                self.dial_ticket(tenant, ticket_id, user_id)
            case _:
                return False
        return True

    async def _ask_http(self, tenant: Tenant, call_id: str, ask: Any) -> None:
        done = await self.asking.ask(ask)
        tenant.floor.http_done(call_id, done, wall_s())
        self.apply(tenant)

    def publish_try(self, tenant: Tenant, call: Call) -> None:
        """Where a call is that tries a menu (topic `flow-try:{user}`)."""
        self.journal.live(tenant.id, f"flow-try:{call.agent_id}", {**where(call), "sent_to": call.bound_for})

    def _save_agent(self, tenant: Tenant, user_id: int) -> None:
        agent = tenant.floor.team.agents.get(user_id)
        if agent is not None:
            self.journal.agent(tenant.id, user_id, agent)
            self.journal.live(tenant.id, f"agent:{user_id}", roster.view(agent))
            for queue_id in agent.queues:
                self.boards.changed(tenant.id, queue_id)

    def _call_gone(self, tenant: Tenant, gone: fx.CallGone) -> None:
        self.journal.call_gone(tenant.id, gone.call_id)
        tenant.tried.pop(gone.call_id, None)
        if gone.lead_id is not None:
            self.journal.landed(tenant.id, gone.lead_id)
        if gone.trunk_id:
            tenant.trunks.release(gone.trunk_id)

    def return_lead(self, tenant: Tenant, entry: dict[str, Any], reason: str, retry_after_s: float) -> None:
        """An undialed lead goes back to its list."""
        lead_id = int(entry["lead_id"])
        now = wall_s()
        retry_at = now + retry_after_s if retry_after_s else None
        fact = LeadReturned(lead_id, entry.get("campaign_id"), reason, retry_at)
        self.journal.fact(FACTS.pack(fact, tenant=tenant.id, at=now))
        self.journal.landed(tenant.id, lead_id)

    # ------------------------------------------------------------------------------------------------------- timers

    def _arm(self) -> None:
        deadlines = [d for t in self.tenants.values() if (d := t.floor.next_deadline()) is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadlines:
            delay = max(0.0, min(deadlines) - wall_s())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self.fence.check()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._follow_clock()
        now = wall_s()
        for tenant in self.tenants.values():
            try:
                tenant.floor.advance(now)
            except Exception:  # its timer is spent; what it leaves behind is the reconciler's
                log.exception("a timer of tenant %d failed", tenant.id)
            self._carry_out(tenant)
        self._arm()

    def _follow_clock(self) -> None:
        """When the machine's clock was set, every deadline moves with it: two seconds stay two seconds."""
        offset = wall_s() - monotonic_s()
        step, self._clock_offset = offset - self._clock_offset, offset
        if abs(step) > CLOCK_STEP_S:
            log.warning("the clock was set by %.1f s; timers go on", step)
            for tenant in self.tenants.values():
                tenant.floor.shift(step)

    async def reconcile(self) -> None:
        """Every 10 s: nothing may stand without a timer or an owner."""
        while True:
            await asyncio.sleep(10)
            self._fire()  # a clock that was set is noticed here at the latest
            for tenant in list(self.tenants.values()):
                try:
                    for found in tenant.floor.reconcile(wall_s()):
                        log.error("reconciler: %s", found)
                except Exception:
                    log.exception("reconciling tenant %d failed", tenant.id)
                self.apply(tenant)
