"""Who talked how long: read off the facts that the floor tells, by whatever way an agent came into a call and out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callcenter.calls import facts as f
from callcenter.calls.call import Call
from callcenter.calls.talk import Guest, Stay, parts
from tests.calls.party_world import PartyWorld, colleague


def instant(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def talked(w: PartyWorld, call: Call) -> list[tuple[int, str, float]]:
    """(agent, role, seconds) of an ended call, as the recorder reads its facts."""
    [ended] = w.facts(f.CallEnded)
    stays: list[Stay] = []
    since: dict[int, f.AgentStateChanged] = {}
    for state in w.facts(f.AgentStateChanged):
        before = since.pop(state.user_id, None)
        if before is not None and before.state == "on_call" and before.call_id == call.call_id:
            stays.append(Stay(state.user_id, instant(before.since), instant(state.since)))
        since[state.user_id] = state
    guests = [
        Guest(left.user_id, instant(left.answered_at), instant(left.at))
        for left in w.facts(f.PartyLeft)
        if left.user_id is not None and left.answered_at is not None and left.role in ("talk", "consult")
    ]
    found = parts(instant(ended.connected_at), instant(ended.ended_at), ended.agent_id, stays, guests)
    assert ended.ended_at - ended.connected_at == pytest.approx(sum(p.talk_s for p in found if p.role == "agent"))
    return [(p.user_id, p.role.value, p.talk_s) for p in found]


@pytest.mark.promise("R1", "A1")
def test_an_attended_transfer_credits_each_with_what_he_talked() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.wait(60)
    w.floor.transfer(1, colleague(2), True, w.now)
    w.wait(5)
    w.floor.answer(2, w.now)
    w.wait(15)
    w.floor.complete_transfer(1, w.now)
    w.wait(40)
    w.end(call)
    assert talked(w, call) == [(1, "agent", 80.0), (2, "guest", 15.0), (2, "agent", 40.0)]


def test_a_conference_has_a_guest_and_whoever_stays_has_the_call() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.wait(10)
    w.floor.transfer(1, colleague(2), True, w.now)
    w.floor.answer(2, w.now)
    w.wait(5)
    w.floor.conference(1, w.now)
    w.wait(20)
    w.floor.leave(1, w.now)
    w.wait(7)
    w.end(call)
    assert talked(w, call) == [(1, "agent", 35.0), (2, "guest", 25.0), (2, "agent", 7.0)]


def test_a_guest_who_leaves_stays_a_guest() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.floor.transfer(1, colleague(2), True, w.now)
    w.wait(2)
    w.floor.answer(2, w.now)
    w.wait(9)
    w.floor.drop_party(1, "agent:2", w.now)
    w.wait(4)
    w.end(call)
    assert talked(w, call) == [(1, "agent", 15.0), (2, "guest", 9.0)]


def test_a_supervisor_who_takes_over_is_credited_from_then_on_and_not_for_listening() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.wait(30)
    w.floor.supervise(3, 1, "listen", True, w.now)
    w.wait(10)
    w.floor.supervise(3, 1, "take_over", True, w.now)
    w.wait(20)
    w.end(call)
    assert talked(w, call) == [(1, "agent", 40.0), (3, "agent", 20.0)]


def test_the_time_a_call_is_parked_is_nobodys() -> None:
    w = PartyWorld()
    call = w.talk(1)
    w.wait(10)
    slot = w.floor.park(1, w.now)["slot"]
    w.wait(30)
    w.floor.pick_up(2, slot, w.now)
    w.wait(5)
    w.floor.agent_hang_up(2, w.now)
    w.end(call, by_us=True)
    [ended] = w.facts(f.CallEnded)
    stays = [Stay(1, instant(ended.connected_at), instant(ended.connected_at + 10)), Stay(2, instant(w.now - 5))]
    found = parts(instant(ended.connected_at), instant(ended.ended_at), 2, stays, ())
    assert [(p.user_id, p.talk_s) for p in found] == [(1, 10.0), (2, 5.0)]


def test_a_call_whose_agents_states_nobody_told_is_its_agents_as_a_whole() -> None:
    assert [(p.user_id, p.role, p.talk_s) for p in parts(instant(5), instant(9), 4, (), ())] == [(4, "agent", 4.0)]
    assert parts(instant(5), instant(9), None, (), ()) == []
    assert parts(instant(5), instant(5), 4, (), ()) == []
