"""The scheduler: what is due, and what somebody who died has left behind.

Its reconcilers act on what they have seen twice, half a minute apart, and only while the recorder has caught up with
the facts: what is merely under way is left alone.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from sqlalchemy import select, update

from callcenter import wire
from callcenter.calls.facts import CallEnded
from callcenter.calls.models import Call
from callcenter.clock import utc_now, wall_s
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.events.envelope import FACTS
from callcenter.processes.engine.journal import calls_key
from callcenter.processes.folding import undialed_status
from callcenter.recordings import store as recordings
from callcenter.telephony.ports import Cause
from callcenter.tenancy.models import Enterprise
from crm.jobs import contacts, imports, uploads
from crm.models import Lead, LeadStatus
from dialer import hopper
from dialer.models import Campaign

log = logging.getLogger(__name__)
TURN_S = 10.0
RECONCILE_EVERY = 3


class Scheduler:
    """Runs every TURN_S seconds."""

    def __init__(self) -> None:
        self._turns = 0
        self._stuck_leads: dict[int, set[int]] = {}
        self._lone_entries: dict[int, set[bytes]] = {}
        self._open_calls: dict[int, set[str]] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.wait(TURN_S):
            self._turns += 1
            for work in (imports.recover, contacts.recover, recordings.recover, uploads.sweep, contacts.sweep):
                try:
                    work()
                except Exception:
                    log.exception("%s failed; it is tried again", work.__module__)
            try:
                if self._turns % RECONCILE_EVERY == 0 and facts_lag() == 0:
                    self.reconcile()
            except Exception:
                log.exception("reconciling failed; it is tried again")

    def reconcile(self) -> None:
        """Leads that are neither in a hopper nor in flight, and calls that nobody holds."""
        with platform_session() as session:
            tenants = list(session.scalars(select(Enterprise.id)))
        for tenant in tenants:
            for look in (self._entries, self._leads, self._calls):
                try:
                    look(tenant)
                except Exception:
                    log.exception("tenant %d could not be reconciled", tenant)

    def _entries(self, tenant: int) -> None:
        """Entries that no campaign's hopper names, and hoppers of campaigns that are gone: they would hold their leads
        for ever."""
        connection = streams.client()
        with tenant_session(tenant) as session:
            hoppers = {hopper.hopper_key(tenant, c) for c in session.scalars(select(Campaign.id))}
        keys: Any = connection.hkeys(hopper.leads_key(tenant))
        named = {raw for key in hoppers for raw in connection.zrange(key, 0, -1)}
        alone = set(keys) - named
        if again := alone & self._lone_entries.get(tenant, set()):
            log.warning("reconciler: %d hopper entries were in no hopper", len(again))
            entries: Any = connection.hmget(hopper.leads_key(tenant), list(again))
            named_by = {hopper.hopper_key(tenant, hopper.entry(e)["campaign_id"]) for e in entries if e is not None}
            connection.hdel(hopper.leads_key(tenant), *again)
            if gone := named_by - hoppers:
                connection.delete(*gone)
        self._lone_entries[tenant] = alone - again

    def _leads(self, tenant: int) -> None:
        connection = streams.client()
        held = {int(k) for key in (hopper.leads_key(tenant), hopper.flight_key(tenant)) for k in connection.hkeys(key)}
        with tenant_session(tenant) as session:
            marked = set(session.scalars(select(Lead.id).where(Lead.status == LeadStatus.IN_PROGRESS.value)))
            lost = marked - held
            again = lost & self._stuck_leads.get(tenant, set())
            if again:
                log.warning("reconciler: %d leads were left behind and go back to their lists", len(again))
                session.execute(
                    update(Lead)
                    .where(Lead.id.in_(again), Lead.status == LeadStatus.IN_PROGRESS.value)
                    .values(status=undialed_status())
                )
        self._stuck_leads[tenant] = lost - again

    def _calls(self, tenant: int) -> None:
        """A call without an end that no engine holds gets its CDR completed from what the facts say."""
        connection = streams.client()
        saved: Any = connection.hkeys(calls_key(tenant))
        held = {k.decode() for k in saved}
        with tenant_session(tenant) as session:
            rows = {c.id: c for c in session.scalars(select(Call).where(Call.ended_at.is_(None)))}
        lost = rows.keys() - held
        for call_id in lost & self._open_calls.get(tenant, set()):
            log.warning("reconciler: call %s was left open", call_id)
            row = rows[call_id]
            fact = FACTS.pack(_end_of(row), tenant=tenant, at=wall_s(), call=call_id)
            connection.xadd(streams.FACTS_STREAM, {"e": wire.to_json(fact)})
        self._open_calls[tenant] = set(lost)


def _end_of(row: Call) -> CallEnded:
    def s(at: Any) -> float | None:
        return at.timestamp() if at is not None else None

    outcome = "connected" if row.connected_at else Cause.ENGINE_LOST.value
    return CallEnded(
        row.id, row.mode, row.phone_e164, row.caller_id, row.trunk_id, row.campaign_id, row.lead_id, row.customer_id,
        row.agent_id, row.started_at.timestamp(), s(row.ringing_at), s(row.answered_at), s(row.connected_at),
        utc_now().timestamp(), outcome, Cause.ENGINE_LOST.value, 0, "system", row.wait_ms, 0.0,
    )  # fmt: skip


def facts_lag() -> int:
    """How many facts the recorder has not yet folded."""
    if not streams.client().exists(streams.FACTS_STREAM):
        return 0  # a new installation
    groups: Any = streams.client().xinfo_groups(streams.FACTS_STREAM)
    for group in groups:
        if group["name"] == streams.RECORDER_GROUP.encode():
            return int(group["lag"] or 0) + int(group["pending"])
    return 0
