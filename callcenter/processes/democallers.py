"""Who calls the demo enterprise, and when: a subscriber of the demo carrier about every 75 s, while an agent is free.

Everything is read from Redis, from what the engine reads and tells there: the enterprise's numbers, its agents' states.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import redis.asyncio as aioredis

from callcenter import wire
from callcenter.clock import monotonic_s
from callcenter.events import streams
from callcenter.processes.demo import CODE

log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
FIRST_S = (20.0, 40.0)  # after the start
EVERY_S = (60.0, 90.0)


def number_to_call(settings: Mapping[str, Any], live: Mapping[str, Any], rng: random.Random) -> str | None:
    """One of the enterprise's numbers that takes calls, if an agent is available. `settings` and `live`: documents by
    "entity:id" and by topic. Pure."""
    free = any(t.startswith("agent:") and d.get("state") == "available" for t, d in live.items() if d)
    numbers = [d["e164"] for name, d in settings.items() if name.startswith("number:") and d.get("enabled")]
    return rng.choice(numbers) if free and numbers else None


async def keep_calling(redis_url: str, call: Callable[[str], bool]) -> None:
    """Let `call(number)` be made now and then, until cancelled."""
    connection = aioredis.Redis.from_url(redis_url)
    rng = random.SystemRandom()
    due = monotonic_s() + rng.uniform(*FIRST_S)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if monotonic_s() < due:
            continue
        try:
            tenant = await _demo(connection)
            if tenant is None:
                continue
            settings = await _documents(connection, streams.settings_key(tenant))
            number = number_to_call(settings, await _documents(connection, streams.live_key(tenant)), rng)
        except (aioredis.RedisError, OSError, msgspec.DecodeError):
            continue
        if number is not None and call(number):
            due = monotonic_s() + rng.uniform(*EVERY_S)


async def _demo(connection: aioredis.Redis) -> int | None:
    for raw in await connection.smembers(streams.SETTINGS_TENANTS):
        tenant = int(raw)
        document = await connection.hget(streams.settings_key(tenant), f"enterprise:{tenant}")
        if document is not None and wire.from_json(document, dict[str, Any]).get("code") == CODE:
            return tenant
    return None


async def _documents(connection: aioredis.Redis, key: str) -> dict[str, Any]:
    found = await connection.hgetall(key)
    return {name.decode(): wire.from_json(raw, object) for name, raw in found.items()}  # type: ignore[union-attr]  # redis says bytes | str; nothing is decoded here
