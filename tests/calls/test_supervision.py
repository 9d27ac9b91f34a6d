"""Supervisors in their agents' calls."""

from __future__ import annotations

import pytest

from callcenter.calls import effects as fx
from callcenter.calls import facts as f
from callcenter.errors import Conflict
from tests.calls.party_world import NUMBER, PartyWorld, colleague

A1, A2, S3 = "agent-1-1", "agent-1-2", "agent-1-3"


def supervise(w: PartyWorld, how: str, agent: int = 1, tell: bool = True) -> None:
    """Agent 3 is the supervisor."""
    w.floor.supervise(3, agent, how, tell, w.now)


@pytest.mark.promise("V2")
def test_listening_hears_both_and_is_heard_by_nobody_a_whisper_by_the_agent_a_barge_by_all() -> None:
    w = PartyWorld()
    call = w.talk(1)
    supervise(w, "listen")
    assert w.room(call) == {A1: {call.port}, call.port: {A1}, S3: {A1, call.port}}
    assert (w.state(3), w.team.agents[3].reason) == ("paused", "supervising")
    supervise(w, "whisper")
    assert w.room(call) == {A1: {call.port, S3}, call.port: {A1}, S3: {A1, call.port}}
    supervise(w, "barge")
    trio = {A1, S3, call.port}
    assert w.room(call) == {port: trio - {port} for port in trio}
    assert [x.role for x in w.facts(f.PartyJoined)] == ["listen", "whisper", "talk"]
    supervise(w, "stop")
    assert w.room(call) == {A1: {call.port}, call.port: {A1}} and w.state(3) == "available"
    w.sound()


def test_a_supervisor_hears_the_agents_next_call_by_itself_and_only_listens_there() -> None:
    w = PartyWorld(wrap_up_s=0)
    call = w.talk(1)
    supervise(w, "whisper")
    w.end(call)
    assert w.state(3) == "paused" and w.team.agents[3].supervising["call_id"] == ""
    w.wait(31)  # the wrap-up is over
    second = w.talk(1)
    assert w.team.agents[3].supervising == {
        **w.team.agents[3].supervising, "how": "listen", "call_id": second.call_id, "agent_id": 1,
    }  # fmt: skip
    assert w.room(second)[S3] == {A1, second.port} and S3 not in w.room(second)[A1]
    w.sound()


def test_who_listens_before_there_is_a_call_hears_it_from_its_connection_on() -> None:
    w = PartyWorld()
    supervise(w, "listen")
    call = w.dial(agent=1)
    assert S3 not in w.room(call)
    w.answer(call)
    assert w.room(call)[S3] == {A1, call.port}


@pytest.mark.parametrize("tell", [True, False])
def test_the_agent_sees_it_as_the_enterprise_decides_and_a_barge_always(tell: bool) -> None:
    w = PartyWorld()
    w.talk(1)
    supervise(w, "listen", tell=tell)
    view = w.team.agents[1].call
    assert view is not None and len(view.parties) == int(tell)
    supervise(w, "barge", tell=tell)
    assert len(w.team.agents[1].call.parties) == 1


@pytest.mark.promise("V2")
def test_taking_over_gives_the_supervisor_the_call_and_the_agent_his_wrap_up() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.team.set_state(3, "paused", "meeting", w.now)
    supervise(w, "listen")
    supervise(w, "take_over")
    assert w.state(1) == "wrap_up" and w.state(3) == "on_call" and call.agent_id == 3
    assert w.room(call) == {S3: {call.port}, call.port: {S3}} and w.recorded() == (S3, call.port)
    assert w.team.agents[3].supervising == {}
    [moved] = w.facts(f.CallTransferred)
    assert (moved.kind, moved.to_id) == ("take_over", 3)
    w.end(call)
    assert w.state(3) == "wrap_up"
    w.wait(31)
    assert (w.state(3), w.team.agents[3].reason) == ("paused", "meeting")
    w.sound()


def test_taking_over_ends_the_agents_consultation() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), True, w.now)
    supervise(w, "take_over")
    assert w.state(2) == "available" and call.agent_id == 3 and w.heard(A1) == "" and w.heard(call.port) == ""
    w.sound()


def test_a_supervisor_without_a_phone_or_with_work_of_his_own_is_refused() -> None:
    w = PartyWorld()
    w.talk(1)
    w.talk(3)
    with pytest.raises(Conflict):
        supervise(w, "listen")
    with pytest.raises(Conflict):
        w.floor.supervise(1, 1, "listen", True, w.now)
    w.team.phone(2, "off", w.now)
    with pytest.raises(Conflict):
        w.floor.supervise(2, 1, "listen", True, w.now)
    with pytest.raises(Conflict):
        w.floor.supervise(2, 1, "take_over", True, w.now)


@pytest.mark.parametrize("how", ["available", "offline", "dial", "phone"])
def test_whatever_a_supervisor_does_next_ends_his_listening(how: str) -> None:
    w = PartyWorld()
    call = w.talk(1)
    supervise(w, "listen")
    if how == "dial":
        other = w.dial(agent=3)
        assert w.team.agents[3].call.call_id == other.call_id
    elif how == "phone":
        w.team.phone(3, "interrupted", w.now)
        w.wait(21)
        assert w.state(3) == "paused"
    else:
        w.team.set_state(3, how, "", w.now)
        assert w.state(3) == how
    assert w.team.agents[3].supervising == {} and S3 not in w.room(call) and not call.parties
    w.sound()


def test_supervisors_follow_the_agent_and_not_the_call_he_gives_away() -> None:
    w = PartyWorld(agents=4)
    call = w.talk(1)
    supervise(w, "barge")
    w.floor.transfer(1, colleague(2), False, w.now)
    assert not [q for q in call.parties.values() if q.user_id == 3]
    w.floor.answer(2, w.now)
    assert w.room(call) == {A2: {call.port}, call.port: {A2}}
    assert w.state(3) == "paused"
    w.sound()


def test_a_barging_supervisor_is_no_reason_for_a_customer_to_stay_alone_with_him() -> None:
    w = PartyWorld()
    call = w.talk(1)
    supervise(w, "barge")
    with pytest.raises(Conflict):
        w.floor.leave(1, w.now)
    w.floor.transfer(1, NUMBER, False, w.now)
    w.leg_up(call)
    w.leg_ends(call)
    assert w.done(fx.HangUpLeg)


def test_listening_to_another_agent_leaves_the_first_and_the_former_state_comes_back_at_the_end() -> None:
    w = PartyWorld()
    first, second = w.talk(1), w.talk(2)
    supervise(w, "listen", agent=1)
    supervise(w, "listen", agent=2)
    assert S3 not in w.room(first) and w.room(second)[S3] == {A2, second.port}
    supervise(w, "stop")
    assert w.state(3) == "available"
    w.sound()


def test_a_disabled_supervisor_is_out_of_the_call() -> None:
    w = PartyWorld()
    call = w.talk(1)
    supervise(w, "listen")
    w.team.forget(3, w.now)
    assert not call.parties and S3 not in w.room(call)
    w.sound()
