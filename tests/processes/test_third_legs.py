"""Third numbers and agents' telephones: every channel is given back, every end is told, whatever comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callcenter.calls.call import Call
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.clock import wall_s
from callcenter.embedded.services import Valkey
from callcenter.errors import Unavailable
from callcenter.telephony import ports as p
from tests.processes.engine_at_rest import AGENT, TENANT, TRUNK, engine_at_rest

pytestmark = pytest.mark.usefixtures("redis_client")
NUMBER = "+8613900000099"
TO_NUMBER = Destination(DestinationKind.NUMBER, number=NUMBER)
SDP = p.Sdp(p.MediaAddress("127.0.0.1", 4000))
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


def consulting(s: SimpleNamespace) -> Call:
    """An agent's conversation from which a number is about to be called: the party's key is `c.1`."""
    now = wall_s()
    call = Call("c", "by_hand", "manual", "+8613900000001", "", 1, "1", now, 30.0, agent_id=AGENT)
    s.tenant.floor.team.set_state(AGENT, "available", "", now)
    s.tenant.trunks.take(1)
    s.tenant.floor.place(call, now)
    s.tenant.floor.sip(p.LegTrying("c", now, p.Dialog("c", 1, "x", "early", {})), now)
    s.tenant.floor.sip(p.LegAnswered("c", now, SDP, p.Dialog("c", 1, "x", "confirmed", {})), now)
    s.engine.apply(s.tenant)
    s.tenant.floor.transfer(AGENT, TO_NUMBER, True, now)
    s.engine.apply(s.tenant)
    return call


def invites(s: SimpleNamespace) -> list[str]:
    """Legs that were called, in order."""
    return [arguments[0] for name, arguments in s.sip.told if name == "originate" and arguments[0] != "c"]


async def until(holds: Callable[[], Any]) -> None:
    """Wait for it, bounded by the scene."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come")


def ended(leg: str, cause: p.Cause) -> p.LegEnded:
    """The end of a leg."""
    return p.LegEnded(leg, wall_s(), cause, 503)


def test_a_trunk_that_fails_hands_the_third_number_to_the_next_and_every_channel_comes_back(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        s.inbox.settle(s.tenant, "trunk", 3, {**TRUNK, "name": "South", "priority": 9})
        call = consulting(s)
        await until(lambda: invites(s) == ["c.1"])
        assert s.tenant.trunks.in_use(1) == 2, "the customer's channel and the third number's"
        s.engine.on_sip(ended("c.1", p.Cause.CONGESTION))
        await until(lambda: invites(s) == ["c.1", "c.1~1"])
        assert call.parties["c.1"].state == "ringing", "the agent is told nothing of it"
        assert (s.tenant.trunks.in_use(1), s.tenant.trunks.in_use(3)) == (1, 1)
        s.engine.on_sip(p.LegAnswered("c.1~1", wall_s(), SDP, p.Dialog("c.1~1", 3, "y", "confirmed", {})))
        assert call.parties["c.1"].state == "talking"
        s.engine.on_sip(ended("c.1", p.Cause.NORMAL))
        assert "c.1" in call.parties, "a late word of the first try"
        s.engine.on_sip(ended("c.1~1", p.Cause.NORMAL))
        assert not call.parties and s.tenant.trunks.in_use(3) == 0 and s.tenant.trunks.in_use(1) == 1

    scene(story)


def test_without_any_line_the_agent_is_told_and_has_the_customer_again(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        call = consulting(s)
        await until(lambda: invites(s))
        s.engine.on_sip(ended("c.1", p.Cause.UNREACHABLE))
        await until(lambda: not call.parties)
        assert s.tenant.floor.team.agents[AGENT].call.notice["code"] == "party_no_line"
        s.tenant.trunks.set_health(1, False)
        s.tenant.floor.transfer(AGENT, TO_NUMBER, True, wall_s())
        s.engine.apply(s.tenant)
        await until(lambda: not call.parties)
        assert invites(s) == ["c.1"], "nothing was called"
        assert s.tenant.trunks.in_use(1) == 1, "the customer's own"

    scene(story)


def test_a_number_that_is_not_wanted_any_more_is_not_called_and_one_that_rings_is_cancelled(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        call = consulting(s)
        s.tenant.floor.drop_party(AGENT, "c.1", wall_s())
        s.engine.apply(s.tenant)
        await asyncio.sleep(0.2)
        assert invites(s) == [] and s.tenant.trunks.in_use(1) == 1
        s.tenant.floor.transfer(AGENT, TO_NUMBER, True, wall_s())
        s.engine.apply(s.tenant)
        await until(lambda: invites(s) == ["c.2"])
        s.engine.on_sip(ended("c", p.Cause.NORMAL))  # the customer hangs up
        assert ("hangup", ("c.2",)) in s.sip.told and not s.tenant.floor.calls
        assert s.tenant.trunks.in_use(1) == 1, "the third leg's, until its end is told"
        s.engine.on_sip(ended("c.2", p.Cause.CANCELLED))
        assert s.tenant.trunks.in_use(1) == 0
        assert call.call_id not in s.tenant.floor.calls

    scene(story)


def test_a_telephone_that_is_busy_or_gone_leaves_its_agent_without_a_phone_and_no_channel_taken(scene: Scene) -> None:
    async def story(s: SimpleNamespace) -> None:
        agent = s.tenant.floor.team.agents[AGENT]
        await s.engine.desk_phones.choose(s.tenant, AGENT, "number", NUMBER)
        [leg] = invites(s)
        assert leg.startswith(f"phone.{TENANT}.{AGENT}.") and agent.phone.state == "connecting"
        assert agent.device == "number" and s.tenant.trunks.in_use(1) == 1
        s.engine.on_sip(ended(leg, p.Cause.BUSY))
        assert agent.phone.state == "off" and s.tenant.trunks.in_use(1) == 0
        await s.engine.desk_phones.choose(s.tenant, AGENT, "number", NUMBER)
        again = invites(s)[-1]
        s.engine.on_sip(p.LegAnswered(again, wall_s(), SDP, p.Dialog(again, 1, "y", "confirmed", {})))
        assert agent.phone.state == "connected" and agent.phone_leg is not None
        s.engine.on_edge(p.EdgeEvent(wall_s(), f"{TENANT}-{AGENT}", p.EdgeState.CLOSED))
        assert agent.phone.state == "connected", "the browser's session that it replaced"
        await s.engine.desk_phones.choose(s.tenant, AGENT, "browser", "")
        assert ("hangup", (again,)) in s.sip.told and agent.device == "browser" and agent.phone.state == "off"
        s.engine.on_sip(ended(again, p.Cause.NORMAL))
        assert s.tenant.trunks.in_use(1) == 0
        s.tenant.trunks.set_health(1, False)
        with pytest.raises(Unavailable):
            await s.engine.desk_phones.choose(s.tenant, AGENT, "number", NUMBER)

    scene(story)
