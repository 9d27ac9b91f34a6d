"""Transfers, consultations, conferences, parking: each command, and each death on the way."""

from __future__ import annotations

import pytest

from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.calls.call import Call, CallState
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.errors import Conflict
from callcenter.telephony import ports as p
from tests.calls.party_world import NUMBER, QUEUE, TO_QUEUE, PartyWorld, colleague
from tests.calls.world import SDP

A1, A2 = "agent-1-1", "agent-1-2"


def consulting(w: PartyWorld, answered: bool = True) -> Call:
    """Agent 1 holds his customer and consults agent 2."""
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), True, w.now)
    if answered:
        w.floor.answer(2, w.now)
    return call


def conference(w: PartyWorld, with_number: bool = False) -> Call:
    """Agent 1, his customer, and agent 2 or a number."""
    if not with_number:
        call = consulting(w)
    else:
        call = w.talk(1)
        w.floor.transfer(1, NUMBER, True, w.now)
        w.leg_up(call)
    w.floor.conference(1, w.now)
    return call


# ------------------------------------------------------------------------------------------------------ blind transfer


@pytest.mark.promise("A1", "I5")
def test_blind_transfer_rings_at_the_colleague_with_the_card_while_the_customer_hears_it_ring() -> None:
    w = PartyWorld()
    call = w.talk(1)
    call.card = {"name": "A customer"}
    w.floor.transfer(1, colleague(2), False, w.now)
    assert w.state(1) == "wrap_up" and w.state(2) == "ringing"
    assert w.call_state(2) == "offered" and w.team.agents[2].call.card["name"] == "A customer"
    assert w.heard(call.port) == "tone:ringback" and w.room(call) == {}
    assert w.recorded() == ("", call.port), "nobody's microphone is recorded while it rings"
    w.sound()
    w.floor.answer(2, w.now)
    assert w.state(2) == "on_call" and call.agent_id == 2 and call.state is CallState.TALKING
    assert w.room(call) == {A2: {call.port}, call.port: {A2}}
    assert w.heard(call.port) == "" and w.recorded() == (A2, call.port)
    w.end(call)
    assert w.state(2) == "wrap_up" and w.ended()[0].agent_id == 2
    assert [x.kind for x in w.facts(f.CallTransferred)] == ["blind"]


def test_a_transfer_that_nobody_takes_comes_back_to_who_made_it_out_of_his_wrap_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), False, w.now)
    w.wait(21)
    assert (w.state(2), w.team.agents[2].reason) == ("paused", "no_answer")
    assert w.state(1) == "ringing" and w.notice(1) == "came_back"
    w.floor.answer(1, w.now)
    assert w.state(1) == "on_call" and w.room(call) == {A1: {call.port}, call.port: {A1}}
    w.end(call)
    assert w.state(1) == "wrap_up"
    w.wait(31)
    assert w.state(1) == "available"
    assert len(w.facts(f.CallWrappedUp)) == 1


def test_a_transfer_that_comes_back_and_is_not_taken_goes_to_its_queue_and_the_wrap_up_goes_on() -> None:
    w = PartyWorld(members=(1,), wrap_up_s=100)
    call = w.talk_from_queue()
    w.floor.transfer(1, colleague(2), False, w.now)
    w.floor.decline(2, w.now)
    assert w.state(1) == "ringing"
    w.wait(21)
    assert w.state(1) == "wrap_up" and call.state is CallState.WAITING and call.queue_id == QUEUE
    w.wait(90)
    assert w.state(1) == "ringing", "the wrap-up is done, and he is the queue's agent"
    w.sound()


def test_a_transfer_that_comes_to_nothing_ends_in_a_voicemail_box_if_the_first_agent_is_gone() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), False, w.now)
    w.team.set_state(1, "offline", "", w.now)
    w.team.set_state(2, "paused", "lunch", w.now)
    assert w.state(2) == "paused" and call.state is CallState.VOICEMAIL and call.run["user_id"] == 1
    w.end(call)
    w.sound()


def test_blind_transfer_to_a_queue_waits_there_and_a_new_recording_begins() -> None:
    w = PartyWorld(members=(2,))
    call = w.talk(1)
    w.floor.transfer(1, TO_QUEUE, False, w.now)
    assert w.state(1) == "wrap_up" and call.queue_id == QUEUE and call.offered_to == 2
    assert len(w.done(fx.StopRecord)) == 1
    w.floor.answer(2, w.now)
    assert w.recorded() == (A2, call.port) and len(w.done(fx.Record)) == 2
    w.end(call)
    assert w.ended()[0].queue_id == QUEUE


def test_blind_transfer_to_a_voicemail_box() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, Destination(DestinationKind.VOICEMAIL, 2), False, w.now)
    assert call.state is CallState.VOICEMAIL and call.run["user_id"] == 2 and w.state(1) == "wrap_up"
    w.sound()


@pytest.mark.promise("A1")
def test_blind_transfer_to_a_number_goes_on_without_an_agent_until_either_hangs_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, False, w.now)
    assert [e.number for e in w.done(fx.OriginateParty)] == [NUMBER.number]
    w.leg_up(call)
    third = fx.party_port(f"{call.call_id}.1")
    assert call.agent_id is None and call.state is CallState.TALKING
    assert w.room(call) == {third: {call.port}, call.port: {third}}
    assert w.recorded() == (third, call.port)
    w.sound()
    w.wait(600)
    w.sound()
    w.leg_ends(call)
    assert w.done(fx.HangUpLeg)
    w.end(call, by_us=True)
    assert w.ended()[0].agent_id == 1 and w.ended()[0].outcome == "connected"


def test_customer_of_a_call_without_agent_hangs_up_and_the_third_number_is_hung_up_too() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, False, w.now)
    w.leg_up(call)
    w.end(call)
    assert [e.party_key for e in w.done(fx.HangUpParty)] == [f"{call.call_id}.1"]
    assert not w.floor.calls
    [left] = w.facts(f.PartyLeft)
    assert (left.outcome, left.number) == ("talked", NUMBER.number)


@pytest.mark.parametrize(
    ("cause", "word"),
    [
        (p.Cause.BUSY, "busy"),
        (p.Cause.NO_ANSWER, "no_answer"),
        (p.Cause.CONGESTION, "no_line"),
        (p.Cause.INVALID, "invalid"),
    ],
)
def test_a_number_that_does_not_answer_a_blind_transfer_gives_the_customer_back_with_the_reason(
    cause: p.Cause, word: str
) -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, False, w.now)
    w.leg_ends(call, cause)
    assert w.state(1) == "ringing"
    told = w.team.agents[1].call.notice
    assert (told["code"], told["why"]) == ("came_back", word)
    w.floor.answer(1, w.now)
    assert call.agent_id == 1


def test_customer_who_hangs_up_while_the_transfer_rings_leaves_nobody_ringing() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), False, w.now)
    w.end(call)
    assert w.state(2) == "available" and not w.floor.calls
    assert w.ended()[0].outcome == "connected" and w.ended()[0].agent_id == 1
    w.sound()


def test_a_colleague_who_is_not_free_is_refused_and_nothing_has_changed() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.team.set_state(2, "paused", "lunch", w.now)
    for attended in (True, False):
        with pytest.raises(Conflict):
            w.floor.transfer(1, colleague(2), attended, w.now)
    assert call.state is CallState.TALKING and w.state(1) == "on_call" and not call.parties
    with pytest.raises(Conflict):
        w.floor.transfer(1, colleague(1), False, w.now)
    with pytest.raises(Conflict):
        w.floor.transfer(1, TO_QUEUE, True, w.now)


# --------------------------------------------------------------------------------------------------------- consultation


@pytest.mark.promise("A1")
def test_attended_transfer_holds_the_customer_consults_and_hands_over() -> None:
    w = PartyWorld()
    call = consulting(w, answered=False)
    assert w.heard(call.port) == "hold_music" and w.heard(A1) == "tone:ringback"
    assert w.call_state(1) == "consulting" and w.call_state(2) == "offered"
    w.floor.answer(2, w.now)
    assert w.room(call) == {A1: {A2}, A2: {A1}} and w.heard(A1) == ""
    assert w.call_state(2) == "consulting"
    w.wait(10)
    w.floor.complete_transfer(1, w.now)
    assert w.state(1) == "wrap_up" and call.agent_id == 2 and w.call_state(2) == "talking"
    assert w.room(call) == {A2: {call.port}, call.port: {A2}}
    assert w.heard(call.port) == "" and call.hold_s == 10
    assert w.recorded() == (A2, call.port) and len(w.done(fx.Record)) == 1
    w.end(call)
    assert w.state(2) == "wrap_up"


def test_the_consulted_one_hangs_up_and_the_customer_is_back_with_a_word_about_it() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.floor.agent_hang_up(2, w.now)
    assert w.state(2) == "available", "he has not spoken with the customer: nothing to wrap up"
    assert call.state is CallState.TALKING and w.notice(1) == "party_left"
    assert w.room(call) == {A1: {call.port}, call.port: {A1}} and w.heard(call.port) == ""


def test_the_consulted_one_does_not_answer_and_the_customer_is_back() -> None:
    w = PartyWorld()
    call = consulting(w, answered=False)
    w.wait(21)
    assert call.state is CallState.TALKING and w.notice(1) == "party_no_answer" and w.heard(A1) == ""
    assert (w.state(2), w.team.agents[2].reason) == ("paused", "no_answer")


@pytest.mark.parametrize("outcome", ["no_line", "failed"])
def test_a_consultation_that_no_trunk_carries_is_told_in_words(outcome: str) -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, True, w.now)
    w.floor.party_lost(call.call_id, f"{call.call_id}.1", outcome, w.now)
    assert w.notice(1) == f"party_{outcome}" and call.state is CallState.TALKING and w.heard(A1) == ""


def test_customer_hangs_up_during_a_consultation_and_both_are_free_the_one_who_talked_in_wrap_up() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.end(call)
    assert w.state(1) == "wrap_up" and w.state(2) == "available"
    w.sound()
    call = w.talk(2)
    w.floor.transfer(2, colleague(3), True, w.now)
    w.end(call)
    assert w.state(2) == "wrap_up" and w.state(3) == "available" and w.heard(A2) == ""


def test_the_network_is_heard_before_a_consulted_number_answers() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, True, w.now)
    w.leg(call, p.LegEarlyMedia, sdp=SDP)
    assert w.room(call)[A1] == {fx.party_port(f"{call.call_id}.1")} and w.heard(A1) == ""


def test_completing_while_it_rings_lets_the_customer_wait_for_the_answer() -> None:
    w = PartyWorld()
    call = consulting(w, answered=False)
    w.floor.complete_transfer(1, w.now)
    assert w.state(1) == "wrap_up" and w.heard(call.port) == "tone:ringback" and w.heard(A1) == ""
    w.floor.answer(2, w.now)
    assert call.agent_id == 2 and call.state is CallState.TALKING


def test_one_can_go_to_and_fro_between_customer_and_the_consulted_one_who_hears_music_meanwhile() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.floor.hold(1, False, w.now)
    assert w.room(call) == {A1: {call.port}, call.port: {A1}} and w.heard(A2) == "hold_music"
    w.floor.hold(1, True, w.now)
    assert w.room(call) == {A1: {A2}, A2: {A1}} and w.heard(A2) == "" and w.heard(call.port) == "hold_music"


def test_dropping_the_consulted_one_brings_the_customer_back() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.floor.drop_party(1, "agent:2", w.now)
    assert w.state(2) == "available" and call.state is CallState.TALKING and w.notice(1) == ""
    with pytest.raises(Conflict):
        w.floor.drop_party(1, "agent:2", w.now)


@pytest.mark.promise("A1", "A2")
def test_the_consulted_one_gets_the_customer_when_the_agents_browser_is_gone_for_good() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.team.presence(1, False, w.now)
    w.team.phone(1, "interrupted", w.now)
    w.wait(10)
    assert call.agent_id == 1, "within the grace all stays as it was"
    w.wait(11)
    assert call.agent_id == 2 and w.call_state(2) == "talking" and w.state(1) == "offline"
    assert w.room(call) == {A2: {call.port}, call.port: {A2}}


def test_a_browser_that_dies_while_the_colleague_still_rings_sends_the_customer_back_to_the_queue() -> None:
    w = PartyWorld(members=(1, 3))
    w.team.set_state(3, "paused", "", w.now)
    call = w.talk_from_queue()
    w.wait(5)
    w.team.phone(1, "interrupted", w.now)
    w.team.presence(1, False, w.now)
    w.wait(15)
    w.floor.transfer(1, colleague(2), True, w.now)
    w.wait(6)
    assert call.state is CallState.WAITING and call.queue_id == QUEUE and w.state(2) == "available"
    w.sound()


def test_the_phone_of_the_consulted_one_dies_and_the_customer_is_back() -> None:
    w = PartyWorld()
    call = consulting(w)
    w.team.presence(2, False, w.now)
    w.team.phone(2, "interrupted", w.now)
    w.wait(21)
    assert call.state is CallState.TALKING and w.notice(1) == "party_lost" and w.state(2) == "offline"


# ----------------------------------------------------------------------------------------------------------- conference


@pytest.mark.promise("A1")
def test_in_a_conference_all_hear_each_other_and_whoever_leaves_the_others_go_on() -> None:
    w = PartyWorld()
    call = conference(w)
    trio = {A1, A2, call.port}
    assert w.room(call) == {port: trio - {port} for port in trio}
    assert w.call_state(1) == w.call_state(2) == "talking"
    w.floor.leave(1, w.now)
    assert w.state(1) == "wrap_up" and call.agent_id == 2 and w.room(call) == {A2: {call.port}, call.port: {A2}}
    w.end(call)
    assert w.state(2) == "wrap_up"


def test_a_colleague_who_leaves_a_conference_has_a_wrap_up_for_he_spoke_with_the_customer() -> None:
    w = PartyWorld()
    call = conference(w)
    w.floor.leave(2, w.now)
    assert w.state(2) == "wrap_up" and w.state(1) == "on_call" and call.agent_id == 1


def test_a_guests_wrap_up_is_as_long_as_the_queue_says() -> None:
    w = PartyWorld(members=(1,), wrap_up_s=7.0)
    call = w.talk_from_queue()
    w.floor.transfer(1, colleague(2), True, w.now)
    w.floor.answer(2, w.now)
    w.floor.conference(1, w.now)
    w.end(call)
    assert (w.state(1), w.state(2)) == ("wrap_up", "wrap_up")
    assert w.team.agents[2].wrap_up_until == w.team.agents[1].wrap_up_until == w.now + 7.0


def test_a_conference_with_a_number_goes_on_when_the_agent_leaves() -> None:
    w = PartyWorld()
    call = conference(w, with_number=True)
    w.floor.leave(1, w.now)
    third = fx.party_port(f"{call.call_id}.1")
    assert call.agent_id is None and w.room(call) == {third: {call.port}, call.port: {third}}
    w.sound()
    w.end(call)
    assert w.done(fx.HangUpParty)


def test_hold_in_a_conference_takes_the_agent_out_and_leaves_the_others_together() -> None:
    w = PartyWorld()
    call = conference(w)
    w.floor.hold(1, True, w.now)
    assert w.room(call) == {A2: {call.port}, call.port: {A2}} and w.heard(call.port) == ""
    w.floor.agent_hang_up(2, w.now)
    assert w.heard(call.port) == "hold_music", "the last who kept him company is gone"


def test_nobody_can_leave_a_customer_alone_and_guests_can_not_command_the_call() -> None:
    w = PartyWorld()
    call = w.talk(1)
    with pytest.raises(Conflict):
        w.floor.leave(1, w.now)
    with pytest.raises(Conflict):
        w.floor.conference(1, w.now)
    with pytest.raises(Conflict):
        w.floor.complete_transfer(1, w.now)
    w.end(call)
    w.wait(40)
    conference(w)
    for command in (w.floor.park, w.floor.complete_transfer, w.floor.conference):
        with pytest.raises(Conflict):
            command(2, w.now)
    with pytest.raises(Conflict):
        w.floor.hold(2, True, w.now)


def test_the_agents_hang_up_ends_a_conference_for_all() -> None:
    w = PartyWorld()
    call = conference(w)
    w.floor.agent_hang_up(1, w.now)
    assert w.state(1) == w.state(2) == "wrap_up"
    w.end(call, by_us=True)
    w.sound()


def test_a_lost_browser_leaves_the_conference_to_the_others() -> None:
    w = PartyWorld()
    call = conference(w)
    w.team.presence(1, False, w.now)
    w.team.phone(1, "interrupted", w.now)
    w.wait(21)
    assert call.agent_id == 2 and call.state is CallState.TALKING


# -------------------------------------------------------------------------------------------------------------- parking


@pytest.mark.promise("A1")
def test_a_parked_call_waits_with_music_and_another_agent_picks_it_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    assert w.floor.park(1, w.now) == {"slot": "1"}
    assert w.state(1) == "wrap_up" and w.heard(call.port) == "hold_music" and w.recorded() == ("", call.port)
    assert [c["slot"] for c in w.floor.parked()] == ["1"]
    w.sound()
    second = w.talk(3)
    assert w.floor.park(3, w.now) == {"slot": "2"}
    w.floor.pick_up(2, "1", w.now)
    assert call.agent_id == 2 and w.room(call) == {A2: {call.port}, call.port: {A2}} and w.heard(call.port) == ""
    assert w.recorded() == (A2, call.port)
    assert [c["call_id"] for c in w.floor.parked()] == [second.call_id]
    with pytest.raises(Conflict):
        w.floor.pick_up(3, "1", w.now)


def test_a_parked_call_that_nobody_picks_up_rings_at_who_parked_it_then_goes_to_the_queue() -> None:
    w = PartyWorld(members=(1,))
    call = w.talk_from_queue()
    w.floor.park(1, w.now)
    w.wait(125)
    assert w.state(1) == "ringing" and call.state is CallState.PARKED and w.notice(1) == "came_back"
    w.sound()
    w.team.set_state(1, "paused", "lunch", w.now)
    assert call.state is CallState.WAITING and call.queue_id == QUEUE and w.floor.parked() == []
    w.sound()


def test_the_parked_call_that_rings_again_can_be_picked_up_by_another() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.park(1, w.now)
    w.wait(125)
    assert w.state(1) == "ringing"
    w.floor.pick_up(2, "1", w.now)
    assert w.state(1) == "available" and call.agent_id == 2
    w.sound()


def test_the_one_who_parked_a_call_picks_it_up_out_of_its_wrap_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.park(1, w.now)
    w.wait(5)
    w.floor.pick_up(1, "1", w.now)
    assert w.state(1) == "on_call" and call.agent_id == 1
    w.end(call)
    assert w.state(1) == "wrap_up"


def test_a_parked_caller_who_hangs_up_gives_the_slot_back() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.park(1, w.now)
    w.end(call)
    assert w.floor.parked() == [] and w.done(fx.ParkedChanged)
    assert w.ended()[0].outcome == "connected"


# ----------------------------------------------------------------------------------------------- messages, recordings


@pytest.mark.promise("A1")
def test_a_message_is_left_and_the_agent_is_free_at_once() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.voicemail_drop(1, 9, w.now)
    assert w.state(1) == "wrap_up" and w.heard(call.port) == "prompt:9"
    w.sound()
    w.wait(31)
    assert w.state(1) == "available"
    w.floor.media(p.PlayEnded(w.now, call.port, f"drop-{call.call_id}", True), w.now)
    assert w.done(fx.HangUpLeg)
    w.end(call, by_us=True)
    assert w.ended()[0].hung_up_by == "agent"


def test_a_message_whose_end_is_never_told_is_ended_by_its_timer() -> None:
    w = PartyWorld()
    w.talk(1)
    w.floor.voicemail_drop(1, 9, w.now)
    w.wait(200)
    assert not w.floor.calls


@pytest.mark.promise("V3")
def test_recording_is_paused_for_a_card_number_and_goes_on_with_the_next_agent() -> None:
    w = PartyWorld()
    call = w.talk(1)
    view = w.team.agents[1].call
    assert view is not None and view.can_record == "pause" and view.recording
    w.floor.record(1, "pause", w.now)
    assert w.team.agents[1].call.can_record == "resume" and not w.team.agents[1].call.recording
    w.floor.transfer(1, colleague(2), False, w.now)
    w.floor.answer(2, w.now)
    assert [e.paused for e in w.done(fx.PauseRecord)] == [True, False]
    assert call.record_paused is False


def test_recording_on_demand_begins_by_the_agents_hand_and_forbidden_ones_never() -> None:
    w = PartyWorld()
    call = w.dial(agent=1)
    call.record, call.on_demand = False, True
    w.answer(call)
    assert w.team.agents[1].call.can_record == "start" and not w.done(fx.Record)
    w.floor.record(1, "start", w.now)
    assert w.recorded() == (A1, call.port)
    w.end(call)
    w.wait(40)
    call = w.dial(agent=1)
    call.record = False
    w.answer(call)
    with pytest.raises(Conflict):
        w.floor.record(1, "start", w.now)


# ------------------------------------------------------------------------------------------------------------- restore


@pytest.mark.promise("P4")
def test_a_conference_goes_on_after_the_engines_death_and_what_rang_is_over() -> None:
    w = PartyWorld()
    call = conference(w, with_number=True)
    w.floor.transfer(1, colleague(2), True, w.now)
    after = PartyWorld(agents=0)
    after.team.agents = w.team.agents
    w.team.agents[2].state, w.team.agents[2].call = type(w.team.agents[2].state).AVAILABLE, None
    after.floor.restore(call, w.now)
    third = fx.party_port(f"{call.call_id}.1")
    assert set(call.parties) == {f"{call.call_id}.1"}
    assert after.room(call) == {third: {call.port}, call.port: {third}} or after.room(call)[third] == {A1, call.port}
    after.now = w.now
    after.sound()
    after.leg_ends(call)
    after.end(call)
    after.sound()


def test_a_transfer_that_rang_when_the_engine_died_comes_back_or_goes_on_to_a_box() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, False, w.now)
    after = PartyWorld(agents=0)
    after.team.agents = w.team.agents
    after.now = w.now
    after.floor.restore(call, w.now)
    assert after.state(1) == "ringing"
    after.floor.answer(1, after.now)
    assert call.agent_id == 1
    after.sound()


def test_a_call_without_agent_whose_number_was_lost_with_the_engine_is_hung_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, NUMBER, False, w.now)
    w.leg_up(call)
    call.parties[f"{call.call_id}.1"].dialog = None
    after = PartyWorld(agents=0)
    after.now = w.now
    after.floor.restore(call, w.now)
    assert call.hanging_up_since is not None
    after.sound()
