"""The feeder: keeps each running campaign's hopper filled with leads that may be dialed now.

Order (product row D9): call-backs that are due, then new leads, then those to try again; inside each by priority. A
lead whose local time is outside the calling hours is passed over, and so is one whom an agent has promised a call in
person (row D8): it stands on that agent's desk, to be dialed by his hand. Leads taken are marked `in_progress` in the
same statement that chooses them; if Redis then refuses them, the scheduler's reconciler brings them back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import redis
from sqlalchemy import bindparam, exists, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger, Text

from callcenter import wire
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.compliance.calling_window import is_open, next_opening
from callcenter.compliance.models import RuleSet
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.models import Enterprise
from crm.models import BlacklistEntry, Callback, Customer, Lead, LeadList
from crm.queries.by_phone import customers_with
from dialer import hopper
from dialer.models import Campaign
from dialer.modes import CampaignState, Mode

log = logging.getLogger(__name__)
TURN_S = 0.5
FIGURES_S = 4.0
MOST_IN_HOPPER = 2000
_ORDER = {"callback": 0, "new": 1, "retry": 2}
_LATER = 1 << 39

_PICK = text(
    """
    UPDATE lead SET status = 'in_progress'
    WHERE id IN (
        SELECT id FROM lead
        WHERE list_id = ANY(:lists) AND status = :status AND time_zone = ANY(:zones)
          AND (next_at IS NULL OR next_at <= :now)
          AND NOT EXISTS (SELECT 1 FROM blacklist_entry b
                          WHERE b.tenant_id = lead.tenant_id AND b.phone_e164 = lead.phone_e164 AND b.enabled)
          AND NOT EXISTS (SELECT 1 FROM callback c JOIN user_account u ON u.id = c.user_id AND u.enabled
                          WHERE c.lead_id = lead.id AND c.state = 'open')
        ORDER BY priority DESC, next_at NULLS FIRST, id
        LIMIT :n FOR UPDATE SKIP LOCKED)
    RETURNING id, list_id, name, phone_e164, alt_phones, fields, time_zone, priority, attempts, customer_id, next_at
    """
).bindparams(bindparam("lists", type_=ARRAY(BigInteger)), bindparam("zones", type_=ARRAY(Text)))


class Feeder:
    """Feeds all campaigns of all enterprises; one of it runs in an installation."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._fill = connection.register_script(hopper.FILL)
        self._drain = connection.register_script(hopper.DRAIN)
        self._zones: dict[int, tuple[float, list[str]]] = {}  # campaign → (read at, zones of its leads)
        self._figures_at: dict[int, float] = {}
        self._fed_from: dict[int, set[int]] = {}  # campaign → lists whose leads are in its hopper

    def run(self, stop: threading.Event) -> None:
        """Feed until `stop` is set."""
        while not stop.wait(TURN_S):
            self.turn()

    def turn(self) -> None:
        """One round over all campaigns."""
        with platform_session() as session:
            rows = session.execute(select(Campaign.tenant_id, Campaign.id, Campaign.state, Campaign.mode)).all()
        for tenant, campaign, state, mode in rows:
            try:
                if state == CampaignState.RUNNING and mode != Mode.MANUAL:  # there, agents choose whom to dial
                    self.feed(tenant, campaign)
                elif self._redis.zcard(hopper.hopper_key(tenant, campaign)):
                    self.empty(tenant, campaign)
                if time.monotonic() >= self._figures_at.get(campaign, 0.0):
                    self._figures(tenant, campaign)
            except (redis.RedisError, OperationalError, InterfaceError):
                raise
            except Exception:
                log.exception("campaign %d of tenant %d can't be fed; the others are", campaign, tenant)

    # ------------------------------------------------------------------------------------------------------- filling

    def feed(self, tenant: int, campaign_id: int) -> int:
        """Fill the campaign's hopper; returns how many leads went in."""
        size = int(self._redis.zcard(hopper.hopper_key(tenant, campaign_id)))
        with tenant_session(tenant) as session:
            campaign = session.get(Campaign, campaign_id)
            if campaign is None:
                return 0
            wanted = min(MOST_IN_HOPPER, max(100, 4 * campaign.max_lines))
            lists = _lists(session, campaign_id)
            fed_from = self._fed_from.get(campaign_id)
            if size and (fed_from is None or not fed_from <= set(lists)):
                # A list was taken away (or may have been, before this process began): its leads are not dialed.
                self.empty(tenant, campaign_id)
                size = 0
            if not size:
                self._fed_from[campaign_id] = set()
            if not lists or size > wanted // 2:
                return 0
            self._fed_from.setdefault(campaign_id, set()).update(lists)
            windows, holidays = _rules(session, campaign)
            now = utc_now()
            own = _enterprise_zone(session, tenant)
            zones = [
                z for z in self._zones_of(session, campaign_id, lists) if is_open(windows, holidays, z or own, now)
            ]
            leads: list[dict[str, Any]] = []
            for status in _ORDER:
                if len(leads) < wanted - size and zones:
                    leads += self._pick(session, campaign, lists, zones, status, wanted - size - len(leads), now)
            _add_customers(session, leads)
            named = session.execute(select(LeadList.id, LeadList.name).where(LeadList.id.in_(lists)))
            names = {row.id: row.name for row in named}
        if not leads:
            return 0
        arguments: list[Any] = []
        for lead in leads:
            entry = _entry(lead, campaign_id, names, own)
            arguments += [lead["id"], entry["order"], wire.to_json(entry)]
        keys = [hopper.hopper_key(tenant, campaign_id), hopper.leads_key(tenant), hopper.flight_key(tenant)]
        return int(self._fill(keys=keys, args=arguments))

    def _pick(
        self, session: Session, campaign: Campaign, lists: Sequence[int], zones: Sequence[str], status: str, n: int,
        now: datetime,
    ) -> list[dict[str, Any]]:  # fmt: skip
        found = session.execute(
            _PICK, {"lists": list(lists), "status": status, "zones": list(zones), "now": now, "n": n}
        ).mappings()
        return [dict(row, status=status) for row in found]

    def empty(self, tenant: int, campaign_id: int) -> None:
        """Take the leads of a campaign that no longer runs out of its hopper."""
        entries = self._drain(keys=[hopper.hopper_key(tenant, campaign_id), hopper.leads_key(tenant)])
        back = [{"s": e["status"], "i": e["lead_id"]} for e in map(hopper.entry, entries)]
        if back:
            with tenant_session(tenant) as session:
                session.execute(text("UPDATE lead SET status = :s WHERE id = :i AND status = 'in_progress'"), back)

    # ------------------------------------------------------------------------------------------------------- figures

    def _figures(self, tenant: int, campaign_id: int) -> None:
        """The document that tells the engine and the console what is left and when more may be dialed."""
        began = time.monotonic()
        now = utc_now()
        with tenant_session(tenant) as session:
            campaign = session.get(Campaign, campaign_id)
            if campaign is None:
                return
            lists = _lists(session, campaign_id)
            left = {
                status: int(n)
                for status, n in session.execute(
                    select(Lead.status, func.count()).where(Lead.list_id.in_(lists)).group_by(Lead.status)
                )
            }
            windows, holidays = _rules(session, campaign)
            own = _enterprise_zone(session, tenant)
            zones = self._zones_of(session, campaign_id, lists)
            open_zones = [z for z in zones if is_open(windows, holidays, z or own, now)]
            personal = exists().where(
                Callback.lead_id == Lead.id, Callback.state == "open", User.id == Callback.user_id, User.enabled
            )
            waiting = select(Lead.id).where(Lead.list_id.in_(lists), Lead.status.in_(list(_ORDER)), ~personal)
            due = (Lead.next_at.is_(None)) | (Lead.next_at <= now)
            blocked = exists().where(BlacklistEntry.phone_e164 == Lead.phone_e164, BlacklistEntry.enabled)
            ready = waiting.where(due, Lead.time_zone.in_(open_zones), ~blocked)
            dialable = session.execute(ready.limit(1)).first() is not None
            shut = set(session.scalars(waiting.with_only_columns(Lead.time_zone).where(due).distinct()))
            openings = [next_opening(windows, holidays, z or own, now) for z in shut - set(open_zones)]
            retry = session.scalar(waiting.with_only_columns(func.min(Lead.next_at)).where(Lead.next_at > now))
            callbacks = session.scalar(
                select(func.count()).where(
                    Callback.campaign_id == campaign_id, Callback.state == "open", Callback.due_at <= now
                )
            )
        document = {
            "left": left,
            "dialable": dialable,
            "next_window_at": min((o.timestamp() for o in openings if o is not None), default=None),
            "next_retry_at": retry.timestamp() if retry is not None else None,
            "callbacks_due": int(callbacks or 0),
            "at": now.timestamp(),
        }
        self._redis.set(hopper.feed_key(tenant, campaign_id), wire.to_json(document))
        took = time.monotonic() - began
        self._figures_at[campaign_id] = time.monotonic() + max(FIGURES_S, 20 * took)

    def _zones_of(self, session: Session, campaign_id: int, lists: Sequence[int]) -> list[str]:
        """The time zones of the campaign's leads ('' is the enterprise's own), read once a minute."""
        at, zones = self._zones.get(campaign_id, (float("-inf"), []))
        if time.monotonic() - at > 60 or not zones:
            zones = list(session.scalars(select(Lead.time_zone).where(Lead.list_id.in_(lists)).distinct()))
            self._zones[campaign_id] = (time.monotonic(), zones)
        return zones


def _lists(session: Session, campaign_id: int) -> list[int]:
    return list(
        session.scalars(
            select(LeadList.id).where(
                LeadList.campaign_id == campaign_id,
                LeadList.enabled,
                (LeadList.expires_at.is_(None)) | (LeadList.expires_at > func.now()),
            )
        )
    )


def _rules(session: Session, campaign: Campaign) -> tuple[list[Any], list[Any]]:
    query = select(RuleSet)
    query = query.where(RuleSet.id == campaign.rule_set_id) if campaign.rule_set_id else query.where(RuleSet.is_default)
    rules = session.scalars(query.limit(1)).first()
    return (rules.windows, rules.holidays) if rules is not None else ([], [])


def _enterprise_zone(session: Session, tenant: int) -> str:
    return session.scalars(select(Enterprise.time_zone).where(Enterprise.id == tenant)).one()


def _add_customers(session: Session, leads: list[dict[str, Any]]) -> None:
    """Known customers of these leads, found by any of their phones."""
    phones = [p for lead in leads if lead["customer_id"] is None for p in (lead["phone_e164"], *lead["alt_phones"])]
    if not phones:
        return
    by_phone: dict[str, int] = {}
    found = session.execute(select(Customer.id, Customer.phones).where(Customer.id.in_(customers_with(phones))))
    for customer_id, known in found:
        by_phone.update(dict.fromkeys(known, customer_id))
    for lead in leads:
        for phone in (lead["phone_e164"], *lead["alt_phones"]):
            if lead["customer_id"] is None and phone in by_phone:
                lead["customer_id"] = by_phone[phone]


def order(status: str, priority: int, next_at: datetime | None, lead_id: int) -> int:
    """A lead's place in the hopper: by status, then priority (-1000 to 1000, higher first), then those never put off in
    the order of their ids, then by when they are due, to an eighth of a second.

    Redis keeps it as a double, which is exact up to 2**53: 2 bits, 11 bits and 40 bits.
    """
    fine = _LATER + round(next_at.timestamp() * 8) if next_at is not None else min(lead_id, _LATER - 1)
    return (_ORDER[status] << 51) + ((1000 - max(-1000, min(1000, priority))) << 40) + fine


def _entry(lead: dict[str, Any], campaign_id: int, lists: dict[int, str], own_zone: str) -> dict[str, Any]:
    """A hopper entry."""
    card = {
        "name": lead["name"],
        "phone": lead["phone_e164"],
        "alt_phones": list(lead["alt_phones"]),
        "fields": lead["fields"],
        "list": lists.get(lead["list_id"], ""),
        "attempts": lead["attempts"],
        "lead_id": lead["id"],
        "customer_id": lead["customer_id"],
        "time_zone": lead["time_zone"] or own_zone,
    }
    return {
        "lead_id": lead["id"],
        "campaign_id": campaign_id,
        "phone": lead["phone_e164"],
        "alt_phones": list(lead["alt_phones"]),
        "name": lead["name"],
        "time_zone": lead["time_zone"],
        "status": lead["status"],
        "attempts": lead["attempts"],
        "customer_id": lead["customer_id"],
        "order": order(lead["status"], lead["priority"], lead["next_at"], lead["id"]),
        "card": card,
    }
