"""The routes of an enterprise as they are now: tables and the carriers' health, kept for a second.

text:health:{carrier}    {"up", "detail", "binds_up", "binds", "since"}: written by the carrier's process every few
                         seconds, gone soon after that process
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from callcenter import config, wire
from callcenter.clock import monotonic_s, wall_s
from callcenter.db.session import platform_session
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.carriers.port import Health
from smsgateway.purse.models import PurseAccount
from smsgateway.routing import NONE, Route, RouteTable
from smsgateway.texts import Kind, Purpose

log = logging.getLogger(__name__)
KEPT_S = 1.0
HEALTH_EXPIRES_S = 12
AWAY_S = 0.5  # texts do not wait longer than that to hear whether a carrier is up
_lock = threading.Lock()
_client: redis.Redis | None = None
_kept: dict[int, tuple[float, RouteTable]] = {}


@dataclass(frozen=True)
class CarrierHealth:
    """What is told about a carrier. `since`: seconds since the epoch at which `up` last changed."""

    up: bool
    detail: str
    binds_up: int
    binds: int
    since: float


def of(tenant_id: int) -> RouteTable:
    """The routes of `tenant_id`, at most a second old. May be asked in any thread, inside any transaction."""
    now = monotonic_s()
    with _lock:
        kept = _kept.get(tenant_id)
        if kept is not None and now - kept[0] < KEPT_S:
            return kept[1]
    with platform_session() as session:
        routes = read(session, tenant_id)
    table = RouteTable(routes, down({r.carrier_id for r in routes}))
    with _lock:
        if len(_kept) > 1000:
            _kept.clear()
        _kept[tenant_id] = (now, table)
    return table


def forget() -> None:
    """Read everything anew at the next question."""
    with _lock:
        _kept.clear()


def read(session: Session, tenant_id: int) -> list[Route]:
    """Enabled routes over enabled carriers with the prices of `tenant_id`, of those priced in the currency in which it
    pays: an amount in another one must never come off its balance. `session`: of the platform."""
    newest = (
        select(TextPrice.route_id, TextPrice.price_minor)
        .where(TextPrice.enterprise_id == tenant_id, TextPrice.valid_from <= func.now())
        .ext(distinct_on(TextPrice.route_id))
        .order_by(TextPrice.route_id, TextPrice.valid_from.desc(), TextPrice.id.desc())
        .subquery()
    )
    paid_in = (
        select(PurseAccount.currency)
        .where(PurseAccount.tenant_id == tenant_id, PurseAccount.kind == TextRoute.kind)
        .scalar_subquery()
    )
    rows = session.execute(
        select(TextRoute, func.coalesce(newest.c.price_minor, TextRoute.price_minor))
        .join(TextCarrier, TextCarrier.id == TextRoute.carrier_id)
        .outerjoin(newest, newest.c.route_id == TextRoute.id)
        .where(
            TextRoute.enabled,
            TextCarrier.enabled,
            TextRoute.kind == func.any(TextCarrier.kinds),
            TextRoute.currency == func.coalesce(paid_in, "CNY"),
        )
        .order_by(TextRoute.id)
    )
    return [
        Route(
            row.id,
            row.carrier_id,
            Kind(row.kind),
            tuple(row.prefixes),
            frozenset(Purpose(p) for p in row.purposes),
            row.priority,
            row.weight,
            price,
            row.sender,
            row.currency,
        )
        for row, price in rows
    ]


def health_key(carrier_id: int) -> str:
    """Key of a carrier's health in Valkey."""
    return f"text:health:{carrier_id}"


def _impatient() -> redis.Redis:
    """A connection that gives up at once: without Valkey every carrier counts as up, and texts go on."""
    global _client
    with _lock:
        if _client is None:
            _client = redis.Redis.from_url(
                config.load().redis_url,
                socket_timeout=AWAY_S,
                socket_connect_timeout=AWAY_S,
                retry=Retry(NoBackoff(), 1),
            )
        return _client


def tell_health(carrier_id: int, health: Health, since: float, connection: redis.Redis | None = None) -> None:
    """Write a carrier's health; to be repeated well within HEALTH_EXPIRES_S."""
    raw = wire.to_json({**asdict(health), "since": since})
    (connection or _impatient()).set(health_key(carrier_id), raw, ex=HEALTH_EXPIRES_S)


def health(carrier_ids: Iterable[int], connection: redis.Redis | None = None) -> Mapping[int, CarrierHealth | None]:
    """The health of each carrier; None where its process does not run. Raises RedisError."""
    ids = list(carrier_ids)
    if not ids:
        return {}
    raws = cast("list[Any]", (connection or _impatient()).mget([health_key(i) for i in ids]))
    return {i: None if raw is None else wire.from_json(raw, CarrierHealth) for i, raw in zip(ids, raws, strict=True)}


def down(carrier_ids: Collection[int], *, for_s: float = 0.0) -> frozenset[int]:
    """Those of `carrier_ids` that can't send, and could not for `for_s`. If nobody can be asked: none."""
    if not carrier_ids:
        return NONE
    try:
        told = health(carrier_ids)
    except (redis.RedisError, OSError) as error:
        log.warning("the carriers' health is not known: %s", error)
        return NONE
    latest = wall_s() - for_s
    return frozenset(i for i, h in told.items() if h is None or (not h.up and h.since <= latest))
