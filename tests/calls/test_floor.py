"""What happens to calls and agents, turn by turn."""

from __future__ import annotations

import pytest

from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import CallState
from callcenter.errors import Conflict
from callcenter.telephony import ports as p
from tests.calls.world import SDP, World


@pytest.mark.promise("D3")
def test_live_answer_reaches_the_longest_idle_agent_at_once() -> None:
    w = World(agents=2)
    w.team.set_state(1, "paused", "coffee", w.now)
    w.wait(5)
    w.team.set_state(1, "available", "", w.now)
    call = w.dial()
    w.drain()
    w.answer(call)
    effects = w.drain()
    room = next(e for e in effects if isinstance(e, fx.Room))
    assert room.hears == {
        "agent-1-2": (f"call-{call.call_id}",),
        f"call-{call.call_id}": ("agent-1-2",),
    }
    assert w.state(2) == "on_call" and w.state(1) == "available"
    assert next(e for e in effects if isinstance(e, fx.Record)).left_port == "agent-1-2"


@pytest.mark.promise("D3")
def test_answered_call_without_agent_is_abandoned_after_two_seconds() -> None:
    w = World(agents=0)
    call = w.dial()
    w.answer(call)
    w.wait(1.9)
    assert call.state is CallState.WAITING
    w.wait(0.2)
    assert call.state is CallState.IDENTIFYING
    assert w.done(fx.Play)[-1].source == "sorry.wav"
    w.floor.media(p.PlayEnded(w.now, f"call-{call.call_id}", f"identify-{call.call_id}", True), w.now)
    assert w.done(fx.HangUpLeg)
    w.end(call, by_us=True)
    (ended,) = w.facts(f.CallEnded)
    assert ended.outcome == "abandoned" and ended.hung_up_by == "system"


@pytest.mark.promise("D3")
def test_agent_who_becomes_free_within_the_patience_gets_the_waiting_call() -> None:
    w = World(agents=1)
    first, second = w.dial(), w.dial()
    w.answer(first)
    w.floor.dispose(1, first.call_id, 3, "", None, True, "available", w.now)
    w.answer(second)
    w.wait(1)
    w.end(first)
    assert second.state is CallState.TALKING and second.agent_id == 1
    assert w.facts(f.CallConnected)[-1].wait_ms == 1000


def test_callee_who_hangs_up_while_waiting_counts_as_abandoned() -> None:
    w = World(agents=0)
    call = w.dial()
    w.answer(call)
    w.wait(1)
    w.end(call)
    assert w.facts(f.CallEnded)[0].outcome == "abandoned"


@pytest.mark.promise("D7")
def test_outcome_is_forced_before_the_next_call() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.end(call)
    assert w.state() == "wrap_up"
    with pytest.raises(Conflict):
        w.team.set_state(1, "available", "", w.now)
    w.wait(120)
    assert w.state() == "wrap_up", "the wrap-up time may run out, the outcome is still owed"
    waiting = w.dial()
    w.answer(waiting)
    assert waiting.state is CallState.WAITING, "an agent in wrap-up gets no call"
    w.floor.dispose(1, call.call_id, 3, "wants it", None, True, "available", w.now)
    assert w.state() == "on_call" and waiting.agent_id == 1


def test_wrap_up_ends_by_itself_where_no_outcome_is_required() -> None:
    w = World(required=False)
    call = w.dial()
    w.answer(call)
    w.end(call)
    w.wait(29)
    assert w.state() == "wrap_up"
    w.wait(2)
    assert w.state() == "available"


def test_wrap_up_that_is_never_finished_becomes_a_pause_with_its_reason() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.end(call)
    w.wait(1000)
    assert (w.state(), w.team.agents[1].reason) == ("paused", "no_outcome")


@pytest.mark.promise("A2")
def test_pause_after_this_call_is_kept_until_the_wrap_up_is_done() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.team.pause_after(1, True, "lunch", w.now)
    w.end(call)
    w.floor.dispose(1, call.call_id, 3, "", None, True, "available", w.now)
    assert (w.state(), w.team.agents[1].reason) == ("paused", "lunch")


def test_hang_up_frees_the_agent_even_if_the_far_end_never_answers_the_bye() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.agent_hang_up(1, w.now)
    assert w.state() == "wrap_up"
    w.wait(9)
    assert call.state is CallState.ENDED and not w.floor.calls
    assert w.facts(f.CallEnded)[0].hung_up_by == "agent"


@pytest.mark.promise("D1")
def test_call_by_hand_lets_the_agent_hear_the_far_end_before_the_answer() -> None:
    w = World()
    call = w.dial(agent=1)
    assert w.state() == "on_call"
    w.sip(p.LegRinging, call)
    assert w.done(fx.Play)[-1].source == "tone:ringback"
    w.answer(call)
    assert call.state is CallState.TALKING and w.team.agents[1].call.state == "talking"


def test_call_by_hand_that_nobody_answers_needs_no_outcome() -> None:
    w = World()
    call = w.dial(agent=1)
    w.end(call, p.Cause.BUSY, 486)
    assert w.state() == "available"
    assert w.facts(f.CallEnded)[0].outcome == "busy"
    assert w.team.agents[1].call.cause == "busy"


def test_hold_plays_music_and_counts_its_time() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.hold(1, True, w.now)
    assert w.done(fx.Play)[-1].source == "hold_music"
    w.wait(12)
    w.floor.hold(1, False, w.now)
    w.end(call)
    assert w.facts(f.CallEnded)[0].hold_s == 12


def test_events_out_of_turn_change_nothing() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.answer(call)
    w.sip(p.LegRinging, call)
    w.sip(p.LegUpdated, call, sdp=SDP)
    assert call.state is CallState.TALKING
    w.end(call)
    w.end(call)
    w.answer(call)
    assert len(w.facts(f.CallEnded)) == 1


def test_answer_that_crosses_our_cancel_is_hung_up() -> None:
    w = World()
    call = w.dial(agent=1)
    w.floor.agent_hang_up(1, w.now)
    w.answer(call)
    assert len(w.done(fx.HangUpLeg)) == 2
    w.end(call, by_us=True)
    assert w.state() == "available" and not w.floor.calls


@pytest.mark.promise("A1")
def test_a_reload_in_the_middle_of_a_call_changes_nothing() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.team.presence(1, False, w.now)
    w.team.phone(1, "interrupted", w.now)
    w.now += 15
    w.floor.advance(w.now)
    w.team.presence(1, True, w.now)
    w.team.phone(1, "connected", w.now)
    w.wait(60)
    assert call.state is CallState.TALKING and w.state() == "on_call"


@pytest.mark.promise("A2")
def test_closed_browser_frees_the_agent_after_a_grace_and_ends_the_call() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.team.presence(1, False, w.now)
    w.team.phone(1, "interrupted", w.now)
    w.wait(21)
    assert w.done(fx.HangUpLeg), "the customer is not left in silence"
    w.end(call, by_us=True)
    assert w.state() == "offline"


def test_silent_web_process_signs_nobody_off_while_his_audio_is_there() -> None:
    w = World()
    w.team.agents[1].online = False  # no heartbeat comes any more
    w.floor.timers.set(("presence", "1"), w.now + 1)
    w.wait(200)
    assert w.state() == "available"


def test_dead_phone_gets_no_calls_and_pauses_the_agent() -> None:
    w = World()
    w.team.phone(1, "interrupted", w.now)
    call = w.dial()
    w.answer(call)
    assert call.state is CallState.WAITING
    w.wait(25)
    assert (w.state(), w.team.agents[1].reason) == ("paused", "phone_lost")


def test_leg_that_the_adapter_never_ends_is_ended_by_its_timer() -> None:
    w = World(agents=0)
    w.dial()
    w.wait(60)
    assert not w.floor.calls
    assert w.facts(f.CallEnded)[0].outcome == "no_answer"


def test_restored_conversation_goes_on_and_a_restored_ringing_call_is_closed() -> None:
    w = World()
    talking, ringing = w.dial(), w.dial()
    w.answer(talking)
    after = World(agents=0)
    after.team.agents = w.team.agents
    after.floor.restore(talking, w.now)
    after.floor.restore(ringing, w.now)
    assert list(after.floor.calls) == [talking.call_id]
    assert after.facts(f.CallEnded)[0].outcome == "engine_lost"
    assert after.floor.reconcile(w.now) == []


def test_ringing_of_a_call_that_the_agent_gave_up_does_not_reach_his_next_one() -> None:
    w = World()
    given_up = w.dial(agent=1)
    w.floor.agent_hang_up(1, w.now)
    talking = w.dial()
    w.answer(talking)
    w.drain()
    w.sip(p.LegRinging, given_up)
    assert w.team.agents[1].call.call_id == talking.call_id
    assert not [e for e in w.drain() if isinstance(e, fx.Play)]
    assert w.floor.reconcile(w.now) == []
