"""Calls that come in and wait: rung, answered, declined, overflowed, called back, asked for a message."""

from __future__ import annotations

import pytest

from callcenter.acd.roster import view
from callcenter.acd.settings import Blending, CallbackOffer, Overflow, Waiting
from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.errors import Conflict
from callcenter.telephony import ports as p
from tests.calls.lobby_world import HELP, SALES, TO_HELP, TO_SALES, TO_VOICEMAIL, LobbyWorld


@pytest.mark.promise("I3", "I5")
def test_a_call_that_comes_in_rings_at_the_free_agent_with_its_card_before_it_is_connected() -> None:
    w = LobbyWorld()
    call = w.arrive(ack=False)
    assert w.done(fx.AnswerLeg) and not w.facts(f.CallQueued)
    assert w.facts(f.CallStarted)[0].direction == "in"
    w.answer(call)
    view = w.team.agents[1].call
    assert w.state() == "ringing" and view is not None
    assert (view.state, view.direction, view.queue_name, view.card["name"]) == ("offered", "in", "Sales", "Mei")
    assert view.answer_until == w.now + 15 and not w.facts(f.CallConnected)
    w.wait(4)
    w.floor.answer(1, w.now)
    assert call.state is CallState.TALKING and w.state() == "on_call"
    (left,) = w.facts(f.CallLeftQueue)
    assert (left.how, left.wait_s, left.agent_id, left.answered_in_target) == ("connected", 4, 1, True)
    assert w.floor.queue_view(SALES, w.now).answered_in_target == 1
    w.end(call)
    ended = w.facts(f.CallEnded)[0]
    assert (ended.outcome, ended.queue_id, ended.queue_wait_s) == ("connected", SALES, 4)
    assert w.state() == "wrap_up"


@pytest.mark.promise("I3")
def test_wrap_up_of_the_queue_is_kept_over_all_queues_and_campaigns() -> None:
    w = LobbyWorld(wrap_up_s=20.0)
    call = w.arrive()
    w.floor.answer(1, w.now)
    w.end(call)
    second, dialed = w.arrive(TO_HELP), w.dial()
    w.answer(dialed)
    w.wait(19)
    assert w.state() == "wrap_up" and second.offered_to is None
    w.wait(2)
    assert w.state() == "ringing" and second.offered_to == 1


@pytest.mark.promise("I3")
def test_an_agent_who_does_not_answer_is_paused_and_the_caller_keeps_his_place() -> None:
    w = LobbyWorld(agents=2)
    first = w.arrive(number="+8613900000001")
    w.wait(1)
    second = w.arrive(number="+8613900000002")
    silent, talker = first.offered_to or 0, second.offered_to or 0
    w.floor.answer(talker, w.now)
    third = w.arrive(number="+8613900000003")
    w.wait(15)
    assert (w.state(silent), w.team.agents[silent].reason) == ("paused", "no_answer")
    assert w.floor.queues.order(SALES) == [first.call_id, third.call_id]
    w.end(second)
    w.wait(31)
    assert first.offered_to == talker and third.offered_to is None
    assert [e.how for e in w.facts(f.OfferEnded)] == ["taken", "no_answer"]


def test_a_declined_call_goes_to_the_next_agent_at_once() -> None:
    w = LobbyWorld(agents=2)
    call = w.arrive()
    first = call.offered_to or 0
    w.floor.decline(first, w.now)
    assert (w.state(first), w.team.agents[first].reason) == ("paused", "declined")
    assert call.offered_to == 3 - first
    with pytest.raises(Conflict):
        w.floor.answer(first, w.now)


def test_an_agent_who_is_lost_while_it_rings_leaves_the_caller_in_his_place() -> None:
    w = LobbyWorld(agents=2, ring_s=60.0)
    call = w.arrive()
    first = call.offered_to or 0
    w.team.presence(first, False, w.now)
    w.team.phone(first, "interrupted", w.now)
    w.wait(21)
    assert w.state(first) == "offline" and call.offered_to == 3 - first


def test_a_caller_who_hangs_up_while_it_rings_frees_the_agent() -> None:
    w = LobbyWorld()
    call = w.arrive()
    w.wait(3)
    w.end(call)
    assert w.state() == "available" and not w.floor.calls
    assert w.facts(f.CallLeftQueue)[0].how == "abandoned"
    assert w.facts(f.OfferEnded)[0].how == "gone"
    assert w.facts(f.CallEnded)[0].outcome == "abandoned"


def test_a_caller_who_cancels_before_our_answer_leaves_nothing_behind() -> None:
    w = LobbyWorld()
    call = w.arrive(ack=False)
    w.end(call, p.Cause.CANCELLED, 487)
    assert not w.floor.calls and w.done(fx.ClosePort) and not w.facts(f.CallQueued)
    w.wait(100)
    assert w.state() == "available"


def test_a_call_that_rings_by_itself_is_answered_after_the_pop() -> None:
    w = LobbyWorld(auto_answer=True)
    call = w.arrive()
    assert w.state() == "ringing" and w.team.agents[1].call.auto_answer
    w.wait(1)
    assert call.state is CallState.TALKING


@pytest.mark.promise("I4")
def test_the_caller_hears_greeting_music_and_his_place() -> None:
    w = LobbyWorld(agents=0, waiting=Waiting(greeting="prompt:3", announce_every_s=20))
    first = w.arrive()
    w.wait(1)
    second = w.arrive()
    assert w.hears(second) == ("prompt:3",)
    w.played(second)
    assert w.hears(second) == ("hold_music",)
    w.wait(20)
    assert "number two in the queue" in w.hears(second)[0] and "next" in w.hears(first)[0]
    w.played(second)
    assert w.hears(second) == ("hold_music",)


@pytest.mark.promise("I4")
def test_a_caller_overflows_to_another_queue_and_keeps_his_place_there() -> None:
    w = LobbyWorld(agents=0, overflow=Overflow(after_wait_s=40, after_wait=TO_HELP))
    call = w.arrive()
    w.wait(30)
    later = w.arrive(TO_HELP)
    w.wait(11)
    assert w.floor.queues.order(HELP) == [call.call_id, later.call_id]
    assert w.facts(f.CallLeftQueue)[0].how == "overflow"


@pytest.mark.promise("I4")
def test_with_nobody_signed_on_the_caller_is_asked_for_a_message() -> None:
    w = LobbyWorld(agents=1, overflow=Overflow(no_agents=TO_VOICEMAIL))
    w.team.set_state(1, "offline", "", w.now)
    call = w.arrive()
    w.wait(0.1)
    assert call.state is CallState.VOICEMAIL


@pytest.mark.promise("I4")
def test_after_the_longest_wait_the_caller_is_told_goodbye() -> None:
    w = LobbyWorld(agents=0, max_wait_s=100.0)
    call = w.arrive()
    w.wait(101)
    assert "sorry" in w.hears(call)[0]
    w.played(call)
    w.end(call, by_us=True)
    assert w.facts(f.CallEnded)[0].outcome == "abandoned"


@pytest.mark.promise("I4")
def test_a_caller_keeps_his_place_hangs_up_and_is_called_back_in_his_turn() -> None:
    w = LobbyWorld(agents=1)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.wait(1)
    behind = w.arrive()
    w.press(call, "1")
    w.press(call, "#")
    assert "keep your place" in w.hears(call)[0]
    w.played(call)
    w.end(call, by_us=True)
    assert w.facts(f.CallEnded)[0].outcome == "callback"
    (ticket,) = w.floor.tickets.values()
    assert w.floor.queues.order(SALES) == [ticket.ticket_id, behind.call_id]
    seen = len(w.effects)
    w.team.set_state(1, "available", "", w.now)
    w.shell(seen)
    (back,) = w.called_back
    assert back.number == call.number and w.state() == "on_call" and behind.offered_to is None
    w.answer(back)
    assert back.state is CallState.TALKING
    w.end(back)
    assert w.facts(f.CallbackTicketEnded)[0].how == "connected"
    assert not w.floor.tickets


@pytest.mark.promise("I4")
def test_a_kept_place_is_tried_again_and_expires() -> None:
    rules = CallbackOffer(enabled=True, after_s=5, key="1", expires_s=2000, tries=2)
    w = LobbyWorld(agents=1)
    w.change(SALES, callback=rules)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.press(call, "1")
    w.played(call)
    w.wait(10)  # nothing keyed: the number he calls from
    w.end(call)
    seen = len(w.effects)
    w.team.set_state(1, "available", "", w.now)
    w.shell(seen)
    w.end(w.called_back[0], p.Cause.NO_ANSWER, 480)
    assert len(w.floor.tickets) == 1 and w.state() == "available"
    seen = len(w.effects)
    w.wait(301)
    w.shell(seen)
    assert len(w.called_back) == 2
    w.end(w.called_back[1], p.Cause.BUSY, 486)
    assert w.facts(f.CallbackTicketEnded)[0].how == "no_answer"


@pytest.mark.promise("I6")
def test_a_message_is_recorded_and_told_even_if_the_caller_hangs_up_over_it() -> None:
    w = LobbyWorld()
    call = w.arrive(TO_VOICEMAIL)
    w.played(call)
    w.played(call)
    (started,) = w.done(fx.RecordVoicePort)
    seen = len(w.effects)
    w.end(call)
    w.shell(seen)
    (left,) = w.facts(f.VoicemailLeft)
    assert left.recording_id == started.recording_id and left.seconds == 4


@pytest.mark.promise("I4", "I6")
def test_a_queue_that_overflows_to_voicemail_greets_in_its_own_words() -> None:
    own = "say:en:Sales is closed."
    w = LobbyWorld(overflow=Overflow(after_wait_s=45.0, after_wait=TO_VOICEMAIL), voicemail_greeting=own)
    w.team.set_state(1, "paused", "lunch", w.now)
    call = w.arrive()
    w.wait(46)
    assert call.state is CallState.VOICEMAIL and w.hears(call) == (own,)
    assert call.run["queue_id"] == SALES
    other = w.arrive(TO_VOICEMAIL)
    assert w.hears(other) != (own,), "the enterprise's box has the installation's greeting"
    w.floor.greetings[1] = "prompt:5"
    mine = w.arrive(Destination(DestinationKind.VOICEMAIL, 1))
    assert w.hears(mine) == ("prompt:5",)
    w.restart()
    assert w.hears(call) == (own,), "the same words after a restart"


@pytest.mark.promise("I6")
def test_less_than_a_second_is_no_message() -> None:
    w = LobbyWorld()
    call = w.arrive(TO_VOICEMAIL)
    w.played(call)
    w.played(call)
    w.press(call, "#")
    rid = w.done(fx.StopRecord)[-1].recording_id
    w.floor.media(p.RecordingEnded(w.now, rid, "x.wav", 0.4, 3200), w.now)
    w.end(call, by_us=True)
    assert not w.facts(f.VoicemailLeft)
    assert w.facts(f.CallEnded)[0].outcome == "abandoned"


@pytest.mark.promise("I1")
def test_a_call_for_one_person_rings_there_and_then_at_the_voicemail() -> None:
    w = LobbyWorld(agents=2)
    call = w.arrive(Destination(DestinationKind.AGENT, 2))
    assert call.offered_to == 2 and w.state(1) == "available"
    w.wait(21)
    assert call.state is CallState.VOICEMAIL and w.state(2) == "paused"


def test_a_call_for_somebody_who_talks_waits_for_him() -> None:
    w = LobbyWorld(wrap_up_s=5.0)
    first = w.arrive()
    w.floor.answer(1, w.now)
    call = w.arrive(Destination(DestinationKind.AGENT, 1))
    assert call.offered_to is None
    w.wait(10)
    w.end(first)
    w.wait(6)
    assert call.offered_to == 1


@pytest.mark.promise("A1", "D8")
def test_an_agent_in_a_call_is_shown_who_waits_for_him_and_nothing_else_changes() -> None:
    w = LobbyWorld(agents=2, wrap_up_s=5.0)
    w.team.set_state(2, "paused", "lunch", w.now)
    first = w.arrive()
    w.floor.answer(1, w.now)
    before = w.team.agents[1].call
    call = w.arrive(Destination(DestinationKind.AGENT, 1), number="+8613900000078")
    shown = view(w.team.agents[1])
    assert [(c.call_id, c.name, c.phone_e164, c.since) for c in shown.callers] == [
        (call.call_id, "Mei", "+8613900000078", w.now)
    ]
    assert (shown.state, shown.call) == ("on_call", before), "his present call is his"
    assert view(w.team.agents[2]).callers == ()
    w.restart()
    assert [c.call_id for c in view(w.team.agents[1]).callers] == [call.call_id], "a restart shows it as before"
    w.end(w.floor.calls[first.call_id])
    w.wait(6)
    assert w.floor.calls[call.call_id].offered_to == 1 and view(w.team.agents[1]).callers == ()


def test_who_is_an_agents_own_customer_or_spoke_with_him_last_is_shown_until_he_gives_up() -> None:
    for how in ("owner", "sticky"):
        w = LobbyWorld(agents=1)
        w.arrive()
        w.floor.answer(1, w.now)
        call = w.arrive(number="+8613900000078", ack=False)
        if how == "owner":
            call.card = {"name": "Mei", "owner_id": 1}
        else:
            call.sticky_agent = 1
        w.answer(call)
        assert [c.call_id for c in view(w.team.agents[1]).callers] == [call.call_id]
        w.end(call)
        assert view(w.team.agents[1]).callers == ()


def test_a_refused_destination_refuses_before_the_answer() -> None:
    w = LobbyWorld()
    w.arrive(Destination(DestinationKind.REFUSE), ack=False)
    (refused,) = w.done(fx.RefuseLeg)
    assert refused.status == 603


@pytest.mark.promise("I3", "D3")
def test_a_dialed_live_answer_goes_before_a_waiting_caller() -> None:
    w = LobbyWorld(wrap_up_s=5.0)
    talking = w.arrive()
    w.floor.answer(1, w.now)
    waiting, dialed = w.arrive(), w.dial()
    w.end(talking)
    w.wait(4)
    w.answer(dialed)
    w.wait(1.5)
    assert dialed.state is CallState.TALKING and waiting.offered_to is None


@pytest.mark.promise("I3")
def test_agents_of_a_queue_that_falls_behind_are_kept_from_campaigns() -> None:
    w = LobbyWorld(agents=2, blending=Blending(enabled=True, reserve=2, release_s=10))
    call = w.arrive()
    w.floor.blend(w.now)
    assert w.team.withheld == {1, 2}
    dialed = w.dial()
    w.answer(dialed)
    assert dialed.state is CallState.WAITING, "no agent is given to the campaign"
    w.end(call)
    w.floor.blend(w.now)
    w.wait(11)
    w.floor.blend(w.now)
    assert not w.team.withheld


@pytest.mark.promise("P4")
def test_waiting_callers_and_kept_places_are_there_again_in_the_same_order_after_a_restart() -> None:
    w = LobbyWorld(agents=2)
    talking = w.arrive(number="+8613900000009")
    w.floor.answer(talking.offered_to or 0, w.now)
    w.team.set_state(3 - (talking.agent_id or 0), "paused", "lunch", w.now)
    numbers = [f"+861390000001{i}" for i in range(6)]
    calls = []
    for number in numbers:
        w.wait(1)
        calls.append(w.arrive(number=number))
    w.press(calls[2], "1")
    w.press(calls[2], "#")
    w.end(calls[2])
    before = w.floor.queues.order(SALES)
    assert len(before) == 6
    w.wait(5)
    w.restart()
    assert w.floor.queues.order(SALES) == before
    assert w.floor.calls[talking.call_id].state is CallState.TALKING
    assert w.floor.reconcile(w.now) == []
    free = 3 - (talking.agent_id or 0)
    w.team.set_state(free, "available", "", w.now)
    assert w.floor.calls[calls[0].call_id].offered_to == free


def test_a_call_that_rang_when_the_engine_died_rings_again() -> None:
    w = LobbyWorld()
    call = w.arrive()
    w.wait(3)
    w.restart()
    again = w.floor.calls[call.call_id]
    assert again.offered_to == 1 and w.state() == "ringing"
    assert [e.how for e in w.facts(f.OfferEnded)] == ["gone"]


def test_a_queue_that_is_deleted_asks_its_callers_for_a_message() -> None:
    w = LobbyWorld(agents=0)
    call = w.arrive(TO_SALES)
    w.floor.drop_queue(SALES, w.now)
    assert call.state is CallState.VOICEMAIL and w.floor.queue_view(SALES, w.now) is None
