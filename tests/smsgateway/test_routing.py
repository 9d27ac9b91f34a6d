"""Which carrier takes a text: prefix, priority, weight, health."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsgateway.routing import Chosen, Route, RouteTable
from smsgateway.texts import Kind, Purpose

ALL = frozenset(Purpose)
PHONE = "+8613800000001"


def route(id_: int, *prefixes: str, **more: Any) -> Route:
    values: dict[str, Any] = {
        "carrier_id": id_ * 10, "kind": Kind.SMS, "purposes": ALL, "priority": 1, "weight": 1, "price_minor": id_,
        "sender": f"s{id_}",
    }  # fmt: skip
    return Route(id=id_, prefixes=prefixes, **{**values, **more})


def chosen(table: RouteTable, phone: str = PHONE, purpose: Purpose = Purpose.SERVICE) -> int | None:
    found = table.choose(phone, Kind.SMS, purpose)
    return None if found is None else found.route_id


@pytest.mark.promise("S7")
def test_the_longest_prefix_wins_whatever_the_priority() -> None:
    table = RouteTable([route(1), route(2, "+86", priority=1), route(3, "+86138", "+1", priority=9)])
    assert chosen(table) == 3
    assert chosen(table, "+8613900000000") == 2
    assert chosen(table, "+12025550123") == 3
    assert chosen(table, "+4915112345678") == 1


@pytest.mark.promise("S7")
def test_among_equal_prefixes_the_lower_priority_wins() -> None:
    assert chosen(RouteTable([route(1, "+86", priority=2), route(2, "+86", priority=1)])) == 2


@pytest.mark.promise("S7")
def test_a_carrier_that_is_down_is_passed_over_also_to_a_shorter_prefix() -> None:
    routes = [route(1), route(2, "+86", priority=2), route(3, "+86", priority=1)]
    assert chosen(RouteTable(routes, down={30})) == 2
    assert chosen(RouteTable(routes, down={30, 20})) == 1


def test_with_no_carrier_up_the_best_route_has_the_text() -> None:
    assert chosen(RouteTable([route(1), route(2, "+86")], down={10, 20})) == 2


def test_kind_and_purpose_choose_among_the_routes() -> None:
    codes = frozenset({Purpose.CODE})
    table = RouteTable([route(1, kind=Kind.MMS), route(2, purposes=codes), route(3, purposes=ALL - codes)])
    assert chosen(table, purpose=Purpose.CODE) == 2
    assert chosen(table, purpose=Purpose.MARKETING) == 3
    assert table.choose(PHONE, Kind.MMS, Purpose.CODE) == Chosen(1, 10, 1, "s1", "CNY")
    assert table.reaches(PHONE, Kind.SMS, Purpose.CODE)


def test_no_route_leads_to_where_no_prefix_fits() -> None:
    table = RouteTable([route(1, "+86")])
    assert chosen(table, "+12025550123") is None
    assert not table.reaches("+12025550123", Kind.SMS, Purpose.SERVICE)
    assert chosen(RouteTable([])) is None


@pytest.mark.promise("S7")
def test_equals_share_numbers_by_weight_and_a_number_keeps_its_carrier() -> None:
    table = RouteTable([route(1, weight=3), route(2, weight=1), route(3, weight=0)])
    phones = [f"+86138{n:08d}" for n in range(4000)]
    shares = Counter(chosen(table, p) for p in phones)
    assert shares[3] == 0
    assert 0.70 < shares[1] / 4000 < 0.80
    without = RouteTable(table.routes, down={20})
    assert all(chosen(without, p) == 1 for p in phones if chosen(table, p) == 1)


def test_the_other_way_of_a_text_is_never_its_own_carrier_nor_one_that_is_down() -> None:
    routes = [route(1), route(2, carrier_id=10), route(3, priority=2), route(4, priority=3)]
    table = RouteTable(routes, down={30})
    other = table.others(PHONE, Kind.SMS, Purpose.SERVICE, 10)
    assert other is not None and other.route_id == 4
    assert RouteTable(routes[:2]).others(PHONE, Kind.SMS, Purpose.SERVICE, 10) is None


_routes = st.lists(
    st.builds(
        route,
        st.integers(1, 50),
        st.sampled_from(["", "+8", "+86", "+861", "+86138", "+1"]),
        priority=st.integers(1, 3),
        weight=st.integers(0, 5),
    ),
    max_size=8,
    unique_by=lambda r: r.id,
)


@given(_routes, st.sets(st.sampled_from([i * 10 for i in range(1, 51)])))
def test_the_choice_is_the_best_of_all_routes_that_fit(routes: list[Route], down: set[int]) -> None:
    fitting = [r for r in routes if any(PHONE.startswith(p) for p in r.prefixes)]
    able = [r for r in fitting if r.carrier_id not in down] or fitting
    found = RouteTable(routes, down).choose(PHONE, Kind.SMS, Purpose.CODE)
    if not able:
        assert found is None
        return
    rank = min((-len(r.prefixes[0]), r.priority) for r in able)
    best = [r for r in able if (-len(r.prefixes[0]), r.priority) == rank]
    assert found is not None and found.route_id in {r.id for r in best}
