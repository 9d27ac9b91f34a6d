"""Commands: read from the engine's stream, carried out, answered."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import msgspec
from redis.exceptions import RedisError

from callcenter import log as logs
from callcenter import wire
from callcenter.acd.team import WorkRules
from callcenter.calls import commands as c
from callcenter.calls import effects as fx
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.clock import wall_s
from callcenter.errors import AppError, Conflict, NotFound
from callcenter.events import streams
from callcenter.events.envelope import COMMANDS, Envelope, UnknownMessage
from callcenter.processes.engine.dialing import Dialing
from callcenter.processes.engine.journal import taken_key
from callcenter.processes.engine.shell import Engine, Tenant
from callcenter.telephony.ports import TrunkSpec
from callcenter.telephony.trunks import Trunk
from dialer.campaign import CampaignRun, Settings

log = logging.getLogger(__name__)
BLOCK_MS = 2000
STALE_S = 5.0  # a person has given up by then; settings are never stale


class Inbox:
    """Reads `commands:{engine}`."""

    def __init__(self, engine: Engine, dialing: Dialing) -> None:
        self.engine, self.dialing = engine, dialing
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
                    tenant = self.engine.tenants[envelope.tenant] = Tenant(envelope.tenant)
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
                floor.dtmf(user, digits)
            case c.SetDisposition():
                floor.dispose(
                    command.user_id, command.call_id, command.disposition_id, command.note, command.callback_at,
                    command.callback_mine, command.next_state, now,
                )  # fmt: skip
            case c.IdentifyCaller(user_id=user, customer_id=customer, card=card):
                floor.identify_caller(user, customer, card)
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

    # ------------------------------------------------------------------------------------------------------ settings

    def settle(self, tenant: Tenant, entity: str, id_: int, doc: dict[str, Any] | None) -> None:
        """Work by a setting's newest document from now on."""
        now = wall_s()
        key = (entity, id_)
        if entity == "trunk" and doc is not None:
            _trunk(id_, doc), _spec(id_, doc)  # one that can't be read must not come among those that can
        if doc is None:
            tenant.documents.pop(key, None)
        else:
            tenant.documents[key] = doc
        if entity == "campaign":
            self._settle_campaign(tenant, id_, doc, now)
        elif entity in ("trunk", "number"):  # by the dialed number, trunks at one address are told apart
            self._settle_trunks(tenant)
        elif entity == "user":
            if doc is None or not doc.get("enabled") or not doc.get("agent"):
                tenant.floor.team.forget(id_, now)
            else:
                tenant.floor.team.know(id_, str(doc["name"]), self._campaigns_of(tenant, id_), now)

    def _settle_campaign(self, tenant: Tenant, id_: int, doc: dict[str, Any] | None, now: float) -> None:
        if doc is None:
            tenant.campaigns.pop(id_, None)
            tenant.floor.team.rules.pop(id_, None)
        else:
            settings = wire.convert(doc, Settings)
            tenant.floor.team.rules[id_] = WorkRules(
                settings.name, settings.wrap_up_s, settings.disposition_required, settings.preview_s
            )
            if id_ in tenant.campaigns:
                tenant.campaigns[id_].change(settings, now)
            else:
                tenant.campaigns[id_] = CampaignRun(settings, now)
        for agent in list(tenant.floor.team.agents.values()):
            tenant.floor.team.know(agent.user_id, agent.name, self._campaigns_of(tenant, agent.user_id), now)

    @staticmethod
    def _campaigns_of(tenant: Tenant, user_id: int) -> tuple[int, ...]:
        return tuple(sorted(c for c, run in tenant.campaigns.items() if user_id in run.settings.agents))

    def _settle_trunks(self, tenant: Tenant) -> None:
        tenant.trunks.set_trunks(_trunk(i, d) for (e, i), d in tenant.documents.items() if e == "trunk")
        self.engine.sip.set_trunks(
            {
                i: replace(_spec(i, d), numbers=_numbers(t))
                for t in self.engine.tenants.values()
                for (e, i), d in t.documents.items()
                if e == "trunk" and d["enabled"]
            }
        )


def _kind(name: str) -> DestinationKind:
    try:
        return DestinationKind(name)
    except ValueError:
        raise Conflict(f"{name!r} is nothing to transfer to.", code="bad_target") from None


def _numbers(tenant: Tenant) -> tuple[str, ...]:
    """The enterprise's own numbers, E.164."""
    return tuple(str(d["e164"]) for (entity, _), d in tenant.documents.items() if entity == "number")


def _place(entry_id: str) -> tuple[int, int]:
    """An entry's place in its stream; "" is before all."""
    at, _, number = entry_id.partition("-")
    return int(at or 0), int(number or 0)


def _trunk(id_: int, d: dict[str, Any]) -> Trunk:
    return Trunk(
        trunk_id=id_,
        name=d["name"],
        channels=int(d["channels"]),
        cps=float(d["calls_per_second"]),
        prefixes=tuple(d["prefixes"]) or ("",),
        priority=int(d["priority"]),
        cost=float(d["cost"]),
        caller_ids=tuple(d["caller_ids"]),
        enabled=bool(d["enabled"]),
        keep_plus=not d["strip_plus"],
        prepend=d["prepend"],
    )


def _spec(id_: int, d: dict[str, Any]) -> TrunkSpec:
    host, _, port = d["outbound_proxy"].partition(":")
    return wire.convert(
        {
            "trunk_id": id_,
            "host": d["host"],
            "port": d["port"],
            "transport": d["transport"],
            "username": d["username"],
            "password": d["password"],
            "from_domain": d["from_domain"],
            "register": d["register"],
            "options_every_s": d["options_every_s"],
            "outbound_proxy": (host, int(port or 5060)) if host else None,
            **{ours: d[theirs] for ours, theirs in _INBOUND.items() if theirs in d},
        },
        TrunkSpec,
    )


_INBOUND = {
    "inbound": "inbound",
    "inbound_auth": "inbound_auth",
    "inbound_username": "inbound_username",
    "inbound_password": "inbound_password",
    "inbound_sources": "inbound_sources",
    "inbound_channels": "inbound_channels",
    "inbound_cps": "inbound_calls_per_second",
}
