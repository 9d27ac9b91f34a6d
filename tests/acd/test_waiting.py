"""What is due for a caller while he waits."""

from __future__ import annotations

import pytest

from callcenter.acd.queues import Due, DueKind, Queues
from callcenter.acd.settings import CallbackOffer, Overflow, QueueSettings, SkillNeed, Waiting
from callcenter.calls.destination import Destination, DestinationKind

T = 1_700_000_000.0
SILENT = Waiting(announce_every_s=0)
ELSEWHERE = Destination(DestinationKind.QUEUE, 2)
BOX = Destination(DestinationKind.VOICEMAIL)


def queue(**of: object) -> Queues:
    q = Queues()
    q.settle(QueueSettings(1, "Service", **({"waiting": SILENT} | of)))
    return q


def told(q: Queues, until: float, step: float = 1.0) -> list[tuple[float, DueKind, str]]:
    """(seconds, what, prompt) that fall due until T + `until`, asked at each deadline."""
    out = []
    while (at := q.next_deadline()) is not None and at <= T + until:
        out += [(round(d.at - T, 3), d.kind, d.prompt) for d in q.due(at)]
    return out


def test_position_is_said_again_and_again_and_comfort_goes_around() -> None:
    q = queue(waiting=Waiting(announce_every_s=40, comfort=("x", "y"), comfort_every_s=30))
    q.enter("a", 1, T, since=T)
    assert told(q, 125) == [
        (30, DueKind.COMFORT, "x"),
        (40, DueKind.ANNOUNCE, ""),
        (60, DueKind.COMFORT, "y"),
        (80, DueKind.ANNOUNCE, ""),
        (90, DueKind.COMFORT, "x"),
        (120, DueKind.ANNOUNCE, ""),
        (120, DueKind.COMFORT, "y"),
    ]


def test_nothing_is_said_late_twice_over() -> None:
    q = queue(waiting=Waiting(announce_every_s=10))
    q.enter("a", 1, T, since=T)
    assert [d.kind for d in q.due(T + 95)] == [DueKind.ANNOUNCE]
    assert q.next_deadline() == T + 105


def test_the_needs_relax_step_by_step_to_their_floor() -> None:
    q = queue(skills=(SkillNeed("de", 4, relax_every_s=20, at_least=2),))
    q.enter("a", 1, T, since=T)
    assert told(q, 3000) == [(20, DueKind.RELAX, ""), (40, DueKind.RELAX, "")]


def test_a_callback_is_offered_once_counted_from_the_place_kept() -> None:
    q = queue(callback=CallbackOffer(enabled=True, after_s=60))
    q.enter("a", 1, T, since=T - 50)
    assert told(q, 3000) == [(10, DueKind.OFFER_CALLBACK, "")]


def test_a_caller_overflows_by_wait_in_this_queue_and_at_last_is_told_goodbye() -> None:
    q = queue(overflow=Overflow(after_wait_s=90, after_wait=ELSEWHERE), max_wait_s=300)
    q.enter("a", 1, T, since=T - 200)
    assert q.due(T + 89) == []
    assert q.due(T + 100) == [
        Due(DueKind.OVERFLOW, "a", 1, T + 90, ELSEWHERE),
        Due(DueKind.MAX_WAIT, "a", 1, T + 100),
    ]
    assert q.due(T + 9999) == []
    assert q.next_deadline() is None


def test_who_comes_when_the_queue_is_full_overflows_and_who_was_there_stays() -> None:
    q = queue(overflow=Overflow(over_length=2, length=BOX))
    for n in range(3):
        q.enter(f"c{n}", 1, T + n, since=T + n)
    assert q.due(T + 3) == [Due(DueKind.OVERFLOW, "c2", 1, T + 2, BOX)]
    q.leave("c2")
    q.leave("c0")
    q.enter("c3", 1, T + 9, since=T + 9)
    assert q.due(T + 9) == []


def test_callers_overflow_when_the_last_agent_has_signed_off() -> None:
    q = queue(overflow=Overflow(no_agents=BOX))
    q.enter("a", 1, T, since=T)
    assert q.due(T) == []  # nobody has said yet how many agents there are
    q.staffed(1, 1, T + 1)
    q.staffed(1, 0, T + 2)
    assert [d.destination for d in q.due(T + 2)] == [BOX]
    q.enter("b", 1, T + 3, since=T + 3)
    assert [d.call_id for d in q.due(T + 3)] == ["b"]
    q.enter("c", 1, T + 4, since=T + 4)
    q.staffed(1, 1, T + 4)
    assert q.due(T + 4) == []


def test_the_clocks_stand_still_while_the_call_rings_at_an_agent() -> None:
    q = queue(waiting=Waiting(announce_every_s=30), overflow=Overflow(after_wait_s=35, after_wait=BOX))
    q.enter("a", 1, T, since=T)
    q.offering("a", 7)
    assert q.next_deadline() is None
    assert q.due(T + 45) == []
    q.offering("a", None)
    assert [d.kind for d in q.due(T + 45)] == [DueKind.ANNOUNCE, DueKind.OVERFLOW]


def test_nothing_is_due_for_who_has_left() -> None:
    q = queue(waiting=Waiting(announce_every_s=30))
    q.enter("a", 1, T, since=T)
    q.enter("b", 1, T, since=T)
    q.taken("a", 7, T + 1)
    q.abandoned("b", T + 2)
    assert q.next_deadline() is None
    assert q.due(T + 100) == []


def test_new_settings_hold_for_those_who_wait_already() -> None:
    q = queue()
    q.enter("a", 1, T, since=T)
    assert q.next_deadline() == T + 3600
    q.settle(QueueSettings(1, "Service", waiting=SILENT, overflow=Overflow(after_wait_s=60, after_wait=BOX)))
    assert [d.destination for d in q.due(T + 61)] == [BOX]


def test_no_wait_is_promised_before_enough_is_known() -> None:
    q = queue()
    q.staffed(1, 2, T)
    for n in range(4):
        q.enter(f"c{n}", 1, T, since=T)
    for n in range(4):
        assert q.expected_wait_s(queue_id=1, now=T + 10 * n) is None
        q.taken(f"c{n}", 7, T + 10 * n + 10)
    with pytest.raises(ValueError, match="name"):
        q.expected_wait_s(now=T)


def test_the_wait_follows_the_pace_of_the_queue_and_the_agents_of_now() -> None:
    q = queue()
    q.staffed(1, 2, T)
    for n in range(40):
        q.enter(f"c{n}", 1, T, since=T)
    for n in range(30):  # two agents take one every 10 s
        q.taken(f"c{n}", 7, T + 10 * n + 10)
    now = T + 300
    assert q.expected_wait_s(call_id="c30", now=now) == pytest.approx(10, rel=0.01)
    assert q.expected_wait_s(call_id="c34", now=now) == pytest.approx(50, rel=0.01)
    assert q.expected_wait_s(queue_id=1, now=now) == pytest.approx(110, rel=0.01)
    q.staffed(1, 4, now)
    assert q.expected_wait_s(call_id="c34", now=now) == pytest.approx(25, rel=0.01)
    q.staffed(1, 0, now)
    assert q.expected_wait_s(call_id="c34", now=now) is None
