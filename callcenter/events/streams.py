"""The streams in Redis, their keys, and how web and jobs speak to the engine and to browsers.

    facts                  stream: engine → recorder (consumer group "recorder")
    commands:{engine}      stream: web, relay → engine
    reply:{command id}     list of one: the engine's answer, expires after 30 s
    engine:of:{tenant}     which engine holds the tenant
    cfg:tenants            set: the tenants that have settings
    cfg:{tenant}           hash "entity:id" → document: settings, written by the relay, read by the engine
    live                   stream: documents for browsers → every web process
    engines:sip            hash engine → "host:port" where its SIP phones register
    registrations:{tenant} hash phone → where it is registered, written by the engine
    live:{tenant}          hash topic → the topic's newest document: what a snapshot is

A live topic is a whole document, replaced as one (`agent:7`, `campaign:3`, `import:01J…`): a browser that missed some
needs the newest only, so that after any interruption snapshot and events cannot disagree.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from callcenter import config, wire
from callcenter.clock import wall_s
from callcenter.errors import AppError, Unavailable
from callcenter.events.envelope import COMMANDS, Envelope

FACTS_STREAM = "facts"
RECORDER_GROUP = "recorder"
LIVE_STREAM = "live"
SETTINGS_TENANTS = "cfg:tenants"
SIP_ADDRESSES = "engines:sip"
LIVE_LENGTH = 20_000
REPLY_EXPIRES_S = 30


def commands_stream(engine_id: str) -> str:
    """Key of the stream of commands for `engine_id`."""
    return f"commands:{engine_id}"


def reply_key(command_id: str) -> str:
    """Key of the list that takes the answer to a command."""
    return f"reply:{command_id}"


def engine_of_key(tenant: int) -> str:
    """Key that names the engine of a tenant."""
    return f"engine:of:{tenant}"


def settings_key(tenant: int) -> str:
    """Key of the tenant's settings."""
    return f"cfg:{tenant}"


def registrations_key(tenant: int) -> str:
    """Hash of the tenant's SIP phones that are registered: phone id → `telephony.phones.Registration`."""
    return f"registrations:{tenant}"


def live_key(tenant: int) -> str:
    """Key of the tenant's newest live documents."""
    return f"live:{tenant}"


# To the tenant's engine, or to the installation's own if none holds it, in one round trip.
_SEND = """
local engine = redis.call("GET", KEYS[1]) or ARGV[2]
redis.call("XADD", ARGV[1] .. engine, "MAXLEN", "~", 100000, "*", "e", ARGV[3])
"""

_client: redis.Redis | None = None
_of_threads: dict[int, redis.Redis] = {}


def client() -> redis.Redis:
    """The process's connection pool to REDIS_URL; commands are retried for about 3 s while it restarts.

    Under gevent a native thread (`web.http.off_loop`) has one of its own: a socket belongs to the loop that opened it.
    """
    global _client
    thread = threading.get_native_id()
    if thread != os.getpid() and _under_gevent():
        if thread not in _of_threads:
            _of_threads[thread] = _connect()
        return _of_threads[thread]
    if _client is None:
        _client = _connect()
    return _client


def _connect() -> redis.Redis:
    return redis.Redis.from_url(
        config.load().redis_url,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 10),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        socket_connect_timeout=2,
        health_check_interval=15,
    )


def _under_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")  # not imported for this: most processes do without
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def publish(tenant: int, topic: str, document: Any, connection: redis.Redis | None = None) -> None:
    """Replace the live document `topic` of `tenant` and push it to the browsers that look at it."""
    raw = wire.to_json(document)
    pipe = (connection or client()).pipeline(transaction=True)
    pipe.hset(live_key(tenant), topic, raw)
    pipe.xadd(LIVE_STREAM, {"t": str(tenant), "k": topic, "d": raw}, maxlen=LIVE_LENGTH, approximate=True)
    pipe.execute()


def snapshot(tenant: int, topic: str) -> Any:
    """The newest document of `topic`, or None."""
    raw = client().hget(live_key(tenant), topic)
    return None if raw is None else wire.from_json(raw, object)


def send(tenant: int, command: object, *, wait_s: float | None = 3.0) -> Any:
    """Send a command to the tenant's engine; with `wait_s`, wait for its answer and return it (plain data).

    Raises Unavailable if no answer came in time, or the AppError that the engine answered with.
    """
    envelope = COMMANDS.pack(command, tenant=tenant, at=wall_s())
    return send_envelope(envelope, wait_s=wait_s)


def send_envelope(envelope: Envelope, *, wait_s: float | None) -> Any:
    """`send` for a packed command."""
    connection = client()
    try:
        own = config.load().engine_id
        connection.eval(_SEND, 1, engine_of_key(envelope.tenant), commands_stream(""), own, wire.to_json(envelope))
        if wait_s is None:
            return None
        answer = connection.blpop([reply_key(envelope.id)], timeout=wait_s)
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise Unavailable(
            "The telephone engine can't be reached. Try again in a moment.", code="engine_away"
        ) from error
    if answer is None:
        raise Unavailable("The telephone engine does not answer. Try again in a moment.", code="engine_away")
    reply = wire.from_json(answer[1], dict[str, Any])
    if "error" in reply:
        told = reply["error"]
        refusal = AppError(told["message"], code=told["code"], fields=told.get("fields"), params=told.get("params"))
        refusal.status = told.get("status", 409)
        raise refusal
    return reply.get("ok")
