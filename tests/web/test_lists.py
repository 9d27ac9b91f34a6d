"""Lists, leads and custom fields through the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from callcenter.audit.models import AuditEntry
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from crm.models import Lead
from tests.web.conftest import Browser, add_user


def make_list(owner: Browser, name: str = "Autumn") -> int:
    answer = owner.post("/api/lists", {"name": name, "country": "CN"})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


def add_lead(owner: Browser, list_id: int, phone: str, **more: object) -> int:
    answer = owner.post("/api/leads", {"list_id": list_id, "phones": [phone], **more})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


@pytest.mark.promise("L4")
def test_a_list_tells_how_far_it_is_worked(owner: Browser, enterprise: int) -> None:
    list_id = make_list(owner)
    ids = [add_lead(owner, list_id, f"1381234567{i}") for i in range(4)]
    with tenant_session(enterprise) as s:
        s.execute(update(Lead).where(Lead.id == ids[0]).values(status="finished", attempts=2))
    row = owner.get("/api/lists").get_json()["items"][0]
    assert (row["total"], row["left"], row["tried"], row["penetration"]) == (4, 3, 1, 0.25)
    assert row["by_status"] == {"new": 3, "finished": 1}


def test_a_list_can_be_renamed_assigned_reset_and_deleted(owner: Browser, enterprise: int) -> None:
    list_id = make_list(owner)
    make_list(owner, "Spring")
    answer = owner.patch(f"/api/lists/{list_id}", {"name": "Spring"})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["name"])
    campaign = owner.post("/api/campaigns", {"name": "C"}).get_json()["id"]
    assigned = owner.call("PUT", f"/api/lists/{list_id}/campaign", {"campaign_id": campaign}).get_json()
    assert (assigned["campaign_id"], assigned["campaign_name"]) == (campaign, "C")
    with tenant_session(enterprise) as s:
        assert ("campaign", campaign) in [(r.body.get("entity"), r.body.get("id")) for r in s.query(OutboxRow)]
    assert owner.delete(f"/api/lists/{list_id}").get_json()["code"] == "list_in_campaign"
    owner.call("PUT", f"/api/lists/{list_id}/campaign", {"campaign_id": None})
    lead = add_lead(owner, list_id, "13812345678")
    with tenant_session(enterprise) as s:
        s.execute(update(Lead).values(status="finished", attempts=3))
    assert owner.post(f"/api/lists/{list_id}/reset", {"statuses": ["finished"]}).get_json() == {"count": 1}
    assert owner.get(f"/api/leads/{lead}").get_json()["attempts"] == 0
    assert owner.delete(f"/api/lists/{list_id}").status_code == 204
    assert owner.get(f"/api/leads/{lead}").status_code == 404
    with tenant_session(enterprise) as s:
        actions = {e.action for e in s.query(AuditEntry).filter(AuditEntry.entity == "lead_list")}
        assert actions >= {"create", "assign", "reset", "delete"}


@pytest.mark.promise("L2")
def test_a_lead_has_phones_fields_zone_and_is_found_by_any(owner: Browser) -> None:
    list_id = make_list(owner)
    field = {"key": "city", "label": "City", "kind": "choice", "choices": ["Beijing", "Shanghai"], "required": True}
    assert owner.post("/api/fields", field).status_code == 201
    body = {"list_id": list_id, "phones": ["13812345678", "010-62345678"], "name": "王丽", "fields": {"city": "Paris"}}
    answer = owner.post("/api/leads", body)
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, ["fields.city"])
    body["fields"] = {"city": "Beijing"}
    lead = owner.post("/api/leads", body).get_json()
    assert lead["phones"] == ["+8613812345678", "+861062345678"]
    assert (lead["time_zone"], lead["fields"]) == ("Asia/Shanghai", {"city": "Beijing"})
    for search in ("王", "1234567", "62345"):
        assert owner.get(f"/api/leads?list_id={list_id}&search={search}").get_json()["total"] == 1, search
    changed = owner.patch(f"/api/leads/{lead['id']}", {"phones": ["212 555 23"]})
    assert "phones.0" in changed.get_json()["fields"]
    assert owner.get("/api/leads?status=finished,dead").get_json()["total"] == 0


@pytest.mark.promise("L2")
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"label": "X", "kind": "choice"}, "choices"),
        ({"label": "X", "kind": "text", "key": "9x"}, "key"),
        ({"label": "X", "kind": "text", "format": "("}, "format"),
        ({"label": "X", "kind": "text", "max_length": 0}, "max_length"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(owner: Browser, given: dict[str, object], field: str) -> None:
    answer = owner.post("/api/fields", given)
    assert (answer.status_code, list(answer.get_json()["fields"])) == (422, [field])


def test_numbers_are_masked_for_those_who_may_not_see_them(
    owner: Browser, browser: Callable[[], Browser], enterprise: int
) -> None:
    list_id = make_list(owner)
    add_lead(owner, list_id, "13812345678")
    permissions = ["lists.read", "customers.read"]
    role = owner.post("/api/roles", {"name": "Looker", "permissions": permissions, "data_scope": "all"}).get_json()[
        "id"
    ]
    user = add_user(enterprise, "ann")
    owner.patch(f"/api/users/{user}", {"role_ids": [role]})
    ann = browser()
    assert ann.sign_in("acme", "ann").status_code == 200
    assert ann.get("/api/leads").get_json()["items"][0]["phones"] == ["+86138****678"]
    assert ann.post("/api/lists", {"name": "x", "country": "CN"}).status_code == 403
