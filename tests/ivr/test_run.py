"""The interpreter itself: no circle, no change of the menu, no death of an engine holds a caller for ever."""

from __future__ import annotations

import json

import pytest

from callcenter import wire
from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.facts import NodeLeft
from ivr.control import IvrControl, where
from ivr.flow import Flow
from ivr.run import GOODBYE_PROMPTS, MOST_STEPS
from ivr.simulate import Simulation, call_in
from tests.ivr.menus import FLOW, START, FakeWorld, called, document, flow, node, said, say, ways

ASK = node("m", "menu", {"1": "bye", "timeout": "bye", "invalid": "bye"}, prompts=say("press"), keys={"1": "a"})


def goodbye(one: Simulation) -> bool:
    """The menu could not go on: the caller was told goodbye, and the call ended."""
    told = said(one)[-1:] == list(GOODBYE_PROMPTS)
    one.heard()
    return told and one.gone == c.HangUp()


@pytest.mark.promise("I2")
def test_a_menu_that_goes_round_without_the_caller_ends_with_a_goodbye() -> None:
    one = called(flow(node("a", "set", {"next": "b"}), node("b", "branch", {"otherwise": "a"})))
    assert len(ways(one)) == MOST_STEPS
    assert goodbye(one)


def test_a_line_on_which_nobody_does_anything_is_not_held_for_ever() -> None:
    one = called(flow(node("m", "menu", {"timeout": "m"}, prompts=say("press"), keys={"1": "a"}, tries=1)))
    for _ in range(MOST_STEPS):
        one.silence()
    assert goodbye(one)


def test_a_caller_who_does_something_may_go_round_as_long_as_he_likes() -> None:
    one = called(flow(node("m", "menu", {"1": "m"}, prompts=say("press"), keys={"1": "a"})))
    for _ in range(MOST_STEPS * 3):
        one.key("1")
    assert one.node == "m" and one.gone is None


@pytest.mark.parametrize(
    "menu",
    [
        Flow("", ()),
        Flow("nowhere", ()),
        flow(node("a", "language", {"next": "gone"})),
        flow(node("a", "set", {})),
        flow(node("a", "no_such_verb", {"next": "bye"})),
        flow(node("a", "menu", {}, timeout_s="soon")),
        flow(node("a", "goto", flow=99)),
    ],
)
def test_a_menu_that_can_not_go_on_says_goodbye(menu: Flow) -> None:
    assert goodbye(called(menu))


def test_a_menu_that_is_not_there_says_goodbye() -> None:
    assert goodbye(Simulation(IvrControl(FakeWorld()), call_in(), START).start(5))


def test_every_node_that_is_passed_is_told_once_with_its_time_and_way() -> None:
    one = called(flow(node("p", "play", {"next": "m"}, prompts={"any": ["thanks"]}), ASK))
    one.heard()
    one.now += 7
    one.hang_up()
    left = [f for f in one.facts if isinstance(f, NodeLeft)]
    assert [(f.node_id, f.verb, f.way, f.flow_id, f.version) for f in left] == [
        ("p", "play", "next", FLOW, 1),
        ("m", "menu", "hang_up", FLOW, 1),
    ]
    assert [f.left_at - f.entered_at for f in left] == [4.0, 7.0]
    assert one.control.decide(c.Gone(), one.call, one.now) == [], "once"


def test_the_state_is_plain_and_small_and_a_successor_goes_on_from_it() -> None:
    one = called(
        flow(
            node("d", "digits", {"next": "bye", "timeout": "bye", "invalid": "bye"}, prompts=say("n"), variable="n"),
        )
    )
    for key in "12":
        one.key(key)
    saved = json.loads(wire.to_json(one.call))
    assert len(json.dumps(saved["run"])) < 600

    control = IvrControl(FakeWorld())
    control.settle(FLOW, document(flow(node("d", "digits", {"next": "bye"}, prompts=say("n"), variable="n"))))
    successor = Simulation(control, wire.convert(saved, Call), one.now)
    successor.feed(c.Resumed())
    successor.key("3")
    successor.key("#")
    assert successor.call.run["variables"] == {"n": "123"}
    assert successor.gone == c.HangUp()


@pytest.mark.promise("P4")
def test_whatever_a_caller_was_in_he_is_asked_again_after_an_engine_died() -> None:
    asking = {
        "play": node("a", "play", {"next": "bye"}, prompts=say("x")),
        "say": node("a", "say", {"next": "bye"}, text={"any": "x"}),
        "menu": ASK,
        "digits": node(
            "a", "digits", {"next": "bye", "timeout": "bye", "invalid": "bye"}, prompts=say("x"), variable="n"
        ),
        "survey": node("a", "survey", {"next": "bye", "timeout": "bye"}, question="q", prompts=say("x")),
        "record": node("a", "record", {"next": "bye", "empty": "bye"}, prompts=say("x")),
        "hang_up": node("a", "hang_up", prompts=say("x")),
    }
    for verb, asked in asking.items():
        one = called(flow(asked))
        heard = said(one)[0]
        one.playing, one.timer, one.lines = None, None, []
        one.feed(c.Resumed())
        assert said(one)[0] == heard, verb
    one = called(
        flow(node("h", "http", {"next": "bye", "error": "v"}, url="https://e.example.com/"), node("v", "voicemail"))
    )
    one.feed(c.Resumed())
    assert ways(one) == [("h", "error"), ("v", "voicemail")], "it is not asked twice"


def test_a_call_stays_in_the_version_that_it_came_into() -> None:
    one = called(flow(ASK))
    other = flow(node("m", "menu", {"1": "v", "timeout": "bye", "invalid": "bye"}, prompts=say("new"), keys={"1": "a"}),
                 node("v", "voicemail"))  # fmt: skip
    for version in (4, 3, 2):
        one.control.settle(FLOW, document(other, version=version))
    late = Simulation(one.control, call_in(), START).start(FLOW)
    late.key("1")
    assert isinstance(late.gone, c.HandOver)
    one.key("1")
    assert one.gone == c.HangUp()
    assert [f.version for f in one.facts + late.facts if isinstance(f, NodeLeft)] == [1, 1, 2, 2]


def test_a_call_whose_node_is_gone_from_the_only_version_that_is_known_says_goodbye() -> None:
    one = called(flow(ASK))
    successor = IvrControl(FakeWorld())
    successor.settle(FLOW, document(flow(node("other", "voicemail")), version=2))
    one.control = successor
    one.key("1")
    assert goodbye(one)


def test_a_menu_that_is_deleted_lets_the_calls_in_it_go_on() -> None:
    one = called(flow(ASK))
    one.control.drop(FLOW)
    assert not one.control.knows(FLOW)
    one.key("1")
    assert one.gone == c.HangUp() and ways(one)[0] == ("m", "1")


def test_a_draft_is_tried_out_while_callers_hear_what_is_published() -> None:
    draft = document(flow(node("d", "say", {"next": "bye"}, text={"any": "draft"})), version=0)
    control = IvrControl(FakeWorld())
    control.settle(FLOW, document(flow(node("p", "say", {"next": "bye"}, text={"any": "published"}))))
    tried = Simulation(control, call_in(), START).start(FLOW, draft)
    assert said(tried) == ["draft"]
    assert where(tried.call)["node"] == "d" and where(tried.call)["version"] == 0
    assert said(Simulation(control, call_in(), START).start(FLOW)) == ["published"]
    tried.heard()
    assert [f.version for f in tried.facts if isinstance(f, NodeLeft)] == [0, 0], "it counts in no figures"
    assert where(tried.call)["node"] == "" and where(tried.call)["done"]


def test_a_call_that_was_dialed_into_a_menu_comes_in_by_its_answer() -> None:
    control = IvrControl(FakeWorld())
    control.settle(FLOW, document(flow(ASK)))
    call = call_in()
    call.run = {"flow_id": FLOW}
    answers = control.decide(c.Answered(), call, START)
    assert any(isinstance(a, c.Play) for a in answers)
    assert control.decide(c.Answered(), call, START) == ()


def test_a_broken_document_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    control = IvrControl(FakeWorld())
    for broken in ({}, {"flow": 3}, {"flow": {"start": 1}}, {"flow": {"start": "a", "nodes": [{}]}, "version": "x"}):
        control.settle(FLOW, broken)
    assert not control.knows(FLOW)
    assert len(caplog.records) == 4
