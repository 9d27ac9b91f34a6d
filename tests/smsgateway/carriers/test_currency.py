"""An amount in another currency never comes off a balance: such routes are refused when saved, and never chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from callcenter.audit.models import Actor
from callcenter.db.session import platform_session
from callcenter.errors import InvalidInput
from smsgateway import route_table
from smsgateway.carriers import actions
from smsgateway.texts import Kind, Purpose
from tests.smsgateway.carriers import gateway as g

PHONE = "+8613800000001"


@pytest.fixture
def carrier(database: object, redis_client: object) -> Iterator[int]:
    g.clean()
    yield g.carrier("A")
    g.clean()


def pays_in(tenant: int, currency: str) -> None:
    with platform_session() as s:
        s.execute(text("UPDATE purse_account SET currency = :c WHERE tenant_id = :t"), {"c": currency, "t": tenant})
    route_table.forget()


def wrong(call: Any, *args: Any) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        call(*args)
    return set(caught.value.fields)


@pytest.mark.promise("S5")
def test_only_routes_in_the_currency_of_the_account_are_chosen(carrier: int) -> None:
    home, abroad = g.enterprise(), g.enterprise()
    pays_in(abroad, "USD")
    assert route_table.of(home).choose(PHONE, Kind.SMS, Purpose.CODE) is not None
    assert route_table.of(abroad).choose(PHONE, Kind.SMS, Purpose.CODE) is None
    boss = Actor(home, None, "operator")
    made = {"name": "Dollars", "carrier_id": carrier, "kind": "sms", "price_minor": 7, "currency": "USD"}
    dollars = actions.add_route(boss, {**made, "purposes": ["code"], "priority": 1})
    route_table.forget()
    chosen = route_table.of(abroad).choose(PHONE, Kind.SMS, Purpose.CODE)
    assert chosen is not None
    assert (chosen.route_id, chosen.price_minor, chosen.currency) == (dollars, 7, "USD")
    other = route_table.of(home).choose(PHONE, Kind.SMS, Purpose.CODE)
    assert other is not None
    assert (other.price_minor, other.currency) == (g.PRICE, "CNY")


@pytest.mark.promise("S5")
def test_what_nobody_could_pay_is_refused_at_its_field(carrier: int) -> None:
    home, abroad = g.enterprise(), g.enterprise()
    boss = Actor(home, None, "operator")
    made = {"name": "Dollars", "carrier_id": carrier, "kind": "sms", "price_minor": 7, "currency": "USD"}
    assert wrong(actions.add_route, boss, made) == {"currency"}
    pays_in(abroad, "USD")
    route = actions.add_route(boss, {**made, "currency": "CNY"})
    assert wrong(actions.set_price, boss, route, abroad, 5, None) == {"enterprise_id"}
    assert wrong(actions.change_route, boss, route, {"currency": "USD"}) == {"price_minor"}
    price = actions.set_price(boss, route, home, 5, None)
    assert wrong(actions.change_route, boss, route, {"currency": "USD", "price_minor": 1}) == {"currency"}
    actions.change_route(boss, route, {"name": "Yuan", "currency": "CNY"})
    actions.drop_price(boss, route, price)
    actions.change_route(boss, route, {"currency": "USD", "price_minor": 1})
