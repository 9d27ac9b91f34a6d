"""Who of an enterprise is signed on as an agent, as the engine last told."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import redis

from callcenter import wire
from callcenter.events import streams

log = logging.getLogger(__name__)
_OFF = ("", "offline")


def on_shift(tenant: int) -> set[int]:
    """User ids of agents who are not offline. Empty when Redis is away: nobody can be reached then either."""
    try:
        found: Any = streams.client().hgetall(streams.live_key(tenant))
    except redis.RedisError:
        log.warning("who is on shift can't be told: Redis does not answer")
        return set()
    out = set()
    for topic, raw in found.items():
        kind, _, user = topic.decode().partition(":")
        if kind == "agent" and user.isdigit() and _state(raw) not in _OFF:
            out.add(int(user))
    return out


def _state(raw: bytes) -> str:
    try:
        document = wire.from_json(raw, object)
    except msgspec.DecodeError:
        return ""
    return str(document.get("state", "")) if isinstance(document, dict) else ""
