"""Commands: read from the engine's stream, carried out, answered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
from redis.exceptions import RedisError

from callcenter import log as logs
from callcenter import wire
from callcenter.calls import commands as c
from callcenter.calls import effects as fx
from callcenter.calls.call import Call
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.clock import wall_s
from callcenter.errors import AppError, Conflict, NotFound
from callcenter.events import streams
from callcenter.events.envelope import COMMANDS, Envelope, UnknownMessage
from callcenter.ids import new_id
from callcenter.processes.engine.dialing import Dialing
from callcenter.processes.engine.journal import taken_key
from callcenter.processes.engine.settling import Settling
from callcenter.processes.engine.shell import Engine, Tenant

log = logging.getLogger(__name__)
BLOCK_MS = 2000
STALE_S = 5.0  # a person has given up by then; settings are never stale


class Inbox:
    """Reads `commands:{engine}`."""

    def __init__(self, engine: Engine, dialing: Dialing) -> None:
        self.engine, self.dialing = engine, dialing
        self._settings = Settling(engine)
        # Not when reading begins: what changes while a successor takes up calls must not be missed.
        self._from = f"{int((wall_s() - STALE_S) * 1000)}-0"
        self._phones: dict[str, asyncio.Lock] = {}

    async def run(self) -> None:
        """Read until cancelled, from a few seconds before the start on: commands sent while a predecessor died are
        still wanted, except those that it had carried out."""
        stream = streams.commands_stream(self.engine.config.engine_id)
        last = await self._first()
        while True:
            try:
                answer: Any = await self.engine.redis.xread({stream: last}, count=200, block=BLOCK_MS)
            except (RedisError, OSError):
                await asyncio.sleep(0.2)
                continue
            self.engine.fence.check()
            for _, entries in answer or ():
                for entry_id, fields in entries:
                    last = entry_id.decode()
                    self._take(last, fields.get(b"e", b""))

    async def _first(self) -> str:
        """The entry after which to read."""
        while True:
            try:
                raw = await self.engine.redis.get(taken_key(self.engine.config.engine_id))
            except (RedisError, OSError):
                await asyncio.sleep(0.2)
                continue
            return max(self._from, raw.decode() if isinstance(raw, bytes) else "", key=_place)

    def _take(self, entry_id: str, raw: bytes) -> None:
        try:
            envelope = wire.from_json(raw, Envelope)
            command = COMMANDS.unpack(envelope)
        except (msgspec.ValidationError, msgspec.DecodeError, UnknownMessage) as error:
            log.error("a command that can't be read: %s", error)
            return
        if wall_s() - envelope.at > STALE_S and not isinstance(command, c.SettingsChanged):
            return
        self.engine.spawn(self._answer(entry_id, envelope, command), envelope.type)

    async def _answer(self, entry_id: str, envelope: Envelope, command: Any) -> None:
        tenant = self.engine.tenants.get(envelope.tenant)
        with logs.bind(tenant=envelope.tenant, command=envelope.type):
            try:
                if tenant is None:
                    if not isinstance(command, c.SettingsChanged):
                        raise NotFound("This enterprise is not served here yet. Try again in a moment.")
                    tenant = self.engine.open_tenant(envelope.tenant)
                try:
                    result = await self._do(tenant, command)
                finally:
                    self.engine.apply(tenant)  # what was changed before a refusal is changed
                reply: dict[str, Any] = {"ok": result}
            except AppError as error:
                told = {"code": error.code, "message": error.message, "fields": error.fields, "params": error.params}
                reply = {"error": {**told, "status": error.status}}
            except Exception:
                log.exception("command failed")
                message = "Something went wrong in the telephone engine. Your call is not affected."
                reply = {"error": {"code": "engine_error", "message": message, "status": 500}}
            if not isinstance(command, c.SettingsChanged | c.Presence):
                self.engine.journal.answer(envelope.id, reply)
                self.engine.journal.taken(self.engine.config.engine_id, entry_id)

    async def _do(self, tenant: Tenant, command: Any) -> Any:
        floor, now = tenant.floor, wall_s()
        match command:
            case c.Presence(user_id=user, online=online):
                floor.team.presence(user, online, now)
            case c.PhoneOffer(user_id=user, sdp=sdp):
                return await self._phone(tenant, user, sdp)
            case c.PhoneClose(user_id=user):
                if floor.team.agent(user).device != "browser":
                    return None  # the page goes, the telephone stays
                self.engine.edge.close(f"{tenant.id}-{user}")
                floor.team.phone(user, "off", now)
            case c.SetState(user_id=user, state=state, reason=reason):
                floor.team.set_state(user, state, reason, now)
            case c.PauseAfter(user_id=user, on=on, reason=reason):
                floor.team.pause_after(user, on, reason, now)
            case c.Dial():
                return await self.dialing.dial(tenant, command)
            case c.HangUp(user_id=user):
                floor.agent_hang_up(user, now)
            case c.Hold(user_id=user, on=on):
                floor.hold(user, on, now)
            case c.Dtmf(user_id=user, digits=digits):
                floor.keys(user, digits, now)
            case c.SetDisposition():
                floor.dispose(
                    command.user_id, command.call_id, command.disposition_id, command.note, command.callback_at,
                    command.callback_mine, command.next_state, now,
                )  # fmt: skip
            case c.IdentifyCaller(user_id=user, customer_id=customer, card=card):
                floor.identify_caller(user, customer, card)
            case c.AnswerCall(user_id=user):
                floor.answer(user, now)
            case c.DeclineCall(user_id=user):
                floor.decline(user, now)
            case c.ForceState():
                floor.force_state(command.user_id, command.state, command.reason, command.hang_up, now)
            case c.RemoveWaiting():
                to = Destination(_kind(command.kind), command.id, command.number)
                floor.remove_waiting(command.call_id, to, now)
            case c.TryFlow():
                return _try_flow(tenant, command, now)
            case c.PreviewAnswer(user_id=user, dial=dial):
                await self.dialing.answer_preview(tenant, user, dial)
            case c.Transfer():
                to = Destination(_kind(command.kind), command.id, command.number)
                floor.transfer(command.user_id, to, command.attended, now)
            case c.CompleteTransfer(user_id=user):
                floor.complete_transfer(user, now)
            case c.MakeConference(user_id=user):
                floor.conference(user, now)
            case c.LeaveCall(user_id=user):
                floor.leave(user, now)
            case c.DropParty(user_id=user, party_key=key):
                floor.drop_party(user, key, now)
            case c.Park(user_id=user):
                return floor.park(user, now)
            case c.PickUp(user_id=user, slot=slot):
                floor.pick_up(user, slot, now)
            case c.VoicemailDrop(user_id=user, prompt_id=prompt):
                floor.voicemail_drop(user, prompt, now)
            case c.RecordCall(user_id=user, action=action):
                floor.record(user, action, now)
            case c.Supervise():
                floor.supervise(command.user_id, command.agent_id, command.how, command.tell_agent, now)
            case c.PhoneDevice(user_id=user, kind=kind, number=number):
                await self.engine.desk_phones.choose(tenant, user, kind, number)
            case c.SettingsChanged(entity=entity, id=id_, doc=doc):
                self.settle(tenant, entity, id_, doc)
            case _:
                raise TypeError(f"no one carries out {type(command).__name__}")
        return None

    async def _phone(self, tenant: Tenant, user_id: int, sdp: str) -> dict[str, str]:
        """Open the agent's nailed-up leg, or attach a reloaded page to it. One offer of an agent at a time: of two tabs
        the later one has the audio, on both ends of it."""
        tenant.floor.team.agent(user_id)
        async with self._phones.setdefault(fx.agent_port(tenant.id, user_id), asyncio.Lock()):
            return await self._open_phone(tenant, user_id, sdp)

    async def _open_phone(self, tenant: Tenant, user_id: int, sdp: str) -> dict[str, str]:
        engine, team = self.engine, tenant.floor.team
        agent = team.agent(user_id)
        if agent.device != "browser":
            raise Conflict("Your phone is a telephone now. Choose the browser first.", code="phone_elsewhere")
        if agent.phone.state in ("off", "interrupted"):
            team.phone(user_id, "connecting", wall_s())
        port = fx.agent_port(tenant.id, user_id)
        try:
            address = await engine.media.create_port(port)
            answer, remote = await engine.edge.open(f"{tenant.id}-{user_id}", sdp, address)
        except BaseException:
            if agent.phone.state == "connecting":  # a bad offer takes no working phone away
                team.phone(user_id, "off", wall_s())
            raise
        if team.agents.get(user_id) is not agent:  # disabled meanwhile: nobody would ever close it
            engine.edge.close(f"{tenant.id}-{user_id}")
            engine.media.delete_port(port)
            raise NotFound("You are no longer set up as an agent.", code="not_an_agent")
        engine.media.update_port(port, remote=remote, codec="pcmu", sending=True)
        call = tenant.floor.call_of(user_id)
        if call is not None:
            tenant.floor.reattach(call)
        return {"sdp": answer}

    def settle(self, tenant: Tenant, entity: str, id_: int, doc: dict[str, Any] | None) -> None:
        """Work by a setting's newest document from now on."""
        self._settings.settle(tenant, entity, id_, doc, wall_s())


def _kind(name: str) -> DestinationKind:
    try:
        return DestinationKind(name)
    except ValueError:
        raise Conflict(f"{name!r} is nothing to transfer to.", code="bad_target") from None


def _place(entry_id: str) -> tuple[int, int]:
    """An entry's place in its stream; "" is before all."""
    at, _, number = entry_id.partition("-")
    return int(at or 0), int(number or 0)


def _try_flow(tenant: Tenant, command: c.TryFlow, now: float) -> dict[str, object]:
    """As `commands.TryFlow`."""
    if command.doc is None and not tenant.ivr.knows(command.flow_id):
        raise NotFound("This menu is not published yet.", code="flow_not_published")
    data = {"flow_id": command.flow_id, **({"doc": command.doc} if command.doc is not None else {})}
    agent = tenant.floor.team.agent(command.user_id)
    call = Call(
        call_id=new_id(now), control="ivr", mode="try", number="", caller_id="", trunk_id=0, dialed="",
        started_at=now, ring_timeout_s=0.0, agent_id=agent.user_id, record=False, direction="in",
        port_id=fx.agent_port(tenant.id, agent.user_id), card={"name": agent.name},
    )  # fmt: skip
    tenant.floor.try_menu(call, data, now)
    return {"call_id": call.call_id}
