"""What becomes of a caller while he waits, and when: his clocks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from callcenter.acd.routing import next_relax_s
from callcenter.acd.settings import QueueSettings
from callcenter.calls.destination import Destination


class DueKind(StrEnum):
    """What is to be done for a caller."""

    RELAX = "relax"  # his needs have fallen: ask for an agent again
    ANNOUNCE = "announce"  # say position and expected wait, as the settings want
    COMFORT = "comfort"  # play `prompt`
    OFFER_CALLBACK = "offer_callback"  # once
    OVERFLOW = "overflow"  # send him to `destination`
    MAX_WAIT = "max_wait"  # say goodbye


@dataclass(frozen=True)
class Due:
    """Something is due for a caller since `at`."""

    kind: DueKind
    call_id: str
    queue_id: int
    at: float
    destination: Destination | None = None
    prompt: str = ""


class Clock(StrEnum):
    """A caller's clocks; three of them end in an overflow."""

    RELAX = "relax"
    ANNOUNCE = "announce"
    COMFORT = "comfort"
    OFFER_CALLBACK = "offer_callback"
    AFTER_WAIT = "after_wait"
    OVER_LENGTH = "over_length"
    NO_AGENTS = "no_agents"
    MAX_WAIT = "max_wait"


KINDS: dict[Clock, DueKind] = {
    Clock.RELAX: DueKind.RELAX,
    Clock.ANNOUNCE: DueKind.ANNOUNCE,
    Clock.COMFORT: DueKind.COMFORT,
    Clock.OFFER_CALLBACK: DueKind.OFFER_CALLBACK,
    Clock.AFTER_WAIT: DueKind.OVERFLOW,
    Clock.OVER_LENGTH: DueKind.OVERFLOW,
    Clock.NO_AGENTS: DueKind.OVERFLOW,
    Clock.MAX_WAIT: DueKind.MAX_WAIT,
}


def clocks(
    settings: QueueSettings,
    skills: Mapping[str, int],
    since: float,
    entered: float,
    done: Mapping[Clock, float],
    agents: int | None,
) -> dict[Clock, float]:
    """When each clock of a caller fires next (epoch seconds). `done`: when it fired last; `agents` signed on.

    The needs and the longest wait count from `since`, the place he keeps; announcements and the overflow by wait from
    `entered`, so that two queues that overflow into each other do not pass him to and fro at once.
    """
    said, over = settings.waiting, settings.overflow
    out: dict[Clock, float] = {}
    relax_s = next_relax_s(settings, skills, max(0.0, done.get(Clock.RELAX, since) - since))
    if relax_s is not None:
        out[Clock.RELAX] = since + relax_s
    if said.announce_every_s > 0 and (said.announce_position or said.announce_wait):
        out[Clock.ANNOUNCE] = done.get(Clock.ANNOUNCE, entered) + said.announce_every_s
    if said.comfort and said.comfort_every_s > 0:
        out[Clock.COMFORT] = done.get(Clock.COMFORT, entered) + said.comfort_every_s
    once: dict[Clock, float] = {Clock.MAX_WAIT: since + settings.max_wait_s}
    if settings.callback.enabled:
        once[Clock.OFFER_CALLBACK] = max(entered, since + settings.callback.after_s)
    if over.after_wait is not None and over.after_wait_s > 0:
        once[Clock.AFTER_WAIT] = entered + over.after_wait_s
    if over.length is not None and over.over_length > 0:
        once[Clock.OVER_LENGTH] = entered
    if over.no_agents is not None and agents == 0:
        once[Clock.NO_AGENTS] = entered
    return out | {clock: at for clock, at in once.items() if clock not in done}
