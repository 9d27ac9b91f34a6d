"""The relay: nothing stays behind a message that nobody can carry, and nothing goes that was not written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from sqlalchemy import func, select, text

from callcenter.db.outbox import OutboxRow, tell
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.processes import relay
from callcenter.tenancy.actions import open_enterprise


@pytest.fixture
def tenant(database: object, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        made = open_enterprise(session, "first", "First", "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
    while relay.carry():
        pass
    yield made


def say(tenant: int, *bodies: dict[str, Any]) -> None:
    with tenant_session(tenant) as session:
        for body in bodies:
            tell(session, "live", **body)
            session.flush()


def left() -> int:
    with platform_session() as session:
        return session.scalar(select(func.count()).select_from(OutboxRow)) or 0


@pytest.mark.promise("P4")
def test_a_message_that_nobody_can_carry_is_dropped_and_the_next_one_goes(
    tenant: int, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = streams.publish

    def strange(tenant: int, topic: str, payload: Any) -> None:
        if topic == "strange":
            raise AttributeError("of a kind that nobody thought of")
        publish(tenant, topic, payload)

    monkeypatch.setattr(streams, "publish", strange)
    say(tenant, {"topic": "strange", "payload": 1}, {"topic": "good", "payload": 2})
    assert relay.carry() == 2
    assert left() == 0
    assert redis_client.hget(streams.live_key(tenant), "good") == b"2"


@pytest.mark.promise("P4")
@pytest.mark.parametrize("error", [redis.ConnectionError("away"), OSError("away")])
def test_what_could_not_be_written_is_kept(tenant: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def away(*_: Any) -> None:
        raise error

    monkeypatch.setattr(streams, "publish", away)
    say(tenant, {"topic": "x", "payload": 1})
    with pytest.raises(type(error)):
        relay.carry()
    assert left() == 1


def test_one_enterprise_with_an_impossible_setting_does_not_hold_up_the_others(
    tenant: int, redis_client: redis.Redis
) -> None:
    with platform_session() as session:
        other = open_enterprise(session, "second", "Second", "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
        session.execute(
            text("UPDATE enterprise SET time_zone = 'Nowhere/At-all', valid_until = '2031-01-01' WHERE id = :i"),
            {"i": tenant},
        )
    redis_client.flushall()
    relay.synchronise()
    assert redis_client.hexists(streams.settings_key(other), f"enterprise:{other}")
