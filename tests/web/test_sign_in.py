"""Signing in and staying signed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from callcenter.auth.models import Role, User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise
from tests.web.conftest import PASSWORD, Browser, add_user

pytestmark = pytest.mark.promise("E1")
New = Callable[[], Browser]


def test_the_right_password_signs_in_and_me_tells_who_and_what_they_may_do(owner: Browser) -> None:
    me = owner.get("/api/auth/me").get_json()
    assert me["user"]["username"] == "boss"
    assert me["enterprise"]["code"] == "acme"
    assert "users.write" in me["permissions"] and "audit.read" in me["permissions"]


def test_capitals_and_spaces_around_enterprise_and_user_do_not_matter(browser: New, enterprise: int) -> None:
    assert browser().sign_in(" ACME ", " Boss ").status_code == 200


@pytest.mark.parametrize(
    "given", [("acme", "boss", "wrong"), ("acme", "nobody", PASSWORD), ("nowhere", "boss", PASSWORD)]
)
def test_wrong_enterprise_user_and_password_answer_the_same(
    browser: New, enterprise: int, given: tuple[str, str, str]
) -> None:
    answer = browser().sign_in(*given)
    assert answer.status_code == 401
    assert answer.get_json()["code"] == "sign_in_refused"


@pytest.mark.parametrize("username", ["boss", "nobody"])
def test_five_failures_lock_for_fifteen_minutes_whether_the_user_exists_or_not(
    browser: New, enterprise: int, username: str
) -> None:
    b = browser()
    codes = [b.sign_in("acme", username, "wrong").status_code for _ in range(5)]
    assert codes == [401, 401, 401, 401, 429]
    locked = b.sign_in("acme", username, PASSWORD)
    assert locked.status_code == 429
    assert locked.get_json()["code"] == "locked_out"
    assert 14 <= locked.get_json()["params"]["minutes"] <= 15


def test_the_lock_ends_by_itself_and_the_count_starts_anew(browser: New, enterprise: int) -> None:
    b = browser()
    for _ in range(5):
        b.sign_in("acme", "boss", "wrong")
    with tenant_session(enterprise) as s:
        s.query(User).one().locked_until = utc_now() - timedelta(seconds=1)
    assert b.sign_in("acme", "boss", "wrong").status_code == 401
    assert b.sign_in("acme", "boss").status_code == 200


def test_a_disabled_user_is_refused_and_an_open_session_ends_at_once(browser: New, enterprise: int) -> None:
    add_user(enterprise, "ann", "agent")
    b = browser()
    assert b.sign_in("acme", "ann").status_code == 200
    with tenant_session(enterprise) as s:
        s.query(User).filter_by(username="ann").one().enabled = False
    assert b.get("/api/auth/me").status_code == 401
    refused = browser().sign_in("acme", "ann")
    assert refused.status_code == 401
    assert refused.get_json()["code"] == "user_disabled"


def test_an_idle_session_ends(owner: Browser, redis_client: redis.Redis, enterprise: int) -> None:
    with tenant_session(enterprise) as s:
        s.query(Enterprise).one().idle_sign_out_min = 1
    owner.get("/api/auth/me")
    (key,) = redis_client.keys("session:*")
    assert 50 <= redis_client.ttl(key) <= 60
    redis_client.expire(key, 40)
    owner.get("/api/auth/me", headers={"X-Background": "1"})
    assert redis_client.ttl(key) <= 40, "what the page asks by itself is no activity"
    redis_client.delete(key)
    answer = owner.get("/api/auth/me")
    assert answer.status_code == 401
    assert answer.get_json()["code"] == "session_ended"


def test_signing_out_ends_the_session_even_for_a_kept_cookie(owner: Browser) -> None:
    cookie = owner.client.get_cookie("callcenter")
    assert cookie is not None
    assert owner.post("/api/auth/sign-out").status_code == 204
    owner.client.set_cookie("callcenter", cookie.value)
    assert owner.get("/api/auth/me").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(owner: Browser) -> None:
    cookie = owner.client.get_cookie("callcenter")
    assert cookie is not None
    assert cookie.http_only and cookie.same_site == "Lax"


def test_a_change_without_the_csrf_token_is_refused(owner: Browser) -> None:
    owner.token = ""
    answer = owner.patch("/api/auth/me", {"locale": "en"})
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "csrf"


def test_the_token_of_before_the_sign_in_is_worth_nothing_after_it(browser: New, enterprise: int) -> None:
    b = browser()
    b.refresh()
    before = b.token
    b.sign_in("acme", "boss")
    b.token = before
    assert b.patch("/api/auth/me", {"locale": "en"}).status_code == 400


def test_changing_the_password_ends_the_other_sessions(browser: New, owner: Browser, enterprise: int) -> None:
    elsewhere = browser()
    elsewhere.sign_in("acme", "boss")
    wrong = owner.post("/api/auth/password", {"current": "no", "new": "another one 8"})
    assert wrong.get_json()["fields"].keys() == {"current"}
    short = owner.post("/api/auth/password", {"current": PASSWORD, "new": "short"})
    assert short.get_json()["fields"].keys() == {"new"}
    assert owner.post("/api/auth/password", {"current": PASSWORD, "new": "another one 8"}).status_code == 200
    assert owner.get("/api/auth/me").status_code == 200
    assert elsewhere.get("/api/auth/me").status_code == 401
    assert browser().sign_in("acme", "boss", "another one 8").status_code == 200


def test_a_disabled_role_takes_its_permissions_at_once(browser: New, enterprise: int) -> None:
    add_user(enterprise, "ann", "agent")
    b = browser()
    b.sign_in("acme", "ann")
    assert "desk.use" in b.get("/api/auth/me").get_json()["permissions"]
    with tenant_session(enterprise) as s:
        s.query(Role).filter_by(key="agent").one().enabled = False
    assert b.get("/api/auth/me").get_json()["permissions"] == []


def test_many_refused_sign_ins_from_one_address_are_slowed_down(browser: New, enterprise: int) -> None:
    b = browser()
    b.refresh()
    body = {"enterprise": "acme"}
    codes = {b.post("/api/auth/sign-in", body).status_code for _ in range(61)}
    assert codes == {422, 429}


def test_only_a_demo_installation_names_its_users(
    browser: New, enterprise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO", "0")
    nothing: dict[str, object] = {"enterprise": None, "password": None, "users": []}
    assert browser().get("/api/auth/hints").get_json() == nothing
    monkeypatch.setenv("DEMO", "1")
    assert browser().get("/api/auth/hints").get_json() == nothing, "this enterprise is no demo"
    with tenant_session(enterprise) as s:
        acme = s.query(Enterprise).one()
        acme.is_demo, acme.settings = True, {"demo_password": "try it out", "demo_users": ["boss"]}
    add_user(enterprise, "newcomer", "agent")
    hints = browser().get("/api/auth/hints").get_json()
    assert hints["enterprise"] == "acme" and hints["password"] == "try it out"
    assert hints["users"] == [{"username": "boss", "name": "boss"}]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("DELETE", "/api/auth/me", 405, "method_not_allowed"),
        ("GET", "/api/users/99999", 404, "not_found"),
        ("GET", "/api/users?page=0", 422, "invalid_input"),
    ],
)
def test_errors_have_one_shape(owner: Browser, method: str, path: str, status: int, code: str) -> None:
    answer = owner.call(method, path)
    assert answer.status_code == status
    assert answer.get_json().keys() == {"code", "message", "fields", "params"}
    assert answer.get_json()["code"] == code
    assert answer.headers["X-Request-Id"]


def test_a_defect_answers_with_the_number_under_which_the_log_has_it(
    owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.home.utc_now", None)
    answer = owner.get("/api/home", headers={"X-Request-Id": "req-12345678"})
    assert answer.status_code == 500
    assert answer.get_json()["params"] == {"request": "req-12345678"}
    assert "NoneType" not in answer.get_data(as_text=True)


def test_a_body_of_5_mb_is_refused(owner: Browser) -> None:
    answer = owner.patch("/api/auth/me", {"name": "x" * 5_000_000})
    assert answer.status_code == 413
    assert answer.get_json()["code"] == "too_large"


def test_pages_may_use_the_microphone_but_nobody_may_frame_them(browser: New, enterprise: int) -> None:
    headers = browser().get("/healthz").headers
    assert headers["Permissions-Policy"].startswith("microphone=(self)")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
