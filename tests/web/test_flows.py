"""Menus over the API: drafts that two people edit, publishing, versions, figures."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from callcenter import wire
from callcenter.audit.models import AuditEntry
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.processes import documents
from tests.web.conftest import Browser, add_user

MENU: dict[str, Any] = {
    "start": "hello",
    "language": "zh",
    "nodes": [
        {
            "id": "hello",
            "verb": "menu",
            "title": "Main",
            "settings": {
                "prompts": {"zh": ["say:zh:销售请按一，服务请按二。"], "en": ["say:en:Sales, press one."]},
                "keys": {"1": "Sales", "2": "Service"},
            },
            "ways": {"1": "bye", "2": "bye", "timeout": "bye", "invalid": "bye"},
            "x": 10.0,
            "y": 20.0,
        },
        {"id": "bye", "verb": "hang_up", "title": "", "settings": {}, "ways": {}, "x": 0.0, "y": 0.0},
    ],
}


def new(owner: Browser, name: str = "Main menu", flow: dict[str, Any] | None = None) -> dict[str, Any]:
    """A menu with MENU as its draft."""
    answer = owner.post("/api/flows", {"name": name, "flow": flow or MENU})
    assert answer.status_code == 201, answer.get_json()
    return dict(answer.get_json())


def put(owner: Browser, flow: dict[str, Any], graph: dict[str, Any]) -> Any:
    return owner.call("PUT", f"/api/flows/{flow['id']}/draft", {"revision": flow["revision"], "flow": graph})


def publish(owner: Browser, flow: dict[str, Any], note: str = "") -> Any:
    return owner.post(f"/api/flows/{flow['id']}/publish", {"revision": flow["revision"], "note": note})


def changed(**settings: Any) -> dict[str, Any]:
    """MENU with other settings of its menu."""
    first, last = MENU["nodes"]
    return {**MENU, "nodes": [{**first, "settings": {**first["settings"], **settings}}, last]}


@pytest.mark.promise("I2")
def test_a_menu_is_drawn_checked_and_published_and_the_engine_is_told(owner: Browser, enterprise: int) -> None:
    flow = new(owner)
    assert flow["draft"] == MENU
    assert (flow["published"], flow["draft_changed"], flow["errors"]) == (None, True, 0)
    with tenant_session(enterprise) as db:
        assert list(documents.changed(db, "flow", flow["id"])) == [("flow", flow["id"], None)]

    answer = publish(owner, flow, "first")
    assert answer.status_code == 200, answer.get_json()
    flow = answer.get_json()
    assert (flow["published"], flow["draft_changed"]) == (1, False)
    assert flow["published_version"]["note"] == "first"
    with tenant_session(enterprise) as db:
        told = [r.body for r in db.scalars(select(OutboxRow)) if r.body.get("entity") == "flow"]
        assert told[-1] == {"entity": "flow", "id": flow["id"]}
        doc = {"id": flow["id"], "name": "Main menu", "version": 1, "flow": MENU}
        assert list(documents.changed(db, "flow", flow["id"])) == [("flow", flow["id"], doc)]
        assert ("flow", flow["id"], doc) in list(documents.everything(db))
        assert "publish" in set(db.scalars(select(AuditEntry.action).where(AuditEntry.entity == "flow")))


def test_the_second_of_two_editors_is_told_and_overwrites_nothing(owner: Browser, enterprise: int) -> None:
    flow = new(owner)
    assert put(owner, flow, changed(tries=2)).status_code == 200
    late = put(owner, flow, changed(tries=5))
    assert late.status_code == 409
    assert late.get_json()["code"] == "flow.changed"
    assert late.get_json()["params"]["revision"] == flow["revision"] + 1
    with tenant_session(enterprise) as db:
        saves = db.scalars(select(AuditEntry).where(AuditEntry.entity == "flow", AuditEntry.action == "update")).all()
        assert [e.after for e in saves] == [{"revision": 2, "nodes_changed": ["hello"]}], "what, not the whole graph"
    assert publish(owner, flow).status_code == 409
    now = owner.get(f"/api/flows/{flow['id']}").get_json()
    assert now["draft"]["nodes"][0]["settings"]["tries"] == 2


def test_a_menu_with_errors_is_not_published_and_each_error_names_its_node(owner: Browser) -> None:
    broken = {**MENU, "nodes": [{**MENU["nodes"][0], "ways": {"1": "bye"}}, MENU["nodes"][1]]}
    flow = new(owner, flow=broken)
    answer = publish(owner, flow)
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "flow.has_errors"
    found = {(f["code"], f["node"], f["field"]) for f in answer.get_json()["params"]["findings"]}
    assert {("missing_way", "hello", way) for way in ("2", "timeout", "invalid")} == found
    checked = owner.post(f"/api/flows/{flow['id']}/validate", {"flow": MENU}).get_json()
    assert (checked["errors"], checked["warnings"]) == (0, 0)
    assert owner.post(f"/api/flows/{flow['id']}/validate").get_json()["errors"] == 3


def test_versions_stay_as_they_were_and_an_older_one_can_be_heard_again(owner: Browser, enterprise: int) -> None:
    flow = publish(owner, new(owner), "first").get_json()
    flow = put(owner, flow, changed(tries=2)).get_json()
    assert flow["draft_changed"] is True
    flow = publish(owner, flow, "second").get_json()
    versions = owner.get(f"/api/flows/{flow['id']}/versions").get_json()
    assert [(v["version"], v["note"], v["current"]) for v in versions["items"]] == [
        (2, "second", True),
        (1, "first", False),
    ]
    difference = owner.get(f"/api/flows/{flow['id']}/versions/1/compare/2").get_json()
    assert [(c["id"], c["fields"]) for c in difference["changed"]] == [("hello", ["settings.tries"])]
    assert not difference["added"] and not difference["removed"] and not difference["ways"]

    flow = owner.post(f"/api/flows/{flow['id']}/rollback", {"version": 1}).get_json()
    assert flow["published"] == 1
    assert flow["draft"]["nodes"][0]["settings"]["tries"] == 2, "the draft stays"
    with tenant_session(enterprise) as db:
        ((_, _, doc),) = documents.changed(db, "flow", flow["id"])
        assert doc is not None and doc["version"] == 1 and doc["flow"] == MENU
    assert owner.post(f"/api/flows/{flow['id']}/rollback", {"version": 9}).status_code == 404


def test_a_menu_that_another_leads_to_is_not_deleted(owner: Browser) -> None:
    first = publish(owner, new(owner, "First")).get_json()
    leads = {
        "start": "a",
        "language": "en",
        "nodes": [{"id": "a", "verb": "goto", "settings": {"flow": first["id"]}, "ways": {}}],
    }
    second = new(owner, "Second", leads)
    answer = owner.delete(f"/api/flows/{first['id']}")
    assert answer.status_code == 409
    assert answer.get_json()["params"]["used_by"] == [{"kind": "flow", "id": second["id"], "name": "Second"}]
    assert owner.get(f"/api/flows/{first['id']}").get_json()["used_by"][0]["name"] == "Second"
    assert owner.delete(f"/api/flows/{second['id']}").status_code == 204
    assert owner.delete(f"/api/flows/{first['id']}").status_code == 204
    assert owner.get("/api/flows").get_json()["total"] == 0


def test_a_copy_has_the_draft_and_no_versions_and_names_are_taken_once(owner: Browser) -> None:
    flow = publish(owner, new(owner)).get_json()
    copy = owner.post(f"/api/flows/{flow['id']}/copy", {"name": "Copy"}).get_json()
    assert copy["draft"] == MENU and copy["published"] is None
    taken = owner.post(f"/api/flows/{flow['id']}/copy", {"name": "Copy"})
    assert (taken.status_code, taken.get_json()["code"]) == (422, "flow.name_taken")
    renamed = owner.patch(f"/api/flows/{copy['id']}", {"name": "Evening"})
    assert renamed.get_json()["name"] == "Evening"
    found = owner.get("/api/flows?search=even").get_json()
    assert [f["name"] for f in found["items"]] == ["Evening"]


def test_the_palette_describes_every_verb_so_that_a_form_can_be_drawn(owner: Browser) -> None:
    palette = owner.get("/api/flows/verbs").get_json()
    verbs = {v["verb"]: v for v in palette["verbs"]}
    assert {
        "play", "say", "menu", "digits", "branch", "http", "set", "queue", "transfer", "voicemail", "language",
        "survey", "record", "hang_up", "goto", "text_message",
    } == set(verbs)  # fmt: skip
    menu = {s["name"]: s for s in verbs["menu"]["settings"]}
    assert menu["timeout_s"] == {
        "name": "timeout_s", "kind": "seconds", "default": 5.0, "required": False, "low": 1.0, "high": 60.0,
        "choices": [], "unit": "s", "when": None,
    }  # fmt: skip
    assert (verbs["menu"]["ways_from"], [w["name"] for w in verbs["menu"]["ways"]]) == ("keys", ["timeout", "invalid"])
    assert verbs["queue"]["ends"] and verbs["transfer"]["settings"][1]["when"] == {"field": "to", "values": ["agent"]}
    assert {c["name"] for c in palette["cases"]} >= {"kind", "expression", "calendar", "queue"}


def test_a_draft_is_tried_from_the_own_phone(owner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def send(tenant: int, command: object, *, wait_s: float | None = 3.0) -> Any:
        sent.append(command)
        return {"call_id": "c1"}

    monkeypatch.setattr(streams, "send", send)
    flow = new(owner)
    graph = changed(tries=1)
    answer = owner.post(f"/api/flows/{flow['id']}/try", {"flow": graph}).get_json()
    assert answer == {"call_id": "c1", "topic": f"flow-try:{sent[0].user_id}"}
    assert sent[0].flow_id == flow["id"]
    assert wire.from_json(wire.to_json(sent[0].doc["flow"]), object) == graph


def test_a_draft_is_tried_in_text(owner: Browser) -> None:
    flow = new(owner)
    heard = owner.post(f"/api/flows/{flow['id']}/simulate", {"inputs": [{"kind": "key", "key": "2"}]}).get_json()
    lines = [(line["who"], line["kind"], line["text"]) for line in heard["lines"]]
    assert ("menu", "say", "销售请按一，服务请按二。") in lines
    assert lines[-1] == ("menu", "hang_up", "")
    assert (heard["node"], heard["waits_for"]) == ("", "")


@pytest.mark.parametrize("value", ["x\0y", float("nan"), {"a": {"\0": 1}}, [[[[[[[[[[[[[[1]]]]]]]]]]]]]]])
def test_what_can_not_be_stored_is_refused_at_its_field(owner: Browser, value: Any) -> None:
    answer = owner.post("/api/flows", {"name": "Odd", "flow": changed(odd=value)})
    [field] = answer.get_json()["fields"]
    assert (answer.status_code, field[:21]) == (422, "flow.nodes.0.settings")
    assert owner.post("/api/flows", {"name": "a\0b"}).status_code == 422


@pytest.mark.promise("E3")
def test_who_may_only_read_changes_nothing_and_agents_see_no_menus(
    owner: Browser, enterprise: int, browser: Any
) -> None:
    flow = new(owner)
    add_user(enterprise, "sup", "supervisor")
    add_user(enterprise, "ann", "agent")
    supervisor, agent = browser(), browser()
    supervisor.sign_in("acme", "sup")
    agent.sign_in("acme", "ann")
    assert supervisor.get(f"/api/flows/{flow['id']}").status_code == 200
    assert put(supervisor, flow, MENU).status_code == 403
    assert publish(supervisor, flow).status_code == 403
    assert agent.get("/api/flows").status_code == 403
