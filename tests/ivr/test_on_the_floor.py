"""Menus on the real floor: what keys, prompts and hang-ups make of a call, its facts and its agent's card."""

from __future__ import annotations

import pytest

from callcenter.acd.control import AcdControl
from callcenter.acd.settings import QueueSettings
from callcenter.calls import control as c
from callcenter.calls import effects as fx
from callcenter.calls.call import Call, CallState
from callcenter.calls.control import Controls
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.calls.facts import CallEnded, NodeLeft, SurveyAnswer
from callcenter.calls.floor import Floor
from callcenter.telephony import ports as p
from ivr.control import IvrControl
from ivr.flow import Flow
from ivr.world import FloorWorld
from tests.calls.lobby_world import SALES, LobbyWorld
from tests.ivr.menus import FLOW, document, flow, node, say

TO_MENU = Destination(DestinationKind.MENU, FLOW)
MENU = flow(
    node("m", "menu", {"1": "ask", "2": "web", "3": "why", "timeout": "bye", "invalid": "bye"}, "Main",
         prompts=say("press"), keys={"1": "Sales", "2": "Order", "3": "Survey"}, timeout_s=5, tries=2),
    node("ask", "digits", {"next": "q", "timeout": "q", "invalid": "q"}, "Account", prompts=say("number"),
         variable="account", most=4),
    node("web", "http", {"next": "told", "error": "q"}, url="https://erp.example.com/", fields={"state": "state"}),
    node("told", "say", {"next": "q"}, text={"any": "it is {state}"}),
    node("why", "survey", {"next": "bye", "timeout": "bye"}, question="Why?", prompts=say("tell"), answered="spoken"),
    node("q", "queue", queue=SALES, priority=7),
)  # fmt: skip


class MenuWorld(LobbyWorld):
    """A floor whose callers come into MENU."""

    def __init__(self, menu: Flow = MENU, agents: int = 0) -> None:
        self.ivr = IvrControl(FloorWorld())
        self.ivr.settle(FLOW, document(menu))
        super().__init__(agents)

    def new_floor(self) -> Floor:
        queues: dict[int, QueueSettings] = {}
        return Floor(1, Controls(*self.controls, self.ivr, AcdControl(queues)), queues)

    def call(self) -> Call:
        return self.arrive(TO_MENU)

    def left(self) -> list[tuple[str, str]]:
        return [(f.node_id, f.way) for f in self.facts(NodeLeft) if isinstance(f, NodeLeft)]


@pytest.mark.promise("I2")
def test_a_caller_goes_through_the_menu_by_keys_to_the_agent_who_sees_all_of_it() -> None:
    w = MenuWorld(agents=1)
    call = w.call()
    assert call.state is CallState.MENU and w.hears(call) == ("say:en:press",)
    w.press(call, "1")
    assert w.hears(call) == ("say:en:number",)
    for digit in "4711":
        w.press(call, digit)
    assert call.control == "acd" and (call.queue_id, call.priority) == (SALES, 7)
    view = w.team.agents[1].call
    assert view is not None and w.state() == "ringing"
    assert view.path == ("Main", "Main: Sales", "Account") and view.shown == {"Account": "4711"}
    assert w.left() == [("m", "1"), ("ask", "next"), ("q", "queue")]


@pytest.mark.promise("I2")
@pytest.mark.parametrize("keys", ["", "1", "14", "2", "3"])
def test_a_caller_who_hangs_up_anywhere_is_told_to_have_left_there_before_the_call_is_told_to_have_ended(
    keys: str,
) -> None:
    w = MenuWorld()
    call = w.call()
    for key in keys:
        w.press(call, key)
    where = call.run["node"]
    w.wait(2)
    w.end(call)
    w.drain()
    told = [e.fact for e in w.effects if isinstance(e, fx.Fact)]
    gone = [f for f in told if isinstance(f, NodeLeft)][-1]
    assert (gone.node_id, gone.way, gone.left_at) == (where, "hang_up", w.now)
    assert told.index(gone) < next(i for i, f in enumerate(told) if isinstance(f, CallEnded))
    assert len([f for f in told if isinstance(f, NodeLeft) and f.way == "hang_up"]) == 1
    assert call.call_id not in w.floor.calls and not w.floor.timers.names("call", call.call_id)


def test_silence_is_let_go_by_the_floors_own_clock() -> None:
    w = MenuWorld()
    call = w.call()
    for _ in range(2):
        w.played(call)
        w.wait(5)
    assert w.left() == [("m", "timeout"), ("bye", "end")]
    assert w.done(fx.HangUpLeg)


@pytest.mark.promise("I2")
def test_another_system_is_asked_by_the_shell_and_its_answer_is_spoken() -> None:
    w = MenuWorld()
    call = w.call()
    w.press(call, "2")
    (asked,) = [e for e in w.done(fx.AskHttp) if isinstance(e, fx.AskHttp)]
    assert isinstance(asked.ask, c.Http)
    w.floor.http_done(call.call_id, c.HttpDone(asked.ask.name, 200, {"state": "sent"}), w.now)
    assert w.hears(call) == ("say:en:it is sent",)
    w.played(call)
    assert call.queue_id == SALES


@pytest.mark.promise("C11")
def test_a_spoken_answer_is_a_fact_with_its_recording_even_if_the_caller_hangs_up_when_done() -> None:
    for hangs_up in (False, True):
        w = MenuWorld()
        call = w.call()
        w.press(call, "3")
        w.played(call)
        rid = call.voice["recording_id"]
        w.wait(3)
        if hangs_up:
            w.end(call)
        w.floor.media(p.RecordingEnded(w.now, rid, "x.wav", 3.0, 24_000), w.now)
        (answer,) = [f for f in w.facts(SurveyAnswer) if isinstance(f, SurveyAnswer)]
        assert (answer.question, answer.recording_id, answer.flow_id) == ("Why?", rid, FLOW)


@pytest.mark.promise("P4")
@pytest.mark.parametrize("keys", ["", "1", "147", "2", "3"])
def test_a_caller_in_a_menu_goes_on_after_the_engine_died(keys: str) -> None:
    w = MenuWorld(agents=1)
    call = w.call()
    for key in keys:
        w.press(call, key)
    w.restart()
    call = w.floor.calls[call.call_id]
    for _ in range(6):
        if call.play:
            w.played(call)
        w.wait(70)
    assert call.state is CallState.WAITING or w.done(fx.HangUpLeg)
    assert w.left()[-1][1] in ("queue", "end")


def test_a_caller_whom_a_queue_sends_back_is_spoken_to_in_the_language_he_chose() -> None:
    menu = flow(
        node("l", "language", {"next": "m"}, language="zh"),
        node("m", "menu", {"1": "q", "timeout": "bye", "invalid": "bye"}, keys={"1": ""},
             prompts={"zh": ["say::好"], "en": ["say::ok"]}),
        node("q", "queue", queue=SALES),
    )  # fmt: skip
    w = MenuWorld(menu)
    call = w.call()
    w.press(call, "1")
    assert call.language == "zh" and call.control == "acd"
    w.ivr.settle(FLOW, document(flow(node("m", "say", {"next": "bye"}, text={"zh": "再次", "en": "again"})), version=2))
    w.floor.divert(call, TO_MENU, w.now)
    assert w.hears(call) == ("say:zh:再次",)
