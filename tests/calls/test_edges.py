"""Races, late hands and dead phones: what lies between the usual ways."""

from __future__ import annotations

import pytest

from callcenter.acd.views import CallView
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.telephony import ports as p
from tests.calls.world import CAMPAIGN, SDP, World

ENTRY = {"lead_id": 5, "campaign_id": CAMPAIGN, "phone": "+8613900000001"}


def offer(w: World, seconds: float | None = 30.0, user: int = 1) -> None:
    """Show a lead to an agent."""
    until = w.now + seconds if seconds is not None else None
    view = CallView("c", "preview", "out", "preview", ENTRY["phone"], w.now, w.now, preview_until=until)
    w.team.offer(w.team.agents[user], view, dict(ENTRY), w.now)


def test_available_is_no_answer_to_an_offered_lead() -> None:
    w = World()
    offer(w)
    w.team.set_state(1, "available", "", w.now)
    assert w.state() == "ringing"
    assert w.team.agents[1].preview == ENTRY
    assert not w.done(fx.ReturnLead)


def test_a_lead_offered_for_the_hand_only_is_never_dialed_by_itself() -> None:
    w = World()
    offer(w, seconds=None)
    assert w.floor.reconcile(w.now) == []
    w.wait(600)
    assert not w.done(fx.DialPreview)


def test_an_agent_whose_offered_lead_is_gone_is_found_and_freed() -> None:
    w = World()
    offer(w)
    w.team.agents[1].preview = {}
    assert w.floor.reconcile(w.now)
    assert w.state() == "available"
    assert w.floor.reconcile(w.now) == []


def test_pausing_while_the_offered_lead_is_being_dialed_returns_nothing_twice() -> None:
    w = World()
    offer(w)
    w.team.agents[1].preview = {}
    w.team.set_state(1, "paused", "lunch", w.now)
    assert w.state() == "paused"
    assert not w.done(fx.ReturnLead)


def test_a_pause_of_long_ago_does_not_follow_an_unanswered_preview() -> None:
    w = World()
    w.team.set_state(1, "paused", "lunch", w.now)
    w.end(w.dial(agent=1), p.Cause.BUSY)
    assert w.state() == "paused"
    w.team.set_state(1, "available", "", w.now)
    offer(w)
    w.end(w.dial(agent=1), p.Cause.BUSY)
    assert w.state() == "available"


@pytest.mark.parametrize("state", ["available", "paused", "offline"])
def test_leaving_the_wrap_up_by_hand_ends_it_for_the_call_too(state: str) -> None:
    w = World(required=False)
    call = w.dial()
    w.answer(call)
    w.end(call)
    assert w.state() == "wrap_up"
    w.team.set_state(1, state, "", w.now)
    assert w.state() == state
    assert [x.call_id for x in w.facts(f.CallWrappedUp)] == [call.call_id]
    assert w.team.agents[1].wrap_up_until is None
    assert "wrap_end" in [x.kind for x in w.done(fx.Observed)]
    w.wait(100)
    assert len(w.facts(f.CallWrappedUp)) == 1


def test_a_late_outcome_in_a_pause_does_not_pause_the_agent_again() -> None:
    w = World(required=False)
    call = w.dial()
    w.answer(call)
    w.end(call)
    w.team.set_state(1, "paused", "", w.now)
    w.floor.dispose(1, call.call_id, 1, "", None, True, "paused", w.now)
    assert w.team.agents[1].wish == ""


def test_a_phone_that_never_gets_connected_pauses_its_agent() -> None:
    w = World()
    w.team.phone(1, "off", w.now)
    w.wait(25)
    w.team.phone(1, "connecting", w.now)
    w.team.set_state(1, "available", "", w.now)
    w.wait(25)
    assert (w.state(), w.team.agents[1].reason) == ("paused", "phone_lost")


def test_a_wrap_up_with_a_dead_phone_ends_in_a_pause_and_not_in_an_availability_that_gets_no_calls() -> None:
    w = World(required=False, wrap_up_s=60)
    call = w.dial()
    w.answer(call)
    w.end(call)
    w.team.phone(1, "off", w.now)
    w.wait(61)
    assert (w.state(), w.team.agents[1].reason) == ("paused", "phone_lost")


def test_an_agent_who_is_disabled_leaves_a_last_document_and_no_saved_state() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.team.forget(1, w.now)
    [gone] = w.done(fx.AgentGone)
    assert gone.last.state == "offline"
    w.team.know(1, "Back", (CAMPAIGN,), w.now + 1)
    assert w.team.agents[1].seq > 0
    w.end(call)
    assert not w.floor.calls


def test_an_answer_that_crosses_the_agents_hang_up_is_no_abandoned_call() -> None:
    w = World()
    call = w.dial(agent=1)
    w.floor.agent_hang_up(1, w.now)
    w.answer(call)
    w.end(call, by_us=True)
    [ended] = w.facts(f.CallEnded)
    assert (ended.outcome, ended.cause) == ("cancelled", "cancelled")
    assert "abandon" not in [x.kind for x in w.done(fx.Observed)]


def test_silence_of_a_far_end_counts_from_the_resume_and_not_while_it_holds() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.media(p.RtpSilent(w.now, fx.call_port(call.call_id), 20), w.now)
    w.sip(p.LegUpdated, call, sdp=p.Sdp(SDP.address, direction="sendonly"))
    w.wait(120)
    assert not w.done(fx.AskLeg)
    w.sip(p.LegUpdated, call, sdp=SDP)
    w.wait(29)
    assert not w.done(fx.AskLeg)
    w.wait(2)
    assert [e.call_id for e in w.done(fx.AskLeg)] == [call.call_id]


def test_a_far_end_that_is_silent_and_answers_nothing_is_lost_and_its_agent_free() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.wait(40)
    w.floor.media(p.RtpSilent(w.now, call.port, 30.0), w.now)
    w.wait(0)
    assert len(w.done(fx.AskLeg)) == 1, "thirty seconds are full already"
    assert w.state() == "on_call", "nothing is done to a call that may be there"
    w.sip(p.LegAsked, call, alive=False)
    [ended] = w.facts(f.CallEnded)
    assert (ended.outcome, ended.cause, ended.hung_up_by) == ("connected", "lost", "system")
    assert w.done(fx.HangUpLeg) and w.done(fx.ClosePort) and w.state() == "wrap_up"


def test_a_muted_far_end_that_answers_stays_and_is_asked_again() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.media(p.RtpSilent(w.now, call.port, 30.0), w.now)
    w.wait(1)
    for asked in (1, 2, 3):
        assert len(w.done(fx.AskLeg)) == asked
        w.sip(p.LegAsked, call, alive=True)
        w.wait(31)
    w.floor.media(p.RtpStarted(w.now, call.port), w.now)
    w.sip(p.LegAsked, call, alive=False)  # the answer was lost on its way, and he speaks
    w.wait(120)
    assert len(w.done(fx.AskLeg)) == 4 and call.hanging_up_since is None and w.state() == "on_call"


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_far_end_that_said_it_sends_nothing_is_not_asked_for_its_silence(direction: str) -> None:
    w = World()
    call = w.dial()
    w.sip(p.LegAnswered, call, sdp=p.Sdp(SDP.address, direction=direction), dialog=w.dialog(call, "confirmed"))
    w.floor.media(p.RtpSilent(w.now, call.port, 30.0), w.now)
    w.wait(300)
    assert not w.done(fx.AskLeg)


def test_a_successor_asks_who_may_have_vanished_before_its_time_unless_he_is_heard() -> None:
    for packets, asked in (((50, 50, 50), 1), ((50, 300, 550), 0)):
        w = World()
        call = w.dial()
        w.answer(call)
        w.floor.restore(call, w.now)
        for received in packets:
            w.floor.media(p.PortStats(w.now, call.port, received, 0, 0.0, 0, None, None, 4.0), w.now)
            w.wait(5)
        w.wait(20)
        assert len(w.done(fx.AskLeg)) == asked


def test_an_unhold_after_a_silence_that_has_ended_hangs_nobody_up() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.hold(1, True, w.now)
    w.floor.media(p.RtpSilent(w.now, fx.call_port(call.call_id), 20), w.now)
    w.wait(60)
    w.floor.media(p.RtpStarted(w.now, fx.call_port(call.call_id)), w.now)
    w.floor.hold(1, False, w.now)
    w.wait(120)
    assert call.hanging_up_since is None


def test_the_recording_stops_when_the_agent_leaves_and_not_when_the_far_end_agrees() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.floor.agent_hang_up(1, w.now)
    assert len(w.done(fx.StopRecord)) == 1
    w.end(call, by_us=True)
    assert len(w.done(fx.StopRecord)) == 1


def test_an_invite_that_never_went_out_is_not_the_callees_no_answer() -> None:
    w = World()
    call = w.dial()
    call.leg = type(call.leg).NEW
    w.wait(60)
    [ended] = w.facts(f.CallEnded)
    assert ended.outcome == "congestion"


@pytest.mark.promise("D7", "P4")
def test_a_browser_that_is_closed_in_wrap_up_leaves_word_that_no_outcome_was_given() -> None:
    w = World()
    call = w.dial()
    w.answer(call)
    w.end(call)
    assert w.state() == "wrap_up" and not w.facts(f.CallWrappedUp)
    w.team.phone(1, "off", w.now)
    w.team.presence(1, False, w.now)
    w.wait(21)
    [wrapped] = w.facts(f.CallWrappedUp)
    assert (w.state(), wrapped.call_id, wrapped.owed) == ("offline", call.call_id, True)


def test_a_wrap_up_without_an_outcome_is_owed_by_time_and_by_a_supervisors_hand_too() -> None:
    for late in (True, False):
        w = World()
        call = w.dial()
        w.answer(call)
        w.end(call)
        if late:
            w.wait(901)
        else:
            w.floor.force_state(1, "available", "told", False, w.now)
        [wrapped] = w.facts(f.CallWrappedUp)
        assert wrapped.owed and w.state() == ("paused" if late else "available")


def test_an_outcome_that_was_given_or_is_not_asked_for_is_not_owed() -> None:
    for required in (True, False):
        w = World(required=required)
        call = w.dial()
        w.answer(call)
        w.end(call)
        if required:
            w.floor.dispose(1, call.call_id, 3, "", None, True, "available", w.now)
        else:
            w.wait(31)
        [wrapped] = w.facts(f.CallWrappedUp)
        assert not wrapped.owed
