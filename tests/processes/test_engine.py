"""What the engine's shell keeps to when something in it or around it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from callcenter import wire
from callcenter.calls import effects as fx
from callcenter.calls.commands import Dial, SetState
from callcenter.clock import wall_s
from callcenter.compliance.judge import Callee
from callcenter.embedded.services import Valkey
from callcenter.errors import AppError, Conflict, InvalidInput
from callcenter.events import streams
from callcenter.events.envelope import COMMANDS, Envelope
from callcenter.processes.engine import restore, shell
from callcenter.processes.engine.placing import LEFT_OVER_S
from dialer import hopper
from tests.processes.engine_at_rest import AGENT, CAMPAIGN, CAMPAIGN_DOC, TENANT, TRUNK, engine_at_rest

pytestmark = pytest.mark.usefixtures("redis_client")
PHONE = "+8613900000001"
ENTRY: dict[str, Any] = {"lead_id": 5, "campaign_id": CAMPAIGN, "phone": PHONE, "status": "new", "order": 1}

Scene = Callable[[Callable[[SimpleNamespace], Awaitable[None]]], None]


@pytest.fixture
def scene(valkey: Valkey, tmp_path: Path) -> Scene:
    """Runs a test's coroutine with an engine, at most 20 s."""

    def run(story: Callable[[SimpleNamespace], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with engine_at_rest(valkey.url, tmp_path) as s:
                await asyncio.wait_for(story(s), 20)

        asyncio.run(bounded())

    return run


async def facts(s: SimpleNamespace, kind: str) -> list[dict[str, Any]]:
    """Bodies of the facts of one kind that are written."""
    await s.engine.journal.durable()
    told = [wire.from_json(f[b"e"], Envelope) for _, f in await s.redis.xrange(streams.FACTS_STREAM)]
    return [e.body for e in told if e.type == kind]


async def pop(s: SimpleNamespace) -> None:
    """A lead is handed out by Redis and the answer gets lost on the way."""
    keys = [hopper.hopper_key(TENANT, CAMPAIGN), hopper.leads_key(TENANT), hopper.flight_key(TENANT)]
    await s.redis.register_script(hopper.FILL)(keys=keys, args=[5, 1, wire.to_json(ENTRY)])
    more = [hopper.blacklist_key(TENANT), hopper.tries_key(TENANT, "")]
    assert await s.redis.register_script(hopper.POP)(keys=[*keys, *more], args=[1, wall_s(), "engine-1"])


def available(s: SimpleNamespace) -> None:
    s.tenant.floor.team.set_state(AGENT, "available", "", wall_s())
    s.engine.apply(s.tenant)


def test_an_effect_that_fails_does_not_take_the_others_with_it(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.tenant.floor._out.extend([fx.CallGone("none", 99, None), fx.HangUpLeg("c1")])
        s.engine.apply(s.tenant)
        assert ("hangup", ("c1",)) in s.sip.told

    scene(story)


@pytest.mark.promise("P4")
def test_a_lead_whose_hand_over_was_lost_with_the_connection_goes_back_to_its_list(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        await pop(s)
        assert await s.dialing.return_left_over(s.tenant, wall_s()) == 0  # it may be under way
        assert await s.dialing.return_left_over(s.tenant, wall_s() + LEFT_OVER_S + 1) == 1
        [back] = await facts(s, "lead.returned")
        assert back["lead_id"] == 5
        assert not await s.redis.hlen(hopper.flight_key(TENANT))

    scene(story)


def test_a_lead_in_a_call_or_in_front_of_an_agent_is_not_left_over(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        await pop(s)
        available(s)
        await s.dialing._preview(s.tenant, s.tenant.campaigns[CAMPAIGN], dict(ENTRY), wall_s())
        late = wall_s() + LEFT_OVER_S + 1
        assert await s.dialing.return_left_over(s.tenant, late) == 0
        await s.dialing.answer_preview(s.tenant, AGENT, True)
        assert await s.dialing.return_left_over(s.tenant, late) == 0
        assert s.tenant.floor.calls

    scene(story)


def test_a_lead_dialed_by_hand_is_in_no_hopper_any_more(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        other = hopper.hopper_key(TENANT, 8)
        keys = [other, hopper.leads_key(TENANT), hopper.flight_key(TENANT)]
        await s.redis.register_script(hopper.FILL)(keys=keys, args=[5, 1, wire.to_json(ENTRY)])
        available(s)
        await s.dialing.dial(s.tenant, Dial(AGENT, PHONE, lead_id=5))
        more = [hopper.blacklist_key(TENANT), hopper.tries_key(TENANT, "")]
        popped = await s.redis.register_script(hopper.POP)(keys=[*keys, *more], args=[1, wall_s(), "engine-1"])
        assert popped == []
        with pytest.raises(Conflict):
            await s.dialing.dial(s.tenant, Dial(AGENT, PHONE, lead_id=5))

    scene(story)


def test_a_call_by_hand_counts_as_a_try_of_the_number_without_a_lead_too(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        await s.dialing.dial(s.tenant, Dial(AGENT, PHONE))
        await s.engine.journal.durable()
        assert await s.redis.zcard(hopper.tries_key(TENANT, PHONE)) == 1

    scene(story)


def test_a_dial_that_comes_to_nothing_says_so_and_gives_everything_back(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        s.media.answers["create_port"] = RuntimeError("no free port")
        with pytest.raises(AppError) as refused:
            await s.dialing.dial(s.tenant, Dial(AGENT, PHONE, lead_id=5))  # of no campaign
        assert refused.value.code == "not_placed"
        assert s.tenant.trunks.in_use(1) == 0
        [back] = await facts(s, "lead.returned")
        assert (back["lead_id"], back["campaign_id"]) == (5, None)
        assert await s.redis.zcard(hopper.tries_key(TENANT, PHONE)) == 0

    scene(story)


def test_a_preview_that_can_not_be_dialed_frees_its_agent(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        await s.dialing._preview(s.tenant, s.tenant.campaigns[CAMPAIGN], dict(ENTRY), wall_s())
        s.media.answers["create_port"] = RuntimeError("no free port")
        with pytest.raises(AppError):
            await s.dialing.answer_preview(s.tenant, AGENT, True)
        assert s.tenant.floor.team.agents[AGENT].state.value == "available"
        assert [f["lead_id"] for f in await facts(s, "lead.returned")] == [5]

    scene(story)


@pytest.mark.promise("D5")
def test_a_preview_is_judged_again_when_it_is_dialed(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        await s.dialing._preview(s.tenant, s.tenant.campaigns[CAMPAIGN], dict(ENTRY), wall_s())
        await s.redis.sadd(hopper.blacklist_key(TENANT), PHONE)
        with pytest.raises(Conflict) as refused:
            await s.dialing.answer_preview(s.tenant, AGENT, True)
        assert refused.value.code == "refused_blacklist"
        assert not s.tenant.floor.calls
        assert [f["rule"] for f in await facts(s, "lead.refused")] == ["blacklist"]

    scene(story)


def test_a_lead_of_a_campaign_that_was_paused_meanwhile_is_not_dialed(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        await pop(s)
        run = s.tenant.campaigns[CAMPAIGN]
        s.inbox.settle(s.tenant, "campaign", CAMPAIGN, {**CAMPAIGN_DOC, "state": "paused"})
        assert not await s.dialing._one(s.tenant, run, dict(ENTRY), Callee("UTC"), wall_s())
        assert await s.redis.zrange(hopper.hopper_key(TENANT, CAMPAIGN), 0, -1) == [b"5"]

    scene(story)


@pytest.mark.promise("P4")
def test_a_lead_seized_for_a_call_without_campaign_does_not_stop_the_next_engine(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        entry = {"lead_id": 5, "campaign_id": None, "phone": PHONE}
        assert await s.dialing._seize(s.tenant, 5, entry)
        await restore._leased(s.engine, s.tenant)
        assert [f["campaign_id"] for f in await facts(s, "lead.returned")] == [None]

    scene(story)


def test_one_unreadable_setting_or_agent_does_not_stop_the_next_engine(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        await s.redis.sadd(streams.SETTINGS_TENANTS, TENANT)
        await s.redis.hset(streams.settings_key(TENANT), "trunk:4", b'{"name": "half"}')
        await s.redis.hset(
            streams.settings_key(TENANT), "user:3", wire.to_json({"name": "Ann", "enabled": True, "agent": True})
        )
        await s.redis.hset(f"agents:{TENANT}", "3", b'{"user_id": "?"}')
        await restore.restore(s.engine, s.inbox)
        assert AGENT in s.engine.tenants[TENANT].floor.team.agents
        s.inbox.settle(s.engine.tenants[TENANT], "trunk", 1, TRUNK)
        assert s.engine.choose_trunk(s.engine.tenants[TENANT], PHONE, None).trunk_id == 1

    scene(story)


def test_a_command_is_not_carried_out_again_by_the_next_engine(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        stream = streams.commands_stream(s.engine.config.engine_id)
        ids = []
        for state in ("available", "paused"):
            envelope = COMMANDS.pack(SetState(AGENT, state), tenant=TENANT, at=wall_s())
            ids.append(await s.redis.xadd(stream, {"e": wire.to_json(envelope)}))
        reader = asyncio.ensure_future(s.inbox.run())
        for _ in range(200):
            await asyncio.sleep(0.02)
            if await s.redis.get(f"{stream}:taken") == ids[-1]:
                break
        reader.cancel()
        assert await type(s.inbox)(s.engine, s.dialing)._first() == ids[-1].decode()

    scene(story)


def test_a_bad_offer_of_a_second_tab_leaves_the_working_phone_alone(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.edge.answers["open"] = InvalidInput("no PCMU")
        with pytest.raises(InvalidInput):
            await s.inbox._phone(s.tenant, AGENT, "v=0")
        assert s.tenant.floor.team.agents[AGENT].phone.state == "connected"

    scene(story)


def test_deadlines_move_with_a_clock_that_is_set(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.tenant.floor.timers.set(("call", "c1", "end"), wall_s() + 5)
        true = wall_s
        monkeypatch.setattr(shell, "wall_s", lambda: true() - 3600)
        s.engine._fire()
        left = s.tenant.floor.next_deadline() - (true() - 3600)
        assert 4 < left < 5.5

    scene(story)


@pytest.mark.promise("P4")
def test_a_write_that_redis_refuses_is_told_and_not_tried_for_ever(
    scene: Scene, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(s: SimpleNamespace) -> None:
        redis_client.set(hopper.tries_key(TENANT, PHONE), "not a sorted set")
        s.engine.journal.placed(TENANT, 5, "c1", PHONE, "{}", wall_s())
        await asyncio.wait_for(s.engine.journal.durable(), 3)
        assert await s.redis.hexists(hopper.flight_key(TENANT), "5")

    scene(story)
    assert "refused a write" in caplog.text


def test_of_live_documents_only_the_newest_waits_for_redis(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        journal = s.engine.journal
        await journal.durable()
        journal.up = False
        for n in range(1000):
            journal.live(TENANT, "campaign:7", {"seq": n})
        assert len(journal._queue) == 0
        journal.landed(TENANT, 5)  # any write finds Redis there again
        await journal.durable()
        await journal.durable()  # what the return of Redis has added
        assert wire.from_json(await s.redis.hget(streams.live_key(TENANT), "campaign:7"), dict[str, Any]) == {
            "seq": 999
        }

    scene(story)


def test_a_campaign_with_nothing_to_dial_keeps_no_agent_from_another(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        empty = CAMPAIGN - 1  # the first to be dealt an agent
        s.inbox.settle(s.tenant, "campaign", empty, {**CAMPAIGN_DOC, "id": empty, "name": "Empty"})
        keys = [hopper.hopper_key(TENANT, CAMPAIGN), hopper.leads_key(TENANT), hopper.flight_key(TENANT)]
        await s.redis.register_script(hopper.FILL)(keys=keys, args=[5, 1, wire.to_json(ENTRY)])
        available(s)
        await s.dialing._refresh(s.tenant)
        s.dialing._tick(s.tenant, True)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if s.tenant.floor.calls:
                break
        assert [c.campaign_id for c in s.tenant.floor.calls.values()] == [CAMPAIGN]

    scene(story)


def test_what_a_refused_command_had_changed_already_is_carried_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(s: SimpleNamespace) -> None:
        async def half_way(tenant: Any, command: Any) -> None:
            tenant.floor._out.append(fx.HangUpLeg("c1"))
            raise Conflict("no further", code="no")

        monkeypatch.setattr(s.inbox, "_do", half_way)
        await s.inbox._answer("1-0", COMMANDS.pack(SetState(AGENT, "paused"), tenant=TENANT, at=wall_s()), None)
        assert ("hangup", ("c1",)) in s.sip.told

    scene(story)


@pytest.mark.promise("D2", "D3")
def test_calls_that_ring_when_their_agents_have_left_are_given_up(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        run = s.tenant.campaigns[CAMPAIGN]
        entry = {**ENTRY, "lead_id": None}
        assert await s.dialing._one(s.tenant, run, entry, Callee("UTC"), wall_s())
        [call] = s.tenant.floor.calls.values()
        await s.engine.journal.durable()
        s.dialing._tick(s.tenant, False)
        assert call.hanging_up_since is None, "its agent is there"
        s.tenant.floor.team.set_state(AGENT, "paused", "lunch", wall_s())
        s.dialing._tick(s.tenant, False)
        assert call.hanging_up_since is not None and ("hangup", (call.call_id,)) in s.sip.told

    scene(story)


@pytest.mark.promise("D3", "I3")
def test_calls_that_ring_when_their_agents_are_kept_for_a_queue_are_given_up_before_they_are_abandoned(
    scene: Scene,
) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        run = s.tenant.campaigns[CAMPAIGN]
        assert await s.dialing._one(s.tenant, run, {**ENTRY, "lead_id": None}, Callee("UTC"), wall_s())
        [call] = s.tenant.floor.calls.values()
        await s.engine.journal.durable()
        s.tenant.floor.team.withheld = frozenset({AGENT})
        s.dialing._tick(s.tenant, False)
        assert call.hanging_up_since is not None

    scene(story)


@pytest.mark.promise("A1")
def test_a_call_given_up_while_its_port_is_opened_never_rings(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        opened, go_on = asyncio.Event(), asyncio.Event()
        run = s.tenant.campaigns[CAMPAIGN]
        assert await s.dialing._one(s.tenant, run, {**ENTRY, "lead_id": None}, Callee("UTC"), wall_s())
        [call] = s.tenant.floor.calls.values()

        async def slowly(*_: object, **__: object) -> object:
            opened.set()
            await go_on.wait()
            return s.media.answers["create_port"]

        s.media.create_port = slowly
        await asyncio.wait_for(opened.wait(), 5)
        s.tenant.floor.hang_up(call, "system", wall_s())
        s.engine.apply(s.tenant)
        go_on.set()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not s.tenant.floor.calls:
                break
        assert not s.tenant.floor.calls and "originate" not in s.sip.names()
        assert s.tenant.trunks.in_use(1) == 0

    scene(story)
