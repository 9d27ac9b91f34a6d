"""Customers, call-backs and click to call through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from callcenter.audit.models import AuditEntry
from callcenter.calls.models import Call, Recording
from callcenter.clock import utc_now
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.events import streams
from tests.web.conftest import Browser, add_user
from tests.web.test_lists import add_lead, make_list


def make(owner: Browser, phone: str = "13812345678", **more: Any) -> dict[str, Any]:
    answer = owner.post("/api/customers", {"phones": [phone], "name": "Wang Li", **more})
    assert answer.status_code == 201, answer.get_json()
    card: dict[str, Any] = answer.get_json()
    return card


@pytest.mark.promise("C1")
def test_a_card_is_found_by_customer_lead_and_number(owner: Browser) -> None:
    lead = add_lead(owner, make_list(owner), "13812345678", name="W. Li")
    by_number = owner.get("/api/customers/card?phone=%2B8613812345678").get_json()
    assert (by_number["customer_id"], by_number["lead_id"], by_number["name"]) == (None, lead, "W. Li")
    card = owner.post("/api/customers/of-lead", {"lead_id": lead}).get_json()
    assert owner.post("/api/customers/of-lead", {"lead_id": lead}).get_json()["customer_id"] == card["customer_id"]
    for query in (f"customer_id={card['customer_id']}", f"lead_id={lead}", "phone=8613812345678"):
        found = owner.get(f"/api/customers/card?{query}").get_json()
        assert (found["customer_id"], found["lead_id"]) == (card["customer_id"], lead), query
    assert owner.get("/api/customers/card?phone=%2B8613999999999").status_code == 404
    assert owner.get("/api/customers/card").status_code == 422


def test_a_number_belongs_to_one_customer(owner: Browser) -> None:
    first = make(owner)
    answer = owner.post("/api/customers", {"phones": ["+86 138 1234 5678"]})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "customer_exists")
    assert answer.get_json()["params"]["customer_id"] == first["customer_id"]
    other = make(owner, "13912345678")
    answer = owner.patch(f"/api/customers/{other['customer_id']}", {"phones": ["13912345678", "13812345678"]})
    assert answer.status_code == 409


def test_a_customer_is_changed_in_place_field_by_field(owner: Browser, enterprise: int) -> None:
    owner.post("/api/fields", {"key": "city", "label": "City", "kind": "text"})
    owner.post("/api/fields", {"key": "age", "label": "Age", "kind": "number"})
    path = f"/api/customers/{make(owner)['customer_id']}"
    assert owner.patch(path, {"fields": {"city": "Beijing", "age": "41"}}).get_json()["fields"] == {
        "city": "Beijing",
        "age": 41,
    }
    assert owner.patch(path, {"fields": {"city": None}, "tags": ["vip"]}).get_json()["fields"] == {"age": 41}
    assert list(owner.patch(path, {"fields": {"age": "old"}}).get_json()["fields"]) == ["fields.age"]
    with tenant_session(enterprise) as s:
        last = s.query(AuditEntry).filter(AuditEntry.entity == "customer").order_by(AuditEntry.id.desc()).first()
        assert last is not None and set(last.after or {}) == {"fields", "tags"}


@pytest.mark.promise("V3")
def test_history_holds_calls_with_recordings_notes_and_call_backs(owner: Browser, enterprise: int) -> None:
    customer = make(owner)["customer_id"]
    with tenant_session(enterprise) as s:
        s.add(
            Call(id="C1", phone_e164="+8613812345678", started_at=utc_now() - timedelta(hours=1), outcome="connected")
        )
        s.add(Recording(id="R1", call_id="C1", path="x", started_at=utc_now(), state="stored", seconds=12.5))
    assert owner.post(f"/api/customers/{customer}/follow-ups", {"text": "wants a quote"}).status_code == 201
    assert owner.post(f"/api/customers/{customer}/follow-ups", {"text": "  "}).status_code == 422
    due = (utc_now() + timedelta(days=1)).isoformat()
    assert owner.post("/api/callbacks", {"customer_id": customer, "due_at": due}).status_code == 201
    page = owner.get(f"/api/customers/history?customer_id={customer}&per_page=2").get_json()
    assert (page["total"], {e["kind"] for e in page["items"]}) == (3, {"follow_up", "callback"})
    rest = owner.get(f"/api/customers/history?customer_id={customer}&per_page=2&page=2").get_json()["items"]
    assert rest[0]["call"]["recordings"] == [{"id": "R1", "state": "stored", "seconds": 12.5}]
    assert owner.get(f"/api/customers/{customer}/follow-ups").get_json()["items"][0]["text"] == "wants a quote"


@pytest.mark.promise("E5")
def test_an_agent_sees_own_customers_and_whoever_is_on_the_line(
    owner: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    customer = make(owner)["customer_id"]
    user = add_user(enterprise, "lin", "agent")
    lin = browser()
    lin.sign_in("acme", "lin")
    own = lin.post("/api/customers", {"phones": ["13912345678"], "name": "Mine"}).get_json()["customer_id"]
    assert [c["id"] for c in lin.get("/api/customers").get_json()["items"]] == [own]
    assert lin.get(f"/api/customers/card?customer_id={customer}").status_code == 403
    assert lin.patch(f"/api/customers/{customer}", {"name": "x"}).status_code == 403
    streams.publish(enterprise, f"agent:{user}", {"call": {"phone_e164": "+8613812345678"}})
    assert lin.get(f"/api/customers/card?customer_id={customer}").status_code == 200


@pytest.mark.promise("D8")
def test_call_backs_are_promised_moved_listed_and_kept(
    owner: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    lead = add_lead(owner, make_list(owner), "13812345678", name="W. Li")
    late = owner.post("/api/callbacks", {"lead_id": lead, "due_at": "2020-01-01T10:00:00Z"})
    assert list(late.get_json()["fields"]) == ["due_at"]
    due = utc_now() + timedelta(hours=2)
    made = owner.post("/api/callbacks", {"lead_id": lead, "due_at": due.isoformat(), "note": "after work"}).get_json()
    assert (made["name"], made["phone"], made["overdue"]) == ("W. Li", "+8613812345678", False)
    assert owner.get(f"/api/leads/{lead}").get_json()["status"] == "callback"
    add_user(enterprise, "lin", "agent")
    lin = browser()
    lin.sign_in("acme", "lin")
    assert lin.get("/api/callbacks").get_json()["total"] == 0
    assert lin.post(f"/api/callbacks/{made['id']}/done").status_code == 403
    moved = owner.patch(f"/api/callbacks/{made['id']}", {"user_id": None}).get_json()
    assert (moved["user_id"], moved["note"]) == (None, "after work")
    assert lin.get("/api/callbacks").get_json()["total"] == 1
    assert lin.get("/api/callbacks?due=due").get_json()["total"] == 0
    assert lin.post(f"/api/callbacks/{made['id']}/done").get_json()["state"] == "done"
    assert lin.post(f"/api/callbacks/{made['id']}/cancel").get_json()["code"] == "callback_closed"
    with tenant_session(enterprise) as s:
        told = [r.body["topic"] for r in s.query(OutboxRow).filter(OutboxRow.topic == "live")]
        assert told == ["callbacks"] * 3


def test_dialing_resolves_the_number_and_what_is_known_of_it(
    owner: Browser, enterprise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def send(tenant: int, command: object, **_: object) -> dict[str, str]:
        sent.append((tenant, command))
        return {"call_id": "C9"}

    monkeypatch.setattr(streams, "send", send)
    lead = add_lead(owner, make_list(owner), "13812345678", name="W. Li")
    owner.post("/api/blacklist", {"numbers": ["13812345678"]})
    with tenant_session(enterprise) as s:
        for i, hours in enumerate((1, 23, 25)):
            s.add(Call(id=f"C{i}", phone_e164="+8613812345678", started_at=utc_now() - timedelta(hours=hours)))
    assert owner.post("/api/dial", {"number": "138 1234 5678"}).get_json() == {"call_id": "C9"}
    tenant, command = sent[0]
    assert (tenant, command.number, command.lead_id, command.name) == (enterprise, "+8613812345678", lead, "W. Li")
    assert (command.blacklisted, command.attempts_24h, command.time_zone) == (True, 2, "Asia/Shanghai")
    assert owner.post("/api/dial", {"lead_id": lead}).status_code == 200
    assert owner.post("/api/dial", {"number": "1234"}).get_json()["code"] == "number_invalid"
    assert owner.post("/api/dial", {}).status_code == 422
    assert owner.post("/api/dial", {"lead_id": 999}).status_code == 404
