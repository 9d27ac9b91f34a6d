"""Who talked how long in a call. Pure.

An agent talks while he is `on_call` with the call, between its connection and its end; that is so by whatever way he
came into it (routing, transfer, taking over, picking up) and out of it. What he talked before the call was his
(consulted, in a conference) he talked as a guest. Source of the stays: the facts `agent.state`; of the guests: the
facts `call.party_left`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TalkRole(StrEnum):
    """AGENT: the call was his. GUEST: he was asked by its agent, or in a conference of his."""

    AGENT = "agent"
    GUEST = "guest"


@dataclass(frozen=True)
class Stay:
    """An agent's stay in `on_call` with a call; `ended_at` None: it had not ended when the call did."""

    user_id: int
    started_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Guest:
    """From the answer until he left, or until the call became his."""

    user_id: int
    answered_at: datetime
    left_at: datetime


@dataclass(frozen=True)
class Part:
    """One agent's part of a call's talk, in one role."""

    user_id: int
    role: TalkRole
    began_at: datetime
    ended_at: datetime

    @property
    def talk_s(self) -> float:
        """Its seconds, holds included."""
        return round((self.ended_at - self.began_at).total_seconds(), 3)


def parts(
    connected_at: datetime, ended_at: datetime, agent_id: int | None, stays: Sequence[Stay], guests: Sequence[Guest]
) -> list[Part]:
    """The parts of one call, by time. A call whose agents' states nobody told is its agent's as a whole."""
    found: list[Part] = []
    for stay in stays:
        began, ended = max(stay.started_at, connected_at), min(stay.ended_at or ended_at, ended_at)
        found += _split(stay.user_id, began, ended, (g for g in guests if g.user_id == stay.user_id))
    if not stays and agent_id is not None and ended_at > connected_at:
        found.append(Part(agent_id, TalkRole.AGENT, connected_at, ended_at))
    return sorted(found, key=lambda p: (p.began_at, p.user_id))


def _split(user_id: int, began: datetime, ended: datetime, guests: Iterable[Guest]) -> list[Part]:
    """One stay, cut where the agent ceased to be a guest."""
    out: list[Part] = []
    for guest in sorted(guests, key=lambda g: g.answered_at):
        since, until = max(guest.answered_at, began), min(guest.left_at, ended)
        if until <= since:
            continue
        out += [
            Part(user_id, TalkRole.AGENT, began, since),
            Part(user_id, TalkRole.GUEST, since, until),
        ]
        began = until
    out.append(Part(user_id, TalkRole.AGENT, began, ended))
    return [part for part in out if part.ended_at > part.began_at]
