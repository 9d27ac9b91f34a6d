"""What is wrong with a menu is said before it goes live, and at which node."""

from __future__ import annotations

import string
from typing import Any

import pytest

from ivr.findings import TEXTS
from ivr.flow import Flow, Node
from ivr.validate import MOST_NODES, Known, validate
from ivr.verb import Severity
from tests.ivr.menus import BYE, FLOW, flow, node, say

TO_BYE = {"next": "bye"}
URL = "https://a.example.com"
NUMBER: dict[str, Any] = {"prompts": say("x"), "variable": "n"}
KNOWN = Known(queues={5}, flows={8}, agents={4}, prompts={3}, calendars={2})
WAYS = {"1": "bye", "timeout": "bye", "invalid": "bye"}


def found(menu: Flow) -> set[tuple[str, str]]:
    """(code, node) of every finding. Its text can be made, and names no hole."""
    out = set()
    for one in validate(menu, KNOWN, FLOW):
        assert one.message == one.plain()["message"] and one.message, one
        out.add((one.code, one.node))
    return out


def errors(menu: Flow) -> list[str]:
    return [f.code for f in validate(menu, KNOWN, FLOW) if f.severity is Severity.ERROR]


def menu_node(ways: dict[str, str] | None = None, **settings: Any) -> Node:
    return node("m", "menu", WAYS if ways is None else ways, **{"prompts": say("x"), "keys": {"1": "a"}, **settings})


@pytest.mark.promise("I2")
def test_a_sound_menu_has_no_findings() -> None:
    assert found(flow(menu_node())) == set()


@pytest.mark.promise("I2")
@pytest.mark.parametrize(
    ("menu", "code", "where"),
    [
        (Flow("", ()), "no_start", ""),
        (Flow("x", (BYE,)), "unknown_start", ""),
        (Flow("bye", (BYE, BYE)), "same_id", "bye"),
        (Flow("n0", tuple(node(f"n{i}", "hang_up") for i in range(MOST_NODES + 1))), "too_many_nodes", ""),
        (flow(BYE, language="fr"), "bad_language", ""),
        (flow(node("x", "dance")), "unknown_verb", "x"),
        (flow(menu_node({"1": "bye", "timeout": "bye"})), "missing_way", "m"),
        (flow(menu_node({**WAYS, "7": "bye"})), "unknown_way", "m"),
        (flow(menu_node({**WAYS, "1": "gone"})), "way_to_nowhere", "m"),
        (flow(menu_node(), node("alone", "hang_up")), "unreachable", "alone"),
        (flow(menu_node({**WAYS, "timeout": "m"})), "loop", "m"),
        (flow(node("s", "set", {"next": "s"}, assignments=[{"variable": "a", "expression": "1"}])), "dead_end", "s"),
        (flow(node("s", "set", {"next": "s"}, assignments=[{"variable": "a", "expression": "1"}])), "loop", "s"),
        (flow(node("g", "goto", flow=FLOW)), "loop", "g"),
        (flow(node("g", "goto", flow=FLOW)), "dead_end", "g"),
        (flow(menu_node({"1": "m", "timeout": "m", "invalid": "m"})), "dead_end", "m"),
        (flow(menu_node(timeout_s="soon")), "unreadable_settings", "m"),
        (flow(menu_node(prompts={})), "missing_prompt", "m"),
        (flow(menu_node(prompts={"en": []})), "missing_prompt", "m"),
        (flow(node("s", "say", TO_BYE, text={"en": " "})), "missing_prompt", "s"),
        (flow(menu_node(timeout_s=0)), "missing_timeout", "m"),
        (flow(menu_node(tries=0)), "too_low", "m"),
        (flow(menu_node(tries=99)), "too_high", "m"),
        (flow(menu_node(keys={})), "no_keys", "m"),
        (flow(menu_node({**WAYS, "A": "bye"}, keys={"1": "a", "A": "b"})), "bad_key", "m"),
        (flow(menu_node(prompts={"any": ["say:"]})), "bad_prompt", "m"),
        (flow(menu_node(prompts={"any": ["say:fr:bonjour"]})), "bad_prompt", "m"),
        (flow(menu_node(prompts={"fr": ["thanks"]})), "bad_language", "m"),
        (flow(menu_node(prompts={"any": ["prompt:99"]})), "unknown_prompt", "m"),
        (flow(menu_node(prompts=say("Dear {Name}"))), "bad_template", "m"),
        (flow(menu_node(prompts=say("your order {order}"))), "unset_variable", "m"),
        (flow(node("q", "queue")), "missing_setting", "q"),
        (flow(node("q", "queue", queue=6)), "unknown_queue", "q"),
        (flow(node("q", "queue", queue=5, skills={"x": 11})), "bad_level", "q"),
        (flow(node("t", "transfer", agent=9)), "unknown_agent", "t"),
        (flow(node("t", "transfer", to="number", number="110")), "bad_number", "t"),
        (flow(node("t", "transfer", {"error": "bye"}, to="number", number="{n}")), "caller_chooses_number", "t"),
        (flow(node("t", "transfer", to="moon")), "unknown_choice", "t"),
        (flow(node("g", "goto", flow=9)), "unknown_flow", "g"),
        (flow(node("d", "digits", TO_BYE, prompts=say("x"), variable="No")), "bad_variable", "d"),
        (flow(node("d", "digits", TO_BYE, **NUMBER, least=9, most=2)), "min_over_max", "d"),
        (flow(node("d", "digits", TO_BYE, **NUMBER, pattern="(1+)+")), "bad_pattern", "d"),
        (flow(node("h", "http", TO_BYE, url="ftp://x/")), "bad_url", "h"),
        (flow(node("h", "http", TO_BYE, url="https://{caller}/x")), "bad_url", "h"),
        (flow(node("h", "http", TO_BYE, url=URL, headers={"a b": ""})), "bad_header", "h"),
        (flow(node("h", "http", TO_BYE, url=URL, fields={"No": "a"})), "bad_variable", "h"),
        (flow(node("s", "set", TO_BYE, assignments=[{"variable": "a", "expression": "("}])), "bad_expression", "s"),
        (flow(node("b", "branch", {"otherwise": "bye"})), "missing_setting", "b"),
        (flow(node("b", "branch", {"otherwise": "bye"}, cases=[{"name": "a", "kind": "calendar"}])), "bad_case", "b"),
        (flow(node("b", "branch", {"a": "bye", "otherwise": "bye"},
                   cases=[{"name": "a", "kind": "calendar", "calendar": 9}])), "unknown_calendar", "b"),
        (flow(node("b", "branch", {"a": "bye", "otherwise": "bye"},
                   cases=[{"name": "a", "kind": "vip"}, {"name": "a", "kind": "known"}])), "same_case", "b"),
        (flow(node("b", "branch", {"a": "bye", "otherwise": "bye"},
                   cases=[{"name": "a", "kind": "queue_length", "queue": 77}])), "unknown_queue", "b"),
    ],
)  # fmt: skip
def test_every_fault_is_found_and_names_its_node(menu: Flow, code: str, where: str) -> None:
    assert (code, where) in found(menu)


def test_only_what_harms_a_caller_forbids_publishing() -> None:
    harmless = flow(
        menu_node({**WAYS, "7": "bye"}, prompts=say("order {order}")),
        node("alone", "hang_up"),
    )
    assert len(found(harmless)) == 3 and errors(harmless) == []


def test_a_caller_may_go_round_by_his_own_keys() -> None:
    again = menu_node({"1": "m", "timeout": "bye", "invalid": "m"})
    assert errors(flow(again)) == []


def test_settings_that_do_not_matter_are_not_judged() -> None:
    assert errors(flow(node("t", "transfer", to="agent", agent=4, number="nonsense"))) == []
    spoken = node("s", "survey", {"next": "bye", "timeout": "bye"}, question="q", prompts=say("x"), answered="spoken",
                  keys={})  # fmt: skip
    assert errors(flow(spoken)) == []


def test_ids_are_not_judged_where_nothing_is_known_of_them() -> None:
    assert [f.code for f in validate(flow(node("q", "queue", queue=6)), Known())] == ["unreachable"]


def test_every_code_has_a_text_whose_holes_are_filled() -> None:
    for code, text in TEXTS.items():
        holes = [name for _, name, _, _ in string.Formatter().parse(text) if name]
        assert all(name.islower() for name in holes), code
