"""What subscribers do on an answered call, frame by frame, without sound or clock."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from demo.conversation import FRAME_S, LOUD, PATIENCE_S, TURN_S, Behaviour, HangUp, behaviour
from demo.subscribers import Kind, Subscriber

PHRASE_S = 1.0


def who(kind: Kind, hang_up_after_s: float | None = None) -> Subscriber:
    return Subscriber("8613900000001", kind, "zh", "f", 1.0, False, hang_up_after_s)


def run(subject: Behaviour, seconds: float, level: Callable[[float], float]) -> list[tuple[float, str]]:
    """What it says and when ("bye" for hanging up), each phrase lasting PHRASE_S, answered at 0."""
    said: list[tuple[float, str]] = []
    until = -1.0
    for frame in range(int(seconds / FRAME_S)):
        now = frame * FRAME_S
        act = subject.step(now, level(now), speaking=now < until)
        if isinstance(act, HangUp):
            return [*said, (now, "bye")]
        if act:
            said.append((now, act.phrase))
            until = now + PHRASE_S
    return said


def quiet(_now: float) -> float:
    return 0.0


def test_person_says_hello_and_speaks_into_a_long_silence() -> None:
    said = run(behaviour(who(Kind.PERSON), 0.0), 20, quiet)
    assert said[0][1] == "hello" and said[0][0] < 0.7
    assert [phrase for _, phrase in said[1:4]] == ["nudge", said[2][1], "nudge"]
    assert said[2][1].startswith("say")
    assert all(b[0] - a[0] == pytest.approx(PATIENCE_S + PHRASE_S, abs=0.1) for a, b in pairwise(said))


def test_person_answers_when_the_agent_has_finished_a_sentence_and_not_before() -> None:
    said = run(behaviour(who(Kind.PERSON), 0.0), 6, lambda now: 0.1 if 2.0 <= now < 4.0 else 0.0)
    assert said[0][1] == "hello"
    assert said[1][1].startswith("say")
    assert said[1][0] == pytest.approx(4.0 + TURN_S, abs=0.05)


def test_person_takes_no_click_and_no_line_noise_for_a_sentence() -> None:
    def noise(now: float) -> float:
        return 0.3 if 2.0 <= now < 2.1 else LOUD * 0.5

    said = run(behaviour(who(Kind.PERSON), 0.0), 5, noise)
    assert [phrase for _, phrase in said] == ["hello"]


def test_person_says_yes_in_between_when_the_agent_never_pauses() -> None:
    said = run(behaviour(who(Kind.PERSON), 0.0), 30, lambda now: 0.1)
    assert [phrase for _, phrase in said[:3]] == ["hello", "yes", "yes"]


def test_person_who_leaves_says_goodbye_first() -> None:
    said = run(behaviour(who(Kind.PERSON, 3.0), 0.0), 10, quiet)
    assert [phrase for _, phrase in said[-2:]] == ["goodbye", "bye"]
    assert said[-1][0] == pytest.approx(3.0 + PHRASE_S, abs=0.1)


def test_person_without_an_end_stays_for_an_hour() -> None:
    assert all(phrase != "bye" for _, phrase in run(behaviour(who(Kind.PERSON), 0.0), 3600, quiet))


def test_machine_greets_beeps_listens_and_hangs_up_whatever_it_hears() -> None:
    said = run(behaviour(who(Kind.MACHINE, 5.0), 0.0), 60, lambda now: 0.2)
    assert [phrase for _, phrase in said] == ["greeting", "beep", "bye"]
    assert said[2][0] - said[1][0] == pytest.approx(PHRASE_S + 5.0, abs=0.1)


def test_early_hang_up_says_one_word_and_leaves_in_the_middle_of_it() -> None:
    said = run(behaviour(who(Kind.EARLY_HANG_UP, 0.5), 0.0), 5, quiet)
    assert [phrase for _, phrase in said] == ["hello", "bye"]
    assert said[1][0] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.INVALID, Kind.NO_ANSWER])
def test_those_who_never_answer_have_no_behaviour(kind: Kind) -> None:
    with pytest.raises(ValueError, match="does not answer"):
        behaviour(who(kind), 0.0)
