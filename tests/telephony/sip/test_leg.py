"""The book of a leg, driven by random histories."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.telephony.ports import Cause, Dialog, LegAnswered, LegEnded, MediaAddress, Sdp
from callcenter.telephony.sip.leg import Act, Effects, LegBook, LegState, Tell

SDP = Sdp(MediaAddress("192.0.2.1", 4000))
MOVED = Sdp(MediaAddress("192.0.2.2", 4000))
DIALOG = Dialog("leg", 1, "call", "confirmed", {})

Step = Callable[[LegBook], Effects]


def _accept(book: LegBook) -> Effects:
    book.accept()
    return []


WIRE: dict[str, Step] = {
    "trying": lambda b: b.progress(1, 100, None),
    "ringing": lambda b: b.progress(1, 180, None),
    "early media": lambda b: b.progress(1, 183, SDP),
    "answer": lambda b: b.answered(1, SDP, DIALOG),
    "answer without media": lambda b: b.answered(1, None, DIALOG),
    "busy": lambda b: b.failed(1, 486, "Busy"),
    "silence": lambda b: b.failed(1, 408, "no response", silent=True),
    "bye": lambda b: b.bye_received(1),
    "re-invite": lambda b: b.renegotiated(1, MOVED),
    "answer to ours": lambda b: b.moved(1, MOVED),
    "481": lambda b: b.dialog_gone(1, 481),
    "caller gone": lambda b: b.caller_gone(1),
    "ack": lambda b: b.acknowledged(1, SDP, DIALOG),
    "ack without media": lambda b: b.acknowledged(1, None, DIALOG),
    "no ack": lambda b: b.not_acknowledged(1),
    "ring time-out": lambda b: b.ring_timeout(1),
    "hangup": lambda b: b.hangup(1),
    "refuse": lambda b: b.refuse(1, 486, "Busy"),
    "accept": lambda b: _accept(b),
    "grace over": lambda b: b.grace_over(1),
}


def _ends(effects: Effects) -> list[LegEnded]:
    return [e.event for e in effects if isinstance(e, Tell) and isinstance(e.event, LegEnded)]


@settings(max_examples=400, deadline=None)
@given(
    start=st.sampled_from([LegState.CALLING, LegState.OFFERED]),
    steps=st.lists(st.sampled_from(sorted(WIRE)), max_size=25),
)
def test_any_history_ends_exactly_once_and_nothing_is_told_afterwards(start: LegState, steps: list[str]) -> None:
    book = LegBook("leg", start)
    ended = answered = False
    byes = 0
    # Whatever happened, the engine hangs up at last and the grace passes.
    for name in [*steps, "hangup", "grace over", *steps]:
        effects = WIRE[name](book)
        told = [e.event for e in effects if isinstance(e, Tell)]
        assert not (ended and told), f"{name} was told after the end"
        assert len(_ends(effects)) <= 1
        answered |= any(isinstance(event, LegAnswered) for event in told)
        byes += effects.count(Act.BYE)
        if ended:
            assert Act.CANCEL not in effects and Act.REFUSE not in effects
        ended |= bool(_ends(effects))
        assert book.ended == ended
        if name == "grace over":
            assert ended or book.state is not LegState.CANCELLING
    assert ended


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(st.sampled_from(sorted(set(WIRE) - {"bye", "481"})), max_size=20))
def test_every_answer_that_the_engine_did_not_keep_is_hung_up(steps: list[str]) -> None:
    book = LegBook("leg")
    open_dialogs = 0
    for name in [*steps, "hangup", "grace over"]:
        before = book.state
        effects = WIRE[name](book)
        if name.startswith("answer") and name != "answer to ours" and before is not LegState.CONFIRMED:
            open_dialogs += 1
        open_dialogs -= effects.count(Act.BYE)
    assert open_dialogs == 0


@pytest.mark.parametrize(
    ("history", "cause", "by_us"),
    [
        (["ringing", "ring time-out", "busy"], Cause.NO_ANSWER, True),
        (["ringing", "ring time-out", "answer"], Cause.NO_ANSWER, True),
        (["ring time-out", "grace over"], Cause.UNREACHABLE, True),
        (["silence"], Cause.UNREACHABLE, False),
        (["ringing", "hangup", "silence"], Cause.CANCELLED, True),
        (["answer", "hangup"], Cause.NORMAL, True),
        (["answer", "bye"], Cause.NORMAL, False),
        (["bye"], Cause.NORMAL, False),  # it overtook the 200
    ],
)
def test_cause_of_the_end(history: list[str], cause: Cause, by_us: bool) -> None:
    book = LegBook("leg")
    ends = [end for name in history for end in _ends(WIRE[name](book))]
    assert [(end.cause, end.by_us) for end in ends] == [(cause, by_us)]


def test_unchanged_progress_and_media_are_told_once() -> None:
    book = LegBook("leg")
    told = [len(WIRE[name](book)) for name in ("trying", "ringing", "ringing", "early media", "early media", "ringing")]
    assert told == [0, 1, 0, 1, 0, 1]
    WIRE["answer"](book)
    assert [len(WIRE["re-invite"](book)) for _ in range(2)] == [1, 0]


def test_adopted_early_leg_is_cancelled_and_lost_with_its_engine() -> None:
    book = LegBook("leg")
    assert book.adopt(confirmed=False) == [Act.CANCEL]
    assert [end.cause for end in _ends(book.failed(2, 487, "Request Terminated"))] == [Cause.ENGINE_LOST]
