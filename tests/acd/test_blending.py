"""When a queue's agents are kept from campaigns, and for how long."""

from __future__ import annotations

from dataclasses import replace

from callcenter.acd.blending import State
from callcenter.acd.settings import Blending, QueueSettings

T = 1_700_000_000.0
SERVICE = QueueSettings(1, "Service", blending=Blending(enabled=True, wait_s=10, release_s=60))


def judge(state: State, at: float, wait_s: float = 0.0, free: int = 2, signed_on: int = 3, **of: object) -> bool:
    settings = replace(SERVICE, **of) if of else SERVICE
    return state.judge(settings, wait_s, free, signed_on, T + at)


def test_agents_are_kept_while_a_caller_waits_too_long_and_a_minute_more() -> None:
    state = State()
    assert not judge(state, 0)
    assert not judge(state, 1, wait_s=10.0)
    assert judge(state, 2, wait_s=10.1)
    assert state.withholding
    assert judge(state, 3)
    assert judge(state, 62)
    assert not judge(state, 63)
    assert not state.withholding


def test_a_queue_at_its_limit_does_not_throw_its_agents_to_and_fro() -> None:
    state, changes, before = State(), 0, False
    for second in range(600):  # every 20 seconds somebody waits a little too long
        kept = judge(state, second, wait_s=11.0 if second % 20 < 2 else 0.0)
        changes += kept != before
        before = kept
    assert changes == 1


def test_a_service_level_under_the_target_calls_them_in_until_it_is_mended() -> None:
    state = State()
    for n in range(4):
        state.ended(T + n, False)
    assert not judge(state, 5)  # four callers say little
    state.ended(T + 5, False)
    assert judge(state, 6)
    for n in range(20):
        state.ended(T + 10 + n, True)
    assert state.level == 0.8
    assert judge(state, 31)
    assert not judge(state, 91)
    judge(state, 1900)
    assert state.level is None


def test_a_reserve_of_free_agents_is_held_as_far_as_there_are_agents() -> None:
    state, two = State(), Blending(enabled=True, wait_s=10, reserve=2, release_s=0)
    assert not judge(state, 0, free=2, blending=two)
    assert judge(state, 1, free=1, blending=two)
    assert not judge(state, 2, free=2, blending=two)
    assert not judge(state, 3, free=1, signed_on=1, blending=two)


def test_nobody_is_kept_once_blending_is_off_or_nobody_is_signed_on() -> None:
    state = State()
    assert judge(state, 0, wait_s=99.0)
    assert not judge(state, 1, wait_s=99.0, blending=Blending(enabled=False))
    assert judge(state, 2, wait_s=99.0)
    assert not judge(state, 3, wait_s=99.0, free=0, signed_on=0)
