"""A leg: one SIP dialog with the outside, from the INVITE to its end.

Theory: a leg only goes forward. Ringing and early media may alternate before the answer; after it the far end may hold
and resume; the end is reachable from everywhere and final. What the network said (status, cause) is kept beside the
state, never in it. An event that the table does not list is refused and changes nothing.
"""

from __future__ import annotations

from enum import StrEnum

from callcenter.fsm import Machine


class LegState(StrEnum):
    NEW = "new"  # decided on, INVITE not yet sent
    TRYING = "trying"
    RINGING = "ringing"
    EARLY = "early"  # hears the far end's early media
    ANSWERED = "answered"
    HELD = "held"  # by the far end
    ENDED = "ended"


class LegInput(StrEnum):
    SENT = "sent"
    RING = "ring"
    EARLY_MEDIA = "early_media"
    ANSWER = "answer"
    HOLD = "hold"
    RESUME = "resume"
    END = "end"


S, I = LegState, LegInput  # noqa: E741  two letters keep the table readable

LEG: Machine[LegState, LegInput] = Machine(
    name="leg",
    initial=S.NEW,
    final=frozenset({S.ENDED}),
    table={
        (S.NEW, I.SENT): S.TRYING,
        (S.NEW, I.END): S.ENDED,
        (S.TRYING, I.RING): S.RINGING,
        (S.TRYING, I.EARLY_MEDIA): S.EARLY,
        (S.TRYING, I.ANSWER): S.ANSWERED,
        (S.TRYING, I.END): S.ENDED,
        (S.RINGING, I.RING): S.RINGING,
        (S.RINGING, I.EARLY_MEDIA): S.EARLY,
        (S.RINGING, I.ANSWER): S.ANSWERED,
        (S.RINGING, I.END): S.ENDED,
        (S.EARLY, I.RING): S.EARLY,
        (S.EARLY, I.EARLY_MEDIA): S.EARLY,
        (S.EARLY, I.ANSWER): S.ANSWERED,
        (S.EARLY, I.END): S.ENDED,
        (S.ANSWERED, I.HOLD): S.HELD,
        (S.ANSWERED, I.RESUME): S.ANSWERED,
        (S.ANSWERED, I.END): S.ENDED,
        (S.HELD, I.HOLD): S.HELD,
        (S.HELD, I.RESUME): S.ANSWERED,
        (S.HELD, I.END): S.ENDED,
    },
)
