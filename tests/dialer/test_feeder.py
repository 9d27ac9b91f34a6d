"""What goes into a hopper, in which order, and what comes back out of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import text

from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.processes.scheduler import Scheduler
from callcenter.tenancy.actions import open_enterprise
from crm.models import Callback, Lead, LeadList
from dialer import feeder, hopper
from dialer.feeder import Feeder
from dialer.models import Campaign


class World:
    """An enterprise with a running campaign and a list of it; no rules of hours."""

    def __init__(self, connection: redis.Redis) -> None:
        self.redis = connection
        with platform_session() as session:
            self.tenant = open_enterprise(session, "first", "First", "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
        with tenant_session(self.tenant) as session:
            session.execute(text("UPDATE rule_set SET windows = '[]'"))
            agent = User(username="ann", name="Ann", password_hash="", locale="en")
            campaign = Campaign(name="c", state="running")
            session.add_all([agent, campaign])
            session.flush()
            self.agent, self.campaign = agent.id, campaign.id
        self.list = self.add_list()
        self.feeder = Feeder(connection)

    def add_list(self, name: str = "l") -> int:
        with tenant_session(self.tenant) as session:
            found = LeadList(name=name, country="CN", campaign_id=self.campaign)
            session.add(found)
            session.flush()
            return found.id

    def lead(self, n: int, **values: Any) -> int:
        with tenant_session(self.tenant) as session:
            row = Lead(**{"list_id": self.list, "phone_e164": f"+861380000{n:04d}", **values})
            session.add(row)
            session.flush()
            return row.id

    def promise(self, lead: int, user: int | None, **values: Any) -> None:
        with tenant_session(self.tenant) as session:
            due = utc_now() - timedelta(minutes=1)
            session.add(Callback(**{"lead_id": lead, "user_id": user, "due_at": due, "state": "open", **values}))

    def feed(self) -> list[int]:
        """Fill; the hopper in order."""
        self.feeder.feed(self.tenant, self.campaign)
        ids: Any = self.redis.zrange(hopper.hopper_key(self.tenant, self.campaign), 0, -1)
        return [int(i) for i in ids]

    def status(self, lead: int) -> str:
        with tenant_session(self.tenant) as session:
            return session.get_one(Lead, lead).status


@pytest.fixture
def world(database: object, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(streams, "_client", None)
    yield World(redis_client)


@pytest.mark.promise("D9")
def test_order_is_exact_for_every_status_priority_and_age(redis_client: redis.Redis) -> None:
    now = utc_now()
    wanted = [
        ("callback", 1000, now, 9),
        ("callback", -1000, now - timedelta(days=3), 1),
        ("callback", -1000, now, 1),
        ("new", 1000, None, 8),
        ("new", 999, None, 1),
        ("new", 0, None, 9),
        ("new", 0, None, 10),
        ("new", 0, None, 3_000_000_000),
        ("new", 0, None, 3_000_000_001),
        ("new", 0, now, 2),
        ("retry", 1000, now, 3),
        ("retry", 0, now, 4),
        ("retry", 0, now + timedelta(seconds=1), 2),
        ("retry", -1000, now, 2),
    ]
    places = {f"{i}": float(feeder.order(*lead)) for i, lead in enumerate(wanted)}
    shuffled = random.Random(1).sample(list(places.items()), len(places))
    redis_client.zadd("h", dict(shuffled))
    assert redis_client.zrange("h", 0, -1) == [str(i).encode() for i in range(len(wanted))]


@pytest.mark.promise("D9")
def test_callbacks_go_first_then_new_by_priority_then_those_to_try_again(world: World) -> None:
    past = utc_now() - timedelta(hours=1)
    again = world.lead(1, status="retry", next_at=past, priority=1000)
    plain, high = world.lead(2), world.lead(3, priority=1000)
    promised = world.lead(4, status="callback", next_at=past, priority=-1000)
    world.promise(promised, None)
    later = world.lead(5, status="retry", next_at=utc_now() + timedelta(hours=1))
    assert world.feed() == [promised, high, plain, again]
    assert world.status(later) == "retry"


@pytest.mark.promise("D8")
def test_a_call_promised_in_person_is_not_dialed_for_anybody_else(world: World) -> None:
    past = utc_now() - timedelta(hours=1)
    mine = world.lead(1, status="callback", next_at=past)
    world.promise(mine, world.agent)
    anyones = world.lead(2, status="callback", next_at=past)
    world.promise(anyones, None)
    assert world.feed() == [anyones]
    assert world.status(mine) == "callback"


@pytest.mark.promise("D8")
def test_a_call_promised_by_somebody_who_is_gone_is_anybodys(world: World) -> None:
    lead = world.lead(1, status="callback", next_at=utc_now() - timedelta(hours=1))
    world.promise(lead, world.agent)
    with tenant_session(world.tenant) as session:
        session.execute(text("UPDATE user_account SET enabled = false WHERE id = :i"), {"i": world.agent})
    assert world.feed() == [lead]


def test_the_leads_of_a_list_that_is_taken_away_leave_the_hopper(world: World) -> None:
    first = world.lead(1)
    other = world.add_list("other")
    second = world.lead(2, list_id=other)
    assert world.feed() == [first, second]
    with tenant_session(world.tenant) as session:
        session.execute(text("UPDATE lead_list SET enabled = false WHERE id = :i"), {"i": other})
    assert world.feed() == [first]
    assert (world.status(first), world.status(second)) == ("in_progress", "new")


def test_a_campaign_that_can_not_be_fed_does_not_starve_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = world.lead(1)
    with tenant_session(world.tenant) as session:
        session.add(Campaign(name="broken", state="running"))
    feed = Feeder.feed

    def broken(self: Feeder, tenant: int, campaign: int) -> int:
        if campaign != world.campaign:
            raise ValueError("a time zone that nobody knows")
        return feed(self, tenant, campaign)

    monkeypatch.setattr(Feeder, "feed", broken)
    monkeypatch.setattr(Feeder, "_figures", lambda *_: None)
    world.feeder.turn()
    assert world.status(lead) == "in_progress"


@pytest.mark.promise("P4")
def test_leads_in_the_hopper_of_a_deleted_campaign_come_back(world: World) -> None:
    lead, promised = world.lead(1), world.lead(2, status="callback", next_at=utc_now() - timedelta(hours=1))
    world.promise(promised, None)
    assert world.feed() == [promised, lead]
    with tenant_session(world.tenant) as session:
        session.execute(text("DELETE FROM campaign"))
    scheduler = Scheduler()
    for _ in range(4):
        scheduler.reconcile()
    assert (world.status(lead), world.status(promised)) == ("new", "callback")
    assert not world.redis.exists(hopper.leads_key(world.tenant), hopper.hopper_key(world.tenant, world.campaign))


@pytest.mark.promise("P4")
def test_leads_that_are_ready_in_a_hopper_are_left_there(world: World) -> None:
    lead = world.lead(1)
    world.feed()
    scheduler = Scheduler()
    for _ in range(4):
        scheduler.reconcile()
    assert world.status(lead) == "in_progress"
    assert world.feed() == [lead]


def test_a_campaign_dialed_by_hand_holds_no_leads(world: World) -> None:
    lead = world.lead(1)
    assert world.feed() == [lead]
    with tenant_session(world.tenant) as session:
        session.execute(text("UPDATE campaign SET mode = 'manual'"))
    world.feeder.turn()
    assert world.status(lead) == "new"
