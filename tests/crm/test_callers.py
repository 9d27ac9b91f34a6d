"""Who calls is found by any phone in any format, by indexes, and with all that routing and the screen pop need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.calls.models import Call
from callcenter.db.session import platform_session, tenant_session
from callcenter.ids import new_id
from callcenter.numbers.caller import Caller
from callcenter.tenancy.models import Enterprise
from crm.actions.customers import find_by_phone
from crm.models import BlacklistEntry, Customer, Lead
from crm.phones import caller_number
from crm.queries import card as cards
from crm.queries.callers import CALLS, CUSTOMERS, LEADS, who_calls
from tests.crm.conftest import Floor

NUMBER = "+8613812345678"


def caller(floor: Floor, number: str = NUMBER) -> Caller:
    with tenant_session(floor.tenant) as s:
        return who_calls(s, number, "CN")


def add(floor: Floor, *rows: Any) -> None:
    with tenant_session(floor.tenant) as s:
        s.add_all(rows)


def call(hours_ago: float, direction: str = "in", agent: int | None = None, **more: Any) -> Call:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    connected = at if agent is not None else None
    return Call(
        id=new_id(),
        direction=direction,
        phone_e164=NUMBER,
        started_at=at,
        agent_id=agent,
        connected_at=connected,
        **more,
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("+8613812345678", NUMBER), ("13812345678", NUMBER), ("8613812345678", NUMBER), ("008613812345678", NUMBER),
        ("138 1234-5678", NUMBER), ("02155550100", "+862155550100"), ("862155550100", "+862155550100"),
        ("+12025550123", "+12025550123"), ("0012025550123", "+12025550123"), ("95588", "95588"), ("anonymous", ""),
        ("Restricted", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_callers_number_is_read_however_the_trunk_writes_it(written: str, read: str) -> None:
    assert caller_number(written, "CN") == read


@pytest.mark.promise("I5")
def test_a_customer_is_found_by_the_second_phone_in_the_trunks_format_with_card_and_owner(floor: Floor) -> None:
    add(floor, Customer(name="Lin Mei", phones=["+862155550100", NUMBER], company="Acme", grade="A", vip=True,
                        owner_id=floor.user, fields={"city": "Shanghai"}))  # fmt: skip
    found = caller(floor, "013812345678")
    assert found.number == NUMBER
    (match,) = found.matches
    assert (match.name, match.vip, match.grade, match.owner_id) == ("Lin Mei", True, "A", floor.user)
    assert found.card["customer_id"] == match.customer_id
    assert (found.card["name"], found.card["phone"], found.card["alt_phones"]) == ("Lin Mei", NUMBER, ["+862155550100"])
    assert found.card["fields"] == {"city": "Shanghai"}
    assert found.choices == ()


@pytest.mark.promise("I5")
def test_a_lead_is_found_by_its_other_phone_with_its_list_and_fields(floor: Floor) -> None:
    add(floor, Lead(list_id=floor.list_id, name="Wu Jun", phone_e164="+8613900000000", alt_phones=[NUMBER], attempts=2,
                    fields={"company": "Wu & Co"}, owner_id=floor.user))  # fmt: skip
    found = caller(floor)
    assert [(m.customer_id, m.name, m.company, m.owner_id) for m in found.matches] == [
        (None, "Wu Jun", "Wu & Co", floor.user)
    ]
    assert {k: found.card[k] for k in ("list", "attempts", "customer_id", "name", "time_zone")} == {
        "list": "Autumn", "attempts": 2, "customer_id": None, "name": "Wu Jun", "time_zone": "Asia/Shanghai",
    }  # fmt: skip


def test_the_customer_of_a_lead_with_the_number_is_found_though_the_number_is_not_among_its_own(floor: Floor) -> None:
    customer = Customer(name="Lin Mei", phones=["+8613800000001"])
    add(floor, customer)
    add(floor, Lead(list_id=floor.list_id, name="Lin", phone_e164=NUMBER, customer_id=customer.id))
    found = caller(floor)
    assert [(m.customer_id, m.name) for m in found.matches] == [(customer.id, "Lin Mei")]
    assert found.card["lead_id"] is not None


@pytest.mark.promise("I5")
def test_several_customers_with_one_number_are_a_choice_the_vip_first_and_the_card_stays_new(floor: Floor) -> None:
    add(floor, Customer(name="Plain", phones=[NUMBER]), Customer(name="Star", phones=[NUMBER], vip=True))
    found = caller(floor)
    assert [c["name"] for c in found.choices] == ["Star", "Plain"]
    assert (found.card["customer_id"], found.card["name"], found.card["phone"]) == (None, "", NUMBER)


@pytest.mark.promise("I5")
def test_nobody_known_is_a_new_card_with_the_number_filled_in(floor: Floor) -> None:
    found = caller(floor, "02155550100")
    assert (found.matches, found.choices) == ((), ())
    assert (found.card["phone"], found.card["customer_id"], found.card["lead_id"]) == ("+862155550100", None, None)
    withheld = caller(floor, "anonymous")
    assert (withheld.number, withheld.card["phone"]) == ("", "")


def test_what_happened_before_is_counted_and_the_last_agent_named(floor: Floor) -> None:
    other = User(username="ada", name="Ada", password_hash="", locale="en")
    add(floor, other)
    add(floor, call(1), call(2, agent=other.id), call(3, agent=floor.user), call(25), call(0.5, "out"))
    found = caller(floor)
    assert (found.calls_24h, found.last_agent_id) == (3, other.id)
    assert found.last_call_at == pytest.approx(datetime.now(UTC).timestamp() - 3600, abs=60)  # not the unanswered one


def test_the_blacklist_counts_while_it_is_enabled(floor: Floor) -> None:
    add(floor, BlacklistEntry(phone_e164=NUMBER, enabled=False))
    assert not caller(floor).blacklisted
    with tenant_session(floor.tenant) as s:
        s.query(BlacklistEntry).one().enabled = True
    assert caller(floor).blacklisted


def test_an_owner_who_is_disabled_is_nobodys_owner(floor: Floor) -> None:
    add(floor, User(username="gone", name="Gone", password_hash="", locale="en", enabled=False))
    with tenant_session(floor.tenant) as s:
        gone = s.query(User).filter(User.username == "gone").one().id
    add(floor, Customer(name="Lin", phones=[NUMBER], owner_id=gone))
    assert caller(floor).matches[0].owner_id is None


def _fill(floor: Floor) -> int:
    """Another enterprise, and twenty thousand customers and leads for each; returns its id."""
    with platform_session() as s:
        s.add(Enterprise(code="other", name="Other"))
        s.flush()
        other = s.query(Enterprise).filter(Enterprise.code == "other").one().id
        for tenant in (floor.tenant, other):
            given = {"t": tenant, "l": floor.list_id}
            s.execute(text(
                "INSERT INTO customer (tenant_id, name, phones)"
                " SELECT :t, 'c' || i, ARRAY['+86138' || lpad(i::text, 8, '0')] FROM generate_series(1, 20000) i"
            ), given)  # fmt: skip
        s.execute(text(
            "INSERT INTO lead (tenant_id, list_id, phone_e164, alt_phones)"
            " SELECT :t, :l, '+86137' || lpad(i::text, 8, '0'), ARRAY['+86136' || lpad(i::text, 8, '0')]"
            " FROM generate_series(1, 20000) i"
        ), given | {"t": floor.tenant})  # fmt: skip
        s.execute(text("ANALYZE customer"))
        s.execute(text("ANALYZE lead"))
    return other


def _read(session: Session) -> int:
    """Rows of the big tables that were looked at in this transaction, by whatever plan."""
    counters = (
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE oid IN"
        " ('customer'::regclass, 'lead'::regclass) OR oid IN (SELECT indexrelid FROM pg_index"
        " WHERE indrelid IN ('customer'::regclass, 'lead'::regclass))"
    )
    return int(session.execute(text(counters)).scalar_one())


def test_another_enterprises_customer_with_the_same_number_stays_unseen(floor: Floor) -> None:
    other = _fill(floor)
    with tenant_session(other) as s:
        assert [m.name for m in who_calls(s, "+8613800000007", "CN").matches] == ["c7"]
        assert who_calls(s, "+8613600000007", "CN").matches == ()
        assert s.execute(text("SELECT customers_with_phone(ARRAY['+8613800000007'])")).scalars().all() == [
            who_calls(s, "+8613800000007", "CN").matches[0].customer_id
        ]
    with platform_session() as s:
        assert s.execute(text("SELECT customers_with_phone(ARRAY['+8613800000007'])")).all() == []


@pytest.mark.promise("I5")
def test_every_question_about_a_caller_is_answered_from_an_index(floor: Floor) -> None:
    _fill(floor)
    with tenant_session(floor.tenant) as s:
        found = who_calls(s, "+8613600000009", "CN")  # a lead by its other phone
        assert found.card["lead_id"] is not None
        assert _read(s) < 100
        for query in (CUSTOMERS, LEADS, CALLS):
            given = {"number": NUMBER, "most": 20, "also": []}
            plan = "\n".join(row[0] for row in s.execute(text(f"EXPLAIN {query.text}"), given))
            assert "Seq Scan on customer" not in plan
            assert "Seq Scan on lead " not in plan


def test_the_card_is_found_by_a_number_without_reading_whole_tables(floor: Floor) -> None:
    _fill(floor)
    with tenant_session(floor.tenant) as s:
        assert cards.find(s, floor.actor, phone_e164="+8613800000009").customer is not None
        assert [x.phone_e164 for x in cards.find(s, floor.actor, phone_e164="+8613600000009").leads] == [
            "+8613700000009"
        ]
        assert find_by_phone(s, ["+8613800000009", "+8613800000010"]) is not None
        assert _read(s) < 100
