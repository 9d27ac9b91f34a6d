"""A page of recipients becomes texts: rendered, counted, routed, and judged by the checks.

The same for sends, their previews and what is judged again after approval. What holds for all texts of a send is
gathered once (`Job`); what concerns the numbers of a page is read with a query for each kind of fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from crm import blacklist
from crm.phones import time_zone_of
from smsgateway import route_table, segments, templates
from smsgateway.checks.pipeline import Judge
from smsgateway.checks.verdict import (
    Account,
    Candidate,
    Check,
    Hold,
    NeedsApproval,
    Refusal,
    TextRules,
    Verdict,
    Words,
    World,
)
from smsgateway.models import TextSend
from smsgateway.routing import Chosen, RouteTable
from smsgateway.sending.audience import Recipient
from smsgateway.sending.facts import Facts
from smsgateway.sending.new import MAX_PARTS
from smsgateway.sending.world import opted_out, sent_to
from smsgateway.texts import RANK, Kind, Purpose
from smsgateway.words.store import matcher_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A text of a recipient with its verdict. `body` None: the send's, word for word. `not_before` in seconds since
    the epoch. `price_minor` of a segment."""

    recipient: Recipient
    body: str | None
    text: str
    encoding: str
    segments: int
    route: Chosen | None
    not_before: float
    verdict: Verdict
    missing: tuple[str, ...] = ()

    @property
    def price_minor(self) -> int:
        return self.route.price_minor if self.route is not None else 0

    @property
    def cost_minor(self) -> int:
        return self.price_minor * self.segments


@dataclass
class Job:
    """What all texts of one send share. `approved`: a person has let what is judged pass."""

    tenant_id: int
    send_id: int
    kind: Kind
    purpose: Purpose
    body: str
    subject: str
    template: templates.Template
    common: Mapping[str, str]
    zone: str
    not_before: datetime | None
    local_time: bool
    wait_for_hours: bool
    needs_approval: bool
    account: Account
    rules: TextRules
    words: Words
    routes: RouteTable
    approved: bool = False
    _counted: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def capped(self) -> bool:
        """Whether the number of texts somebody gets is limited."""
        return bool(self.rules.texts_24h or self.rules.texts_30d) and self.purpose in self.rules.purposes

    def count(self, text: str) -> tuple[str, int]:
        """(encoding, segments) of a body; an MMS is one."""
        if self.kind is Kind.MMS:
            return "", 1
        found = self._counted.get(text)
        if found is None:
            counted = segments.count(text)
            found = (counted.encoding.value, counted.parts)
            if len(self._counted) < 1000:
                self._counted[text] = found
        return found

    def due(self, recipient: Recipient, now: float) -> float:
        """When the text may go at the earliest, hours left aside."""
        if self.not_before is None:
            return now
        if not self.local_time:
            return max(now, self.not_before.timestamp())
        zone = recipient.zone or time_zone_of(recipient.phone) or self.zone
        return max(now, _in_zone(self.not_before, self.zone, zone))


@lru_cache(maxsize=4096)
def _in_zone(at: datetime, own: str, theirs: str) -> float:
    """The instant at which it is as late in `theirs` as it is in `own` at `at`."""
    wall = at.astimezone(ZoneInfo(own)).replace(tzinfo=None)
    return wall.replace(tzinfo=ZoneInfo(theirs)).timestamp()


def job_of(
    known: Facts, send: TextSend, own_keys: frozenset[str], *, approved: bool = False, rendered: bool = False
) -> Job:
    """The job of a send (which need not be stored: previews make one that is not). `rendered`: bodies come with their
    texts, none is to be made."""
    template = templates.Template(()) if rendered else templates.parse(send.body, own_keys)
    return Job(
        tenant_id=send.tenant_id, send_id=send.id or 0, kind=Kind(send.kind), purpose=Purpose(send.purpose),
        body=send.body, subject=send.subject or "", template=template, common=known.common(), zone=known.zone,
        not_before=send.not_before, local_time=bool(send.local_time), wait_for_hours=send.outside_hours != "refuse",
        needs_approval=bool(send.needs_approval), account=known.account, rules=known.rules,
        words=matcher_of(send.tenant_id), routes=route_table.of(send.tenant_id), approved=approved,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Draft:
    """A text before it is judged. `due`: when it may go at the earliest."""

    recipient: Recipient
    text: str
    encoding: str
    segments: int
    due: float
    missing: tuple[str, ...]


def judge(
    session: Session,
    job: Job,
    recipients: Sequence[Recipient],
    now: float,
    *,
    bodies: Mapping[str, str] | None = None,
    dues: Mapping[str, float] | None = None,
    available_minor: int | None = None,
) -> list[Judged]:
    """The texts of `recipients` with their verdicts, in order. `bodies` and `dues` (the earliest time), by number, of
    texts that were made before. `available_minor`: what there is to pay with, for previews; else the purse decides."""
    drafts = _drafts(job, recipients, now, bodies, dues)
    routes: dict[str, Chosen | None] = {}
    verdicts = _verdicts(session, job, drafts, now, routes)
    out = []
    left, short = available_minor, False
    for d, verdict in zip(drafts, verdicts, strict=True):
        judged = Judged(
            d.recipient, None if d.text == job.body else d.text, d.text, d.encoding, d.segments,
            None if isinstance(verdict, Refusal) else routes.get(d.recipient.phone),
            verdict.until if isinstance(verdict, Hold) else d.due, verdict, d.missing,
        )  # fmt: skip
        if left is not None and not isinstance(verdict, Refusal | NeedsApproval):
            if short or judged.cost_minor > left:
                # The purse pays from the first on as far as it goes: nobody overtakes a text that it can't pay.
                short = True
                judged = refused_for_balance(judged, left)
            else:
                left -= judged.cost_minor
        out.append(judged)
    return out


def _drafts(
    job: Job,
    recipients: Sequence[Recipient],
    now: float,
    bodies: Mapping[str, str] | None,
    dues: Mapping[str, float] | None,
) -> list[_Draft]:
    template = job.template
    personal, shared = template.personal, template.render({})
    out = []
    for r in recipients:
        missing: tuple[str, ...] = ()
        if bodies is not None:
            text = bodies[r.phone]
        elif personal:
            values = {**job.common, **r.values}
            text, missing = template.render(values), template.missing(values)
        else:
            text = shared
        encoding, parts = job.count(text)
        due = job.due(r, now) if dues is None else max(now, dues[r.phone])
        out.append(_Draft(r, text, encoding, parts, due, missing))
    return out


def _verdicts(
    session: Session, job: Job, drafts: Sequence[_Draft], now: float, routes: dict[str, Chosen | None]
) -> list[Verdict]:
    """In the order of `drafts`; `routes` gets the route of each number that was asked about."""
    phones = [d.recipient.phone for d in drafts if not d.recipient.fault]
    day: Mapping[str, int] = {}
    month: Mapping[str, int] = {}
    if job.capped:
        at = datetime.fromtimestamp(now, UTC)
        day, month = sent_to(session, job.tenant_id, phones, at, but_send=job.send_id)

    def reachable(phone: str) -> bool:
        route = routes[phone] = job.routes.choose(phone, job.kind, job.purpose)
        return route is not None

    world = World(
        now=now, words=job.words, account=job.account, rules=job.rules,
        blacklisted=frozenset(blacklist.blocked(session, phones)),
        opted_out=opted_out(session, phones) if job.purpose is Purpose.MARKETING else frozenset(),
        sent_24h=day, sent_30d=month, reachable=reachable,
        zones={d.recipient.phone: d.recipient.zone for d in drafts if d.recipient.zone}, zone=job.zone,
        wait_for_hours=job.wait_for_hours, sender_needs_approval=job.needs_approval, approved=job.approved,
    )  # fmt: skip
    verdicts: list[Verdict] = [Refusal(Check.NUMBER, "not_e164", {"fault": d.recipient.fault}) for d in drafts]
    # Each is judged by the hours at which it is due: at one time all of them, or with their own clocks some each.
    by_due: dict[float, list[int]] = {}
    for i, d in enumerate(drafts):
        if not d.recipient.fault:
            by_due.setdefault(d.due, []).append(i)
    for due, those in by_due.items():
        candidates = [_candidate(job, drafts[i]) for i in those]
        for i, verdict in zip(those, Judge(replace(world, now=due)).judge_all(candidates), strict=True):
            parts = drafts[i].segments
            if parts > MAX_PARTS and not isinstance(verdict, Refusal):
                verdict = Refusal(Check.WORDS, "too_many_parts", {"parts": parts, "limit": MAX_PARTS})
            verdicts[i] = verdict
    return verdicts


def _candidate(job: Job, d: _Draft) -> Candidate:
    said = d.text
    if job.kind is Kind.MMS:
        said = f"{job.subject}\n{d.text}".strip() or "…"  # pictures alone: there are no words to judge
    return Candidate(d.recipient.phone, said, job.kind, job.purpose, d.segments)


def refused_for_balance(judged: Judged, available_minor: int | None = None) -> Judged:
    """The same text, refused because it can't be paid."""
    params: dict[str, Any] = {"cost_minor": judged.cost_minor}
    if available_minor is not None:
        params["available_minor"] = available_minor
    refusal = Refusal(Check.BALANCE, "not_enough", params)
    return Judged(
        judged.recipient, judged.body, judged.text, judged.encoding, judged.segments, None, judged.not_before, refusal
    )


def detail_of(j: Judged) -> dict[str, Any]:
    """What is stored with a text that was refused or held: {params, hits}."""
    verdict = j.verdict
    out: dict[str, Any] = {}
    if isinstance(verdict, Refusal) and verdict.params:
        out["params"] = dict(verdict.params)
    if isinstance(verdict, Refusal | NeedsApproval) and verdict.hits:
        out["hits"] = [
            {"word": h.word, "category": h.category, "start": h.start, "end": h.end, "contiguous": h.contiguous}
            for h in verdict.hits
        ]
    return out


def rank_of(purpose: Purpose) -> int:
    """Place in a carrier's queue."""
    return RANK[purpose]
