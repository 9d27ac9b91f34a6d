"""The demo enterprise's menu: sound, and heard in both languages down to the queues."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from callcenter import wire
from callcenter.calls.facts import SurveyAnswer
from callcenter.db.session import tenant_session
from callcenter.numbers.models import DidNumber
from callcenter.processes import demo, documents
from callcenter.tenancy.models import Enterprise
from demo.menu import main_menu
from ivr.flow import Flow
from ivr.simulate import Simulation
from ivr.validate import Known, validate
from tests.ivr.menus import called, said, went

MENU = wire.convert(main_menu(sales=5, service=6), Flow)


def call(*keys: str, **of_call: Any) -> Simulation:
    one = called(MENU, **of_call)
    for key in keys:
        one.key(key)
    return one


def test_it_has_nothing_wrong_with_it() -> None:
    known = Known(queues={5, 6}, flows=set(), agents=set(), prompts=set(), calendars=set())
    assert validate(MENU, known, 1) == []


@pytest.mark.promise("I2")
def test_two_levels_of_keys_lead_to_the_queues_and_what_was_keyed_is_on_the_card() -> None:
    one = call("2", "1")
    assert went(one) == ("queue", 5)
    assert said(one)[-1].startswith("For sales, press one.")
    one = call("1", "2", "1", *"4711#")
    assert said(one)[-2:] == ["请输入订单号，以井号键结束。", "您的订单号是 4 7 1 1，正在为您转接。"]
    one.heard()
    assert went(one) == ("queue", 6)
    assert one.call.shown == {"订单号 Order number": "4711"}
    assert one.call.path[1:] == ["语言 Language: 中文", "主菜单 Main menu: 服务 Service",
                                 "客户服务 Service: 订单 Orders", "订单号 Order number"]  # fmt: skip


def test_back_is_back_a_vip_is_asked_nothing_and_who_says_nothing_reaches_service() -> None:
    assert call("1", "2", "*").node == "main"
    assert went(call("1", caller={"matches": [{"vip": True}]})) == ("queue", 6)
    one = call()
    for _ in range(6):
        one.silence()
    assert went(one) == ("queue", 6)
    assert one.call.language == "zh"


def test_who_says_how_it_was_is_thanked() -> None:
    one = call("2", "3", "4")
    assert said(one)[-1] == "thanks"
    assert [f.answer for f in one.facts if isinstance(f, SurveyAnswer)] == ["4"]


def test_the_demo_enterprise_has_it_published_under_its_number(database: object) -> None:
    assert demo.load_if_empty(5999)
    with demo.platform_session() as s:
        tenant = s.scalars(select(Enterprise.id).where(Enterprise.is_demo)).one()
    with tenant_session(tenant) as s:
        docs = {(entity, id_): doc for entity, id_, doc in documents.everything(s)}
        number = s.scalars(select(DidNumber).where(DidNumber.e164 == demo.OWN_NUMBER)).one()
        menu = docs["flow", number.open_to["id"]]
        queues = {doc["id"] for (entity, _), doc in docs.items() if entity == "queue" and doc}
    assert menu is not None and menu["version"] == 1
    assert {n["settings"]["queue"] for n in menu["flow"]["nodes"] if n["verb"] == "queue"} == queues
