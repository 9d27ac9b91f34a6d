"""Opening an enterprise."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.auth.models import Role, User
from callcenter.auth.permissions import PERMISSIONS
from callcenter.compliance.models import RuleSet
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import Conflict, InvalidInput
from callcenter.tenancy import actions, cli
from callcenter.tenancy.models import Enterprise

pytestmark = pytest.mark.usefixtures("database")


def open_one(code: str = "acme", **more: str) -> int:
    given = {"country": "CN", "time_zone": "Asia/Shanghai", "owner": "boss", "password": "correct horse 7", **more}
    with platform_session() as session:
        return actions.open_enterprise(
            session, code, "Acme", given["country"], given["time_zone"], given["owner"], given["password"]
        )


def test_it_has_the_built_in_roles_and_an_owner_who_may_do_everything() -> None:
    with tenant_session(open_one()) as session:
        roles = {r.key: r for r in session.scalars(select(Role))}
        owner = session.scalars(select(User)).one()
        assert set(roles) == {"owner", "admin", "supervisor", "agent"}
        assert all(r.built_in for r in roles.values())
        assert owner.built_in and [r.key for r in owner.roles] == ["owner"]
        assert set(roles["owner"].permissions) == set(PERMISSIONS)


def test_what_a_feature_gives_belongs_to_the_new_enterprise_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def give(session: Session, tenant_id: int) -> None:
        session.add(RuleSet(name=f"of {tenant_id}", country="CN", windows=[]))

    monkeypatch.setattr(actions, "_hooks", [give])
    first, second = open_one("first"), open_one("second")
    for tenant in (first, second):
        with tenant_session(tenant) as session:
            assert list(session.scalars(select(RuleSet.name))) == [f"of {tenant}"]


def test_a_hook_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: Session, tenant_id: int) -> None:
        raise RuntimeError

    monkeypatch.setattr(actions, "_hooks", [fail])
    with pytest.raises(RuntimeError):
        open_one()
    with platform_session() as session:
        assert session.scalars(select(Enterprise)).all() == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"code": "no spaces"}, "code"),
        ({"country": "China"}, "country"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"owner": "B"}, "owner_username"),
        ({"password": "short"}, "password"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(wrong: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_one(**wrong)
    assert list(refused.value.fields) == [field]


def test_a_code_is_taken_once_whatever_its_capitals() -> None:
    open_one("acme")
    with pytest.raises(Conflict):
        open_one("ACME")


def test_the_command_opens_one_and_says_why_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["open", "acme", "Acme", "--owner", "boss", "--country", "us", "--time-zone", "America/New_York"]
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse 7\n"))
    assert cli.main(words) == 0
    with platform_session() as session:
        assert session.scalars(select(Enterprise)).one().country == "US"
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse 7\n"))
    assert cli.main(words) == 1
    assert "taken" in capsys.readouterr().err
