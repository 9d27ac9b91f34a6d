"""The lookup service: answers the engine's question who calls (`callcenter/numbers/asking.py`), in several threads.

Each thread takes a request from the one list, asks `crm.queries.callers` and puts the answer where the engine waits for
it. A request that is older than anybody waits is dropped, one that can't be answered is logged and left unanswered: the
call goes on without. Nothing is lost by a restart, what was asked meanwhile is stale.
"""

from __future__ import annotations

import logging
import threading
import time

import msgspec
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.db.session import tenant_session
from callcenter.events import streams
from callcenter.numbers.asking import QUEUE, REPLY_EXPIRES_S, STALE_S, Lookup, reply_key
from callcenter.tenancy.models import Enterprise
from crm.queries.callers import who_calls

log = logging.getLogger(__name__)
THREADS = 4
POLL_S = 1.0
COUNTRY_S = 60.0
_countries: dict[int, tuple[float, str]] = {}  # enterprise → (read at, its country)


def run(stop: threading.Event) -> None:
    """Answer until `stop` is set; raises what one of its threads can't go on with, so that all begin again."""
    failed: list[Exception] = []
    ended = threading.Event()

    def work() -> None:
        try:
            while not (stop.is_set() or ended.is_set()):
                serve_one(POLL_S)
        except Exception as error:
            failed.append(error)
            ended.set()

    threads = [threading.Thread(target=work, name=f"lookups-{i}") for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def serve_one(wait_s: float) -> bool:
    """Answer the next request, waiting for one at most `wait_s`; whether there was one. Raises RedisError, and what the
    database raises when it is away."""
    connection = streams.client()
    taken = connection.blpop([QUEUE], timeout=wait_s)
    if taken is None:
        return False
    try:
        request = wire.from_json(taken[1], Lookup)
        if wall_s() - request.at > STALE_S:
            return True
        with tenant_session(request.tenant) as session:
            caller = who_calls(session, request.number, _country(request.tenant))
        pipe = connection.pipeline(transaction=False)
        pipe.rpush(reply_key(request.id), wire.to_json(caller))
        pipe.expire(reply_key(request.id), REPLY_EXPIRES_S)
        pipe.execute()
    except (RedisError, OperationalError, InterfaceError):
        raise
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        log.error("a lookup that can't be read: %s", error)
    except Exception:
        log.exception("who calls could not be found; the call goes on without")
    return True


def _country(tenant: int) -> str:
    at, country = _countries.get(tenant, (float("-inf"), ""))
    if time.monotonic() - at > COUNTRY_S:
        with tenant_session(tenant) as session:
            country = session.scalar(select(Enterprise.country)) or "CN"
        _countries[tenant] = (time.monotonic(), country)
    return country
