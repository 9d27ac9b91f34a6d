"""API tokens: another system works in a user's name, within what was chosen, and only as long as it should."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from callcenter.audit.models import AuditEntry
from callcenter.auth import bearer
from callcenter.auth.models import ApiToken, Role, User
from callcenter.auth.tokens import comes_from
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.models import Enterprise
from tests.web.conftest import Browser, add_user
from web import limits

pytestmark = pytest.mark.promise("P1")
New = Callable[[], Browser]
Ask = Callable[..., TestResponse]


@pytest.fixture
def ask(app: Flask) -> Ask:
    """A request of another system: a token, no cookies, no CSRF token."""

    def send(
        token: str, path: str = "/api/auth/me", method: str = "GET", body: Any = None, **more: Any
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client(use_cookies=False).open(path, method=method, json=body, headers=headers, **more)

    return send


def make(b: Browser, *permissions: str, **more: Any) -> dict[str, Any]:
    answer = b.post("/api/api-tokens", {"name": "ERP", "permissions": list(permissions), **more})
    assert answer.status_code == 201, answer.get_json()
    made: dict[str, Any] = answer.get_json()
    return made


@pytest.mark.promise("E1")
def test_a_token_reads_and_writes_without_cookie_or_csrf_and_leaves_none(
    owner: Browser, ask: Ask, enterprise: int
) -> None:
    made = make(owner, "users.read", "users.write", "roles.read")
    assert made["token"].startswith("cc_") and made["token"].startswith(made["prefix"])
    users = ask(made["token"], "/api/users")
    assert users.status_code == 200 and users.get_json()["total"] == 1
    assert "Set-Cookie" not in users.headers
    agent = next(r for r in ask(made["token"], "/api/roles").get_json()["items"] if r["key"] == "agent")
    assert agent["name"] == "Agent"
    added = ask(
        made["token"], "/api/users", "POST", {"username": "li.wei", "name": "Li Wei", "password": "long one 77"}
    )
    assert added.status_code == 201, added.get_json()
    with tenant_session(enterprise) as db:
        entry = db.scalars(select(AuditEntry).where(AuditEntry.entity == "user", AuditEntry.action == "create")).one()
        boss = db.scalars(select(User).where(User.username == "boss")).one()
    assert entry.actor_id == boss.id
    assert entry.actor_name == f"{boss.name} · ERP"


def test_only_the_hash_is_kept_and_the_token_is_shown_once(owner: Browser, enterprise: int) -> None:
    made = make(owner, "users.read")
    with tenant_session(enterprise) as db:
        row = db.scalars(select(ApiToken)).one()
        assert row.token_hash == hashlib.sha256(made["token"].encode()).hexdigest()
        assert all(made["token"] not in f"{e.before}{e.after}" for e in db.scalars(select(AuditEntry)))
    for path in ("/api/api-tokens", f"/api/api-tokens/{made['id']}"):
        assert made["token"] not in owner.get(path).get_data(as_text=True)
    assert owner.get("/api/api-tokens").get_json()["items"][0]["prefix"] == made["token"][:11]


def test_it_may_do_what_was_chosen_and_never_more_than_its_user_may_now(
    browser: New, owner: Browser, ask: Ask, enterprise: int
) -> None:
    add_user(enterprise, "adam", "admin")
    adam = browser()
    adam.sign_in("acme", "adam")
    token = make(adam, "users.read", "roles.read")["token"]
    assert ask(token, "/api/auth/me").get_json()["permissions"] == ["roles.read", "users.read"]
    assert ask(token, "/api/departments").status_code == 403
    with tenant_session(enterprise) as db:
        role = db.scalars(select(Role).where(Role.key == "admin")).one()
        role.permissions = [p for p in role.permissions if p != "roles.read"]
    assert ask(token, "/api/roles").status_code == 403
    assert ask(token, "/api/users").status_code == 200
    beyond = adam.post("/api/api-tokens", {"name": "x", "permissions": ["audit.read"]})
    assert (beyond.status_code, beyond.get_json()["code"]) == (403, "beyond_own_rights")


def test_who_may_not_make_tokens_can_not(browser: New, enterprise: int) -> None:
    add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert ann.post("/api/api-tokens", {"name": "x", "permissions": ["calls.read"]}).status_code == 403


def test_bad_input_is_told_at_its_field(owner: Browser) -> None:
    good = {"name": "x", "permissions": ["users.read"]}
    for wrong, field in [
        ({"name": "  "}, "name"),
        ({"permissions": []}, "permissions"),
        ({"ip_allow": ["10.0.0.0/8", "here"]}, "ip_allow"),
        ({"expires_at": "2020-01-01T00:00:00+00:00"}, "expires_at"),
    ]:
        answer = owner.post("/api/api-tokens", {**good, **wrong})
        assert (answer.status_code, list(answer.get_json()["fields"])) == (422, [field])


@pytest.mark.promise("E1")
def test_no_token_makes_tokens_signs_out_or_touches_the_password(owner: Browser, ask: Ask) -> None:
    token = make(owner, *owner.get("/api/auth/me").get_json()["permissions"])["token"]
    for method, path, body in [
        ("POST", "/api/api-tokens", {"name": "x", "permissions": ["users.read"]}),
        ("GET", "/api/api-tokens", None),
        ("POST", "/api/auth/password", {"current": "a", "new": "b"}),
        ("POST", "/api/auth/second-factor/begin", {"password": "a"}),
        ("POST", "/api/auth/sign-out", {}),
        ("PATCH", "/api/auth/me", {"name": "x"}),
    ]:
        answer = ask(token, path, method, body)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "in_person_only"), path


def test_revoked_expired_and_unknown_tokens_are_refused_though_a_session_comes_along(
    owner: Browser, ask: Ask, enterprise: int
) -> None:
    revoked, expired = make(owner, "users.read"), make(owner, "users.read")
    assert owner.post(f"/api/api-tokens/{revoked['id']}/revoke").get_json()["state"] == "revoked"
    with tenant_session(enterprise) as db:
        db.get_one(ApiToken, expired["id"]).expires_at = utc_now() - timedelta(seconds=1)
    for token in (revoked["token"], expired["token"], "cc_nothing", "", "x" * 5000, revoked["token"] + "a"):
        answer = ask(token)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "token_refused"), token
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert owner.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert owner.get("/api/auth/me").status_code == 200
    states = {t["id"]: t["state"] for t in owner.get("/api/api-tokens?state=ended").get_json()["items"]}
    assert states == {revoked["id"]: "revoked", expired["id"]: "expired"}


def test_it_dies_with_its_user_and_with_the_enterprises_validity(
    browser: New, owner: Browser, ask: Ask, enterprise: int
) -> None:
    ids = {name: add_user(enterprise, name, "admin") for name in ("adam", "eve")}
    tokens = {}
    for name in ids:
        b = browser()
        b.sign_in("acme", name)
        tokens[name] = make(b, "users.read")["token"]
    assert owner.patch(f"/api/users/{ids['adam']}", {"enabled": False}).status_code == 200
    assert ask(tokens["adam"]).status_code == 401
    owner.patch(f"/api/users/{ids['adam']}", {"enabled": True})
    assert ask(tokens["adam"]).status_code == 200
    assert owner.delete(f"/api/users/{ids['eve']}").status_code == 204
    assert ask(tokens["eve"]).status_code == 401
    with platform_session() as db:
        db.get_one(Enterprise, enterprise).valid_until = date(2020, 1, 1)
    assert ask(tokens["adam"]).get_json()["code"] == "token_refused"


def test_from_elsewhere_it_opens_nothing(owner: Browser, ask: Ask) -> None:
    made = make(owner, "users.read", ip_allow=["203.0.113.7/24", "2001:db8::/32", ""])
    assert made["ip_allow"] == ["203.0.113.0/24", "2001:db8::/32"]
    inside, outside = {"REMOTE_ADDR": "203.0.113.99"}, {"REMOTE_ADDR": "198.51.100.1"}
    assert ask(made["token"], environ_base=inside).status_code == 200
    assert ask(made["token"], environ_base=outside).status_code == 401
    assert comes_from("::ffff:203.0.113.9", made["ip_allow"]) and comes_from("2001:db8::1", made["ip_allow"])
    assert not comes_from("", made["ip_allow"])


def test_its_last_use_is_known_to_the_minute_and_written_no_oftener(owner: Browser, ask: Ask, enterprise: int) -> None:
    made = make(owner, "users.read")

    def used() -> tuple[Any, str]:
        with tenant_session(enterprise) as db:
            row = db.get_one(ApiToken, made["id"])
            return row.last_used_at, row.last_used_ip

    assert used() == (None, "")
    ask(made["token"], environ_base={"REMOTE_ADDR": "203.0.113.1"})
    first = used()
    assert first[0] is not None and first[1] == "203.0.113.1"
    ask(made["token"], environ_base={"REMOTE_ADDR": "203.0.113.2"})
    assert used() == first
    with tenant_session(enterprise) as db:
        db.get_one(ApiToken, made["id"]).last_used_at = first[0] - timedelta(seconds=61)
    ask(made["token"], environ_base={"REMOTE_ADDR": "203.0.113.2"})
    assert used()[1] == "203.0.113.2"


def test_beyond_its_rate_it_is_told_when_to_come_again_and_others_go_on(
    owner: Browser, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOKEN_BURST", 5)
    monkeypatch.setattr(limits, "TOKEN_PER_S", 0.2)
    greedy, other = make(owner, "users.read")["token"], make(owner, "users.read")["token"]
    answers = [ask(greedy) for _ in range(7)]
    assert [a.status_code for a in answers] == [200] * 5 + [429] * 2
    assert answers[-1].get_json()["code"] == "too_many_requests"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 5
    assert ask(other).status_code == 200
    assert owner.get("/api/auth/me").status_code == 200


def test_the_bucket_fills_again_by_its_rate(redis_client: redis.Redis, owner: Browser) -> None:
    bearer.take_turn("cc_x", per_s=20, burst=2)
    bearer.take_turn("cc_x", per_s=20, burst=2)
    with pytest.raises(bearer.TooManyRequests):
        bearer.take_turn("cc_x", per_s=20, burst=2)
    (key,) = redis_client.keys("rate:token:*")
    assert b"cc_x" not in key
    at = float(redis_client.hget(key, "at") or 0)
    redis_client.hset(key, "at", at - 0.05)  # as if 50 ms had passed: one more turn
    bearer.take_turn("cc_x", per_s=20, burst=2)
    assert 1 <= redis_client.ttl(key) <= 3


def test_admins_see_and_revoke_the_tokens_of_those_in_their_charge(
    browser: New, owner: Browser, ask: Ask, enterprise: int
) -> None:
    add_user(enterprise, "adam", "admin")
    adam = browser()
    adam.sign_in("acme", "adam")
    his, hers = make(adam, "users.read"), make(owner, "users.read")
    shown = owner.get("/api/api-tokens").get_json()["items"]
    assert {(t["id"], t["own"]) for t in shown} == {(his["id"], False), (hers["id"], True)}
    assert adam.post(f"/api/api-tokens/{hers['id']}/revoke").get_json()["code"] == "owner_only"
    assert owner.post(f"/api/api-tokens/{his['id']}/revoke").status_code == 200
    assert ask(his["token"]).status_code == 401
    assert ask(hers["token"]).status_code == 200


def test_the_api_describes_how_to_sign_in_and_what_each_endpoint_asks(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").get_json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["security"] == [{"token": []}]
    assert "Authorization: Bearer" in document["info"]["description"]
    assert document["paths"]["/api/users"]["post"]["x-permissions"] == ["users.write"]
    assert "security" not in document["paths"]["/api/users"]["post"]
    assert document["paths"]["/api/auth/sign-in"]["post"]["security"] == []
    assert document["paths"]["/api/api-tokens"]["post"]["x-in-person"] is True
