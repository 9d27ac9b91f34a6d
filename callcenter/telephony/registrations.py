"""Where SIP phones are, and where they register, as the engines left it in Redis. For pages: without Redis, nothing."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import redis

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.events import streams
from callcenter.telephony.phones import Registration

log = logging.getLogger(__name__)


def places(tenant: int) -> dict[int, Registration]:
    """Phone id → where it is registered now."""
    try:
        saved: Any = streams.client().hgetall(streams.registrations_key(tenant))
        found = {int(phone_id): wire.from_json(raw, Registration) for phone_id, raw in saved.items()}
    except (redis.RedisError, msgspec.MsgspecError) as error:
        log.warning("registrations of phones can't be read: %s", error)
        return {}
    now = wall_s()
    return {phone_id: place for phone_id, place in found.items() if place.expires_at > now}


def server(tenant: int) -> tuple[str, int] | None:
    """Host and port at which the tenant's phones register; None while no engine has told."""
    try:
        connection = streams.client()
        engine: Any = connection.get(streams.engine_of_key(tenant))
        raw: Any = connection.hget(streams.SIP_ADDRESSES, engine) if engine is not None else None
        host, _, port = wire.from_json(raw, str).rpartition(":") if raw is not None else ("", "", "")
    except (redis.RedisError, msgspec.MsgspecError) as error:
        log.warning("the address of the phones' server can't be read: %s", error)
        return None
    return (host, int(port)) if host and port.isdigit() else None
