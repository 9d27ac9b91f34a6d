"""SIP phones through the API: made with a password that is shown once, given another, switched off, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from callcenter import wire
from callcenter.audit.models import AuditEntry
from callcenter.auth.models import User
from callcenter.clock import wall_s
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.processes import documents
from callcenter.telephony.models import SipPhoneRow
from callcenter.telephony.phones import Registration, ha1_of
from tests.web.conftest import Browser, add_user

pytestmark = pytest.mark.promise("A1")


@pytest.fixture
def agent(enterprise: int) -> int:
    return add_user(enterprise, "ann", "agent")


def make(owner: Browser, user_id: int) -> dict[str, Any]:
    answer = owner.post("/api/sip-phones", {"user_id": user_id})
    assert answer.status_code == 201, answer.get_json()
    return dict(answer.get_json())


def documented(tenant: int, entity: str, id_: int) -> dict[str, Any]:
    """What the engine is told of a change: "entity:id" → document."""
    with tenant_session(tenant) as session:
        return {f"{e}:{i}": doc for e, i, doc in documents.changed(session, entity, id_)}


def test_the_password_is_shown_once_and_only_its_hash_is_kept(owner: Browser, enterprise: int, agent: int) -> None:
    streams.client().set(streams.engine_of_key(enterprise), "engine-1")
    streams.client().hset(streams.SIP_ADDRESSES, "engine-1", wire.to_json("192.0.2.7:5060"))
    made = make(owner, agent)
    phone, password = made["phone"], made["password"]
    assert made["server"] == {"host": "192.0.2.7", "port": 5060}
    assert phone["username"].startswith("acme-") and len(password) == 16 and not phone["registered"]
    told = documented(enterprise, "sip_phone", phone["id"])[f"sip_phone:{phone['id']}"]
    assert told == {
        "user_id": agent, "username": phone["username"], "ha1": ha1_of(phone["username"], password),
    }  # fmt: skip
    seen = owner.get("/api/sip-phones").get_data(as_text=True)
    with tenant_session(enterprise) as session:
        kept = json.dumps([[e.before, e.after] for e in session.scalars(select(AuditEntry))])
    for secret in (password, told["ha1"]):
        assert secret not in seen and secret not in kept
    again = owner.post("/api/sip-phones", {"user_id": agent})
    assert (again.status_code, again.get_json()["code"]) == (422, "sip_phone.one_each")
    assert "user_id" in again.get_json()["fields"]
    other = owner.post(f"/api/sip-phones/{phone['id']}/password").get_json()
    assert other["password"] != password and other["phone"]["username"] == phone["username"]
    with tenant_session(enterprise) as session:
        row = session.get(SipPhoneRow, phone["id"])
        assert row is not None and row.ha1 == ha1_of(phone["username"], other["password"])


def test_where_a_phone_is_stands_in_the_list_and_on_its_users_own_page(
    owner: Browser, browser: Callable[[], Browser], enterprise: int, agent: int
) -> None:
    phone = make(owner, agent)["phone"]
    place = Registration("sip:x@10.0.0.9", "198.51.100.4", 5062, 1000.0, wall_s() + 60, "Yealink T31", answers=True)
    key = streams.registrations_key(enterprise)
    streams.client().hset(key, str(phone["id"]), wire.to_json(place))
    [row] = owner.get("/api/sip-phones?search=ann").get_json()["items"]
    shown = {"registered": True, "device": "Yealink T31", "address": "198.51.100.4:5062", "answers": True}
    assert {name: row[name] for name in shown} == shown and row["user_name"] == "Ann"
    own = browser()
    own.sign_in("acme", "ann")
    found = own.get("/api/sip-phones/own").get_json()["phone"]
    assert (found["username"], found["registered"]) == (phone["username"], True)
    assert own.get("/api/sip-phones").status_code == 403
    old = Registration("sip:x@10.0.0.9", "198.51.100.4", 5062, 1000.0, wall_s() - 1)
    streams.client().hset(key, str(phone["id"]), wire.to_json(old))
    assert not own.get("/api/sip-phones/own").get_json()["phone"]["registered"]


def test_the_engine_hears_when_a_phone_or_its_user_is_switched_off_or_deleted(
    owner: Browser, enterprise: int, agent: int
) -> None:
    phone = make(owner, agent)["phone"]
    path, name = f"/api/sip-phones/{phone['id']}", f"sip_phone:{phone['id']}"
    assert owner.patch(path, {"enabled": False}).get_json()["enabled"] is False
    assert documented(enterprise, "sip_phone", phone["id"]) == {name: None}
    owner.patch(path, {"enabled": True})
    assert documented(enterprise, "user", agent)[name] is not None
    owner.patch(f"/api/users/{agent}", {"enabled": False})
    assert documented(enterprise, "user", agent)[name] is None, "its user may not sign in"
    owner.patch(f"/api/users/{agent}", {"enabled": True})
    with tenant_session(enterprise) as session:
        user = session.get(User, agent)
        assert user is not None
        user.phone_device = "sip"
    assert owner.delete(path).status_code == 204
    assert documented(enterprise, "sip_phone", phone["id"]) == {name: None}
    with tenant_session(enterprise) as session:
        user = session.get(User, agent)
        assert user is not None and user.phone_device == "browser"
    second = make(owner, agent)["phone"]
    assert owner.delete(f"/api/users/{agent}").status_code == 204
    assert documented(enterprise, "sip_phone", second["id"]) == {f"sip_phone:{second['id']}": None}


def test_who_has_no_sip_phone_can_not_choose_it(
    owner: Browser, browser: Callable[[], Browser], enterprise: int, agent: int
) -> None:
    own = browser()
    own.sign_in("acme", "ann")
    assert own.get("/api/phone/device").get_json()["sip"] is False
    refused = own.patch("/api/phone/device", {"kind": "sip"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "no_sip_phone")
    make(owner, agent)
    chosen = own.patch("/api/phone/device", {"kind": "sip"}).get_json()
    assert (chosen["kind"], chosen["sip"], chosen["allowed"]) == ("sip", True, True)
