"""The recorder: facts from the stream into tables, each exactly once.

A batch is one transaction per enterprise: the facts themselves (a fact that is there already is skipped) and all that
follows from them. The stream is acknowledged after the commit, so that a recorder that dies repeats the batch and
changes nothing twice. A fact that can't be folded is kept aside (`facts:failed`) with its reason and does not hold up
the rest.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.calls.models import FactRow
from callcenter.clock import to_utc, utc_now
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.events.envelope import Envelope
from callcenter.processes.folding import fold_round, rounds, unpack
from callcenter.tenancy.models import Enterprise
from dialer import hopper
from dialer.models import CampaignDay

log = logging.getLogger(__name__)
CONSUMER = "recorder-1"
FAILED_STREAM = "facts:failed"
BATCH = 400
CLAIM_IDLE_MS = 30_000
TRIM_EVERY_S = 30.0
AWAY = (OperationalError, InterfaceError, RedisError)  # the fault is not the fact's: it is folded later


def run(stop: threading.Event) -> None:
    """Record until `stop` is set."""
    connection = streams.client()
    try:
        connection.xgroup_create(streams.FACTS_STREAM, streams.RECORDER_GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    record_pending()
    trimmed = time.monotonic()
    while not stop.is_set():
        answer: Any = connection.xreadgroup(
            streams.RECORDER_GROUP, CONSUMER, {streams.FACTS_STREAM: ">"}, count=BATCH, block=1000
        )
        for _, entries in answer or ():
            record(entries)
        if time.monotonic() >= trimmed + TRIM_EVERY_S:
            trimmed = time.monotonic()
            trim()


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


def trim() -> None:
    """Let go of what is folded: from the oldest fact on that waits, the stream stays. So it grows only while nobody
    folds, and is never cut before that."""
    connection = streams.client()
    groups: Any = connection.xinfo_groups(streams.FACTS_STREAM)
    if len(groups) != 1:
        return  # somebody else reads too; what they need is theirs to say
    waiting: Any = connection.xpending(streams.FACTS_STREAM, streams.RECORDER_GROUP)
    oldest = waiting["min"] or groups[0]["last-delivered-id"]
    connection.xtrim(streams.FACTS_STREAM, minid=oldest.decode(), approximate=True)


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
    for tenant, told in by_tenant.items():
        # The engine writes again what it does not know to be written: the same fact may lie twice in one batch.
        envelopes = list({e.id: e for e in reversed(told)}.values())[::-1]
        try:
            _record_batch(tenant, envelopes)
        except AWAY:
            raise
        except Exception as error:
            log.warning("a batch of %d facts is folded one by one: %s", len(envelopes), type(error).__name__)
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
        for told in rounds([(e, unpack(e)) for e in envelopes if e.id in fresh]):
            fold_round(session, told, zone, after)
        after.figures(session, zone)
    after.commit()


def _record_alone(tenant: int, envelope: Envelope) -> None:
    try:
        _record_batch(tenant, [envelope])
    except AWAY:
        raise
    except Exception:
        try:
            _record_batch(tenant, [_without_dangling(tenant, envelope)])
        except AWAY:
            raise
        except Exception as error:
            log.exception("fact %s (%s) can't be folded", envelope.id, envelope.type)
            streams.client().xadd(FAILED_STREAM, {"e": wire.to_json(envelope), "reason": str(error)}, maxlen=10_000)


_REFERENCES = {
    "campaign_id": "campaign", "lead_id": "lead", "customer_id": "customer", "agent_id": "user_account",
    "trunk_id": "trunk", "disposition_id": "disposition", "queue_id": "queue", "user_id": "user_account",
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
