"""The engine learns who calls within milliseconds, and goes on without when nobody answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
import redis
import redis.asyncio as aioredis

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.db.session import platform_session, tenant_session
from callcenter.embedded.services import Valkey
from callcenter.events import streams
from callcenter.numbers import asking
from callcenter.numbers.caller import Caller
from callcenter.processes import lookups
from callcenter.tenancy.models import Enterprise
from crm.models import Customer

NUMBER = "+8613812345678"


@pytest.fixture
def tenant(database: object, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    monkeypatch.setattr(lookups, "_countries", {})
    with platform_session() as s:
        enterprise = Enterprise(code="acme", name="Acme")
        s.add(enterprise)
        s.flush()
        tenant = enterprise.id
    with tenant_session(tenant) as s:
        s.add(Customer(name="Lin Mei", phones=[NUMBER]))
    return tenant


@pytest.fixture
def service(tenant: int) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lookups.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def ask(valkey: Valkey, *numbers: str, tenant: int = 1, timeout_s: float = 3.0) -> list[tuple[Caller | None, float]]:
    """Ask for all of `numbers` at once; the answers and how long each took."""

    async def timed(client: aioredis.Redis, number: str) -> tuple[Caller | None, float]:
        began = time.monotonic()
        return await asking.ask_caller(client, tenant, number, timeout_s), time.monotonic() - began

    async def run() -> list[tuple[Caller | None, float]]:
        client = aioredis.Redis.from_url(valkey.url)
        try:
            return list(await asyncio.gather(*(timed(client, n) for n in numbers)))
        finally:
            await client.aclose()

    return asyncio.run(run())


@pytest.mark.promise("I5")
@pytest.mark.usefixtures("service")
def test_many_callers_at_once_are_each_told_who_they_are(tenant: int, valkey: Valkey) -> None:
    numbers = [NUMBER, "02155550100", "anonymous"] * 10
    found = ask(valkey, *numbers, tenant=tenant)
    names = [c.matches[0].name if c is not None and c.matches else "" for c, _ in found]
    assert names == ["Lin Mei", "", ""] * 10
    assert [c.number for c, _ in found if c is not None] == [NUMBER, "+862155550100", ""] * 10


@pytest.mark.usefixtures("service")
def test_an_enterprise_that_does_not_exist_is_answered_with_nobody(valkey: Valkey) -> None:
    ((found, _),) = ask(valkey, NUMBER, tenant=404)
    assert found is not None
    assert found.matches == ()


def test_without_an_answer_the_call_goes_on_after_the_time_it_gave(tenant: int, valkey: Valkey) -> None:
    ((found, took),) = ask(valkey, NUMBER, tenant=tenant, timeout_s=0.3)
    assert found is None
    assert 0.25 < took < 1.0


def test_requests_that_nobody_waits_for_any_more_are_dropped(tenant: int, redis_client: redis.Redis) -> None:
    for at in (wall_s() - asking.STALE_S - 1, wall_s()):
        request = asking.Lookup(f"r{at}", tenant, NUMBER, "", at)
        redis_client.rpush(asking.QUEUE, wire.to_json(request))
    redis_client.rpush(asking.QUEUE, b"no request")
    assert [lookups.serve_one(0.1) for _ in range(4)] == [True, True, True, False]
    replies = redis_client.keys("lookup:*")
    assert len(replies) == 1
    assert 0 < redis_client.ttl(replies[0]) <= asking.REPLY_EXPIRES_S


def test_requests_that_pile_up_are_bounded_and_the_newest_are_kept(
    tenant: int, valkey: Valkey, redis_client: redis.Redis
) -> None:
    redis_client.rpush(asking.QUEUE, *[b"old"] * asking.MOST_WAITING)
    ask(valkey, NUMBER, tenant=tenant, timeout_s=0.05)
    assert redis_client.llen(asking.QUEUE) == asking.MOST_WAITING
    newest = redis_client.lindex(asking.QUEUE, -1)
    assert isinstance(newest, bytes)
    assert wire.from_json(newest, asking.Lookup).number == NUMBER


def test_a_redis_that_is_away_is_an_answer_that_did_not_come() -> None:
    async def run() -> Caller | None:
        return await asking.ask_caller(aioredis.Redis(port=1, host="127.0.0.1"), 1, NUMBER, 0.1)

    assert asyncio.run(run()) is None
