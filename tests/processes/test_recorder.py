"""The recorder folds hundreds of facts together; what comes out is what one after the other would have made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from sqlalchemy import select, text

from callcenter import wire
from callcenter.auth.models import User
from callcenter.calls import facts as f
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.events.envelope import FACTS, Envelope
from callcenter.processes import recorder
from callcenter.tenancy.actions import open_enterprise
from crm.models import Disposition, Lead, LeadList
from dialer.actions import defaults
from dialer.models import Campaign

START = 1_790_000_000.0
LEADS = 12
RECYCLING = {"busy": {"after_s": 60, "tries": 3}}


class World:
    """One enterprise with leads, an agent and a campaign; `ids` by name."""

    def __init__(self, code: str) -> None:
        assert defaults.DISPOSITIONS  # its import makes a new enterprise have them
        with platform_session() as session:
            self.tenant = open_enterprise(session, code, code, "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
        with tenant_session(self.tenant) as session:
            agents = [User(username=f"agent{i}", name=f"Agent {i}", password_hash="", locale="en") for i in range(2)]
            campaign = Campaign(name="c", recycling=RECYCLING)
            leads = LeadList(name="l", country="CN")
            session.add_all([*agents, campaign, leads])
            session.flush()
            rows = [
                Lead(list_id=leads.id, phone_e164=f"+86138000000{i:02d}", status="in_progress") for i in range(LEADS)
            ]
            session.add_all(rows)
            session.flush()
            self.campaign, self.agents, self.leads = campaign.id, [a.id for a in agents], [r.id for r in rows]
            dispositions = session.execute(select(Disposition.code, Disposition.id)).all()
            self.dispositions = sorted((code, id_) for code, id_ in dispositions)

    def shift(self, seed: int) -> list[Envelope]:
        """A random shift: leads dialed again and again, talks with outcomes before and after the end."""
        rng, out, now = random.Random(seed), [], START
        for n in range(40):
            lead, call, agent = rng.randrange(LEADS), f"{self.tenant}-{n:03d}", rng.choice(self.agents)
            outcome = rng.choice(["busy", "no_answer", "invalid", "connected", "connected", "abandoned"])
            common = (call, "power", f"+86138000000{lead:02d}", "", None, self.campaign, self.leads[lead], None)
            connected = outcome == "connected"
            facts: list[tuple[float, object]] = [(now, f.CallStarted(*common, None, now))]
            answered = now + 2 if outcome in ("connected", "abandoned") else None
            if connected:
                facts += [
                    (now + 2, f.CallConnected(call, agent, now + 2, 5)),
                    (now + 2, f.RecordingStarted(f"r{call}", call, f"live/{n}.wav", now + 2)),
                    (now + 2, f.AgentStateChanged(agent, "on_call", "", call, now + 2)),
                ]
            ended = f.CallEnded(
                *common, agent if connected else None, now, now + 1, answered, answered if connected else None, now + 9,
                outcome, "normal", 200, "customer", 5 if connected else None, 0.0,
            )  # fmt: skip
            after: list[tuple[float, object]] = [(now + 9, ended)]
            if connected:
                _, disposition = rng.choice(self.dispositions)
                later = now + 4000 if rng.random() < 0.3 else None
                done = f.CallDispositioned(
                    call, agent, self.campaign, self.leads[lead], None, common[2], disposition, "note", later, True
                )
                after.append((now + 9, f.AgentStateChanged(agent, "wrap_up", "", call, now + 9)))
                after.append((now + 9.5, f.RecordingClosed(f"r{call}", call, 7.0, 100)))
                after.append((now + 11, done))
                after.append((now + 11, f.CallWrappedUp(call, agent, now + 11)))
            out += [FACTS.pack(fact, tenant=self.tenant, at=at, call=call) for at, fact in facts + after]
            now += rng.choice([1.0, 12.0, 70.0])
        return out

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the tables say of it, with ids replaced by places."""
        queries = {
            "call": "SELECT substr(id, strpos(id, '-')), outcome, cause, agent_id - :a, lead_id - :l, talk_s, note, "
            "ended_at, wrap_ended_at, customer_id IS NULL, disposition_id - :d FROM call ORDER BY 1",
            "lead": "SELECT id - :l, status, attempts, next_at, last_attempt_at, last_outcome, "
            "last_disposition_id - :d FROM lead ORDER BY 1",
            "lead_attempt": "SELECT substr(call_id, strpos(call_id, '-')), lead_id - :l, outcome, counted, "
            "disposition_id - :d FROM lead_attempt ORDER BY 1",
            "callback": "SELECT lead_id - :l, due_at, state FROM callback ORDER BY 1, 2",
            "agent_state": "SELECT user_id - :a, state, started_at, ended_at FROM agent_state ORDER BY 1, 3",
            "call_talk": "SELECT user_id - :a, role, began_at, ended_at, talk_s FROM call_talk ORDER BY 1, 3",
            "recording": "SELECT path, state, seconds FROM recording ORDER BY 1",
            "campaign_day": "SELECT day, placed, answered, connected, abandoned FROM campaign_day ORDER BY 1",
            "customer": "SELECT phones FROM customer ORDER BY 1",
        }
        first = {"a": self.agents[0], "l": self.leads[0], "d": min(i for _, i in self.dispositions)}
        with tenant_session(self.tenant) as session:
            return {
                name: [tuple(r) for r in session.execute(text(q), {k: v for k, v in first.items() if f":{k}" in q})]
                for name, q in queries.items()
            }


@pytest.fixture
def connection(database: object, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(streams, "_client", None)
    redis_client.xgroup_create(streams.FACTS_STREAM, streams.RECORDER_GROUP, id="0", mkstream=True)
    yield redis_client


def entries(envelopes: list[Envelope]) -> list[tuple[bytes, dict[bytes, bytes]]]:
    return [(b"0-1", {b"e": wire.to_json(e)}) for e in envelopes]


@pytest.mark.promise("R3")
@pytest.mark.parametrize("seed", range(4))
def test_a_batch_makes_what_its_facts_make_one_by_one(connection: redis.Redis, seed: int) -> None:
    alone, together = World("alone"), World("together")
    for envelope in alone.shift(seed):
        recorder.record(entries([envelope]))
    recorder.record(entries(together.shift(seed)))
    assert together.rows() == alone.rows()
    assert not connection.xlen(recorder.FAILED_STREAM)


@pytest.mark.promise("P4")
def test_a_batch_that_comes_again_changes_nothing(connection: redis.Redis) -> None:
    world = World("again")
    facts = world.shift(7)
    recorder.record(entries(facts))
    before = world.rows()
    recorder.record(entries(facts))
    assert world.rows() == before


def test_facts_of_a_deleted_lead_do_not_hold_up_the_rest(connection: redis.Redis) -> None:
    world = World("gone")
    facts = world.shift(3)
    with tenant_session(world.tenant) as session:
        session.execute(text("DELETE FROM lead WHERE id = :i"), {"i": world.leads[0]})
    recorder.record(entries(facts))
    assert len(world.rows()["call"]) == 40
    assert not connection.xlen(recorder.FAILED_STREAM)


@pytest.mark.promise("P4")
def test_a_fact_that_lies_twice_in_one_batch_counts_once(connection: redis.Redis) -> None:
    once, twice = World("once"), World("twice")
    recorder.record(entries(once.shift(5)))
    recorder.record(entries([e for fact in twice.shift(5) for e in (fact, fact)]))
    assert twice.rows() == once.rows()


@pytest.mark.promise("R3")
def test_a_second_end_of_a_call_is_not_counted_again(connection: redis.Redis) -> None:
    world = World("slow")
    facts = world.shift(6)
    recorder.record(entries(facts))
    before = world.rows()
    ends = [e for e in facts if e.type == "call.ended"]
    again = [FACTS.pack(FACTS.unpack(e), tenant=e.tenant, at=e.at + 60, call=e.call) for e in ends]
    recorder.record(entries(again))
    after = world.rows()
    assert after["campaign_day"] == before["campaign_day"]
    assert after["lead_attempt"] == before["lead_attempt"]


@pytest.mark.promise("P4")
def test_facts_of_an_enterprise_that_is_gone_hold_nobody_up(connection: redis.Redis) -> None:
    world = World("stays")
    stray = FACTS.pack(f.CallWrappedUp("none", 1, START), tenant=999_999, at=START, call="none")
    recorder.record(entries([stray, *world.shift(3)]))
    assert len(world.rows()["call"]) == 40
    assert connection.xlen(recorder.FAILED_STREAM) == 1


@pytest.mark.promise("P4")
def test_the_stream_lets_go_of_what_is_folded_and_of_nothing_else(
    connection: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World("trim")
    for n in range(3):
        for fact in world.shift(n):
            connection.xadd(streams.FACTS_STREAM, {"e": wire.to_json(fact)})
    read: Any = connection.xreadgroup(
        streams.RECORDER_GROUP, recorder.CONSUMER, {streams.FACTS_STREAM: ">"}, count=recorder.BATCH
    )
    [(_, first)] = read
    total: Any = connection.xlen(streams.FACTS_STREAM)
    recorder.trim()
    assert connection.xlen(streams.FACTS_STREAM) == total  # read, not folded
    recorder.record(first)
    recorder.trim()
    kept: Any = connection.xlen(streams.FACTS_STREAM)
    assert total - len(first) <= kept < total


def test_a_promise_is_kept_by_the_call_in_which_the_next_outcome_was_set_early(connection: redis.Redis) -> None:
    world = World("kept")
    callback = dict(world.dispositions)["callback"]
    lead, phone = world.leads[0], "+8613800000000"

    def call(name: str, at: float, later: float | None) -> list[Envelope]:
        common = (name, "power", phone, "", None, world.campaign, lead, None)
        facts: list[tuple[float, object]] = [
            (at, f.CallStarted(*common, None, at)),
            (at + 1, f.CallConnected(name, world.agents[0], at + 1, 5)),
            (
                at + 2,
                f.CallDispositioned(
                    name, world.agents[0], world.campaign, lead, None, phone, callback, "", later, True
                ),
            ),
            (
                at + 9,
                f.CallEnded(
                    *common, world.agents[0], at, at, at + 1, at + 1, at + 9, "connected", "normal", 200, "customer",
                    5, 0.0,
                ),
            ),
        ]  # fmt: skip
        return [FACTS.pack(fact, tenant=world.tenant, at=when, call=name) for when, fact in facts]

    recorder.record(entries(call("a", START, START + 100)))
    recorder.record(entries(call("b", START + 200, START + 900)))
    assert [state for _, _, state in world.rows()["callback"]] == ["done", "open"]
    [status] = [r[1] for r in world.rows()["lead"] if r[0] == 0]
    assert status == "callback"


@pytest.mark.promise("D8")
def test_a_promised_lead_that_was_taken_and_not_dialed_is_promised_again(connection: redis.Redis) -> None:
    world = World("again")
    with tenant_session(world.tenant) as session:
        session.execute(
            text("INSERT INTO callback (tenant_id, lead_id, due_at, state) VALUES (:t, :l, now(), 'open')"),
            {"t": world.tenant, "l": world.leads[0]},
        )
    back = [FACTS.pack(f.LeadReturned(i, world.campaign, "x"), tenant=world.tenant, at=START) for i in world.leads[:2]]
    recorder.record(entries(back))
    assert [r[1] for r in world.rows()["lead"][:2]] == ["callback", "new"]


def _talk(world: World, *, outcome: bool = False, owed: bool = True, agent: int = 0) -> list[Envelope]:
    """A conversation of lead 0 whose agent leaves the wrap-up; `agent` is who does."""
    common = ("c1", "power", "+8613800000000", "", None, world.campaign, world.leads[0], None)
    one, other = world.agents[0], world.agents[agent]
    ended = f.CallEnded(
        *common, one, START, START + 1, START + 2, START + 2, START + 9, "connected", "normal", 200, "customer", 5, 0.0
    )
    told: list[tuple[float, object]] = [
        (START, f.CallStarted(*common, None, START)),
        (START + 2, f.CallConnected("c1", one, START + 2, 5)),
        (START + 9, ended),
    ]
    if outcome:
        given = f.CallDispositioned(
            "c1", one, world.campaign, world.leads[0], None, common[2], dict(world.dispositions)["sale"], "", None, True
        )
        told.append((START + 10, given))
    told.append((START + 30, f.CallWrappedUp("c1", other, START + 30, owed)))
    return [FACTS.pack(fact, tenant=world.tenant, at=at, call="c1") for at, fact in told]


def _outcome(world: World) -> tuple[str | None, str, Any]:
    with tenant_session(world.tenant) as session:
        code = session.scalar(text("SELECT d.code FROM call c LEFT JOIN disposition d ON d.id = c.disposition_id"))
        lead = session.get_one(Lead, world.leads[0])
        return code, lead.status, lead.next_at


@pytest.mark.promise("D7", "L3")
def test_an_outcome_that_is_owed_and_not_given_is_stored_and_brings_the_lead_back(connection: redis.Redis) -> None:
    world = World("owed")
    facts = _talk(world)
    for envelope in (*facts, facts[-1]):  # at least once
        recorder.record(entries([envelope]))
    code, status, next_at = _outcome(world)
    assert (code, status) == ("no_outcome", "retry")
    assert next_at.timestamp() == START + 30 + 4 * 3600, "by its own rule"


def test_a_given_outcome_or_one_of_the_next_agent_is_not_replaced(connection: redis.Redis) -> None:
    for name, facts, code in (
        ("given", {"outcome": True}, "sale"),
        ("free", {"owed": False}, None),
        ("another", {"agent": 1}, None),
    ):
        world = World(name)
        for envelope in _talk(world, **facts):
            recorder.record(entries([envelope]))
        assert _outcome(world)[0] == code, name


def test_an_enterprise_can_do_without_the_outcome_that_is_stored_for_agents(connection: redis.Redis) -> None:
    world = World("without")
    with tenant_session(world.tenant) as session:
        session.execute(text("UPDATE disposition SET enabled = false WHERE system"))
    recorder.record(entries(_talk(world)))
    assert _outcome(world)[:2] == (None, "finished")
