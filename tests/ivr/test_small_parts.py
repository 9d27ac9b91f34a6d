"""Expressions, patterns, prompts and the comparison of two menus."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.compare import compare
from ivr.expressions import FUNCTIONS, BadExpression, CannotCompute, parse, truth
from ivr.flow import Flow
from ivr.patterns import BadPattern, check_pattern
from ivr.prompts import fill, resolve
from tests.ivr.menus import BYE, flow, node, say


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("10 - 2 - 3", 5.0),
        ("-2 * -3", 6.0),
        ("7 % 4", 3.0),
        ("n + 1", 13.0),
        ("'Nr. ' + n", "Nr. 12"),
        ("n == 12", True),
        ("n == '12.0'", True),
        ("word < 'b'", True),
        ("missing == ''", True),
        ("not missing and n > 3 or 1 / 0 == 1", True),
        ("length(n)", 2.0),
        ("left(word, 3) + right(word, 2)", "apple"),
        ("right(word, 0)", ""),
        ("upper(word)", "APPLE"),
        ("contains(word, 'ppl') and starts(word, 'a') and ends(word, 'e')", True),
        ("round(2.345, 1)", 2.3),
        ("true == 1", True),
        ("text(1.0) + text(1.5)", 2.5),
    ],
)
def test_expressions_come_to_what_they_say(source: str, wanted: Any) -> None:
    assert parse(source).value({"n": "12", "word": "apple"}) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "", "1 +", "(1", "1)", "f(1)", "left(1)", "a b", "a = 1", "1..2", "__import__('os')", "a.b", "a[0]", "'open",
        "1" * 501, "(" * 60 + "1" + ")" * 60,
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_when_it_is_written(source: str) -> None:
    with pytest.raises(BadExpression):
        parse(source)


@pytest.mark.parametrize("source", ["1 / 0", "1 % 0", "'a' - 1", "'a' * 3", "number('x')", "left('a', 'b')"])
def test_what_can_not_be_computed_says_so(source: str) -> None:
    with pytest.raises(CannotCompute):
        parse(source).value({})


@given(
    st.text(alphabet="ab1 2.+-*/%<>=!(),'\"andortlenghf_", max_size=60),
    st.dictionaries(st.sampled_from("ab"), st.text()),
)
def test_no_expression_does_anything_but_come_to_a_value_or_be_refused(source: str, values: dict[str, str]) -> None:
    try:
        value = parse(source).value(values)
    except (BadExpression, CannotCompute):
        return
    assert isinstance(value, str | float | bool)
    truth(value)


def test_the_functions_are_those_that_are_documented() -> None:
    assert set(FUNCTIONS) == {"length", "left", "right", "upper", "lower", "number", "text", "round", "contains",
                              "starts", "ends"}  # fmt: skip


@pytest.mark.parametrize("pattern", ["", "[0-9]{4,8}", "62[0-9]*", "(1|2)[0-9]{3}", "^1.*9$", "1?2+"])
def test_patterns_for_digits_can_be_written(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["(1+)+", "(1|11)*", "(1*)*2", "(?=1)1", r"(1)\1", "1*2*3*4*5*", "[", "1" * 101, "((1{1,9}){1,9}){1,9}"]
)
def test_patterns_that_could_hold_up_the_engine_are_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        check_pattern(pattern)


def test_the_slowest_pattern_that_is_let_through_is_quick() -> None:
    pattern = "1*1*1*1*2"
    check_pattern(pattern)
    began = time.perf_counter()
    assert not re.fullmatch(pattern, "1" * 32)
    assert time.perf_counter() - began < 0.1


def test_variables_are_filled_in_as_they_are_spoken() -> None:
    values = {"n": 3.0, "code": "4711", "yes": True, "no": False, "nothing": None, "half": 2.5}
    assert (
        fill("{n} {half} {code:digits} {yes}{no}{nothing}{gone} {Not} {code", values) == "3 2.5 4 7 1 1 1 {Not} {code"
    )
    assert resolve("say::Hello  {code:digits}", "zh", values) == "say:zh:Hello 4 7 1 1"
    assert resolve("say:en:{gone}", "zh", values) == ""
    assert resolve("prompt:3", "zh", values) == "prompt:3"


@pytest.mark.promise("I2")
def test_two_versions_are_compared_node_by_node_and_way_by_way() -> None:
    ask = node("m", "menu", {"1": "bye", "timeout": "bye"}, "Main", prompts=say("x"), keys={"1": "a"})
    old = flow(ask, node("gone", "voicemail"))
    new_ask = node("m", "menu", {"1": "q", "timeout": "bye"}, "Entry", prompts=say("x"), keys={"1": "b"}, tries=2)
    new = Flow("m", (new_ask, node("q", "queue", queue=5), node("bye", "hang_up")), "zh")
    found = compare(old, new)
    assert [n.id for n in found.added] == ["q"] and [n.id for n in found.removed] == ["gone"]
    assert [(c.after.id, set(c.fields)) for c in found.changed] == [("m", {"title", "settings.keys", "settings.tries"})]
    assert [(w.node, w.way, w.before, w.after) for w in found.ways] == [("m", "1", "bye", "q")]
    assert (found.start, found.language, found.moved) == (False, True, 0)
    nothing = compare(new, new)
    assert not (nothing.added or nothing.removed or nothing.changed or nothing.ways or nothing.start)
    assert BYE.id == "bye"
