"""What the figures of queues and agents mean. Pure: every board, report and alert counts by these.

A figure over nothing is None, never 0: a queue without calls has no service level. Fractions are 0–1, times seconds.
The interface explains each with the text `metric_help.<name>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """Names of the figures; `metric.<name>` and `metric_help.<name>` are their texts."""

    SERVICE_LEVEL = "service_level"
    ASA = "asa"
    AHT = "aht"
    OCCUPANCY = "occupancy"
    ABANDON_RATE = "abandon_rate"
    LONGEST_WAIT = "longest_wait"


def service_level(answered_in_target: int, answered: int, abandoned: int) -> float | None:
    """Calls answered within the queue's target time ÷ calls that were answered or given up.

    Callers who left for a callback, a mailbox or another queue are in neither: nobody failed them here.
    """
    return _ratio(answered_in_target, answered + abandoned)


def abandon_rate(answered: int, abandoned: int) -> float | None:
    """Callers who hung up while waiting ÷ calls that were answered or given up."""
    return _ratio(abandoned, answered + abandoned)


def asa_s(answered_wait_s: float, answered: int) -> float | None:
    """Average speed of answer: waiting time of the answered calls, ringing at the agent included ÷ answered calls."""
    return _ratio(answered_wait_s, answered)


def aht_s(talk_s: float, wrap_up_s: float, handled: int) -> float | None:
    """Average handling time: (talk with holds + wrap-up) ÷ handled calls."""
    return _ratio(talk_s + wrap_up_s, handled)


def occupancy(busy_s: float, available_s: float) -> float | None:
    """Time on calls, ringing and in wrap-up ÷ that time and the time spent available. Pauses are in neither."""
    return _ratio(busy_s, busy_s + available_s)


def longest_wait_s(since: Iterable[float], now: float) -> float | None:
    """How long the caller who has waited longest waits. `since`: epoch seconds of all who wait now."""
    first = min(since, default=None)
    return None if first is None else max(0.0, now - first)


@dataclass(frozen=True)
class Stay:
    """One call's stay in a queue: how it left (`calls.facts.CallLeftQueue.how`), how long it waited there. `talk_s`
    (holds included) and `wrap_up_s` if an agent took it."""

    how: str
    wait_s: float
    in_target: bool = False
    talk_s: float = 0.0
    wrap_up_s: float = 0.0


@dataclass(frozen=True)
class QueueFigures:
    """A queue's figures over some time, from the stays that began in it. `longest_wait_s`: of those who have left."""

    offered: int = 0
    answered: int = 0
    answered_in_target: int = 0
    abandoned: int = 0
    overflowed: int = 0
    callbacks: int = 0
    other: int = 0  # to a mailbox, transferred, ended by us
    waiting: int = 0  # not left yet
    service_level: float | None = None
    abandon_rate: float | None = None
    asa_s: float | None = None
    aht_s: float | None = None
    longest_wait_s: float | None = None


def queue_figures(stays: Iterable[Stay]) -> QueueFigures:
    """The figures of these stays. `how` empty: the call still waits."""
    left: dict[str, int] = {}
    in_target, wait_s, talk_s, wrap_up_s = 0, 0.0, 0.0, 0.0
    longest: float | None = None
    for stay in stays:
        left[stay.how] = left.get(stay.how, 0) + 1
        if stay.how:
            longest = stay.wait_s if longest is None else max(longest, stay.wait_s)
        if stay.how == "connected":
            in_target += stay.in_target
            wait_s += stay.wait_s
            talk_s += stay.talk_s
            wrap_up_s += stay.wrap_up_s
    offered, waiting = sum(left.values()), left.pop("", 0)
    answered, abandoned = left.pop("connected", 0), left.pop("abandoned", 0)
    overflowed, callbacks = left.pop("overflow", 0), left.pop("callback", 0)
    return QueueFigures(
        offered=offered,
        answered=answered,
        answered_in_target=in_target,
        abandoned=abandoned,
        overflowed=overflowed,
        callbacks=callbacks,
        other=sum(left.values()),
        waiting=waiting,
        service_level=service_level(in_target, answered, abandoned),
        abandon_rate=abandon_rate(answered, abandoned),
        asa_s=asa_s(wait_s, answered),
        aht_s=aht_s(talk_s, wrap_up_s, answered),
        longest_wait_s=longest,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
