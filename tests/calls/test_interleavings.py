"""Things that happen in the same instant, or too late: nobody is lost between them."""

from __future__ import annotations

import pytest

from callcenter.acd.settings import Overflow, SkillNeed
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.errors import Conflict
from callcenter.telephony import ports as p
from tests.calls.lobby_world import SALES, TO_VOICEMAIL, LobbyWorld
from tests.calls.party_world import PartyWorld, colleague


@pytest.mark.promise("I4")
def test_an_announcement_due_in_the_instant_of_the_overflow_holds_up_nobody_elses_clocks() -> None:
    w = LobbyWorld(agents=1, overflow=Overflow(after_wait_s=45.0, after_wait=TO_VOICEMAIL))
    w.team.set_state(1, "paused", "lunch", w.now)
    first, second = w.arrive(number="+8613900000001"), w.arrive(number="+8613900000002")
    w.wait(46)
    assert first.state is CallState.VOICEMAIL
    assert second.state is CallState.VOICEMAIL


@pytest.mark.promise("I4")
def test_an_overflow_due_in_the_instant_of_an_offer_that_is_not_answered_comes_after_it() -> None:
    skills = (SkillNeed("spanish", 1, relax_every_s=60.0),)
    w = LobbyWorld(agents=1, skills=skills, overflow=Overflow(after_wait_s=60.0, after_wait=TO_VOICEMAIL))
    call = w.arrive()
    assert call.offered_to is None
    w.wait(60)
    assert call.offered_to == 1 or call.state is CallState.VOICEMAIL
    w.wait(16)
    assert call.state is CallState.VOICEMAIL, "the agent did not answer"


@pytest.mark.promise("I3")
def test_a_skill_given_to_a_free_agent_brings_him_the_caller_who_waits_for_it() -> None:
    w = LobbyWorld(agents=1, skills=(SkillNeed("spanish", 5),))
    call = w.arrive()
    assert call.offered_to is None
    w.team.know(1, "Agent 1", (), w.now, queues=(SALES,), skills={})
    w.team.know(1, "Agent 1", (), w.now, queues=(SALES,), skills={"spanish": 7})
    w.floor.give_out(w.now)
    assert call.offered_to == 1


@pytest.mark.promise("I4")
def test_a_caller_who_keeps_his_place_is_not_called_back_while_he_is_on_the_line_still() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.press(call, "1")
    w.press(call, "#")
    behind = w.arrive(number="+8613900000002")
    w.team.set_state(1, "available", "", w.now)
    assert not w.done(fx.DialQueued), "he hears yet that his place is kept"
    assert behind.offered_to == 1, "nobody sits idle for him meanwhile"
    w.played(call)
    w.end(call, by_us=True)
    w.end(behind)
    w.wait(30)
    assert w.done(fx.DialQueued)


@pytest.mark.promise("I1")
def test_a_number_recorded_on_demand_is_not_recorded_by_itself_when_it_leads_to_one_person() -> None:
    w = LobbyWorld(agents=1)
    call = w.arrive(Destination(DestinationKind.AGENT, 1), ack=False)
    call.record_rule = "on_demand"
    w.answer(call)
    w.floor.answer(1, w.now)
    assert call.state is CallState.TALKING and not w.done(fx.Record)
    view = w.team.agents[1].call
    assert view is not None and view.can_record == "start"


def test_a_call_that_stands_without_a_timer_is_hung_up_at_the_far_end_too() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.floor.timers.cancel_all("call", call.call_id)
    assert w.floor.reconcile(w.now)
    assert [e.call_id for e in w.done(fx.HangUpLeg)] == [call.call_id]
    assert not w.floor.calls


@pytest.mark.promise("P4")
def test_a_caller_who_was_being_told_goodbye_does_not_wait_for_nobody_after_a_restart() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.press(call, "1")
    w.press(call, "#")
    assert call.result == "callback"
    w.restart()
    assert w.floor.calls[call.call_id].hanging_up_since is not None
    assert len(w.floor.tickets) == 1


@pytest.mark.promise("V2")
def test_a_supervisor_whose_agent_was_disabled_can_stop() -> None:
    w = PartyWorld()
    w.floor.supervise(3, 1, "listen", True, w.now)
    w.team.forget(1, w.now)
    w.floor.supervise(3, 1, "stop", True, w.now)
    assert w.state(3) == "available" and not w.team.agents[3].supervising


@pytest.mark.promise("A1")
def test_nobody_picks_up_a_transferred_call_with_a_dead_phone() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), False, w.now)
    w.team.phone(2, "interrupted", w.now)
    with pytest.raises(Conflict):
        w.floor.answer(2, w.now)
    assert call.connected_at is not None and w.state(2) == "ringing"
    w.team.phone(2, "connected", w.now)
    w.floor.answer(2, w.now)
    assert call.state is CallState.TALKING and call.agent_id == 2


def test_a_caller_who_fell_silent_while_he_waited_does_not_hold_his_agent_for_ever() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.floor.media(p.RtpSilent(w.now, call.port, 20.0), w.now)
    w.team.set_state(1, "available", "", w.now)
    w.floor.answer(1, w.now)
    w.wait(31)
    w.floor.sip(p.LegAsked(call.call_id, w.now, False), w.now)
    assert w.facts(f.CallEnded)[0].cause == "lost" and w.state() == "wrap_up"


def test_a_caller_who_vanishes_while_he_waits_leaves_the_queue() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.floor.media(p.RtpSilent(w.now, call.port, 30.0), w.now)
    w.wait(1)
    w.floor.sip(p.LegAsked(call.call_id, w.now, False), w.now)
    [left] = w.facts(f.CallLeftQueue)
    [ended] = w.facts(f.CallEnded)
    assert (left.how, ended.outcome, ended.cause) == ("abandoned", "abandoned", "lost")
    assert not w.floor.calls


def test_an_agent_who_reloads_his_page_in_a_consultation_is_in_it_again() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), True, w.now)
    w.floor.answer(2, w.now)
    room = w.room(call)
    assert room
    w.drain()
    seen = len(w.effects)
    w.floor.reattach(call)
    w.drain()
    rooms = [e for e in w.effects[seen:] if isinstance(e, fx.Room)]
    assert [dict(e.hears) for e in rooms] == [{k: tuple(v) for k, v in room.items()}]


@pytest.mark.promise("I3")
def test_a_caller_who_waits_although_somebody_is_free_is_found_and_rings() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.team.on_free = lambda agent, now: None  # the word of it is lost
    w.team.set_state(1, "available", "", w.now)
    assert call.offered_to is None
    assert w.floor.reconcile(w.now) == [f"call {call.call_id} waits although agent 1 is free"]
    assert call.offered_to == 1 and w.floor.reconcile(w.now) == []


@pytest.mark.promise("I4")
def test_a_kept_place_of_a_queue_that_is_gone_is_given_up() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.press(call, "1")
    w.press(call, "#")
    w.team.set_state(1, "available", "", w.now)  # he is on the line still: his place stands aside for a moment
    w.end(call)
    w.floor.drop_queue(SALES, w.now)
    w.wait(30)
    assert not w.floor.tickets and w.state() == "available"


@pytest.mark.promise("I4")
@pytest.mark.parametrize("step", [7200.0, -7200.0])
def test_a_clock_that_is_set_sends_no_caller_away_and_keeps_the_order_and_the_waits(step: float) -> None:
    w = LobbyWorld(agents=1, overflow=Overflow(after_wait_s=90.0, after_wait=TO_VOICEMAIL))
    w.team.set_state(1, "paused", "lunch", w.now)
    first = w.arrive(number="+8613900000001")
    w.wait(10)
    second = w.arrive(number="+8613900000002")
    w.wait(50)
    w.now += step
    w.floor.shift(step)
    w.wait(20)
    assert w.floor.queues.order(SALES) == [first.call_id, second.call_id]
    third = w.arrive(number="+8613900000003")
    assert w.floor.queues.order(SALES)[-1] == third.call_id
    w.wait(12)
    assert first.state is CallState.VOICEMAIL and second.state is CallState.WAITING
    assert 89 < first.queue_wait_s < 93
