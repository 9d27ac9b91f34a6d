"""Menus, digits and survey questions: what is heard, keyed, mistaken and left unanswered."""

from __future__ import annotations

from typing import Any

import pytest

from callcenter.calls import control as c
from callcenter.calls.facts import SurveyAnswer
from ivr.simulate import Simulation
from tests.ivr.menus import BYE, called, flow, node, said, say, variables, ways

TO_BYE = {"1": "bye", "2": "bye", "timeout": "bye", "invalid": "bye"}


def menu(**settings: Any) -> Simulation:
    given = {"prompts": say("press one"), "keys": {"1": "Sales", "2": "Service"}, **settings}
    return called(flow(node("m", "menu", TO_BYE, "Main", **given)))


def digits(**settings: Any) -> Simulation:
    given = {"prompts": say("your number"), "variable": "account", **settings}
    return called(flow(node("d", "digits", {"next": "bye", "timeout": "bye", "invalid": "bye"}, "Account", **given)))


@pytest.mark.promise("I2")
def test_a_key_cuts_the_prompt_short_and_is_the_way_and_the_path_that_the_agent_sees() -> None:
    one = menu(show=True)
    assert one.playing is not None
    one.key("2")
    assert one.playing is None
    assert ways(one) == [("m", "2"), ("bye", "end")]
    assert one.call.path == ["Main", "Main: Service"]
    assert one.call.shown == {"Main": "Service"}


def test_a_prompt_that_may_not_be_cut_short_is_heard_to_its_end() -> None:
    one = menu(interruptible=False)
    one.key("2")
    assert one.playing is not None and ways(one) == []
    one.heard()
    one.key("1")
    assert ways(one)[0] == ("m", "1")


def test_silence_is_asked_again_so_many_times_and_then_is_a_way() -> None:
    one = menu(tries=3, timeout_s=5, timeout_prompts=say("are you there"))
    for _ in range(2):
        one.silence()
        assert ways(one) == []
    one.heard()
    before = one.now
    one.silence()
    assert one.now - before == 5
    assert ways(one)[0] == ("m", "timeout")
    assert said(one) == ["press one", "are you there", "press one", "are you there", "press one"]


def test_wrong_keys_and_silence_share_the_tries_and_the_last_one_names_the_way() -> None:
    one = menu(tries=2, invalid_prompts=say("no such choice"))
    one.silence()
    one.key("9")
    assert ways(one)[0] == ("m", "invalid")
    one = menu(tries=2, invalid_prompts=say("no such choice"))
    one.key("9")
    assert said(one)[-2:] == ["no such choice", "press one"]
    one.silence()
    assert ways(one)[0] == ("m", "timeout")


def test_a_late_word_of_a_prompt_that_was_cut_short_changes_nothing() -> None:
    one = menu()
    first = one.playing
    assert first is not None
    one.key("9")
    again = one.playing
    one.feed(c.Played(first.name, complete=False))
    assert one.playing is again and again is not None and again.name != first.name
    one.feed(c.Played("something else", complete=True))
    assert one.call.run["playing"] == again.name


def test_a_prompt_whose_end_is_never_told_does_not_hold_the_caller() -> None:
    one = menu(tries=1)
    one.playing = None  # the word was lost
    one.expire()
    one.expire()
    assert ways(one)[0] == ("m", "timeout")


@pytest.mark.promise("I2")
def test_digits_end_by_their_key_by_the_greatest_number_or_by_a_pause() -> None:
    for keys, most, pause, wanted in (("1234#", 8, False, "1234"), ("1234", 4, False, "1234"), ("12", 8, True, "12")):
        one = digits(most=most, inter_digit_s=2)
        for key in keys:
            one.key(key)
        if pause:
            before = one.now
            one.expire()
            assert one.now - before == 2
        assert variables(one) == {"account": wanted}
        assert ways(one)[0] == ("d", "next")
        assert one.call.shown == {"Account": wanted}


def test_too_few_digits_or_ones_that_do_not_fit_are_asked_for_again() -> None:
    one = digits(least=4, most=6, pattern="62[0-9]+", tries=3, invalid_prompts=say("that is none"))
    for key in "12#":
        one.key(key)
    for key in "123456":
        one.key(key)
    assert ways(one) == []
    for key in "6212#":
        one.key(key)
    assert variables(one) == {"account": "6212"}
    assert said(one).count("that is none") == 2


def test_digits_that_are_secret_are_not_shown_to_the_agent() -> None:
    one = digits(most=3, secret=True)
    for key in "123":
        one.key(key)
    assert one.call.shown == {"Account": "•••"}
    assert not any("123" in line.text for line in one.lines if line.who == "menu")


def test_who_keys_nothing_at_all_is_asked_again_and_then_let_go() -> None:
    one = digits(tries=2)
    one.silence()
    one.silence()
    assert ways(one)[0] == ("d", "timeout")


@pytest.mark.promise("I2")
def test_keys_that_come_before_they_are_asked_for_count() -> None:
    one = called(
        flow(
            node("p", "play", {"next": "m"}, prompts=say("welcome")),
            node("m", "menu", {**TO_BYE, "1": "d"}, prompts=say("press one"), keys={"1": "a", "2": "b"}),
            node("d", "digits", {"next": "bye", "timeout": "bye", "invalid": "bye"}, prompts=say("number"),
                 variable="n", most=4),
        )
    )  # fmt: skip
    one.key("1")
    assert [w for w, _ in ways(one)] == ["p", "m"], "the one key skipped the welcome and chose"
    for key in "42#":
        one.key(key)
    assert variables(one) == {"n": "42"}
    assert "press one" not in said(one)


def test_a_key_during_an_announcement_that_must_be_heard_is_no_choice() -> None:
    one = called(
        flow(
            node("p", "say", {"next": "m"}, text={"any": "please note"}, interruptible=False),
            node("m", "menu", TO_BYE, prompts=say("press one"), keys={"1": "a"}),
        )
    )
    one.key("1")
    assert one.node == "p"
    one.heard()
    assert one.node == "m" and one.playing is not None


@pytest.mark.promise("C11")
def test_a_survey_question_is_answered_by_a_key_and_told_with_its_words() -> None:
    question = node(
        "s", "survey", {"next": "bye", "timeout": "bye"}, question="How was it?", prompts=say("one to five"),
        keys={"1": "bad", "5": "good"}, variable="mark",
    )  # fmt: skip
    one = called(flow(question))
    one.key("3")
    one.key("5")
    answers = [f for f in one.facts if isinstance(f, SurveyAnswer)]
    assert [(a.question, a.answer, a.node_id, a.flow_id) for a in answers] == [("How was it?", "good", "s", 7)]
    assert variables(one) == {"mark": "5"} and one.call.shown == {"How was it?": "good"}
    one = called(flow(question))
    one.silence()
    one.silence()
    assert ways(one)[0] == ("s", "timeout")
    assert not [f for f in one.facts if isinstance(f, SurveyAnswer)]


@pytest.mark.promise("C11")
def test_a_spoken_answer_is_recorded_also_of_one_who_hangs_up_when_done() -> None:
    question = node(
        "s", "survey", {"next": "bye", "timeout": "bye"}, question="Why?", prompts=say("tell us"), answered="spoken",
        max_s=20,
    )  # fmt: skip
    one = called(flow(question))
    one.heard()
    assert one.recording is not None and one.recording.max_s == 20
    assert said(one) == ["tell us", "tone:beep"]
    one.recorded(6)
    answers = [f for f in one.facts if isinstance(f, SurveyAnswer)]
    assert [(a.answer, a.recording_id) for a in answers] == [("", "recording")]

    one = called(flow(question))
    one.heard()
    one.hang_up()
    late = one.control.decide(c.VoiceRecorded("", "rec-9", 4.0), one.call, one.now)
    assert [a.fact.recording_id for a in late if isinstance(a, c.Tell) and isinstance(a.fact, SurveyAnswer)] == [
        "rec-9"
    ]
    assert ways(one) == [("s", "hang_up")]


def test_what_is_recorded_goes_on_and_silence_is_a_way_of_its_own() -> None:
    record = node("r", "record", {"next": "bye", "empty": "bye"}, prompts=say("speak"), variable="voice", least_s=2)
    for seconds, way in ((5.0, "next"), (1.0, "empty"), (0.0, "empty")):
        one = called(flow(record))
        one.heard()
        one.recorded(seconds)
        assert ways(one)[0] == ("r", way)
    one = called(flow(record))
    one.heard()
    one.expire()  # no word of the recording ever came
    assert ways(one) == [("r", "empty"), (BYE.id, "end")]
