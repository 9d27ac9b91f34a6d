"""The checks in their fixed order, for one candidate or a batch. Pure.

account → number → blacklist → opt-outs → words → caps and hours → approval → balance. The first refusal ends it. A text
that must be approved is held against the hours only after somebody approved it. A batch shares what its candidates have
in common: the account is asked once, a body is searched once, the hours of a zone are looked up once; texts that passed
count against the caps and the balance of those behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from crm.phones import time_zone_of
from smsgateway.checks import account, approval, balance, blacklist, caps, number, optouts, words
from smsgateway.checks.verdict import (
    PASSED,
    Candidate,
    Hold,
    NeedsApproval,
    Refusal,
    Verdict,
    World,
)


def judge(text: Candidate, world: World) -> Verdict:
    """The verdict on one text."""
    return judge_all((text,), world)[0]


def judge_all(candidates: Iterable[Candidate], world: World) -> list[Verdict]:
    """The verdicts on `candidates`, in their order."""
    return Judge(world).judge_all(candidates)


class Judge:
    """Judges batch after batch of one send, remembering what earlier ones had in common with later ones.

    `world` is taken as it is: make a new judge when it has changed.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._account = account.check(world.account, world.now)
        self._bodies: dict[str, Refusal | NeedsApproval | None] = {}
        self._hours: dict[str, Hold | Refusal | None] = {}
        self._passed: Counter[str] = Counter()
        self._spent = 0
        self._capped = bool(world.rules.texts_24h or world.rules.texts_30d)
        self._timed = bool(world.rules.windows or world.rules.holidays)

    def judge_all(self, candidates: Iterable[Candidate]) -> list[Verdict]:
        """The verdicts on `candidates`, in their order."""
        if self._account is not None:
            return [self._account for _ in candidates]
        return [self._judge(c) for c in candidates]

    def _judge(self, text: Candidate) -> Verdict:
        world, phone = self.world, text.phone
        refusal = (
            number.check(phone, world.reachable)
            or blacklist.check(phone, world.blacklisted)
            or optouts.check(phone, text.purpose, world.opted_out)
        )
        if refusal is not None:
            return refusal
        said = self._body(text.body)
        if isinstance(said, Refusal):
            return said
        wait = None
        if text.purpose in world.rules.purposes:
            if self._capped:
                earlier = self._passed[phone]
                sent_24h, sent_30d = world.sent_24h.get(phone, 0), world.sent_30d.get(phone, 0)
                refusal = caps.frequency(world.rules, sent_24h + earlier, sent_30d + earlier)
                if refusal is not None:
                    return refusal
            if self._timed:
                wait = self._hours_at(world.zones.get(phone) or time_zone_of(phone) or world.zone)
                if isinstance(wait, Refusal):
                    return wait
        needs = approval.check(world.sender_needs_approval, said, world.approved)
        refusal = balance.check(self._spent + text.cost_minor, world.available_minor)
        if refusal is not None:
            return refusal
        self._spent += text.cost_minor
        if self._capped and text.purpose in world.rules.purposes:
            self._passed[phone] += 1
        return needs or wait or PASSED

    def _body(self, body: str) -> Refusal | NeedsApproval | None:
        try:
            return self._bodies[body]
        except KeyError:
            if len(self._bodies) >= _MOST_BODIES:
                self._bodies.clear()
            said = self._bodies[body] = words.check(body, self.world.words)
            return said

    def _hours_at(self, zone: str) -> Hold | Refusal | None:
        try:
            return self._hours[zone]
        except KeyError:
            world = self.world
            found = self._hours[zone] = caps.hours(world.rules, zone, world.now, world.wait_for_hours)
            return found


_MOST_BODIES = 2000  # personalised bodies are all different: remembering them helps nobody
