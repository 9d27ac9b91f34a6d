"""The recorder: facts from the stream into tables, each exactly once.

A batch is one transaction per enterprise: the facts themselves (a fact that is there already is skipped) and all that
follows from them. The stream is acknowledged after the commit, so that a recorder that dies repeats the batch and
changes nothing twice. A fact that can't be folded is kept aside (`facts:failed`) with its reason and does not hold up
the rest.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.calls import cdr
from callcenter.calls import facts as f
from callcenter.calls.models import Call, FactRow
from callcenter.clock import to_utc, utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.events.envelope import FACTS, Envelope, UnknownMessage
from callcenter.tenancy.models import Enterprise
from crm.actions import outcomes
from crm.actions.customers import customer_of_lead
from crm.models import Lead, LeadStatus
from dialer import hopper
from dialer.models import Campaign, CampaignDay, Refusal

log = logging.getLogger(__name__)
CONSUMER = "recorder-1"
FAILED_STREAM = "facts:failed"
BATCH = 400
CLAIM_IDLE_MS = 30_000


class Unfoldable(Exception):
    """A fact refers to what is not there, or can't be read; `__cause__` says what."""


def run(stop: threading.Event) -> None:
    """Record until `stop` is set."""
    connection = streams.client()
    try:
        connection.xgroup_create(streams.FACTS_STREAM, streams.RECORDER_GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    record_pending()
    while not stop.is_set():
        answer: Any = connection.xreadgroup(
            streams.RECORDER_GROUP, CONSUMER, {streams.FACTS_STREAM: ">"}, count=BATCH, block=1000
        )
        for _, entries in answer or ():
            record(entries)


def record_pending() -> None:
    """What was read and not acknowledged before the last death, by this consumer or one that is gone."""
    connection = streams.client()
    connection.xautoclaim(
        streams.FACTS_STREAM, streams.RECORDER_GROUP, CONSUMER, min_idle_time=CLAIM_IDLE_MS, start_id="0-0"
    )
    while True:
        answer: Any = connection.xreadgroup(streams.RECORDER_GROUP, CONSUMER, {streams.FACTS_STREAM: "0"}, count=BATCH)
        entries = answer[0][1] if answer else []
        if not entries:
            return
        record(entries)


def record(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    """Fold a batch and acknowledge it."""
    connection = streams.client()
    by_tenant: dict[int, list[Envelope]] = defaultdict(list)
    for entry_id, fields in entries:
        try:
            envelope = wire.from_json(fields[b"e"], Envelope)
            by_tenant[envelope.tenant].append(envelope)
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError) as error:
            connection.xadd(FAILED_STREAM, {"raw": fields.get(b"e", b""), "reason": str(error)}, maxlen=10_000)
            log.error("fact %s can't be read: %s", entry_id, error)
    for tenant, envelopes in by_tenant.items():
        try:
            _record_batch(tenant, envelopes)
        except (IntegrityError, DataError, Unfoldable):
            for envelope in envelopes:
                _record_alone(tenant, envelope)
    connection.xack(streams.FACTS_STREAM, streams.RECORDER_GROUP, *[e[0] for e in entries])


def _record_batch(tenant: int, envelopes: list[Envelope]) -> None:
    after = After(tenant)
    with tenant_session(tenant) as session:
        rows = [
            {
                "tenant_id": tenant, "id": e.id, "type": e.type, "version": e.version, "call_id": e.call,
                "at": to_utc(e.at), "body": e.body,
            }
            for e in envelopes
        ]  # fmt: skip
        fresh = set(session.scalars(insert(FactRow).on_conflict_do_nothing().returning(FactRow.id), rows))
        zone = ZoneInfo(session.scalars(select(Enterprise.time_zone).where(Enterprise.id == tenant)).one())
        for envelope in envelopes:
            if envelope.id in fresh:
                _fold(session, envelope, zone, after)
        after.figures(session, zone)
    after.commit()


def _record_alone(tenant: int, envelope: Envelope) -> None:
    try:
        _record_batch(tenant, [envelope])
    except (IntegrityError, DataError, Unfoldable):
        stripped = _without_dangling(tenant, envelope)
        try:
            _record_batch(tenant, [stripped])
        except (IntegrityError, DataError, Unfoldable) as error:
            log.exception("fact %s (%s) can't be folded", envelope.id, envelope.type)
            streams.client().xadd(FAILED_STREAM, {"e": wire.to_json(envelope), "reason": str(error)}, maxlen=10_000)


_REFERENCES = {
    "campaign_id": "campaign", "lead_id": "lead", "customer_id": "customer", "agent_id": "user_account",
    "trunk_id": "trunk", "disposition_id": "disposition",
}  # fmt: skip


def _without_dangling(tenant: int, envelope: Envelope) -> Envelope:
    """The fact without references to rows that were deleted meanwhile: the call stays, the link goes."""
    body = dict(envelope.body)
    with tenant_session(tenant) as session:
        for name, table in _REFERENCES.items():
            if body.get(name) is not None:
                found = session.execute(text(f"SELECT 1 FROM {table} WHERE id = :i"), {"i": body[name]}).first()
                if found is None:
                    body[name] = None
    return replace(envelope, body=body)


class After:
    """What is done after the commit: figures for the engine and consoles, recordings for the worker."""

    def __init__(self, tenant: int) -> None:
        self.tenant = tenant
        self.campaigns: set[int] = set()
        self.closed: list[str] = []
        self._counts: dict[int, bytes] = {}

    def figures(self, session: Session, zone: ZoneInfo) -> None:
        """Read the figures of the campaigns that this batch touched."""
        today = utc_now().astimezone(zone).date()
        for campaign in self.campaigns:
            self._counts[campaign] = wire.to_json(campaign_counts(session, campaign, today))

    def commit(self) -> None:
        """Publish; a Redis that is away costs a refresh only, the next batch brings it."""
        try:
            connection = streams.client()
            for campaign, raw in self._counts.items():
                connection.set(hopper.counts_key(self.tenant, campaign), raw)
            for recording_id in self.closed:
                Queue("default", connection=connection).enqueue(
                    "callcenter.recordings.store.store", recording_id, job_timeout=600
                )
        except (RedisError, OSError) as error:
            log.warning("figures are published later: %s", error)


def campaign_counts(session: Session, campaign: int, today: date) -> dict[str, dict[str, int]]:
    """Stored figures of a campaign: today and the last 30 days, each placed, answered, connected, abandoned."""
    out = {}
    for name, first in (("today", today), ("days30", today - timedelta(days=29))):
        row = session.execute(
            select(
                func.coalesce(func.sum(CampaignDay.placed), 0),
                func.coalesce(func.sum(CampaignDay.answered), 0),
                func.coalesce(func.sum(CampaignDay.connected), 0),
                func.coalesce(func.sum(CampaignDay.abandoned), 0),
            ).where(CampaignDay.campaign_id == campaign, CampaignDay.day >= first, CampaignDay.day <= today)
        ).one()
        out[name] = dict(zip(("placed", "answered", "connected", "abandoned"), (int(v) for v in row), strict=True))
    return out


def _fold(session: Session, envelope: Envelope, zone: ZoneInfo, after: After) -> None:
    try:
        fact = FACTS.unpack(envelope)
    except (UnknownMessage, msgspec.ValidationError) as error:
        raise Unfoldable(str(error)) from error
    cdr.fold(session, envelope, fact)
    match fact:
        case f.CallStarted(campaign_id=int(campaign)):
            _count(session, campaign, to_utc(fact.started_at).astimezone(zone).date(), after, placed=1)
        case f.CallConnected():
            _make_customer(session, envelope, fact)
        case f.CallEnded():
            _ended(session, fact, zone, after)
        case f.CallDispositioned():
            outcomes.lead_dispositioned(
                session,
                actor=_actor(session, fact.agent_id),
                call_id=fact.call_id,
                lead_id=fact.lead_id,
                customer_id=_customer_of(session, fact.call_id) or fact.customer_id,
                phone_e164=fact.phone_e164,
                disposition_id=fact.disposition_id,
                note=fact.note,
                callback_at=to_utc(fact.callback_at) if fact.callback_at is not None else None,
                callback_mine=fact.callback_mine,
                campaign_id=fact.campaign_id,
                at=to_utc(envelope.at),
            )
        case f.LeadReturned():
            session.execute(
                update(Lead)
                .where(Lead.id == fact.lead_id, Lead.status == LeadStatus.IN_PROGRESS.value)
                .values(status=_undialed_status(), next_at=to_utc(fact.retry_at) if fact.retry_at else Lead.next_at)
            )
        case f.LeadRefused():
            _refused(session, envelope, fact)
        case f.RecordingClosed():
            after.closed.append(fact.recording_id)


def _undialed_status() -> Any:
    return case((Lead.attempts > 0, LeadStatus.RETRY.value), else_=LeadStatus.NEW.value)


def _refused(session: Session, envelope: Envelope, fact: f.LeadRefused) -> None:
    session.execute(
        insert(Refusal)
        .values(
            tenant_id=envelope.tenant, fact_id=envelope.id, campaign_id=fact.campaign_id, lead_id=fact.lead_id,
            phone_e164=fact.phone_e164, rule=fact.rule, detail=fact.detail,
        )
        .on_conflict_do_nothing()
    )  # fmt: skip
    values: dict[str, Any] = {"status": LeadStatus.BLOCKED.value}
    if fact.retry_at is not None:
        values = {"status": _undialed_status(), "next_at": to_utc(fact.retry_at)}
    session.execute(
        update(Lead).where(Lead.id == fact.lead_id, Lead.status == LeadStatus.IN_PROGRESS.value).values(**values)
    )


def _ended(session: Session, fact: f.CallEnded, zone: ZoneInfo, after: After) -> None:
    campaign = session.get(Campaign, fact.campaign_id) if fact.campaign_id is not None else None
    if campaign is not None:
        day = to_utc(fact.started_at).astimezone(zone).date()
        _count(
            session, campaign.id, day, after,
            answered=int(fact.answered_at is not None),
            connected=int(fact.outcome == "connected"),
            abandoned=int(fact.outcome == "abandoned"),
        )  # fmt: skip
    if fact.lead_id is not None:
        outcomes.lead_attempted(
            session, lead_id=fact.lead_id, call_id=fact.call_id, at=to_utc(fact.ended_at), outcome=fact.outcome,
            cause=fact.cause, campaign=campaign,
        )  # fmt: skip


def _count(session: Session, campaign: int, day: date, after: After, **by: int) -> None:
    after.campaigns.add(campaign)
    statement = insert(CampaignDay).values(tenant_id=session.info["tenant_id"], campaign_id=campaign, day=day, **by)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[CampaignDay.campaign_id, CampaignDay.day],
            set_={name: getattr(CampaignDay, name) + n for name, n in by.items()},
        )
    )


def _make_customer(session: Session, envelope: Envelope, fact: f.CallConnected) -> None:
    """The first conversation makes a lead a customer."""
    lead_id = session.scalars(select(Call.lead_id).where(Call.id == fact.call_id)).one_or_none()
    if lead_id is None:
        return
    customer = customer_of_lead(session, _actor(session, fact.agent_id), lead_id)
    session.flush()
    session.execute(update(Call).where(Call.id == fact.call_id).values(customer_id=customer.id))


def _customer_of(session: Session, call_id: str) -> int | None:
    return session.scalars(select(Call.customer_id).where(Call.id == call_id)).one_or_none()


def _actor(session: Session, user_id: int | None) -> Actor:
    name = session.scalars(select(User.name).where(User.id == user_id)).one_or_none() if user_id else None
    return Actor(int(session.info["tenant_id"]), user_id if name else None, name or "dialer")
