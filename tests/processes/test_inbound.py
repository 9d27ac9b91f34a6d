"""Calls on their way from an INVITE to the floor: found, counted, answered, or gone without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callcenter import wire
from callcenter.calls.call import Call
from callcenter.calls.commands import TryFlow
from callcenter.clock import wall_s
from callcenter.embedded.services import Valkey
from callcenter.events import streams
from callcenter.processes.engine import restore
from callcenter.processes.engine.journal import calls_key, tickets_key, today_key
from callcenter.processes.engine.queue_boards import EVERY_S
from callcenter.telephony import ports as p
from dialer import hopper
from tests.processes.engine_at_rest import AGENT, TENANT, engine_at_rest
from tests.processes.test_engine import available, facts

pytestmark = pytest.mark.usefixtures("redis_client")
DID, CALLER, QUEUE = "+862155550199", "13900000077", 21
SDP = p.Sdp(p.MediaAddress("127.0.0.1", 4100))
Scene = Callable[[Callable[[SimpleNamespace], Awaitable[None]]], None]


@pytest.fixture
def scene(valkey: Valkey, tmp_path: Path) -> Scene:
    """Runs a test's coroutine with an engine that has a queue and a number, at most 20 s."""

    def run(story: Callable[[SimpleNamespace], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with engine_at_rest(valkey.url, tmp_path) as s:
                queue = {"id": QUEUE, "name": "Sales", "members": [{"user_id": AGENT}], "record": "never"}
                number = {"id": 5, "e164": DID, "name": "Main", "open_to": {"kind": "queue", "id": QUEUE}}
                s.inbox.settle(s.tenant, "enterprise", TENANT, {"country": "CN", "time_zone": "Asia/Shanghai"})
                s.inbox.settle(s.tenant, "queue", QUEUE, queue)
                s.inbox.settle(s.tenant, "number", 5, number)
                await asyncio.wait_for(story(s), 20)

        asyncio.run(bounded())

    return run


def invite(s: SimpleNamespace, leg: str = "L1", to: str = "02155550199") -> None:
    s.engine.on_sip(p.InboundCall(leg, wall_s(), 1, CALLER, to, SDP))


async def until(holds: Callable[[], Any]) -> None:
    """Wait, at most 5 s."""
    for _ in range(250):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not within 5 s")


def acknowledged(s: SimpleNamespace, leg: str = "L1") -> None:
    s.engine.on_sip(p.LegAnswered(leg, wall_s(), SDP, p.Dialog(leg, 1, "x@host", "confirmed", {})))


@pytest.mark.promise("I1")
def test_a_call_rings_at_once_is_saved_and_told_before_it_is_answered(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        invite(s)
        assert ("accept", ("L1", SDP)) in s.sip.told, "180 goes out before anything is asked"
        assert s.tenant.trunks.in_use(1) == 1
        await until(lambda: s.sip.names().count("accept") == 2)
        assert await s.redis.hexists(calls_key(TENANT), "L1")
        [started] = await facts(s, "call.started")
        assert (started["direction"], started["did"], started["phone_e164"]) == ("in", DID, "+8613900000077")
        acknowledged(s)
        agent = s.tenant.floor.team.agents[AGENT]
        assert agent.call.state == "offered" and agent.call.card["phone"] == "+8613900000077"
        await s.engine.journal.durable()
        saved = wire.from_json(await s.redis.hget(calls_key(TENANT), "L1"), Call)
        assert saved.offered_to == AGENT
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.NORMAL))
        assert s.tenant.trunks.in_use(1) == 0 and ("delete_port", ("call-L1",)) in s.media.told

    scene(story)


@pytest.mark.promise("I1")
def test_a_number_that_nobody_has_is_refused_and_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async def story(s: SimpleNamespace) -> None:
        invite(s, to="+862155550000")
        assert ("reject", ("L1", 404, "Not Found")) in s.sip.told
        assert s.tenant.trunks.in_use(1) == 0 and not s.tenant.floor.calls

    scene(story)
    assert "nobody has the number" in caplog.text


def test_a_caller_who_cancels_while_he_is_looked_up_leaves_nothing_behind(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        invite(s)
        await asyncio.sleep(0.05)
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.CANCELLED, 487))
        await until(lambda: s.tenant.trunks.in_use(1) == 0)
        assert not s.tenant.floor.calls and ("delete_port", ("call-L1",)) in s.media.told
        assert await facts(s, "call.started") == []

    scene(story)


def test_a_caller_who_cancels_between_floor_and_answer_is_not_answered(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        invite(s)
        await until(lambda: "L1" in s.tenant.floor.calls)
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.CANCELLED, 487))
        await asyncio.sleep(0.1)
        assert not s.tenant.floor.calls and s.tenant.trunks.in_use(1) == 0
        [ended] = await facts(s, "call.ended")
        assert (ended["outcome"], ended["direction"]) == ("cancelled", "in")

    scene(story)


def test_without_a_media_port_the_caller_is_told_to_try_again(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.media.answers["create_port"] = RuntimeError("no free port")
        invite(s)
        await until(lambda: "reject" in s.sip.names())
        assert ("reject", ("L1", 503, "Service Unavailable")) in s.sip.told
        assert s.tenant.trunks.in_use(1) == 0

    scene(story)


@pytest.mark.promise("V1")
def test_a_queues_document_is_published_a_few_times_a_second_and_its_day_is_kept(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        for n in range(8):
            invite(s, f"L{n}")
        await until(lambda: len(s.tenant.floor.calls) == 8)
        for n in range(8):
            acknowledged(s, f"L{n}")
        await asyncio.sleep(2 * EVERY_S)
        await s.engine.journal.durable()
        board = wire.from_json(await s.redis.hget(streams.live_key(TENANT), f"queue:{QUEUE}"), dict[str, Any])
        assert (len(board["waiting"]), board["offered"]) == (8, 8)
        told = [f[b"k"] for _, f in await s.redis.xrange(streams.LIVE_STREAM)]
        assert told.count(b"queue:21") <= 5
        today = wire.from_json(await s.redis.hget(today_key(TENANT), str(QUEUE)), dict[str, Any])
        assert today["offered"] == 8

    scene(story)


@pytest.mark.promise("I4", "P4")
def test_a_kept_place_is_saved_dialed_and_forgotten_when_it_is_connected(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        queue = {**wire.plain(s.tenant.floor.queue_settings[QUEUE]), "callback": {"enabled": True, "key": "1"}}
        s.inbox.settle(s.tenant, "queue", QUEUE, queue)
        invite(s)
        await until(lambda: "L1" in s.tenant.floor.calls)
        acknowledged(s)
        for digit in "1#":
            s.engine.on_media(p.DtmfReceived(wall_s(), "call-L1", digit, 100))
        await s.engine.journal.durable()
        assert await s.redis.hlen(tickets_key(TENANT)) == 1
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.NORMAL))
        available(s)
        await until(lambda: s.tenant.floor.calls)
        [call] = s.tenant.floor.calls.values()
        assert (call.number, call.agent_id, call.caller_id) == ("+8613900000077", AGENT, DID)
        await until(lambda: "originate" in s.sip.names())
        leg = call.call_id
        s.engine.on_sip(p.LegTrying(leg, wall_s(), p.Dialog(leg, 1, "y@host", "early", {})))
        acknowledged(s, leg)
        s.engine.on_sip(p.LegEnded(leg, wall_s(), p.Cause.NORMAL))
        await s.engine.journal.durable()
        assert await s.redis.hlen(tickets_key(TENANT)) == 0
        assert [f["how"] for f in await facts(s, "queue.callback_ended")] == ["connected"]

    scene(story)


@pytest.mark.promise("I2")
def test_a_draft_is_tried_from_the_agents_own_phone_without_a_trace_in_the_records(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        nodes = [
            {"id": "hello", "verb": "say", "settings": {"text": {"en": "Hello"}}, "ways": {"next": "sales"}},
            {"id": "sales", "verb": "queue", "settings": {"queue": QUEUE}},
        ]
        doc = {"start": "hello", "nodes": nodes}
        available(s)
        answer = await s.inbox._do(s.tenant, TryFlow(AGENT, 3, {"id": 3, "version": 0, "flow": doc}))
        s.engine.apply(s.tenant)
        call = s.tenant.floor.calls[answer["call_id"]]
        assert call.port == "agent-1-3" and s.tenant.floor.team.agents[AGENT].state.value == "on_call"
        await until(lambda: any(n == "play" and a[0] == "agent-1-3" for n, a in s.media.told))
        play = f"ctl-{call.plays}-{call.play}"
        s.engine.on_media(p.PlayEnded(wall_s(), "agent-1-3", play, complete=True))
        assert s.tenant.floor.team.agents[AGENT].state.value == "available" and not s.tenant.floor.calls
        await s.engine.journal.durable()
        told = wire.from_json(await s.redis.hget(streams.live_key(TENANT), f"flow-try:{AGENT}"), dict[str, Any])
        assert told["ended"] and told["sent_to"] == {"kind": "queue", "id": QUEUE, "number": ""}
        assert await facts(s, "call.started") == await facts(s, "call.ended") == []

    scene(story)


@pytest.mark.promise("I4", "D5")
def test_a_kept_place_for_a_blacklisted_number_is_given_up_and_its_agent_is_free(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        queue = {**wire.plain(s.tenant.floor.queue_settings[QUEUE]), "callback": {"enabled": True, "key": "1"}}
        s.inbox.settle(s.tenant, "queue", QUEUE, queue)
        await s.redis.sadd(hopper.blacklist_key(TENANT), "+8613900000078")
        invite(s)
        await until(lambda: "L1" in s.tenant.floor.calls)
        acknowledged(s)
        for digit in "113900000078#":
            s.engine.on_media(p.DtmfReceived(wall_s(), "call-L1", digit, 100))
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.NORMAL))
        assert [t.number for t in s.tenant.floor.tickets.values()] == ["+8613900000078"]
        available(s)
        await until(lambda: not s.tenant.floor.tickets)
        assert s.tenant.floor.team.agents[AGENT].free and AGENT in s.tenant.floor._free
        assert "originate" not in s.sip.names() and s.tenant.trunks.in_use(1) == 0
        assert [f["how"] for f in await facts(s, "queue.callback_ended")] == ["cancelled"]

    scene(story)


@pytest.mark.promise("I1")
def test_a_call_whose_rules_can_not_be_followed_is_refused_and_given_back(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.inbox.settle(s.tenant, "calendar", 9, {"id": 9, "name": "Odd", "week": [[]] * 7, "time_zone": "No/Where"})
        number = {"id": 5, "e164": DID, "name": "Main", "open_to": {"kind": "queue", "id": QUEUE}, "calendar_id": 9}
        s.inbox.settle(s.tenant, "number", 5, number)
        invite(s)
        await until(lambda: "reject" in s.sip.names() or s.tenant.floor.calls)
        assert ("reject", ("L1", 500, "Server Internal Error")) in s.sip.told
        await until(lambda: s.tenant.trunks.in_use(1) == 0)
        assert not s.tenant.floor.calls and ("delete_port", ("call-L1",)) in s.media.told

    scene(story)


@pytest.mark.promise("P4")
def test_a_caller_whose_audio_died_with_the_engine_is_hung_up_and_not_left_waiting_in_silence(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        invite(s)
        await until(lambda: "L1" in s.tenant.floor.calls)
        acknowledged(s)
        await s.engine.journal.durable()
        s.tenant.floor.calls.clear()
        s.media.answers["take_up"] = KeyError("call-L1")
        await restore._calls(s.engine, s.tenant)
        s.engine.apply(s.tenant)
        assert ("hangup", ("L1",)) in s.sip.told
        s.engine.on_sip(p.LegEnded("L1", wall_s(), p.Cause.NORMAL, by_us=True))
        assert not s.tenant.floor.calls

    scene(story)


@pytest.mark.promise("I1", "P4")
def test_a_call_for_an_enterprise_that_is_not_taken_up_yet_may_be_tried_again(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.engine.on_sip(p.InboundCall("L9", wall_s(), 77, CALLER, "02155550199", SDP))
        assert ("reject", ("L9", 503, "Service Unavailable")) in s.sip.told

    scene(story)


@pytest.mark.promise("P4", "I1")
def test_a_call_between_200_and_ack_is_stored_before_and_goes_on_in_a_successor(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        available(s)
        answering = p.Dialog("L1", 1, "x@host", "answering", {})
        s.sip.prepare = lambda leg_id, local: answering if leg_id == "L1" else None
        invite(s)
        await until(lambda: s.sip.names().count("accept") == 2)
        saved = wire.from_json(await s.redis.hget(calls_key(TENANT), "L1"), Call)
        assert saved.answering, "what a successor needs was there before the 200"
        del s.tenant.floor.calls["L1"]
        s.tenant.floor.timers.cancel_all("call", "L1")
        await restore._calls(s.engine, s.tenant)
        assert ("adopt", (answering,)) in s.sip.told and ("take_up", ("call-L1",)) in s.media.told
        call = s.tenant.floor.calls["L1"]
        assert s.tenant.floor.reconcile(wall_s()) == []
        acknowledged(s)
        assert call.offered_to == AGENT, "it goes where its number's rules sent it"
        assert await facts(s, "call.ended") == []

    scene(story)
