"""Branches, variables, other systems, languages, and where a call leaves its menu."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callcenter.calls import control as c
from callcenter.calls.facts import TextAsked
from ivr.simulate import Simulation
from tests.ivr.menus import FakeWorld, called, document, flow, node, said, say, variables, ways, went

YES_NO = {"yes": "bye", "otherwise": "bye"}


def chosen(case: dict[str, Any], world: FakeWorld | None = None, **of_call: Any) -> str:
    """The way that a branch with this one case takes."""
    one = called(flow(node("b", "branch", YES_NO, cases=[{"name": "yes", **case}])), world=world, **of_call)
    return ways(one)[0][1]


@pytest.mark.promise("I2")
@pytest.mark.parametrize(
    ("case", "world", "way"),
    [
        ({"kind": "calendar", "calendar": 3}, FakeWorld(open_="open"), "yes"),
        ({"kind": "calendar", "calendar": 3}, FakeWorld(open_="holiday"), "otherwise"),
        ({"kind": "calendar", "calendar": 3, "hours": "holiday"}, FakeWorld(open_="holiday"), "yes"),
        ({"kind": "calendar", "calendar": 3, "hours": "closed"}, FakeWorld(open_="holiday"), "yes"),
        ({"kind": "calendar", "calendar": 3, "hours": "closed"}, FakeWorld(open_="open"), "otherwise"),
        ({"kind": "time", "begin": "09:00", "end": "10:30"}, None, "otherwise"),
        ({"kind": "time", "begin": "10:30", "end": "11:00"}, None, "yes"),
        ({"kind": "time", "begin": "22:00", "end": "06:00"}, None, "otherwise"),
        ({"kind": "time", "begin": "22:00", "end": "06:00"}, FakeWorld(datetime(2026, 3, 2, 23, 5, tzinfo=UTC)), "yes"),
        ({"kind": "weekday", "days": [1]}, None, "yes"),
        ({"kind": "weekday", "days": [6, 7]}, None, "otherwise"),
        ({"kind": "date", "first": "2026-03-01", "last": "2026-03-02"}, None, "yes"),
        ({"kind": "date", "first": "2026-03-03", "last": "2026-03-09"}, None, "otherwise"),
        ({"kind": "queue_length", "queue": 5, "sign": ">", "number": 10}, FakeWorld(waiting=11), "yes"),
        ({"kind": "queue_length", "queue": 5, "sign": ">", "number": 10}, FakeWorld(waiting=10), "otherwise"),
        ({"kind": "agents_on", "queue": 5, "sign": "==", "number": 0}, FakeWorld(agents=0), "yes"),
    ],
)
def test_a_branch_asks_the_clock_the_calendar_and_the_queues(
    case: dict[str, Any], world: FakeWorld | None, way: str
) -> None:
    assert chosen(case, world) == way


@pytest.mark.promise("I2")
def test_a_branch_knows_who_calls_and_what_was_dialed() -> None:
    vip = {"matches": [{"customer_id": 4, "name": "Li", "vip": True}], "calls_24h": 2}
    assert chosen({"kind": "known"}, caller=vip) == "yes"
    assert chosen({"kind": "known"}) == "otherwise"
    assert chosen({"kind": "vip"}, caller=vip) == "yes"
    assert chosen({"kind": "vip"}, caller={"matches": [{"vip": False}]}) == "otherwise"
    assert chosen({"kind": "repeated", "number": 2}, caller=vip) == "yes"
    assert chosen({"kind": "repeated", "number": 3}, caller=vip) == "otherwise"
    assert chosen({"kind": "dialed", "numbers": ["+8621"]}, did="+862155550100") == "yes"
    assert chosen({"kind": "dialed", "numbers": ["+8610"]}, did="+862155550100") == "otherwise"
    assert chosen({"kind": "expression", "expression": "caller_vip and caller_name == 'Li'"}, caller=vip) == "yes"
    assert chosen({"kind": "expression", "expression": "1 / 0"}) == "otherwise"


def test_the_first_case_that_holds_is_the_way() -> None:
    cases = [
        {"name": "no", "kind": "vip"},
        {"name": "first", "kind": "expression", "expression": "1 == 1"},
        {"name": "second", "kind": "expression", "expression": "1 == 1"},
    ]
    to = {"no": "bye", "first": "bye", "second": "bye", "otherwise": "bye"}
    assert ways(called(flow(node("b", "branch", to, cases=cases))))[0] == ("b", "first")


@pytest.mark.promise("I2")
def test_another_system_is_asked_and_its_fields_are_spoken() -> None:
    one = called(
        flow(
            node("d", "digits", {"next": "h"}, prompts=say("order"), variable="order", most=3),
            node(
                "h", "http", {"next": "s", "error": "bye"}, url="https://erp.example.com/orders/{order}?who={caller}",
                method="POST", body='{"order": "{order}"}', headers={"X-Caller": "{caller}"}, timeout_s=3,
                fields={"state": "orders.0.state"}, prompts={"any": ["hold_music"]},
            ),
            node("s", "say", {"next": "bye"}, text={"en": "Order {order:digits} is {state}."}),
        )
    )  # fmt: skip
    for key in "4*2":
        one.key(key)
    asked = one.asked
    assert asked is not None and one.playing is not None and one.playing.loop
    assert asked.url == "https://erp.example.com/orders/4%2A2?who=%2B8613800000000"
    assert (asked.body, dict(asked.headers)) == ('{"order": "4*2"}', {"X-Caller": "+8613800000000"})
    assert dict(asked.fields) == {"state": "orders.0.state"} and asked.timeout_s == 3
    one.http(200, {"state": "on its way", "secret": "not asked for"})
    assert said(one)[-1] == "Order 4 * 2 is on its way."
    assert variables(one) == {"order": "4*2", "http_status": 200, "state": "on its way"}


def test_a_system_that_fails_or_never_answers_is_a_way_of_its_own() -> None:
    ask = node("h", "http", {"next": "bye", "error": "bye"}, url="https://erp.example.com/", timeout_s=3)
    for status in (0, 404, 500, 302):
        one = called(flow(ask))
        one.http(status, {})
        assert ways(one)[0] == ("h", "error") and variables(one)["http_status"] == status
    one = called(flow(ask))
    before = one.now
    one.expire()
    assert one.now - before == 5 and ways(one)[0] == ("h", "error")
    one = called(flow(ask))
    one.feed(c.HttpDone("another", 200, {}))
    assert ways(one) == []


def test_what_a_caller_keys_can_not_change_whom_we_ask_nor_break_out_of_the_json() -> None:
    one = called(
        flow(
            node("s", "set", {"next": "h"}, assignments=[{"variable": "v", "expression": "'a\" b/../c?d=1'"}]),
            node("h", "http", {"next": "bye", "error": "bye"}, url="https://e.example.com/{v}", body='{"v": "{v}"}'),
        )
    )
    assert one.asked is not None
    assert one.asked.url == "https://e.example.com/a%22%20b%2F..%2Fc%3Fd%3D1"
    assert one.asked.body == '{"v": "a\\" b/../c?d=1"}'


def test_variables_are_computed_and_an_impossible_sum_takes_the_other_way() -> None:
    def computed(*assignments: tuple[str, str], **to: str) -> Simulation:
        given = [{"variable": v, "expression": e} for v, e in assignments]
        return called(flow(node("s", "set", {"next": "bye", **to}, assignments=given)))

    one = computed(("a", "2 + 3 * 4"), ("b", "a > 10 and not (a == 15)"), ("c", "'x' + a"))
    assert variables(one) == {"a": 14.0, "b": True, "c": "x14"}
    assert ways(computed(("a", "'x' * 2"), error="bye"))[0] == ("s", "error")
    one = computed(("a", "1"), ("b", "1 / 0"))
    assert ways(one) == [("s", "error"), ("bye", "end")], "where error leads nowhere, next does"
    assert variables(one) == {"a": 1.0}


@pytest.mark.promise("I2")
def test_the_caller_is_spoken_to_in_the_language_that_he_chose_in_later_menus_too() -> None:
    second = document(
        flow(node("hi", "say", {"next": "bye"}, text={"en": "Hello", "zh": "您好"}), language="en"), 8, name="Second"
    )
    one = called(
        flow(
            node("m", "menu", {"1": "en", "2": "zh", "timeout": "bye", "invalid": "bye"},
                 prompts={"any": ["say:en:For English press one", "say:zh:中文请按二"]}, keys={"1": "en", "2": "zh"}),
            node("en", "language", {"next": "more"}, language="en"),
            node("zh", "language", {"next": "more"}, language="zh"),
            node("more", "goto", flow=8),
        ),
        second,
    )  # fmt: skip
    assert said(one) == ["For English press one", "中文请按二"]
    one.key("2")
    assert one.call.language == "zh" and said(one)[-1] == "您好"
    assert one.playing is not None and one.playing.prompts == ("say:zh:您好",)
    assert one.call.path == ["Main", "zh", "Second"]

    again = called(
        flow(node("hi", "say", {"next": "bye"}, text={"en": "Hello", "zh": "您好"})), language="zh", path=["x"]
    )
    assert said(again) == ["您好"], "back from a queue, it is the same language"


def test_a_text_in_one_language_only_is_spoken_by_its_own_voice() -> None:
    one = called(flow(node("s", "say", {"next": "bye"}, text={"zh": "您好"}), language="en"))
    assert one.playing is not None and one.playing.prompts == ("say:zh:您好",)


@pytest.mark.promise("I2")
def test_a_call_leaves_for_a_queue_an_agent_a_number_or_a_box() -> None:
    known = {"matches": [{"owner_id": None}, {"owner_id": 12}], "last_agent_id": 9}
    one = called(flow(node("q", "queue", queue=5, priority=3, skills={"french": 4}, last_agent=True)), caller=known)
    assert went(one) == ("queue", 5)
    assert isinstance(one.gone, c.HandOver)
    assert dict(one.gone.data) == {"priority": 3, "skills": {"french": 4}, "sticky_agent": 9}
    assert ways(one) == [("q", "queue")]

    def to(**settings: Any) -> tuple[str, Any]:
        return went(
            called(flow(node("t", "transfer", {"error": "v"}, **settings), node("v", "voicemail")), caller=known)
        )

    assert to(to="agent", agent=4) == ("agent", 4)
    assert to(to="owner") == ("agent", 12)
    assert to(to="last_agent") == ("agent", 9)
    assert to(to="number", number="+862155550101") == ("number", "+862155550101")
    assert to(to="number", number="{caller}") == ("number", "+8613800000000")
    assert to(to="number", number="{nothing}") == ("voicemail", None)
    assert went(called(flow(node("v", "voicemail", agent=4)))) == ("voicemail", 4)


def test_the_goodbye_is_heard_before_the_end() -> None:
    one = called(flow(node("h", "hang_up", prompts=say("goodbye"))))
    assert one.gone is None and said(one) == ["goodbye"]
    one.key("1")
    assert one.gone is None
    one.heard()
    assert one.gone == c.HangUp()


@pytest.mark.promise("I2")
def test_a_caller_gets_a_text_in_his_language_and_a_withheld_number_is_another_way() -> None:
    ask = node("t", "text_message", {"next": "bye", "error": "v"}, text={"any": "Order {o} {{name}}"})
    set_ = node("s", "set", {"next": "t"}, assignments=[{"variable": "o", "expression": "17"}])
    one = called(flow(set_, ask, node("v", "voicemail")))
    (fact,) = [f for f in one.facts if isinstance(f, TextAsked)]
    assert (fact.number, fact.node_id, fact.body) == ("+8613800000000", "t", "Order 17 {}")
    assert ways(one)[1] == ("t", "next")
    withheld = called(flow(ask, node("v", "voicemail")), number="anonymous")
    assert ways(withheld)[0] == ("t", "error")
    elsewhere = node("t", "text_message", {"next": "bye"}, text={"zh": "你好", "en": "Hi"}, number="+862155550101")
    (fact,) = [f for f in called(flow(elsewhere)).facts if isinstance(f, TextAsked)]
    assert fact.number == "+862155550101"
