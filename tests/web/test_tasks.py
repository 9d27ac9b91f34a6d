"""Tasks: made of messages and missed callers by the recorder, worked through the API, closed by a conversation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from callcenter import wire
from callcenter.acd.models import Queue, QueueMember
from callcenter.audit.models import AuditEntry
from callcenter.calls import facts as f
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.events.envelope import FACTS
from callcenter.processes import recorder
from crm.models import Customer, Task
from tests.web.conftest import Browser, add_user
from web.sockets.topics import allowed

NOW = datetime.now(UTC).timestamp()
PHONE = "+8613812345678"
_calls = itertools.count(1)


class Line:
    """Calls as the engine tells of them."""

    def __init__(self, tenant: int) -> None:
        self.tenant = tenant

    def tell(self, *facts: tuple[float, str, object]) -> None:
        envelopes = [FACTS.pack(fact, tenant=self.tenant, at=at, call=call) for at, call, fact in facts]
        recorder.record([(b"0-1", {b"e": wire.to_json(e)}) for e in envelopes])

    def missed(self, at: float, phone: str = PHONE, queue: int | None = None, outcome: str = "abandoned") -> str:
        """A caller who gave up."""
        call = f"call{next(_calls):06d}"
        self.tell((at, call, self.started(call, at, phone, "in")), self.ended(call, at, phone, outcome, queue))
        return call

    def left_message(
        self, at: float, phone: str = PHONE, user: int | None = None, queue: int | None = None, *, late: bool = False
    ) -> str:
        """A caller who left a message; `late`: told after the call's end."""
        call = f"call{next(_calls):06d}"
        recording = f"rec{call}"
        left = (at, call, f.VoicemailLeft(call, recording, phone, "+862112345678", None, user, queue, 7.5, at))
        end = self.ended(call, at, phone, "abandoned", queue)
        self.tell(
            (at, call, self.started(call, at, phone, "in")),
            (at, call, f.RecordingStarted(recording, call, f"live/{recording}.wav", at)),
        )
        self.tell(*((end, left) if late else (left, end)))
        return call

    def talked(self, at: float, agent: int, phone: str = PHONE, direction: str = "out") -> str:
        call = f"call{next(_calls):06d}"
        self.tell(
            (at, call, self.started(call, at, phone, direction)),
            (at + 1, call, f.CallConnected(call, agent, at + 1, 5)),
        )
        return call

    def started(self, call: str, at: float, phone: str, direction: str) -> f.CallStarted:
        return f.CallStarted(call, "manual", phone, "", None, None, None, None, None, at, direction, "+862112345678")

    def ended(
        self, call: str, at: float, phone: str, outcome: str, queue: int | None = None
    ) -> tuple[float, str, object]:
        fact = f.CallEnded(
            call, "inbound", phone, "", None, None, None, None, None, at - 20, None, at - 20, None, at, outcome,
            "normal", 200, "customer", None, 0.0, None, "in", "+862112345678", queue,
        )  # fmt: skip
        return (at, call, fact)


@pytest.fixture
def line(owner: Browser, enterprise: int) -> Line:
    return Line(enterprise)


@pytest.fixture
def ann(browser: Callable[[], Browser], enterprise: int, owner: Browser) -> Browser:
    """An agent, signed in; `ann.id` is in `users`."""
    add_user(enterprise, "ann", "agent")
    b = browser()
    assert b.sign_in("acme", "ann").status_code == 200
    return b


def user(tenant: int, name: str) -> int:
    with tenant_session(tenant) as db:
        return int(db.execute(text("SELECT id FROM user_account WHERE username = :n"), {"n": name}).scalar_one())


def queue(tenant: int, *members: int) -> int:
    with tenant_session(tenant) as db:
        row = Queue(name="Sales")
        db.add(row)
        db.flush()
        db.add_all(QueueMember(queue_id=row.id, user_id=m) for m in members)
        return row.id


def tasks(b: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = b.get(f"/api/tasks?{query}")
    assert answer.status_code == 200, answer.get_json()
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


@pytest.mark.promise("I6")
def test_several_missed_calls_of_one_number_are_one_task_due_in_half_an_hour(owner: Browser, line: Line) -> None:
    line.missed(NOW - 600)
    line.missed(NOW - 300)
    line.missed(NOW - 100, "+8613900000000")
    line.missed(NOW - 90, "")
    line.missed(NOW - 80, outcome="connected")
    found = {t["phone"]: t for t in tasks(owner)}
    assert set(found) == {PHONE, "+8613900000000"}
    task = found[PHONE]
    assert (task["kind"], task["count"], task["state"]) == ("missed_call", 2, "open")
    due = datetime.fromisoformat(task["due_at"]).timestamp()
    assert due == pytest.approx(NOW - 600 + 1800, abs=1)
    assert owner.get("/api/tasks/counts").get_json() == {"open": 2, "mine": 0, "mine_overdue": 0, "nobody": 2}


@pytest.mark.promise("I6")
@pytest.mark.parametrize("late", [False, True])
def test_a_message_is_one_task_with_its_sound_and_no_missed_call_beside_it(
    owner: Browser, line: Line, late: bool
) -> None:
    line.missed(NOW - 900)
    call = line.left_message(NOW - 60, late=late)
    found = {t["kind"]: t for t in tasks(owner)}
    assert set(found) == {"voicemail", "missed_call"}
    assert found["missed_call"]["count"] == 1
    assert found["voicemail"]["recording_id"] == f"rec{call}" and found["voicemail"]["seconds"] == 7.5
    line.left_message(NOW - 30, "+8613900000001", late=late)
    assert sorted(t["kind"] for t in tasks(owner)) == ["missed_call", "voicemail", "voicemail"]


@pytest.mark.promise("I6")
@pytest.mark.parametrize("direction", ["in", "out"])
def test_the_next_conversation_with_the_caller_closes_the_task(
    owner: Browser, line: Line, enterprise: int, direction: str
) -> None:
    boss = user(enterprise, "boss")
    line.missed(NOW - 600)
    line.left_message(NOW - 500)
    line.missed(NOW - 400, "+8613900000000")
    talk = line.talked(NOW - 100, boss, direction=direction)
    line.missed(NOW - 50)
    still = {t["phone"]: t for t in tasks(owner)}
    assert set(still) == {PHONE, "+8613900000000"} and still[PHONE]["count"] == 1
    done = tasks(owner, "state=done")
    assert {t["kind"] for t in done} == {"voicemail", "missed_call"}
    assert {t["closed_by_call_id"] for t in done} == {talk} and {t["closed_by_name"] for t in done} == {"boss"}


def test_facts_folded_together_make_the_tasks_they_make_one_by_one(owner: Browser, line: Line, enterprise: int) -> None:
    boss = user(enterprise, "boss")
    story: list[tuple[float, str, object]] = []
    for n, (at, what) in enumerate(
        [(1, "missed"), (2, "talk"), (3, "missed"), (4, "missed"), (5, "talk"), (6, "missed")]
    ):
        call, when = f"together{n}", NOW - 500 + at * 10
        story.append((when, call, line.started(call, when, PHONE, "in")))
        if what == "talk":
            story.append((when, call, f.CallConnected(call, boss, when, 5)))
        else:
            story.append(line.ended(call, when, PHONE, "abandoned"))
    line.tell(*story)
    assert [t["count"] for t in tasks(owner)] == [1]
    assert sorted(t["count"] for t in tasks(owner, "state=done")) == [1, 2]


@pytest.mark.promise("I6")
def test_whose_task_it_is(owner: Browser, ann: Browser, line: Line, enterprise: int) -> None:
    boss, agent = user(enterprise, "boss"), user(enterprise, "ann")
    bob = add_user(enterprise, "bob", "agent")
    sales, other = queue(enterprise, agent), None
    with tenant_session(enterprise) as db:
        db.add(Customer(name="Li", phones=["+8613700000001"], owner_id=bob))
        second = Queue(name="Support")
        db.add(second)
        db.flush()
        other = second.id
    line.left_message(NOW - 90, "+8613700000000", user=agent)  # ann's own box
    line.missed(NOW - 80, "+8613700000001", queue=sales)  # bob's customer
    line.missed(NOW - 70, "+8613700000002", queue=sales)  # nobody's, of ann's queue
    line.missed(NOW - 60, "+8613700000003", queue=other)  # nobody's, of a queue she is not in
    line.left_message(NOW - 50, "+8613700000004")  # the enterprise's box
    seen = {t["phone"][-1]: t for t in tasks(ann)}
    assert set(seen) == {"0", "2", "4"}
    assert seen["0"]["owner_name"] == "Ann" and seen["2"]["owner_id"] is None and seen["2"]["queue_name"] == "Sales"
    everything = {t["phone"][-1]: t for t in tasks(owner)}
    assert set(everything) == {"0", "1", "2", "3", "4"}
    assert (everything["1"]["owner_name"], everything["1"]["customer_name"]) == ("Bob", "Li")
    assert boss not in {t["owner_id"] for t in everything.values()}
    assert ann.get(f"/api/tasks/{everything['1']['id']}").status_code == 404
    assert ann.post(f"/api/tasks/{everything['3']['id']}/take").status_code == 404
    assert [t["phone"][-1] for t in tasks(ann, f"whose=nobody&queue_id={sales}")] == ["2"]
    assert ann.get("/api/tasks/counts").get_json() == {"open": 3, "mine": 1, "mine_overdue": 0, "nobody": 2}


def test_a_task_is_taken_once_noted_closed_and_reopened(
    owner: Browser, ann: Browser, line: Line, enterprise: int
) -> None:
    agent = user(enterprise, "ann")
    line.missed(NOW - 7200)
    [task] = tasks(ann, "overdue=true")
    assert task["overdue"]
    path = f"/api/tasks/{task['id']}"
    assert ann.post(f"{path}/take").get_json()["owner_id"] == agent
    refused = owner.post(f"{path}/take")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "task_taken")
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    changed = ann.patch(path, {"note": "rings, no answer", "due_at": later}).get_json()
    assert (changed["note"], changed["overdue"]) == ("rings, no answer", False)
    assert ann.post(f"{path}/close", {"note": "reached him"}).get_json()["closed_by_name"] == "Ann"
    assert tasks(ann) == []
    line.missed(NOW - 60)
    assert ann.post(f"{path}/reopen").get_json()["code"] == "task_open_already"
    [newer] = tasks(ann)
    ann.post(f"/api/tasks/{newer['id']}/close")
    assert ann.post(f"{path}/reopen").get_json()["state"] == "open"
    with tenant_session(enterprise) as db:
        audited = list(db.scalars(select(AuditEntry.action).where(AuditEntry.entity == "task")))
        told = list(db.scalars(select(OutboxRow.body).where(OutboxRow.topic == "live")))
    assert audited == ["update"] * 5
    assert {b["topic"] for b in told} == {"tasks"} and len(told) >= 7


def test_a_task_by_hand_is_not_closed_by_a_call(owner: Browser, line: Line, enterprise: int) -> None:
    with tenant_session(enterprise) as db:
        customer = Customer(name="Li", phones=[PHONE])
        db.add(customer)
        db.flush()
        given = {"title": "Send the offer", "due_at": "2030-01-01T10:00:00+08:00", "customer_id": customer.id}
    made = owner.post("/api/tasks", given).get_json()
    assert (made["kind"], made["phone"], made["owner_name"]) == ("manual", PHONE, "boss")
    line.talked(NOW, user(enterprise, "boss"))
    assert [t["title"] for t in tasks(owner, "kind=manual")] == ["Send the offer"]
    wrong = owner.post("/api/tasks", {"title": " ", "due_at": "2030-01-01T10:00:00+08:00", "owner_id": 999_999})
    assert wrong.get_json()["fields"].keys() == {"owner_id"}


def test_a_caller_in_closed_hours_is_due_when_we_open(owner: Browser, line: Line, enterprise: int) -> None:
    monday_2100 = datetime(2026, 11, 16, 13, 0, tzinfo=UTC).timestamp()  # 21:00 in Shanghai
    with tenant_session(enterprise) as db:
        week = '[[{"from": "09:00", "to": "18:00"}], [{"from": "09:00", "to": "18:00"}], [], [], [], [], []]'
        calendar = db.execute(
            text("INSERT INTO calendar (tenant_id, name, week) VALUES (:t, 'office', CAST(:w AS jsonb)) RETURNING id"),
            {"t": enterprise, "w": week},
        ).scalar_one()
        db.execute(
            text(
                "INSERT INTO did_number (tenant_id, e164, name, calendar_id, open_to, closed_to)"
                " VALUES (:t, '+862112345678', 'main', :c, '{}', '{}')"
            ),
            {"t": enterprise, "c": calendar},
        )
    line.missed(monday_2100)
    [task] = tasks(owner)
    assert datetime.fromisoformat(task["due_at"]) == datetime(2026, 11, 17, 1, 30, tzinfo=UTC)  # 9:30 the next morning


def test_an_agent_plays_the_message_of_a_task_he_sees_and_no_other(
    owner: Browser, ann: Browser, line: Line, enterprise: int
) -> None:
    agent = user(enterprise, "ann")
    mine = line.left_message(NOW - 90, "+8613700000000", user=agent)
    foreign = line.left_message(NOW - 80, "+8613700000001", user=user(enterprise, "boss"))
    assert ann.get(f"/api/recordings/rec{foreign}/audio").get_json()["code"] == "not_found"
    # The row is seen; its file was never made in this test.
    assert ann.get(f"/api/recordings/rec{mine}/audio").get_json()["code"] == "recording_missing"
    with tenant_session(enterprise) as db:
        audited = list(db.execute(select(AuditEntry.action, AuditEntry.entity_id).where(AuditEntry.action == "play")))
        assert [tuple(a) for a in audited] == [("play", f"rec{mine}")]
        assert db.scalar(select(Task.phone_e164).where(Task.owner_id == agent)) == "+8613700000000"


def test_tasks_and_callbacks_are_followed_live_by_who_may_read_them() -> None:
    assert allowed("tasks", 1, {"tasks.read"}) and not allowed("tasks", 1, {"desk.use"})
    assert allowed("callbacks", 1, {"customers.read"}) and not allowed("callbacks:1", 1, {"customers.read"})
