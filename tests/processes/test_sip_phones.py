"""Agents' SIP phones in the engine: called where they are registered, dialed on, taken away, known to a successor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.embedded.services import Valkey
from callcenter.errors import Conflict
from callcenter.events.streams import registrations_key
from callcenter.telephony import ports as p
from callcenter.telephony.phones import PhoneCall, PhoneRegistered, Registration
from dialer import hopper
from tests.processes.engine_at_rest import AGENT, TENANT, engine_at_rest

pytestmark = [pytest.mark.usefixtures("redis_client"), pytest.mark.promise("A1")]
PHONE, NUMBER = 41, "+8613900000099"
DOC = {"user_id": AGENT, "username": "acme-104217", "ha1": "0" * 32}
SDP = p.Sdp(p.MediaAddress("127.0.0.1", 4000))
Scene = Callable[[Callable[[SimpleNamespace], Awaitable[None]]], None]


@pytest.fixture
def scene(valkey: Valkey, tmp_path: Path) -> Scene:
    """Runs a test's coroutine with an engine whose agent has a SIP phone, at most 20 s."""

    def run(story: Callable[[SimpleNamespace], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with engine_at_rest(valkey.url, tmp_path) as s:
                s.inbox.settle(s.tenant, "user", AGENT, {"name": "Ann", "enabled": True, "agent": True, "dials": True})
                s.inbox.settle(s.tenant, "sip_phone", PHONE, DOC)
                s.agent = s.tenant.floor.team.agents[AGENT]
                await asyncio.wait_for(story(s), 20)

        asyncio.run(bounded())

    return run


def place(**more: Any) -> Registration:
    now = wall_s()
    return Registration(**{
        "contact": "sip:acme-104217@10.0.0.5", "host": "192.0.2.30", "port": 5060, "since": now,
        "expires_at": now + 300, "user_agent": "Yealink", **more,
    })  # fmt: skip


def registered(s: SimpleNamespace, found: Registration | None) -> None:
    s.engine.on_sip(PhoneRegistered(f"phone.{PHONE}", wall_s(), PHONE, found))


def told(s: SimpleNamespace, name: str) -> list[tuple[Any, ...]]:
    """What SIP was told to do under this name."""
    return [arguments for n, arguments in s.sip.told if n == name]


async def until(holds: Callable[[], Any]) -> None:
    """Wait for it, bounded by the scene."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come")


def answered(leg: str) -> p.LegAnswered:
    return p.LegAnswered(leg, wall_s(), SDP, p.Dialog(leg, 0, "x", "confirmed", {}))


async def at_his_desk(s: SimpleNamespace) -> str:
    """The agent speaks by his phone, and is available; the leg's id."""
    registered(s, place())
    await s.engine.desk_phones.choose(s.tenant, AGENT, "sip", "")
    leg = str(told(s, "call_phone")[-1][0])
    s.engine.on_sip(answered(leg))
    s.tenant.floor.team.set_state(AGENT, "available", "", wall_s())
    return leg


def dialed(s: SimpleNamespace, leg: str, number: str = "13900000099") -> None:
    s.engine.on_sip(PhoneCall(leg, wall_s(), PHONE, number, SDP))


def test_only_a_registered_phone_is_called_and_its_end_takes_the_agents_phone(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        with pytest.raises(Conflict) as refused:
            await s.engine.desk_phones.choose(s.tenant, AGENT, "sip", "")
        assert refused.value.code == "phone_not_registered" and s.agent.device == "browser"
        leg = await at_his_desk(s)
        assert told(s, "call_phone")[0][1] == PHONE and s.tenant.trunks.in_use(1) == 0, "no line is taken"
        assert (s.agent.device, s.agent.phone.state) == ("sip", "connected") and s.agent.free
        await s.engine.desk_phones.choose(s.tenant, AGENT, "sip", "")
        assert len(told(s, "call_phone")) == 1, "it is up already"
        s.engine.on_sip(p.LegEnded(leg, wall_s(), p.Cause.NORMAL))
        assert s.agent.phone.state == "off" and not s.agent.free
        await s.engine.desk_phones.choose(s.tenant, AGENT, "sip", "")
        assert len(told(s, "call_phone")) == 2

    scene(story)


def test_a_number_dialed_on_the_phone_becomes_a_call_by_hand(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        first = await at_his_desk(s)
        dialed(s, "phone.in.1")
        await until(lambda: told(s, "accept"))
        assert ("hangup", (first,)) in s.sip.told, "the leg that stood is replaced"
        s.engine.on_sip(p.LegEnded(first, wall_s(), p.Cause.NORMAL, by_us=True))
        assert s.agent.phone.state == "connecting" and told(s, "accept")[0][0] == "phone.in.1"
        s.engine.on_sip(answered("phone.in.1"))
        assert s.agent.phone.state == "connected"
        await until(lambda: s.tenant.floor.call_of(AGENT))
        call = s.tenant.floor.call_of(AGENT)
        assert (call.number, call.mode, call.agent_id) == (NUMBER, "manual", AGENT)
        dialed(s, "phone.in.2")
        await until(lambda: told(s, "reject"))
        assert told(s, "reject") == [("phone.in.2", 403, "Finish what you are doing before you dial.")]

    scene(story)


def test_what_may_not_be_dialed_is_refused_with_the_reason(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        async def refusal(leg: str, number: str = "13900000099") -> tuple[int, str]:
            dialed(s, leg, number)
            await until(lambda: any(arguments[0] == leg for arguments in told(s, "reject")))
            _, status, words = next(a for a in told(s, "reject") if a[0] == leg)
            return status, words

        registered(s, place())
        assert await refusal("phone.in.1") == (403, "Choose this phone at your desk first.")
        await at_his_desk(s)
        assert (await refusal("phone.in.2", "12"))[1] == "This is not a phone number that can be dialed."
        await s.redis.sadd(hopper.blacklist_key(TENANT), NUMBER)
        assert "may not be called now" in (await refusal("phone.in.3"))[1]
        await s.redis.delete(hopper.blacklist_key(TENANT))
        s.inbox.settle(s.tenant, "user", AGENT, {"name": "Ann", "enabled": True, "agent": True, "dials": False})
        assert (await refusal("phone.in.4"))[1] == "You may not dial by hand."
        assert s.agent.phone.state == "connected" and not told(s, "accept"), "nothing happened to his phone"

    scene(story)


def test_a_caller_who_gives_up_on_the_phone_leaves_nothing_behind(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        leg = await at_his_desk(s)
        dialed(s, "phone.in.1")
        s.engine.on_sip(p.LegEnded("phone.in.1", wall_s(), p.Cause.CANCELLED, 487))
        await until(lambda: told(s, "reject"))  # it has been judged; nobody is there to hear it
        assert not told(s, "accept") and ("hangup", (leg,)) not in s.sip.told
        assert s.agent.phone.state == "connected" and s.tenant.floor.call_of(AGENT) is None

    scene(story)


def test_a_phone_that_is_deleted_gives_its_user_back_to_the_browser(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        leg = await at_his_desk(s)
        s.inbox.settle(s.tenant, "sip_phone", PHONE, None)
        assert told(s, "set_phone")[-1] == (PHONE, None)
        assert s.agent.device == "sip" and s.agent.phone.state == "connected", "the call that is up goes on"
        s.engine.on_sip(p.LegEnded(leg, wall_s(), p.Cause.NORMAL))
        assert s.agent.device == "browser" and s.agent.phone.state == "off"

    scene(story)


def test_registrations_are_saved_shown_and_taken_up(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        found = place()
        registered(s, found)
        await s.engine.journal.durable()
        raw = await s.redis.hget(registrations_key(TENANT), str(PHONE))
        assert wire.from_json(raw, Registration) == found
        shown = wire.from_json(await s.redis.hget(f"live:{TENANT}", f"sip-phone:{AGENT}"), dict[str, Any])
        assert shown["registered"] and (shown["device"], shown["address"]) == ("Yealink", "192.0.2.30:5060")
        await s.engine.desk_phones.restore(s.tenant)
        assert told(s, "restore_phone") == [(PHONE, found)]
        old = wire.to_json(place(expires_at=wall_s() - 1))
        await s.redis.hset(registrations_key(TENANT), str(PHONE), old)
        await s.engine.desk_phones.restore(s.tenant)
        await s.engine.journal.durable()
        assert len(told(s, "restore_phone")) == 1, "it has expired"
        assert not await s.redis.hexists(registrations_key(TENANT), str(PHONE))

    scene(story)
