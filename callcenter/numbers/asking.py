"""How the engine asks who calls: a request in a list of Redis, answered by the lookup service of the backoffice.

    lookups               list: requests, the oldest first; the newest MOST_WAITING of them are kept
    lookup:{request id}   list of one: the answer, expires after REPLY_EXPIRES_S

The engine never touches PostgreSQL, and a caller never waits for a database: without an answer in time the call goes on
with `caller.unknown`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec
import redis.asyncio as aioredis
from redis.exceptions import RedisError

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.ids import new_id
from callcenter.numbers.caller import Caller

log = logging.getLogger(__name__)
QUEUE = "lookups"
MOST_WAITING = 1000
STALE_S = 2.0  # nobody waits for the answer any more; clocks of two hosts may differ by a second
REPLY_EXPIRES_S = 10


@dataclass(frozen=True)
class Lookup:
    """`number` as the trunk wrote it, `did` ours in E.164, `at` seconds since the epoch."""

    id: str
    tenant: int
    number: str
    did: str
    at: float


def reply_key(request_id: str) -> str:
    """Key of the list that takes the answer."""
    return f"lookup:{request_id}"


async def ask_caller(
    connection: aioredis.Redis, tenant: int, number: str, timeout_s: float = 0.3, *, did: str = ""
) -> Caller | None:
    """Who calls with `number` (in any format); None if there was no answer in `timeout_s`. Ask before the call is told
    to the recorder, or it counts as one of the caller's earlier calls. Never raises but on cancellation."""
    request = Lookup(new_id(), tenant, number, did, wall_s())
    try:
        pipe = connection.pipeline(transaction=False)
        pipe.rpush(QUEUE, wire.to_json(request))
        pipe.ltrim(QUEUE, -MOST_WAITING, -1)
        await pipe.execute()
        answer = await connection.blpop([reply_key(request.id)], timeout=timeout_s)
        return None if answer is None else wire.from_json(answer[1], Caller)
    except (RedisError, OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
        log.warning("who calls could not be asked: %s", error)
        return None
