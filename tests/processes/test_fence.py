"""Two engines of one id: one works, whoever was paused meanwhile ends at its first step."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio as aioredis

from callcenter.calls.facts import CallWrappedUp
from callcenter.embedded.services import Valkey
from callcenter.events import streams
from callcenter.events.envelope import FACTS
from callcenter.processes.engine import fence as fences
from callcenter.processes.engine.fence import EXIT_STALE, Fence, Fenced
from callcenter.processes.engine.journal import Journal, calls_key
from dialer import hopper

pytestmark = [pytest.mark.usefixtures("redis_client"), pytest.mark.promise("P4")]
ENGINE = "engine-t"


@asynccontextmanager
async def engines(url: str, *holders: str) -> AsyncIterator[list[SimpleNamespace]]:
    """Fence and journal of several processes; `stopped` says that one would have ended."""
    out = []
    for holder in holders:
        connection = aioredis.Redis.from_url(url)
        fence = Fence(connection, ENGINE, url)
        fence.holder = holder
        one = SimpleNamespace(redis=connection, fence=fence, journal=Journal(fence), stopped=False)
        fence.on_stale = lambda one=one: setattr(one, "stopped", True)
        out.append(one)
    try:
        yield out
    finally:
        for one in out:
            await one.redis.aclose()


def fact(call: str) -> Any:
    return FACTS.pack(CallWrappedUp(call, 1, 5.0), tenant=1, at=5.0, call=call)


def test_who_lost_the_lease_writes_no_fact_saves_no_call_and_takes_no_lead(valkey: Valkey) -> None:
    async def story() -> None:
        async with engines(valkey.url, "elsewhere 1", "elsewhere 2") as (first, second):
            await first.fence.take()
            first.journal.fact(fact("c1"))
            await first.journal.drain()
            await first.redis.delete(first.fence.lease_key)  # it stood still, and its lease has lapsed
            await second.fence.take()
            assert second.fence.epoch > first.fence.epoch
            second.journal.fact(fact("c2"))
            await second.journal.drain()

            first.journal.fact(fact("c1"))
            first.journal.call(1, "c1", {"a": 1})
            with pytest.raises(Fenced):
                await first.journal.drain()
            assert first.stopped and await first.redis.xlen(streams.FACTS_STREAM) == 2
            assert not await first.redis.hexists(calls_key(1), "c1")

            entry = b'{"lead_id": 7, "phone": "+8613800000007"}'
            keys = [hopper.hopper_key(1, 2), hopper.leads_key(1), hopper.flight_key(1), "b", "t:"]
            await first.redis.zadd(keys[0], {"7": 1})
            await first.redis.hset(keys[1], "7", entry)
            with pytest.raises(Fenced):
                await first.fence.script(hopper.POP)(keys=keys, args=[1, 5, ENGINE])
            assert await first.redis.zcard(keys[0]) == 1
            taken = await second.fence.script(hopper.POP)(keys=keys, args=[1, 5, ENGINE])
            assert taken[0] == entry and not second.stopped

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_living_engine_keeps_its_place_and_a_clean_end_gives_it_at_once(valkey: Valkey) -> None:
    async def story() -> None:
        async with engines(valkey.url, "elsewhere 1", "elsewhere 2") as (first, second):
            await first.fence.take()
            waiting = asyncio.ensure_future(second.fence.take())
            await asyncio.sleep(0.4)
            assert not waiting.done()
            await first.fence.let_go()
            await asyncio.wait_for(waiting, 2)
            first.journal.fact(fact("c1"))
            with pytest.raises(Fenced):
                await first.journal.drain()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_process_that_stood_still_asks_before_it_does_anything(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with engines(valkey.url, "elsewhere 1", "elsewhere 2") as (first, second):
            await first.fence.take()
            clock = fences.monotonic_s()
            monkeypatch.setattr(fences, "monotonic_s", lambda: clock + 60)
            first.fence.check()
            assert not first.stopped, "nobody has come in its place"
            await first.redis.delete(first.fence.lease_key)
            await second.fence.take()
            monkeypatch.setattr(fences, "monotonic_s", lambda: clock + 120)
            with pytest.raises(Fenced):
                first.fence.check()
            second.fence.check()
            assert not second.stopped

    asyncio.run(asyncio.wait_for(story(), 20))


def test_facts_and_refused_writes_are_as_before(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with engines(valkey.url, "elsewhere 1") as (one,):
            await one.fence.take()
            await one.redis.set("calls:9", "no hash")
            one.journal.call(9, "c", {"a": 1})
            one.journal.placed(1, 7, "c", "+86138", "{}", 1000.0)
            one.journal.answer("cmd", {"ok": 1})
            one.journal.fact(fact("c"))
            await one.journal.drain()
            assert await one.redis.zscore(hopper.tries_key(1, "+86138"), "c") == 1000.0
            assert 0 < await one.redis.ttl(streams.reply_key("cmd")) <= streams.REPLY_EXPIRES_S
            assert await one.redis.xlen(streams.FACTS_STREAM) == 1
            assert await one.redis.hexists(hopper.flight_key(1), "7")

    asyncio.run(asyncio.wait_for(story(), 20))
    assert "redis refused a write" in caplog.text


# An engine's fence and journal in a process of their own: a fact each time it is told to by a line.
_CHILD = """
import asyncio, sys
import redis.asyncio as aioredis
from callcenter.calls.facts import CallWrappedUp
from callcenter.events.envelope import FACTS
from callcenter.processes.engine.fence import Fence
from callcenter.processes.engine.journal import Journal

async def main():
    fence = Fence(aioredis.Redis.from_url(sys.argv[1]), "engine-t", sys.argv[1])
    fence.holder = "elsewhere " + sys.argv[2]  # as from another host: only its lease says that it lives
    await fence.take()
    journal = Journal(fence)
    tasks = [asyncio.create_task(fence.run()), asyncio.create_task(journal.run())]
    print("holds", flush=True)
    n = 0
    while True:
        n += 1
        journal.fact(FACTS.pack(CallWrappedUp(sys.argv[2], n, 5.0), tenant=1, at=5.0, call=sys.argv[2]))
        await journal.durable()
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


def test_an_engine_that_is_stopped_longer_than_its_lease_and_goes_on_ends_without_a_fact(
    valkey: Valkey, tmp_path: Path
) -> None:
    program = tmp_path / "child.py"
    program.write_text(textwrap.dedent(_CHILD))
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    children: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(program), valkey.url, name], env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        children.append(child)
        return child

    async def told() -> list[str]:
        async with aioredis.Redis.from_url(valkey.url) as connection:
            return [e[1][b"e"].decode() for e in await connection.xrange(streams.FACTS_STREAM)]

    try:
        first = start("first")
        assert first.stdout is not None and first.stdout.readline() == "holds\n"
        first.send_signal(signal.SIGSTOP)
        second = start("second")
        assert second.stdout is not None and second.stdout.readline() == "holds\n"  # the lease had to lapse
        before = sum('"first"' in raw for raw in asyncio.run(told()))
        first.send_signal(signal.SIGCONT)
        assert first.wait(10) == EXIT_STALE
        facts = asyncio.run(told())
        assert sum('"first"' in raw for raw in facts) == before, "not one fact of the stale one"
        assert any('"second"' in raw for raw in facts) and second.poll() is None
    finally:
        for child in children:
            child.kill()
            child.wait(5)
