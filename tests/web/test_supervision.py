"""Supervisors, transfers and telephones through the API, without an engine: who may, whom one sees, what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.acd.models import Queue
from callcenter.audit.models import AuditEntry
from callcenter.auth.models import Role, User
from callcenter.calls import commands
from callcenter.calls.models import Call
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from tests.web.conftest import Browser, add_user


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was sent to the engine; it answers with nothing."""
    out: list[Any] = []
    monkeypatch.setattr(streams, "send", lambda tenant, command, wait_s=3.0: out.append(command))
    return out


def actions(tenant: int) -> list[tuple[str, str]]:
    with tenant_session(tenant) as s:
        rows = s.scalars(
            select(AuditEntry).where(AuditEntry.entity.in_(("agent", "enterprise"))).order_by(AuditEntry.id)
        )
        return [(row.action, row.entity_id) for row in rows]


@pytest.mark.promise("V2", "E8")
def test_listening_is_asked_of_the_engine_as_the_enterprise_decided_and_audited(
    owner: Browser, enterprise: int, sent: list[Any]
) -> None:
    agent = add_user(enterprise, "ann", "agent")
    assert owner.get("/api/supervision/settings").get_json() == {"tell_agent": True}
    assert owner.patch("/api/supervision/settings", {"tell_agent": False}).status_code == 200
    assert owner.post(f"/api/supervision/{agent}", {"how": "whisper"}).status_code == 200
    [command] = sent
    assert (command.agent_id, command.how, command.tell_agent) == (agent, "whisper", False)
    assert [a for a, _ in actions(enterprise)][-2:] == ["update", "whisper"]
    assert owner.post(f"/api/supervision/{agent}", {"how": "shout"}).status_code == 422
    assert owner.post(f"/api/supervision/{agent + 999}", {"how": "listen"}).status_code == 404
    assert len(sent) == 1


@pytest.mark.promise("V2", "E3")
def test_who_may_only_listen_can_not_speak_and_agents_can_do_neither(
    owner: Browser, browser: Callable[[], Browser], enterprise: int, sent: list[Any]
) -> None:
    agent = add_user(enterprise, "ann", "agent")
    add_user(enterprise, "sue", "supervisor")
    with tenant_session(enterprise) as s:
        role = s.scalars(select(Role).where(Role.key == "supervisor")).one()
        role.permissions = [p for p in role.permissions if p != "supervise.join"]
        role.data_scope = "all"
    sue, ann = browser(), browser()
    sue.sign_in("acme", "sue")
    ann.sign_in("acme", "ann")
    assert sue.post(f"/api/supervision/{agent}", {"how": "listen"}).status_code == 200
    for how in ("whisper", "barge", "take_over"):
        assert sue.post(f"/api/supervision/{agent}", {"how": how}).status_code == 403
    assert ann.post(f"/api/supervision/{agent}", {"how": "listen"}).status_code == 403
    assert ann.post(f"/api/supervision/{agent}/state", {"state": "paused"}).status_code == 403
    assert sue.post(f"/api/supervision/{agent}/state", {"state": "paused", "hang_up": True}).status_code == 200
    forced = sent[-1]
    assert isinstance(forced, commands.ForceState)
    assert (forced.user_id, forced.state, forced.reason, forced.hang_up) == (agent, "paused", "supervisor", True)


def test_agents_are_moved_between_queues_and_written_to(owner: Browser, enterprise: int) -> None:
    agent = add_user(enterprise, "ann", "agent")
    queue = owner.post("/api/queues", {"name": "Service"}).get_json()["id"]
    assert owner.post(f"/api/supervision/{agent}/queues", {"queue_ids": [queue]}).get_json() == {"queue_ids": [queue]}
    assert owner.post("/api/supervision/messages", {"user_ids": [agent], "text": "Hello"}).get_json() == {"sent": 1}
    told: Any = streams.snapshot(enterprise, f"user:{agent}")
    assert (told["kind"], told["text"]) == ("message", "Hello")
    assert owner.post("/api/supervision/messages", {"user_ids": [agent + 999], "text": "Hello"}).status_code == 404
    assert owner.post("/api/supervision/messages", {"text": "Hello"}).status_code == 422


@pytest.mark.promise("A1")
def test_a_call_can_be_given_to_whoever_is_there_and_to_nobody_else(
    owner: Browser, enterprise: int, sent: list[Any]
) -> None:
    agent = add_user(enterprise, "ann", "agent")
    queue = owner.post("/api/queues", {"name": "Annual"}).get_json()["id"]
    found = owner.get("/api/agent/transfer-targets?q=ann").get_json()
    assert {(t["kind"], t["id"]) for t in found["items"]} == {("agent", agent), ("queue", queue), ("voicemail", agent)}
    page = owner.get("/api/agent/transfer-targets?q=ann&per_page=2&page=2").get_json()
    assert (page["total"], len(page["items"])) == (3, 1)
    assert owner.post("/api/agent/call/transfer", {"kind": "queue", "id": queue}).status_code == 200
    assert owner.post("/api/agent/call/transfer", {"kind": "number", "number": "139 0000 0099"}).status_code == 200
    assert (sent[-1].kind, sent[-1].number) == ("number", "+8613900000099")
    assert owner.post("/api/agent/call/transfer", {"kind": "number", "number": "12"}).status_code == 422
    assert owner.post("/api/agent/call/transfer", {"kind": "menu", "id": 999}).status_code == 404
    with tenant_session(enterprise) as s:
        s.get_one(Queue, queue).enabled = False
    assert owner.post("/api/agent/call/transfer", {"kind": "queue", "id": queue}).status_code == 404
    assert owner.post("/api/agent/call/transfer", {"kind": "agent"}).status_code == 422


def test_the_customer_on_the_line_is_nobody_to_transfer_to(owner: Browser, enterprise: int) -> None:
    me = owner.get("/api/auth/me").get_json()["user"]["id"]
    with tenant_session(enterprise) as s:
        for name, phone, ended in (("before", "+8613900000001", utc_now()), ("now", "+8613900000002", None)):
            s.add(Call(id=name, agent_id=me, phone_e164=phone, started_at=utc_now(), ended_at=ended))
    found = owner.get("/api/agent/transfer-targets?q=").get_json()["items"]
    assert [t["number"] for t in found if t["kind"] == "number"] == ["+8613900000001"]


def test_a_telephone_is_chosen_read_as_a_number_of_the_country_and_called(
    owner: Browser, enterprise: int, sent: list[Any]
) -> None:
    device = owner.get("/api/phone/device").get_json()
    assert device == {"kind": "browser", "number": "", "allowed": True, "sip": False}
    assert owner.post("/api/phone/device/connect", {}).status_code == 422
    assert owner.patch("/api/phone/device", {"kind": "number"}).status_code == 422
    chosen = owner.patch("/api/phone/device", {"kind": "number", "number": "139 0000 0099"})
    assert chosen.get_json()["number"] == "+8613900000099"
    assert owner.post("/api/phone/device/connect", {}).status_code == 200
    assert (sent[-1].kind, sent[-1].number) == ("number", "+8613900000099")
    assert owner.patch("/api/phone/device", {"kind": "browser"}).get_json()["number"] == "+8613900000099"
    assert sent[-1].kind == "browser"
    with tenant_session(enterprise) as s:
        assert s.scalars(select(User.phone_device).where(User.username == "boss")).one() == "browser"
