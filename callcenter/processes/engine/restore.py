"""Takes up what a dead engine left: settings, agents, calls in conversation, leads in flight."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from callcenter import wire
from callcenter.acd.agent import Agent, AgentState
from callcenter.acd.team import OVERRUN_S
from callcenter.acd.today import Today
from callcenter.acd.views import PhoneView
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallState
from callcenter.calls.tickets import Ticket
from callcenter.clock import wall_s
from callcenter.errors import Unavailable
from callcenter.events import streams
from callcenter.processes.engine.inbox import Inbox
from callcenter.processes.engine.journal import agents_key, calls_key, tickets_key, today_key
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.ports import Dialog
from dialer import hopper

log = logging.getLogger(__name__)


async def restore(engine: Engine, inbox: Inbox) -> None:
    """Everything, tenant by tenant; then media and edge forget what nobody took up."""
    for raw in await engine.redis.smembers(streams.SETTINGS_TENANTS):
        tenant_id = int(raw)
        if await claim(engine, tenant_id):
            tenant = engine.open_tenant(tenant_id)
            await _settings(engine, inbox, tenant)
            await engine.desk_phones.restore(tenant)
            await _agents(engine, tenant)
            await _today(engine, tenant)
            await _calls(engine, tenant)
            await _tickets(engine, tenant)
            tenant.floor.resume(wall_s())
            await _leased(engine, tenant)
            engine.apply(tenant)
    await engine.media.reset()


async def claim(engine: Engine, tenant: int) -> bool:
    """Hold the tenant for this engine (again). False if another engine holds it."""
    key = streams.engine_of_key(tenant)
    mine = engine.config.engine_id.encode()
    if not await engine.redis.set(key, mine, nx=True):
        return bool(await engine.redis.get(key) == mine)
    return True


async def _settings(engine: Engine, inbox: Inbox, tenant: Tenant) -> None:
    docs: Any = await engine.redis.hgetall(streams.settings_key(tenant.id))
    order = ("enterprise", "trunk", "number", "campaign", "queue", "user")  # what they lead to comes after them
    places = {entity: place for place, entity in enumerate(order)}
    for name in sorted(docs, key=lambda n: places.get(n.decode().split(":")[0], 0)):
        entity, _, id_ = name.decode().partition(":")
        try:
            inbox.settle(tenant, entity, int(id_), wire.from_json(docs[name], dict[str, Any]))
        except (msgspec.MsgspecError, KeyError, ValueError, TypeError):
            # The relay writes all settings again at its next start; nobody else must wait for this one.
            log.exception("setting %s of tenant %d can't be read", name.decode(), tenant.id)
    tenant.floor.take()


async def _agents(engine: Engine, tenant: Tenant) -> None:
    now = wall_s()
    for raw in (await engine.redis.hgetall(agents_key(tenant.id))).values():
        try:
            saved = wire.from_json(raw, Agent)
        except msgspec.MsgspecError as error:
            log.error("a saved agent can't be read: %s", error)
            continue
        known = tenant.floor.team.agents.get(saved.user_id)
        if known is None:
            continue
        saved.name, saved.campaigns, saved.queues, saved.skills = (
            known.name, known.campaigns, known.queues, known.skills,
        )  # fmt: skip
        saved.seq += 1000  # the newest document may not have been written
        if saved.state is AgentState.RINGING:
            if saved.preview:
                engine.return_lead(tenant, dict(saved.preview), "engine_restarted", 0.0)
            saved.state, saved.since, saved.preview, saved.call = AgentState.AVAILABLE, now, {}, None
            if saved.wrapping is not None:  # the call that had come back to him comes back again, or goes on
                saved.state, saved.call, saved.wrapping = AgentState.WRAP_UP, saved.wrapping, None
        if saved.phone.state != "off":
            try:
                await engine.media.take_up(fx.agent_port(tenant.id, saved.user_id))
                await _take_up_phone(engine, tenant, saved)
            except (KeyError, Unavailable):
                saved.phone = PhoneView(state="interrupted", since=now)
                tenant.floor.timers.set(("phone", str(saved.user_id)), now + 20)
        tenant.floor.team.agents[saved.user_id] = saved
        if saved.state is AgentState.WRAP_UP:
            at = saved.wrap_up_until or now
            if saved.must_dispose:  # the outcome is waited for as long as before
                at = max(at, saved.since + OVERRUN_S)
            tenant.floor.timers.set(("wrap", str(saved.user_id)), max(now + 1, at))
        if saved.state is not AgentState.OFFLINE:
            tenant.floor.timers.set(("presence", str(saved.user_id)), now + 30)
        tenant.floor.team.restored(saved.user_id)


async def _take_up_phone(engine: Engine, tenant: Tenant, agent: Agent) -> None:
    if agent.device != "browser":
        engine.desk_phones.take_up(tenant, agent)
        return
    port = fx.agent_port(tenant.id, agent.user_id)
    engine.media.update_port(port, remote=await engine.edge.take_up(f"{tenant.id}-{agent.user_id}"), sending=True)


async def _calls(engine: Engine, tenant: Tenant) -> None:
    now = wall_s()
    saved: list[Call] = []
    for raw in (await engine.redis.hgetall(calls_key(tenant.id))).values():
        try:
            saved.append(wire.from_json(raw, Call))
        except msgspec.MsgspecError as error:
            log.error("a saved call can't be read: %s", error)
    for call in sorted(saved, key=lambda c: (c.queued_at or c.started_at, c.call_id)):
        if call.trunk_id:
            tenant.trunks.take(call.trunk_id)
        if call.dialog is not None:
            dialog = wire.convert(call.dialog, Dialog)
            if "~" in dialog.leg_id:
                tenant.tried[call.call_id] = [call.trunk_id] * (int(dialog.leg_id.split("~")[1]) + 1)
            engine.sip.adopt(dialog)
        lost = (CallState.PLACED, CallState.IDENTIFYING, CallState.ENDED)
        goes_on = call.state not in lost or call.answering
        heard = True
        if goes_on:
            try:
                await engine.media.take_up(fx.call_port(call.call_id))
            except KeyError:
                heard = False
                log.warning("call %s has lost its audio", call.call_id)
        await engine.third_legs.take_up(tenant, call)
        tenant.floor.restore(call, now)
        if not heard and call.call_id in tenant.floor.calls:  # nobody is kept waiting, or talking, in silence
            tenant.floor.hang_up(call, "system", now)
    log.info("tenant %d: %d calls go on", tenant.id, len(tenant.floor.calls))


async def _today(engine: Engine, tenant: Tenant) -> None:
    """The queues' figures of today."""
    for raw_id, raw in (await engine.redis.hgetall(today_key(tenant.id))).items():
        try:
            tenant.floor.today[int(raw_id)] = wire.from_json(raw, Today)
        except (msgspec.MsgspecError, ValueError) as error:
            log.error("a queue's figures can't be read: %s", error)


async def _tickets(engine: Engine, tenant: Tenant) -> None:
    """Places that are kept for callers who hung up."""
    for raw in (await engine.redis.hgetall(tickets_key(tenant.id))).values():
        try:
            tenant.floor.restore_ticket(wire.from_json(raw, Ticket), wall_s())
        except msgspec.MsgspecError as error:
            log.error("a kept place can't be read: %s", error)


async def _leased(engine: Engine, tenant: Tenant) -> None:
    """Leads that were handed out and whose INVITE never went out go back; placed ones whose call is not known any more
    are left to the recorder's reconciler."""
    calls = {c.lead_id for c in tenant.floor.calls.values()}
    for raw_id, raw in (await engine.redis.hgetall(hopper.flight_key(tenant.id))).items():
        flight = wire.from_json(raw, dict[str, Any])
        lead_id = int(raw_id)
        if lead_id in calls:
            continue
        if flight["state"] == "leased":
            engine.return_lead(tenant, hopper.entry(flight["entry"]), "engine_restarted", 0.0)
        elif not await engine.redis.hexists(calls_key(tenant.id), flight["call_id"]):
            engine.journal.landed(tenant.id, lead_id)
