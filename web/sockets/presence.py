"""Tells the engine whose browser is there, across all web processes.

    presence:{tenant}:{user}   sorted set: socket id → when it was last seen, seconds since the epoch

The engine gives an agent a grace time after `online=False`, and takes silence for absence; both are its business.
"""

from __future__ import annotations

from callcenter.calls.commands import Presence
from callcenter.clock import wall_s
from callcenter.events import streams

EVERY_S = 10.0
_STALE_S = 3 * EVERY_S


def _key(tenant: int, user_id: int) -> str:
    return f"presence:{tenant}:{user_id}"


def seen(tenant: int, user_id: int, socket_ids: list[str]) -> None:
    """The user has these sockets open in this process: on connect and every `EVERY_S`."""
    now = wall_s()
    pipe = streams.client().pipeline()
    pipe.zadd(_key(tenant, user_id), dict.fromkeys(socket_ids, now))
    pipe.expire(_key(tenant, user_id), int(_STALE_S * 2))
    pipe.execute()
    streams.send(tenant, Presence(user_id=user_id, online=True), wait_s=None)


def gone(tenant: int, user_id: int, socket_id: str) -> None:
    """A socket has closed; with the user's last one the engine is told."""
    pipe = streams.client().pipeline()
    pipe.zrem(_key(tenant, user_id), socket_id)
    pipe.zcount(_key(tenant, user_id), wall_s() - _STALE_S, "+inf")
    _, left = pipe.execute()
    if left == 0:
        streams.send(tenant, Presence(user_id=user_id, online=False), wait_s=None)
