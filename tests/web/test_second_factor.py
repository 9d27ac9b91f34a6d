"""The second factor: set up on the profile page or at sign-in, asked for after the password, never spent twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.auth.models import RecoveryCode, Role, SecondFactor, User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.tenancy import cli
from tests.auth.authenticator import code_at
from tests.web.conftest import PASSWORD, Browser, add_user

pytestmark = pytest.mark.promise("E1")
New = Callable[[], Browser]


class App:
    """An authenticator app. `fresh` makes the server forget which codes it has seen, as if time had passed."""

    def __init__(self, tenant: int, secret: str) -> None:
        self.tenant, self.secret = tenant, secret
        self.confirmed_by = ""

    def code(self, steps: int = 0) -> str:
        return code_at(self.secret, time.time() + 30 * steps)

    def fresh(self) -> str:
        """A code that was not seen yet."""
        with tenant_session(self.tenant) as db:
            for factor in db.scalars(select(SecondFactor)):
                factor.last_step = 0
        return self.code()

    def wrong(self) -> str:
        """Six digits that fit in no step nearby."""
        near = {self.code(n) for n in range(-3, 4)}
        return next(
            c for c in ("000000", "111111", "222222", "333333", "444444", "555555", "666666", "777777") if c not in near
        )


def turn_on(b: Browser, tenant: int) -> tuple[App, list[str]]:
    """Set the second factor up as the profile page does; the app and the recovery codes."""
    pairing = b.post("/api/auth/second-factor/begin", {"password": PASSWORD})
    assert pairing.status_code == 200, pairing.get_json()
    app = App(tenant, pairing.get_json()["secret"])
    app.confirmed_by = app.code()
    done = b.post("/api/auth/second-factor/confirm", {"code": app.confirmed_by})
    assert done.status_code == 200, done.get_json()
    codes: list[str] = done.get_json()["recovery_codes"]
    return app, codes


def step(b: Browser, what: str, body: Any = None) -> Any:
    """A second step; the CSRF token is a new one after the password."""
    answer = b.post(f"/api/auth/sign-in/{what}", body)
    b.refresh()
    return answer


def require_for(tenant: int, key: str) -> None:
    with tenant_session(tenant) as db:
        db.scalars(select(Role).where(Role.key == key)).one().second_factor_required = True


def actions(tenant: int) -> list[tuple[str, str]]:
    with tenant_session(tenant) as db:
        return [(e.action, e.entity) for e in db.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def test_after_it_is_on_the_password_alone_gives_no_session(
    browser: New, owner: Browser, enterprise: int, redis_client: redis.Redis
) -> None:
    app, _ = turn_on(owner, enterprise)
    b = browser()
    before = set(redis_client.keys("session:*"))
    half = b.sign_in("acme", "boss")
    assert half.status_code == 202
    assert half.get_json()["step"] == "code"
    assert set(redis_client.keys("session:*")) == before, "no session before the code"
    assert b.get("/api/auth/me").status_code == 401
    assert browser().post("/api/auth/sign-in/code", {"code": app.fresh()}).status_code == 400, "without its own token"
    thief = browser()
    thief.refresh()
    assert step(thief, "code", {"code": app.fresh()}).get_json()["code"] == "step_ended", "another browser has no part"
    done = step(b, "code", {"code": app.fresh()})
    assert done.status_code == 200
    assert done.get_json()["user"]["username"] == "boss"
    assert b.get("/api/auth/me").status_code == 200
    assert step(b, "code", {"code": app.fresh()}).get_json()["code"] == "step_ended", "a second time there is nothing"
    assert not redis_client.keys("half:*")


def test_a_code_is_accepted_once_though_it_still_runs(browser: New, owner: Browser, enterprise: int) -> None:
    app, _ = turn_on(owner, enterprise)
    b, c = browser(), browser()
    b.sign_in("acme", "boss")
    c.sign_in("acme", "boss")
    code = app.fresh()
    assert step(b, "code", {"code": code}).status_code == 200
    again = step(c, "code", {"code": code})
    assert again.status_code == 422
    assert again.get_json()["code"] == "wrong_code"
    assert "code" in again.get_json()["fields"]


def test_the_code_that_confirmed_it_signs_nobody_in(browser: New, owner: Browser, enterprise: int) -> None:
    app, _ = turn_on(owner, enterprise)
    b = browser()
    b.sign_in("acme", "boss")
    assert step(b, "code", {"code": app.confirmed_by}).status_code == 422


def test_wrong_codes_lock_out_and_the_right_password_in_between_forgives_none(
    browser: New, owner: Browser, enterprise: int
) -> None:
    app, _ = turn_on(owner, enterprise)
    got = []
    for _ in range(5):
        b = browser()
        assert b.sign_in("acme", "boss").status_code == 202
        got.append(step(b, "code", {"code": app.wrong()}).status_code)
    assert got == [422, 422, 422, 422, 429]
    locked = step(b, "code", {"code": app.fresh()})
    assert locked.get_json()["code"] == "locked_out", "a right code does not help while the lock lasts"
    assert browser().sign_in("acme", "boss").status_code == 429
    assert ("locked_out", "user") in actions(enterprise)
    with tenant_session(enterprise) as db:
        db.scalars(select(User)).one().locked_until = utc_now() - timedelta(seconds=1)
    b = browser()
    assert b.sign_in("acme", "boss").status_code == 202
    assert step(b, "code", {"code": app.fresh()}).status_code == 200


def test_a_recovery_code_signs_in_once_however_it_is_typed(browser: New, owner: Browser, enterprise: int) -> None:
    _, codes = turn_on(owner, enterprise)
    assert len(codes) == 10
    with tenant_session(enterprise) as db:
        stored = {r.code_hash for r in db.scalars(select(RecoveryCode))}
    assert len(stored) == 10 and not any(c.replace("-", "") in h for c in codes for h in stored)
    b = browser()
    b.sign_in("acme", "boss")
    assert step(b, "code", {"code": f" {codes[3].upper().replace('-', ' ')} "}).status_code == 200
    assert b.get("/api/auth/second-factor").get_json()["recovery_left"] == 9
    b.sign_in("acme", "boss")
    assert step(b, "code", {"code": codes[3]}).status_code == 422
    assert ("use_recovery_code", "second_factor") in actions(enterprise)


def test_the_secret_lies_sealed_in_the_database_and_shows_nowhere(owner: Browser, enterprise: int) -> None:
    app, _ = turn_on(owner, enterprise)
    with tenant_session(enterprise) as db:
        row = db.scalars(select(SecondFactor)).one()
        trail = " ".join(f"{e.before}{e.after}" for e in db.scalars(select(AuditEntry)))
    assert app.secret not in row.secret
    assert app.secret not in trail
    assert set(owner.get("/api/auth/second-factor").get_json()) == {"on", "since", "required", "recovery_left"}


def test_to_begin_it_wants_the_password_and_a_wrong_code_turns_nothing_on(owner: Browser, enterprise: int) -> None:
    refused = owner.post("/api/auth/second-factor/begin", {"password": "not it"})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "wrong_password")
    pairing = owner.post("/api/auth/second-factor/begin", {"password": PASSWORD}).get_json()
    assert pairing["qr_svg"].startswith("<svg") and pairing["secret"] in pairing["address"]
    app = App(enterprise, pairing["secret"])
    assert owner.post("/api/auth/second-factor/confirm", {"code": app.wrong()}).status_code == 422
    assert owner.get("/api/auth/second-factor").get_json()["on"] is False
    owner.post("/api/auth/second-factor/confirm", {"code": app.code()})
    assert owner.get("/api/auth/second-factor").get_json()["on"] is True
    assert owner.post("/api/auth/second-factor/begin", {"password": PASSWORD}).status_code == 409


def test_off_and_new_recovery_codes_want_a_code(browser: New, owner: Browser, enterprise: int) -> None:
    app, old = turn_on(owner, enterprise)
    assert owner.post("/api/auth/second-factor/recovery-codes", {"code": app.wrong()}).status_code == 422
    new = owner.post("/api/auth/second-factor/recovery-codes", {"code": app.fresh()}).get_json()["recovery_codes"]
    assert not set(new) & set(old)
    assert owner.post("/api/auth/second-factor/off", {"code": old[0]}).status_code == 422, "the old ones are void"
    assert owner.post("/api/auth/second-factor/off", {"code": new[0]}).status_code == 204
    assert browser().sign_in("acme", "boss").status_code == 200
    assert owner.post("/api/auth/second-factor/off", {"code": new[1]}).get_json()["code"] == "second_factor_off"


def test_a_role_can_require_it_and_leads_to_setting_it_up_before_anything_else(
    browser: New, enterprise: int, redis_client: redis.Redis
) -> None:
    add_user(enterprise, "ann", "agent")
    require_for(enterprise, "agent")
    b = browser()
    first = b.sign_in("acme", "ann")
    assert (first.status_code, first.get_json()["step"]) == (202, "setup")
    assert b.get("/api/auth/me").status_code == 401
    assert step(b, "code", {"code": "123456"}).get_json()["code"] == "step_ended", "there is no code to give yet"
    app = App(enterprise, step(b, "begin").get_json()["secret"])
    assert step(b, "confirm", {"code": app.wrong()}).status_code == 422
    assert not redis_client.keys("session:*")
    done = step(b, "confirm", {"code": app.code()})
    assert done.status_code == 200
    assert len(done.get_json()["recovery_codes"]) == 10
    assert done.get_json()["me"]["user"]["username"] == "ann"
    assert b.get("/api/auth/me").status_code == 200
    refused = b.post("/api/auth/second-factor/off", {"code": app.fresh()})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "second_factor_required")
    assert browser().sign_in("acme", "ann").get_json()["step"] == "code"


def test_the_owner_sets_the_flag_of_a_role(owner: Browser) -> None:
    roles = owner.get("/api/roles").get_json()["items"]
    agent = next(r for r in roles if r["key"] == "agent")
    assert agent["second_factor_required"] is False
    changed = owner.patch(f"/api/roles/{agent['id']}", {"second_factor_required": True})
    assert changed.status_code == 200 and changed.get_json()["second_factor_required"] is True
    whole = next(r for r in roles if r["key"] == "owner")
    assert owner.patch(f"/api/roles/{whole['id']}", {"second_factor_required": True}).status_code == 200


def test_an_admin_resets_it_which_ends_the_sessions_and_is_audited(
    browser: New, owner: Browser, enterprise: int
) -> None:
    ann_id = add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    turn_on(ann, enterprise)
    assert owner.get(f"/api/users/{ann_id}").get_json()["second_factor"] is True
    assert owner.post(f"/api/users/{ann_id}/second-factor/reset").status_code == 204
    assert ann.get("/api/auth/me").status_code == 401
    assert browser().sign_in("acme", "ann").status_code == 200
    assert owner.get(f"/api/users/{ann_id}").get_json()["second_factor"] is False
    assert owner.post(f"/api/users/{ann_id}/second-factor/reset").get_json()["code"] == "second_factor_off"
    assert ("reset_second_factor", "user") in actions(enterprise)


def test_nobody_resets_above_their_own_rights_nor_their_own(browser: New, owner: Browser, enterprise: int) -> None:
    turn_on(owner, enterprise)
    own_id = owner.get("/api/auth/me").get_json()["user"]["id"]
    assert owner.post(f"/api/users/{own_id}/second-factor/reset").get_json()["code"] == "own_second_factor"
    add_user(enterprise, "adam", "admin")
    adam = browser()
    adam.sign_in("acme", "adam")
    assert adam.post(f"/api/users/{own_id}/second-factor/reset").get_json()["code"] == "owner_only"
    add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    assert ann.post(f"/api/users/{own_id}/second-factor/reset").status_code == 403


def test_the_operator_of_the_machine_lets_an_owner_in_again(browser: New, owner: Browser, enterprise: int) -> None:
    turn_on(owner, enterprise)
    assert cli.main(["reset-second-factor", "ACME", "nobody"]) == 1
    assert cli.main(["reset-second-factor", "ACME", "boss"]) == 0
    assert owner.get("/api/auth/me").status_code == 401
    assert browser().sign_in("acme", "boss").status_code == 200


def test_a_disabled_user_and_a_new_password_end_the_half_done_sign_in(
    browser: New, owner: Browser, enterprise: int
) -> None:
    ann_id = add_user(enterprise, "ann", "agent")
    ann = browser()
    ann.sign_in("acme", "ann")
    app, _ = turn_on(ann, enterprise)
    b = browser()
    b.sign_in("acme", "ann")
    owner.post(f"/api/users/{ann_id}/password", {"password": "another one 8"})
    assert step(b, "code", {"code": app.fresh()}).get_json()["code"] == "step_ended"


def test_with_another_key_of_the_installation_recovery_codes_still_work(
    browser: New, owner: Browser, enterprise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, codes = turn_on(owner, enterprise)
    monkeypatch.setenv("SECRET_KEY", "a new one")
    b = browser()
    b.sign_in("acme", "boss")
    assert step(b, "code", {"code": app.fresh()}).get_json()["code"] == "second_factor_unreadable"
    assert step(b, "code", {"code": codes[0]}).status_code == 200


def test_the_window_of_the_server_is_one_step_each_way(
    browser: New, owner: Browser, enterprise: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = turn_on(owner, enterprise)
    b = browser()
    b.sign_in("acme", "boss")
    app.fresh()
    at = 1_900_000_010.0
    monkeypatch.setattr("web.api.sign_in_steps.utc_now", lambda: datetime.fromtimestamp(at, UTC))
    assert step(b, "code", {"code": code_at(app.secret, at + 60)}).status_code == 422
    assert step(b, "code", {"code": code_at(app.secret, at - 60)}).status_code == 422
    assert step(b, "code", {"code": code_at(app.secret, at - 30)}).status_code == 200
