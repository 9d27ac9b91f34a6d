"""Numbers and calendars over the API: kept as they must be, told to the engine, and tried before anybody calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from callcenter import wire
from callcenter.audit.models import AuditEntry
from callcenter.calls.destination import DestinationKind
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.numbers import queries
from callcenter.numbers.routing import NumberDoc
from callcenter.processes import documents
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.actions import open_enterprise
from crm.models import BlacklistEntry, Customer
from tests.web.conftest import PASSWORD, Browser, add_user

New = Callable[[], Browser]
DID = "+862155550100"
HANG_UP = {"kind": "hang_up"}
OFFICE = [[{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "18:00"}]] * 5 + [[], []]


def add_queue(tenant: int, name: str = "Service") -> int:
    with tenant_session(tenant) as s:
        query = text("INSERT INTO queue (tenant_id, name) VALUES (:t, :n) RETURNING id")
        return int(s.execute(query, {"t": tenant, "n": name}).scalar_one())


def add_number(b: Browser, **more: Any) -> dict[str, Any]:
    body = {"e164": DID, "name": "Service line", "open_to": HANG_UP, "closed_to": HANG_UP, **more}
    answer = b.post("/api/numbers", body)
    assert answer.status_code == 201, answer.get_json()
    return dict(answer.get_json())


def add_calendar(b: Browser, **more: Any) -> dict[str, Any]:
    answer = b.post("/api/calendars", {"name": "Office", "week": OFFICE, **more})
    assert answer.status_code == 201, answer.get_json()
    return dict(answer.get_json())


def try_it(b: Browser, number: int, at: str = "", caller: str = "") -> dict[str, Any]:
    answer = b.post(f"/api/numbers/{number}/try", {"caller": caller, **({"at": at} if at else {})})
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


@pytest.mark.promise("I1")
def test_a_number_with_hours_and_rules_sends_its_calls_where_the_try_out_says(
    owner: Browser, enterprise: int, redis_client: object
) -> None:
    queue, boss = add_queue(enterprise), add_user(enterprise, "ada", "agent")
    calendar = add_calendar(
        owner,
        holidays=[{"name": "National Day", "first": "2026-10-01", "last": "2026-10-07"}],
        special_days=[{"name": "Working Sunday", "day": "2026-09-27", "spans": [{"from": "10:00", "to": "15:00"}]}],
    )
    number = add_number(
        owner, calendar_id=calendar["id"], open_to={"kind": "queue", "id": queue}, closed_to={"kind": "voicemail"},
        holiday_to={"kind": "number", "number": "+862155550199"},
        rules=[
            {"when": "blacklisted", "then": "refuse"},
            {"when": "vip", "then": "owner", "priority": 5},
            {"when": "prefix", "then": "destination", "prefixes": ["+852"], "to": {"kind": "agent", "id": boss}},
        ],
    )  # fmt: skip
    assert number["open_to"] == {"kind": "queue", "id": queue, "number": "", "name": "Service"}
    with tenant_session(enterprise) as s:
        s.add(Customer(name="Lin Mei", phones=["+8613812345678"], vip=True, owner_id=boss))
        s.add(BlacklistEntry(phone_e164="+8613800000001"))
    n = number["id"]
    for at, to, reason in (
        ("2026-09-28T10:00:00+08:00", "queue", "open"),
        ("2026-09-28T12:30:00+08:00", "voicemail", "closed"),
        ("2026-09-27T11:00:00+08:00", "queue", "open"),
        ("2026-10-02T10:00:00+08:00", "number", "holiday"),
    ):
        told = try_it(owner, n, at)
        assert (told["to"]["kind"], told["reason"], told["rule"]) == (to, reason, None), at
    assert try_it(owner, n, "2026-10-02T10:00:00+08:00")["day_name"] == "National Day"
    morning = "2026-09-28T10:00:00+08:00"
    refused = try_it(owner, n, morning, "13800000001")
    assert (refused["to"]["kind"], refused["rule"], refused["caller"]["blacklisted"]) == ("refuse", 1, True)
    vip = try_it(owner, n, morning, "13812345678")
    assert (vip["to"]["kind"], vip["priority"], vip["preferred_agent"]) == ("queue", 5, "Ada")
    streams.publish(enterprise, f"agent:{boss}", {"state": "available"})
    vip = try_it(owner, n, morning, "013812345678")
    assert (vip["to"]["name"], vip["rule"], vip["caller"]["name"]) == ("Ada", 2, "Lin Mei")
    assert try_it(owner, n, morning, "+85251234567")["rule"] == 3


def test_what_is_kept_reaches_the_engine_as_documents_and_the_audit_log(owner: Browser, enterprise: int) -> None:
    calendar = add_calendar(owner)
    number = add_number(owner, calendar_id=calendar["id"])
    answer = owner.patch(f"/api/numbers/{number['id']}", {"name": "Hotline", "enabled": False})
    assert answer.status_code == 200
    with tenant_session(enterprise) as s:
        told = {
            (r.body["entity"], r.body["id"]) for r in s.scalars(select(OutboxRow).where(OutboxRow.topic == "settings"))
        }
        assert {("calendar", calendar["id"]), ("number", number["id"])} <= told
        ((_, _, doc),) = documents.changed(s, "number", number["id"])
        read = wire.convert(doc, NumberDoc)
        assert (read.e164, read.name, read.enabled) == (DID, "Hotline", False)
        assert {name for name, _, _ in documents.everything(s)} >= {"number", "calendar"}
        entry = s.scalars(select(AuditEntry).where(AuditEntry.entity == "number", AuditEntry.action == "update")).one()
        assert entry.after == {"name": "Hotline", "enabled": False}
    assert owner.delete(f"/api/numbers/{number['id']}").status_code == 204
    with tenant_session(enterprise) as s:
        assert list(documents.changed(s, "number", number["id"])) == [("number", number["id"], None)]


def test_a_number_is_one_enterprises_in_the_whole_installation(owner: Browser, browser: New) -> None:
    add_number(owner)
    with platform_session() as s:
        open_enterprise(s, "other", "Other", "CN", "Asia/Shanghai", "chief", PASSWORD)
    stranger = browser()
    stranger.sign_in("other", "chief")
    answer = stranger.post("/api/numbers", {"e164": DID, "name": "Mine", "open_to": HANG_UP, "closed_to": HANG_UP})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "number.taken")
    assert list(answer.get_json()["fields"]) == ["e164"]
    assert stranger.get("/api/numbers").get_json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"e164": "02155550100"}, "e164"),
        ({"open_to": {"kind": "queue", "id": 404}}, "open_to"),
        ({"open_to": {"kind": "menu"}}, "open_to"),
        ({"closed_to": {"kind": "number", "number": "123"}}, "closed_to"),
        ({"calendar_id": 404}, "calendar_id"),
        ({"trunk_ids": [404]}, "trunk_ids"),
        ({"rules": [{"when": "any", "then": "refuse"}, {"when": "prefix", "then": "refuse"}]}, "rules.1"),
        ({"rules": [{"when": "repeated", "then": "last_agent"}]}, "rules.0"),
        ({"rules": [{"when": "anonymous", "then": "owner"}]}, "rules.0"),
        ({"rules": [{"when": "vip", "then": "destination"}]}, "rules.0"),
        ({"rules": [{"when": "vip", "then": "priority"}]}, "rules.0"),
        ({"rules": [{"when": "prefix", "then": "refuse", "prefixes": ["x"]}]}, "rules.0"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_at_its_field(owner: Browser, body: dict[str, Any], field: str) -> None:
    number = add_number(owner)
    answer = owner.patch(f"/api/numbers/{number['id']}", body)
    assert answer.status_code == 422, answer.get_json()
    assert list(answer.get_json()["fields"]) == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"week": [[{"from": "09:00", "to": "08:00"}], [], [], [], [], [], []]}, "week.0"),
        ({"week": [[], [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}], *[[]] * 5]}, "week.1"),
        ({"week": [[], [], [{"from": "09:60", "to": "12:00"}], [], [], [], []]}, "week.2"),
        ({"week": [[]]}, "week"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"holidays": [{"name": "Backwards", "first": "2026-05-03", "last": "2026-05-01"}]}, "holidays.0"),
        ({"special_days": [{"name": "a", "day": "2026-05-03", "spans": []}] * 2}, "special_days.1"),
    ],
)  # fmt: skip
def test_hours_that_make_no_sense_are_said_at_their_day(owner: Browser, body: dict[str, Any], field: str) -> None:
    calendar = add_calendar(owner)
    answer = owner.patch(f"/api/calendars/{calendar['id']}", body)
    assert answer.status_code == 422, answer.get_json()
    assert list(answer.get_json()["fields"]) == [field]


def test_a_calendar_tells_whether_it_is_open_and_when_next_and_its_night_is_two_spans(owner: Browser) -> None:
    always = add_calendar(owner, name="Always", week=[[{"from": "00:00", "to": "24:00"}]] * 7)
    never = add_calendar(owner, name="Never", week=[[]] * 7)
    assert (always["hours"], never["hours"], never["next_opening"]) == ("open", "closed", None)
    assert [c["name"] for c in owner.get("/api/calendars").get_json()["items"]] == ["Always", "Never"]


def test_a_calendar_in_use_is_not_deleted_and_the_numbers_are_named(owner: Browser) -> None:
    calendar = add_calendar(owner)
    number = add_number(owner, calendar_id=calendar["id"])
    answer = owner.delete(f"/api/calendars/{calendar['id']}")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "calendar.in_use")
    assert answer.get_json()["params"]["names"] == "Service line"
    assert owner.patch(f"/api/numbers/{number['id']}", {"calendar_id": None}).status_code == 200
    assert owner.delete(f"/api/calendars/{calendar['id']}").status_code == 204


def test_what_a_number_leads_to_knows_that_it_is_used(owner: Browser, enterprise: int) -> None:
    queue, other = add_queue(enterprise), add_queue(enterprise, "Sales")
    rule = {"when": "any", "then": "destination", "to": {"kind": "queue", "id": queue}}
    number = add_number(owner, rules=[rule])
    with tenant_session(enterprise) as s:
        assert [u["id"] for u in queries.uses(s, DestinationKind.QUEUE, queue)] == [number["id"]]
        assert queries.uses(s, DestinationKind.QUEUE, other) == []
        assert queries.uses(s, DestinationKind.MENU, queue) == []
    assert owner.delete(f"/api/queues/{queue}").status_code == 409
    assert owner.delete(f"/api/queues/{other}").status_code == 204


def test_places_to_choose_from_are_menus_queues_and_agents_only(owner: Browser, enterprise: int) -> None:
    queue, ada = add_queue(enterprise), add_user(enterprise, "ada", "agent")
    told = owner.get("/api/numbers/destinations").get_json()
    assert told["queues"] == [{"id": queue, "name": "Service", "ready": True}]
    assert ada in [a["id"] for a in told["agents"]]
    assert told["menus"] == []


def test_agents_may_not_see_numbers_and_supervisors_may_not_change_them(
    owner: Browser, browser: New, enterprise: int
) -> None:
    number = add_number(owner)
    add_user(enterprise, "ada", "agent")
    add_user(enterprise, "sue", "supervisor")
    ada, sue = browser(), browser()
    ada.sign_in("acme", "ada")
    sue.sign_in("acme", "sue")
    assert ada.get("/api/numbers").status_code == 403
    assert sue.get("/api/numbers").status_code == 200
    assert sue.patch(f"/api/numbers/{number['id']}", {"name": "x"}).status_code == 403


def test_a_trunks_inbound_settings_are_kept_and_its_password_is_never_read(owner: Browser, enterprise: int) -> None:
    body = {
        "name": "North", "host": "192.0.2.1", "inbound_auth": "digest", "inbound_username": "north",
        "inbound_password": "s3cret", "inbound_sources": ["198.51.100.0/24"], "inbound_channels": 4,
        "inbound_calls_per_second": 2.0,
    }  # fmt: skip
    answer = owner.post("/api/trunks", body)
    assert answer.status_code == 201, answer.get_json()
    told = answer.get_json()
    assert (told["inbound"], told["has_inbound_password"], told["inbound_channels"]) == (True, True, 4)
    assert "inbound_password" not in told
    with tenant_session(enterprise) as s:
        ((_, _, doc),) = documents.changed(s, "trunk", told["id"])
        assert doc is not None
        assert (doc["inbound_password"], doc["inbound_sources"]) == ("s3cret", ["198.51.100.0/24"])
        assert s.get_one(TrunkRow, told["id"]).inbound_calls_per_second == 2.0
    for wrong, field in (
        ({"inbound_sources": ["nowhere"]}, "inbound_sources"),
        ({"inbound_username": ""}, "inbound_username"),
    ):
        refused = owner.patch(f"/api/trunks/{told['id']}", wrong)
        assert (refused.status_code, list(refused.get_json()["fields"])) == (422, [field])
    assert owner.patch(f"/api/trunks/{told['id']}", {"options_every_s": 60}).status_code == 200


@pytest.mark.promise("I1")
def test_a_customer_is_made_a_vip_on_the_card(owner: Browser) -> None:
    made = owner.post("/api/customers", {"name": "Lin Mei", "phones": ["13812345678"], "vip": True}).get_json()
    customer = made.get("customer_id") or made["id"]
    card = owner.get(f"/api/customers/card?customer_id={customer}").get_json()
    assert card["vip"] is True
    assert owner.patch(f"/api/customers/{customer}", {"vip": False}).status_code == 200
    assert owner.get(f"/api/customers/card?customer_id={customer}").get_json()["vip"] is False


def test_next_opening_is_in_the_calendars_own_zone(owner: Browser) -> None:
    told = add_calendar(owner, time_zone="Europe/Berlin", week=[[{"from": "03:00", "to": "03:01"}]] * 7)
    opens = datetime.fromisoformat(told["next_opening"]).astimezone(UTC)
    assert opens.hour in (1, 2)
    assert opens > datetime.now(UTC)
