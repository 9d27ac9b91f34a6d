"""Dispositions, scripts, calling rules and trunks through the API."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from callcenter.audit.models import AuditEntry
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.telephony.models import TrunkRow
from crm.models import Disposition
from tests.dialer.floor import add_call
from tests.web.conftest import Browser
from tests.web.test_campaigns import make, told

STEPS = [
    {"id": "open", "title": "Opening", "text": "Good day {{name}}.", "branches": [{"label": "Yes", "to": "end"}]},
    {"id": "end", "title": "End", "text": "Thank you.", "branches": [{"label": "Done", "to": ""}]},
]


def created(owner: Browser, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = owner.post(path, body)
    assert answer.status_code == 201, answer.get_json()
    return dict(answer.get_json())


def refused(owner: Browser, method: str, path: str, body: dict[str, Any]) -> tuple[int, str, list[str]]:
    answer = owner.call(method, path, body)
    found = answer.get_json()
    return answer.status_code, found["code"], sorted(found["fields"])


# ------------------------------------------------------------------------------------------------- dispositions


@pytest.fixture
def clean(owner: Browser, enterprise: int) -> Browser:
    """The owner, with no dispositions and rule sets but those that the test makes."""
    with tenant_session(enterprise) as s:
        for row in s.scalars(select(Disposition)):
            s.delete(row)
    return owner


@pytest.mark.promise("D7")
def test_a_hot_key_is_unique_among_what_one_agent_sees(clean: Browser) -> None:
    a, b = make(clean, "A"), make(clean, "B")
    new = {"name_zh": "成交", "hot_key": 1}
    first = created(clean, "/api/dispositions", {**new, "name": "Sale A", "campaign_id": a})
    created(clean, "/api/dispositions", {**new, "name": "Sale B", "campaign_id": b})
    taken = (422, "disposition.hot_key_taken", ["hot_key"])
    assert refused(clean, "POST", "/api/dispositions", {**new, "name": "Sale"}) == taken
    assert refused(clean, "POST", "/api/dispositions", {**new, "name": "Won", "campaign_id": a}) == taken
    path = f"/api/dispositions/{first['id']}"
    assert clean.patch(path, {"hot_key": 1, "enabled": False}).status_code == 200
    created(clean, "/api/dispositions", {**new, "name": "Won", "campaign_id": a})
    assert refused(clean, "PATCH", path, {"enabled": True}) == taken
    seen = clean.get(f"/api/dispositions?campaign_id={b}").get_json()["items"]
    assert [d["name"] for d in seen] == ["Sale B"]


def test_flags_that_contradict_are_refused(clean: Browser) -> None:
    both = {"name": "x", "name_zh": "x"}
    for wrong, code in (
        ({"callback": True, "final": True}, "disposition.contradiction"),
        ({"final": True, "retry_after_s": 3600}, "disposition.final_retry"),
    ):
        assert refused(clean, "POST", "/api/dispositions", {**both, **wrong})[:2] == (422, code)


def test_a_built_in_one_stays_and_keeps_its_meaning(clean: Browser, enterprise: int) -> None:
    with tenant_session(enterprise) as s:
        row = Disposition(code="sale", name="Sale", name_zh="成交", built_in=True, sale=True, final=True)
        s.add(row)
        s.flush()
        path = f"/api/dispositions/{row.id}"
    assert clean.delete(path).get_json()["code"] == "disposition.built_in"
    assert clean.patch(path, {"sale": False}).get_json()["code"] == "disposition.built_in"
    answer = clean.patch(path, {"hot_key": 3, "name": "Won", "sale": True})
    assert (answer.status_code, answer.get_json()["hot_key"]) == (200, 3)
    assert told(enterprise)[-1][0] == "disposition"


def test_one_that_calls_carry_is_kept_and_an_unused_one_goes(clean: Browser, enterprise: int) -> None:
    used = created(clean, "/api/dispositions", {"name": "A", "name_zh": "甲"})["id"]
    add_call(enterprise, utc_now(), disposition_id=used)
    assert clean.delete(f"/api/dispositions/{used}").get_json()["code"] == "disposition.used"
    other = created(clean, "/api/dispositions", {"name": "B", "name_zh": "乙"})["id"]
    assert clean.delete(f"/api/dispositions/{other}").status_code == 204


# ------------------------------------------------------------------------------------------------------ scripts


@pytest.mark.promise("D11")
def test_a_script_keeps_steps_branches_and_objections(owner: Browser, enterprise: int) -> None:
    body = {"name": "Renewal", "steps": STEPS, "objections": [{"title": "Too dear", "text": "For {{ name }} we …"}]}
    made = created(owner, "/api/scripts", body)
    found = owner.get(f"/api/scripts/{made['id']}").get_json()
    assert (found["steps"], found["objections"]) == (STEPS, body["objections"])
    assert told(enterprise)[-1] == ("script", made["id"])


@pytest.mark.parametrize(
    ("steps", "code", "field"),
    [
        ([STEPS[0]], "script.dangling_branch", "steps.0.branches.0.to"),
        ([STEPS[1], STEPS[1]], "script.same_id", "steps"),
        ([{"id": "a", "title": "A", "text": "Hello {{your name}}"}], "script.bad_placeholder", "steps.0.text"),
        ([{"id": "a", "title": "A", "text": "Hello {{}}"}], "script.bad_placeholder", "steps.0.text"),
        ([{"id": "a b", "title": "A", "text": ""}], "invalid_input", "steps.0.id"),
    ],
)
def test_a_script_that_leads_nowhere_names_the_place(owner: Browser, steps: Any, code: str, field: str) -> None:
    assert refused(owner, "POST", "/api/scripts", {"name": "x", "steps": steps}) == (422, code, [field])


def test_a_script_that_a_campaign_shows_is_kept(owner: Browser) -> None:
    script = created(owner, "/api/scripts", {"name": "Renewal", "steps": STEPS})["id"]
    make(owner, "Autumn", script_id=script)
    answer = owner.delete(f"/api/scripts/{script}").get_json()
    assert (answer["code"], answer["params"]["campaigns"]) == ("script.in_use", ["Autumn"])


# -------------------------------------------------------------------------------------------------------- rules

WORKDAYS = {"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "12:00"}


@pytest.mark.promise("D5")
def test_rules_keep_windows_with_a_midday_break_and_holidays(owner: Browser, enterprise: int) -> None:
    windows = [WORKDAYS, {**WORKDAYS, "from": "14:00", "to": "20:00"}]
    made = created(owner, "/api/rules", {"name": "Mainland", "windows": windows, "holidays": ["2026-10-01"]})
    assert (made["windows"], made["holidays"]) == (windows, ["2026-10-01"])
    assert told(enterprise)[-1] == ("rule_set", made["id"])


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"windows": [{**WORKDAYS, "to": "08:00"}]}, "rule_set.window_backwards", "windows.0.to"),
        ({"windows": [WORKDAYS, {**WORKDAYS, "days": [5, 6]}]}, "rule_set.windows_overlap", "windows.1.from"),
        ({"windows": [{**WORKDAYS, "from": "9:00"}]}, "invalid_input", "windows.0.from"),
        ({"windows": [{**WORKDAYS, "days": [8]}]}, "invalid_input", "windows.0.days.0"),
        ({"holidays": ["2026-02-30"]}, "rule_set.bad_date", "holidays.0"),
    ],
)
def test_a_rule_that_can_not_be_meant_names_the_place(owner: Browser, body: Any, code: str, field: str) -> None:
    assert refused(owner, "POST", "/api/rules", {"name": "x", **body}) == (422, code, [field])


def test_there_is_one_default_and_it_stays(owner: Browser) -> None:
    first = created(owner, "/api/rules", {"name": "First", "is_default": True})["id"]
    second = created(owner, "/api/rules", {"name": "Second", "is_default": True})["id"]
    assert [r["id"] for r in owner.get("/api/rules").get_json()["items"] if r["is_default"]] == [second]
    assert owner.delete(f"/api/rules/{second}").get_json()["code"] == "rule_set.is_default"
    assert refused(owner, "PATCH", f"/api/rules/{second}", {"is_default": False})[1] == "rule_set.default_needed"
    make(owner, "Autumn", rule_set_id=first)
    assert owner.delete(f"/api/rules/{first}").get_json()["code"] == "rule_set.in_use"


# ------------------------------------------------------------------------------------------------------- trunks


@pytest.mark.promise("D6")
def test_a_trunks_password_is_written_and_never_read(owner: Browser, enterprise: int) -> None:
    body = {"name": "North", "host": "sip.example.com", "username": "u", "password": "s3cret!", "register": True}
    made = created(owner, "/api/trunks", body)
    assert made["has_password"] is True and "password" not in made
    path = f"/api/trunks/{made['id']}"
    assert owner.patch(path, {"port": 5070}).get_json()["port"] == 5070
    with tenant_session(enterprise) as s:
        assert s.scalar(select(TrunkRow.password)) == "s3cret!"
        kept = s.scalars(select(AuditEntry).where(AuditEntry.entity == "trunk")).all()
        assert len(kept) == 2 and all("s3cret!" not in str((e.before, e.after)) for e in kept)
    assert b"s3cret!" not in owner.get("/api/trunks").data
    assert owner.patch(path, {"password": ""}).get_json()["has_password"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"host": "sip:example.com"}, "host"),
        ({"host": "999.1.1.1"}, "host"),
        ({"host": "a..b"}, "host"),
        ({"register": True}, "username"),
        ({"username": "a@b"}, "username"),
        ({"transport": "tls"}, "outbound_proxy"),
        ({"outbound_proxy": "edge.example.com"}, "outbound_proxy"),
        ({"caller_ids": ["010123"]}, "caller_ids"),
        ({"prefixes": ["+86x"]}, "prefixes"),
        ({"prepend": "9w"}, "prepend"),
        ({"port": 70000}, "port"),
        ({"channels": 0}, "channels"),
        ({"codec": "opus"}, "codec"),
    ],
)
def test_a_trunk_that_can_not_work_names_the_field(owner: Browser, body: Any, field: str) -> None:
    status, _, fields = refused(owner, "POST", "/api/trunks", {"name": "x", "host": "sip.example.com", **body})
    assert (status, fields) == (422, [field])


def test_the_health_of_a_trunk_is_what_the_engine_last_told(owner: Browser, enterprise: int) -> None:
    trunk = created(owner, "/api/trunks", {"name": "North", "host": "127.0.0.1"})["id"]
    assert owner.get("/api/trunks").get_json()["items"][0]["health"] is None
    health = {"up": True, "registered": None, "detail": "answers", "round_trip_ms": 12.5, "in_use": 4}
    streams.publish(enterprise, "trunks", {trunk: health})
    assert owner.get("/api/trunks").get_json()["items"][0]["health"] == health


def test_a_trunk_that_a_campaign_names_is_kept(owner: Browser, enterprise: int) -> None:
    trunk = created(owner, "/api/trunks", {"name": "North", "host": "127.0.0.1"})["id"]
    make(owner, "Autumn", trunk_ids=[trunk])
    assert owner.delete(f"/api/trunks/{trunk}").get_json()["params"]["campaigns"] == ["Autumn"]
    with tenant_session(enterprise) as s:
        assert s.scalar(select(func.count(TrunkRow.id))) == 1


@pytest.mark.parametrize("kind", ["scripts", "rules", "trunks"])
def test_a_name_that_is_taken_is_said_at_the_name(owner: Browser, kind: str) -> None:
    body = {"name": "North", **({"host": "127.0.0.1"} if kind == "trunks" else {})}
    created(owner, f"/api/{kind}", body)
    status, code, fields = refused(owner, "POST", f"/api/{kind}", body)
    assert (status, fields) == (422, ["name"]) and code.endswith("name_taken")
    other = created(owner, f"/api/{kind}", {**body, "name": "South"})["id"]
    assert refused(owner, "PATCH", f"/api/{kind}/{other}", {"name": "North"})[2] == ["name"]
    assert owner.delete(f"/api/{kind}/{other}").status_code == 204
    assert owner.delete(f"/api/{kind}/{other}").status_code == 404
