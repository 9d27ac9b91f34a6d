"""Row-level security against a real PostgreSQL."""

import pytest
from sqlalchemy import bindparam, func, select, text
from sqlalchemy.exc import ProgrammingError

from callcenter.auth.models import Role
from callcenter.db.session import WrongTenant, one_or_none, platform_session, tenant_session
from callcenter.tenancy.models import Enterprise

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def two_enterprises() -> tuple[int, int]:
    with platform_session() as s:
        a, b = Enterprise(code="a", name="A"), Enterprise(code="b", name="B")
        s.add_all([a, b])
        s.flush()
        ids = a.id, b.id
    for tenant in ids:
        with tenant_session(tenant) as s:
            s.add(Role(name=f"role of {tenant}"))
    return ids


def test_raw_sql_sees_only_the_own_enterprise(two_enterprises: tuple[int, int]) -> None:
    with tenant_session(two_enterprises[0]) as s:
        assert [r for (r,) in s.execute(text("SELECT name FROM role"))] == [f"role of {two_enterprises[0]}"]
        assert s.execute(text("SELECT count(*) FROM enterprise")).scalar_one() == 1


def test_a_row_for_another_enterprise_is_refused(two_enterprises: tuple[int, int]) -> None:
    with pytest.raises(WrongTenant), tenant_session(two_enterprises[0]) as s:
        s.add(Role(name="x", tenant_id=two_enterprises[1]))
        s.flush()
    with pytest.raises(ProgrammingError), tenant_session(two_enterprises[0]) as s:
        s.execute(text("INSERT INTO role (tenant_id, name) VALUES (:t, 'x')"), {"t": two_enterprises[1]})


def test_foreign_ids_find_nothing_through_the_orm(two_enterprises: tuple[int, int]) -> None:
    with platform_session() as s:
        foreign = s.scalars(select(Role.id).where(Role.tenant_id == two_enterprises[1])).one()
    with tenant_session(two_enterprises[0]) as s:
        assert s.get(Role, foreign) is None


def test_the_audit_log_cannot_be_changed(two_enterprises: tuple[int, int]) -> None:
    with pytest.raises(ProgrammingError), tenant_session(two_enterprises[0]) as s:
        s.execute(text("DELETE FROM audit_entry"))


def test_a_question_outside_of_transactions_is_asked_again_after_the_database_was_restarted(
    two_enterprises: tuple[int, int],
) -> None:
    asked = select(Enterprise.name, func.pg_backend_pid().label("process")).where(Enterprise.id == bindparam("id"))
    first = one_or_none(asked, {"id": two_enterprises[0]})
    assert first is not None and first.name == "A"
    with platform_session() as s:
        s.execute(text("SELECT pg_terminate_backend(:p)"), {"p": first.process})
    second = one_or_none(asked, {"id": two_enterprises[1]})
    assert second is not None and second.name == "B" and second.process != first.process
    assert one_or_none(asked, {"id": 0}) is None
