"""The platform's operator: enterprises, their validity, announcements; and that nobody else gets there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.auth.models import Role
from callcenter.auth.permissions import OPERATOR_PERMISSIONS, PLATFORM_PERMISSIONS
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.actions import open_enterprise
from smsgateway.carriers.port import Inbound
from smsgateway.inbound import taking
from tests.smsgateway.carriers import gateway
from tests.web.conftest import PASSWORD, Browser

New = Callable[[], Browser]
OPENED = {"code": "north", "name": "North", "owner_username": "nora", "owner_password": PASSWORD, "locale": "en"}


@pytest.fixture
def operator(browser: New) -> Browser:
    with platform_session() as session:
        open_enterprise(session, "platform", "Platform", "CN", "Asia/Shanghai", "opa", PASSWORD, is_platform=True)
    b = browser()
    assert b.sign_in("platform", "opa").status_code == 200
    return b


@pytest.mark.promise("E10")
def test_the_operator_opens_an_enterprise_whose_owner_signs_in(operator: Browser, browser: New) -> None:
    made = operator.post("/api/platform/enterprises", {**OPENED, "valid_until": "2030-01-31"})
    assert made.status_code == 201, made.get_json()
    assert made.get_json()["valid_until"] == "2030-01-31"
    nora = browser()
    assert nora.sign_in("north", "nora").status_code == 200
    listed = operator.get("/api/platform/enterprises?search=NOR").get_json()
    assert [e["code"] for e in listed["items"]] == ["north"]
    assert operator.post("/api/platform/enterprises", OPENED).get_json()["fields"].keys() == {"code"}


@pytest.mark.promise("E10")
def test_validity_is_changed_and_stands_in_both_logs(operator: Browser, enterprise: int) -> None:
    path = f"/api/platform/enterprises/{enterprise}"
    assert operator.patch(path, {"valid_until": "2027-03-01"}).get_json()["valid_until"] == "2027-03-01"
    with platform_session() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "update")).all()
        assert len({e.tenant_id for e in entries}) == 2 and enterprise in {e.tenant_id for e in entries}
        assert all(e.after == {"valid_until": "2027-03-01"} for e in entries)
    assert operator.patch("/api/platform/enterprises/999", {"name": "x"}).status_code == 404


@pytest.mark.promise("E2", "E10")
def test_announcements_are_read_by_whom_they_are_for_and_while_they_last(operator: Browser, owner: Browser) -> None:
    other = operator.post("/api/platform/enterprises", OPENED).get_json()["id"]

    def announce(**more: Any) -> Any:
        return operator.post("/api/platform/announcements", {"title": "T", **more})

    announce(title="All")
    announce(title="North only", enterprise_id=other)
    announce(title="Over", shown_from="2020-01-01T00:00:00Z", shown_until="2020-02-01T00:00:00Z")
    later = announce(title="Later", shown_from="2090-01-01T00:00:00Z").get_json()["id"]
    assert [a["title"] for a in owner.get("/api/announcements").get_json()["items"]] == ["All"]
    wrong = announce(shown_from="2030-01-02T00:00:00Z", shown_until="2030-01-01T00:00:00Z")
    assert wrong.status_code == 422 and wrong.get_json()["fields"].keys() == {"shown_until"}
    operator.patch(f"/api/platform/announcements/{later}", {"shown_from": "2021-01-01T00:00:00Z", "kind": "promotion"})
    assert {a["title"] for a in owner.get("/api/announcements").get_json()["items"]} == {"All", "Later"}
    assert operator.delete(f"/api/platform/announcements/{later}").status_code == 204
    assert operator.get("/api/platform/announcements").get_json()["total"] == 3


@pytest.mark.promise("E3")
def test_nobody_else_can_have_the_operators_permissions(owner: Browser, operator: Browser, enterprise: int) -> None:
    assert owner.get("/api/platform/enterprises").status_code == 403
    groups = {g["group"] for g in owner.get("/api/roles/permissions").get_json()["groups"]}
    assert "platform" not in groups
    sly = owner.post("/api/roles", {"name": "Sly", "permissions": ["platform.credit"]})
    assert sly.status_code == 422 and sly.get_json()["fields"].keys() == {"permissions"}
    with tenant_session(enterprise) as session:  # even a row that should not be there gives nothing
        for role in session.scalars(select(Role)):
            role.permissions = [*role.permissions, *PLATFORM_PERMISSIONS]
            role.key = None
    assert owner.get("/api/platform/enterprises").status_code == 403
    mine = operator.get("/api/roles/permissions").get_json()
    assert set(mine["own"]) == set(OPERATOR_PERMISSIONS)


@pytest.mark.promise("S8")
def test_an_unclaimed_text_is_given_to_its_enterprise_once(operator: Browser, owner: Browser, enterprise: int) -> None:
    carrier = gateway.carrier("c", "demo")
    taking.take(Inbound("+8613800138000", "10690000", "Hello?", 1.8e9), carrier)
    (text,) = operator.get("/api/platform/unclaimed-texts").get_json()["items"]
    assert (text["phone"], text["to"], text["body"], text["carrier_name"]) == (
        "+8613800138000", "10690000", "Hello?", "c",
    )  # fmt: skip
    path = f"/api/platform/unclaimed-texts/{text['id']}/claim"
    assert owner.post(path, {"enterprise_id": enterprise}).status_code == 403
    assert operator.post(path, {"enterprise_id": 999}).status_code == 404
    assert operator.post(path, {"enterprise_id": enterprise}).status_code == 204
    assert operator.post(path, {"enterprise_id": enterprise}).get_json()["code"] == "already_claimed"
    assert operator.get("/api/platform/unclaimed-texts").get_json()["total"] == 0
    assert owner.get("/api/conversations").get_json()["total"] == 1


def test_there_is_one_platform(operator: Browser) -> None:
    with pytest.raises(Exception, match="uq_enterprise_platform"), platform_session() as session:
        open_enterprise(session, "second", "Second", "CN", "Asia/Shanghai", "opa", PASSWORD, is_platform=True)
