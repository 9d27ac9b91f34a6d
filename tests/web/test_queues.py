"""Queues and skills through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from callcenter import wire
from callcenter.acd.models import QueueMember
from callcenter.acd.settings import QueueSettings
from callcenter.audit.models import AuditEntry
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.numbers.models import DidNumber
from callcenter.processes import documents
from ivr.models import FlowRow
from tests.web.conftest import Browser, add_user


def make(owner: Browser, name: str = "Service", **more: object) -> int:
    answer = owner.post("/api/queues", {"name": name, **more})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


def skill(owner: Browser, name: str, **more: object) -> int:
    answer = owner.post("/api/skills", {"name": name, **more})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


def told(tenant: int) -> list[tuple[str, int]]:
    """What the engine was told since the last time this was asked."""
    with tenant_session(tenant) as s:
        rows = s.scalars(select(OutboxRow).where(OutboxRow.topic == "settings").order_by(OutboxRow.id)).all()
        for row in rows:
            s.delete(row)
        return [(r.body["entity"], r.body["id"]) for r in rows]


def document(tenant: int, entity: str, entity_id: int) -> Any:
    with tenant_session(tenant) as s:
        return next(doc for e, i, doc in documents.changed(s, entity, entity_id) if (e, i) == (entity, entity_id))


def audited(tenant: int, action: str) -> AuditEntry:
    with tenant_session(tenant) as s:
        return s.scalars(select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id.desc())).first()


@pytest.mark.promise("I3")
def test_a_new_queue_has_the_defaults_and_its_document_is_what_routing_reads(owner: Browser, enterprise: int) -> None:
    agent = add_user(enterprise, "lin", "agent")
    german = skill(owner, "German")
    queue = make(
        owner,
        strategy="skill_best",
        members=[{"user_id": agent, "penalty": 2}],
        skills=[{"skill_id": german, "level": 6, "relax_every_s": 30, "at_least": 9}],
        waiting={"announce_every_s": 20},
        overflow={"after_wait_s": 300, "after_wait": {"kind": "voicemail"}},
    )
    read = wire.convert(document(enterprise, "queue", queue), QueueSettings)
    assert read.strategy.value == "skill_best"
    assert [(m.user_id, m.share, m.penalty) for m in read.members] == [(agent, 1.0, 2)]
    assert [(n.skill, n.level, n.relax_every_s, n.at_least) for n in read.skills] == [("German", 6, 30.0, 6)]
    assert (read.waiting.announce_every_s, read.waiting.music) == (20.0, "hold_music")
    assert read.overflow.after_wait is not None and read.overflow.after_wait.kind.value == "voicemail"
    defaults = QueueSettings(queue, "Service")
    for name in ("priority", "ageing_per_min", "ring_s", "wrap_up_s", "sticky_s", "service_level", "max_wait_s"):
        assert getattr(read, name) == getattr(defaults, name), name
    assert read.callback == defaults.callback
    assert read.blending == defaults.blending
    shown = owner.get(f"/api/queues/{queue}").get_json()
    assert shown["skills"][0]["name"] == "German"
    assert (shown["waiting"]["music"], shown["waiting"]["comfort"]) == ("hold_music", [])
    assert (shown["callback"]["key"], shown["blending"]["reserve"], shown["overflow"]["over_length"]) == ("1", 0, 0)
    assert shown["overflow"]["after_wait"] == {"kind": "voicemail", "id": None, "number": ""}
    assert ("queue", queue) in told(enterprise)


def test_a_change_keeps_what_is_not_given_and_is_audited(owner: Browser, enterprise: int) -> None:
    queue = make(owner, waiting={"comfort": ["prompt:1"], "announce_every_s": 20})
    told(enterprise)
    answer = owner.patch(f"/api/queues/{queue}", {"waiting": {"announce_every_s": 60}, "enabled": False})
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["waiting"]["comfort"] == ["prompt:1"]
    assert (body["waiting"]["announce_every_s"], body["enabled"]) == (60.0, False)
    assert told(enterprise) == [("queue", queue)]
    entry = audited(enterprise, "update")
    assert (entry.entity, entry.before["enabled"], entry.after["enabled"]) == ("queue", True, False)
    owner.patch(f"/api/queues/{queue}", {"enabled": False})
    assert told(enterprise) == []  # nothing changed


@pytest.mark.promise("I4", "I6")
def test_a_queues_voicemail_has_a_greeting_of_its_own(owner: Browser, enterprise: int) -> None:
    queue = make(owner, voicemail_greeting="say:en:The service desk is closed.")
    read = wire.convert(document(enterprise, "queue", queue), QueueSettings)
    assert read.voicemail_greeting == "say:en:The service desk is closed."
    answer = owner.patch(f"/api/queues/{queue}", {"voicemail_greeting": "x" * 301})
    assert answer.status_code in (400, 422) and "voicemail_greeting" in answer.get_json()["fields"]
    assert owner.patch(f"/api/queues/{queue}", {"voicemail_greeting": ""}).status_code == 200
    assert owner.get(f"/api/queues/{queue}").get_json()["voicemail_greeting"] == ""


def test_what_is_wrong_is_said_beside_its_field(owner: Browser) -> None:
    queue = make(owner)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"ageing_per_min": 0}, "ageing_per_min"),
        ({"strategy": "magic"}, "strategy"),
        ({"members": [{"user_id": 999_999}]}, "members"),
        ({"skills": [{"skill_id": 999_999, "level": 3}]}, "skills"),
        ({"script_id": 999_999}, "script_id"),
        ({"overflow": {"length": {"kind": "queue", "id": 999_999}}}, "overflow.length"),
        ({"overflow": {"length": {"kind": "queue"}}}, "overflow.length"),
        ({"overflow": {"no_agents": {"kind": "queue", "id": queue}}}, "overflow.no_agents"),
        ({"overflow": {"no_agents": {"kind": "refuse"}}}, "overflow.no_agents"),
        ({"overflow": {"after_wait": {"kind": "number", "number": "0139"}}}, "overflow.after_wait"),
    ]
    for change, field in wrong:
        answer = owner.patch(f"/api/queues/{queue}", change)
        assert answer.status_code == 422, change
        assert field in answer.get_json()["fields"], answer.get_json()
    taken = owner.post("/api/queues", {"name": "Service"})
    assert (taken.status_code, taken.get_json()["code"]) == (422, "queue.name_taken")
    assert owner.patch(f"/api/queues/{queue}", {"overflow": {"length": {"kind": "hang_up"}}}).status_code == 200


def test_a_queue_that_calls_still_go_to_is_not_deleted(owner: Browser, enterprise: int) -> None:
    queue, other = make(owner), make(owner, "Sales")
    owner.patch(f"/api/queues/{other}", {"overflow": {"length": {"kind": "queue", "id": queue}, "over_length": 5}})
    answer = owner.delete(f"/api/queues/{queue}")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "queue.in_use")
    assert answer.get_json()["params"]["used_by"] == [{"kind": "queue", "id": other, "name": "Sales"}]
    owner.patch(f"/api/queues/{other}", {"overflow": {"length": None}})
    told(enterprise)
    assert owner.delete(f"/api/queues/{queue}").status_code == 204
    assert told(enterprise) == [("queue", queue)]
    assert document(enterprise, "queue", queue) is None
    assert owner.get(f"/api/queues/{queue}").status_code == 404


def test_numbers_and_menus_count_as_uses(owner: Browser, enterprise: int) -> None:
    queue = make(owner)
    to_queue = {"kind": "queue", "id": queue, "number": ""}
    node = {"id": "a", "verb": "queue", "settings": {"queue_id": queue}}
    with tenant_session(enterprise) as s:
        closed = {"kind": "hang_up", "id": None, "number": ""}
        s.add(DidNumber(e164="+862155550101", name="Hotline", open_to=to_queue, closed_to=closed))
        s.add(FlowRow(name="Main menu", draft={"start": "a", "nodes": [node]}))
    used = owner.delete(f"/api/queues/{queue}").get_json()["params"]["used_by"]
    assert [(u["kind"], u["name"]) for u in used] == [("number", "Hotline"), ("menu", "Main menu")]


def test_members_are_set_as_a_whole_and_an_agent_is_moved_between_queues(owner: Browser, enterprise: int) -> None:
    lin, wu = add_user(enterprise, "lin", "agent"), add_user(enterprise, "wu", "agent")
    one, two, three = make(owner, "One"), make(owner, "Two"), make(owner, "Three")
    members = [{"user_id": lin, "share": 3, "penalty": 1}, {"user_id": wu}]
    assert owner.call("PUT", f"/api/queues/{one}/members", {"members": members}).status_code == 200
    owner.call("PUT", f"/api/queues/{two}/members", {"members": [{"user_id": lin}]})
    told(enterprise)
    answer = owner.call("PUT", f"/api/queues/of-agent/{lin}", {"queue_ids": [one, three]})
    assert answer.get_json() == {"queue_ids": [one, three]}
    assert set(told(enterprise)) == {("user", lin), ("queue", two), ("queue", three)}
    with tenant_session(enterprise) as s:
        rows = s.scalars(select(QueueMember).where(QueueMember.user_id == lin).order_by(QueueMember.queue_id)).all()
        assert [(r.queue_id, r.share, r.penalty) for r in rows] == [(one, 3.0, 1), (three, 1.0, 0)]
    assert audited(enterprise, "move_queues").before == {"queues": [one, two]}
    assert owner.call("PUT", f"/api/queues/of-agent/{lin}", {"queue_ids": [999_999]}).status_code == 422
    assert owner.call("PUT", "/api/queues/of-agent/999999", {"queue_ids": []}).status_code == 404


def test_an_agents_skills_reach_his_document_and_a_renamed_skill_does_too(owner: Browser, enterprise: int) -> None:
    lin = add_user(enterprise, "lin", "agent")
    german = skill(owner, "German", agents=[{"user_id": lin, "level": 7}])
    queue = make(owner, skills=[{"skill_id": german, "level": 5}])
    assert document(enterprise, "user", lin)["skills"] == {"German": 7}
    told(enterprise)
    assert owner.patch(f"/api/skills/{german}", {"name": "Deutsch"}).status_code == 200
    assert set(told(enterprise)) == {("queue", queue), ("user", lin)}
    assert document(enterprise, "user", lin)["skills"] == {"Deutsch": 7}
    french = skill(owner, "French")
    owner.call("PUT", f"/api/skills/of-agent/{lin}", {"skills": [{"skill_id": french, "level": 2}]})
    assert document(enterprise, "user", lin)["skills"] == {"French": 2}
    item = owner.get("/api/skills").get_json()["items"][0]
    assert item == {"id": german, "name": "Deutsch", "description": "", "agents": [], "queues": ["Service"]}
    refused = owner.delete(f"/api/skills/{german}")
    assert (refused.status_code, refused.get_json()["params"]["queues"]) == (409, ["Service"])
    owner.patch(f"/api/queues/{queue}", {"skills": []})
    assert owner.delete(f"/api/skills/{german}").status_code == 204
    for wrong in ({"agents": [{"user_id": lin, "level": 11}]}, {"agents": [{"user_id": 999_999, "level": 1}]}):
        assert owner.patch(f"/api/skills/{french}", wrong).status_code == 422


def test_the_list_is_searched_and_agents_see_none_of_it(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    add_user(enterprise, "lin", "agent")
    add_user(enterprise, "lead", "supervisor")
    make(owner, "Service", service_level_s=30)
    make(owner, "Sales", enabled=False)
    names = [q["name"] for q in owner.get("/api/queues?search=serv").get_json()["items"]]
    assert names == ["Service"]
    assert [q["name"] for q in owner.get("/api/queues?enabled=false").get_json()["items"]] == ["Sales"]
    lin, lead = browser(), browser()
    lin.sign_in("acme", "lin")
    assert lin.get("/api/queues").status_code == 403
    lead.sign_in("acme", "lead")
    assert lead.get("/api/queues").status_code == 200
    assert lead.post("/api/queues", {"name": "Mine"}).status_code == 403
    options = owner.get("/api/queues/options").get_json()
    assert [a["username"] for a in options["agents"] if a["username"] == "lin"] == ["lin"]
    assert [q["name"] for q in options["queues"]] == ["Sales", "Service"]
