"""The relay: carries the outbox to Redis, woken by NOTIFY. At start it writes every enterprise's settings once."""

from __future__ import annotations

import logging
import threading
from typing import Any

import psycopg
import redis
from sqlalchemy import delete, select
from sqlalchemy.exc import InterfaceError, OperationalError

from callcenter import config, ids, wire
from callcenter.calls.commands import SettingsChanged
from callcenter.clock import wall_s
from callcenter.db.outbox import CHANNEL, OutboxRow
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import Unavailable
from callcenter.events import streams
from callcenter.events.envelope import Envelope
from callcenter.processes import documents
from callcenter.tenancy.models import Enterprise
from crm import blacklist
from smsgateway.sending import progress
from smsgateway.sending.cancelling import cancel_for
from smsgateway.words import store as words

log = logging.getLogger(__name__)
BATCH = 200
POLL_S = 1.0
AWAY = (redis.RedisError, OperationalError, InterfaceError, OSError, Unavailable)  # not the message's own fault


def run(stop: threading.Event) -> None:
    """Carry messages until `stop` is set."""
    synchronise()
    with psycopg.connect(config.load().database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        while not stop.is_set():
            while carry():
                pass
            for _ in listener.notifies(timeout=POLL_S, stop_after=1):
                break


def synchronise() -> None:
    """Write all settings of all enterprises and tell the engines."""
    with platform_session() as session:
        tenants = list(session.scalars(select(Enterprise.id)))
    for tenant in tenants:
        try:
            synchronise_tenant(tenant)
        except AWAY:
            raise
        except Exception:
            log.exception("settings of tenant %d can't be written; the others are", tenant)


def synchronise_tenant(tenant: int) -> None:
    """Write all settings of one enterprise; documents of rows that are gone are removed."""
    connection = streams.client()
    with tenant_session(tenant) as session:
        named = list(documents.everything(session))
    wanted = {f"{entity}:{id_}" for entity, id_, _ in named}
    known: Any = connection.hkeys(streams.settings_key(tenant))
    for raw in known:
        if raw.decode() not in wanted:
            entity, _, id_ = raw.decode().partition(":")
            named.append((entity, int(id_), None))
    connection.sadd(streams.SETTINGS_TENANTS, tenant)
    _write(connection, tenant, named)
    blacklist.sync(tenant)


def carry() -> int:
    """Carry one batch; returns how many messages it had."""
    with platform_session() as session:
        rows = session.scalars(
            select(OutboxRow).order_by(OutboxRow.id).limit(BATCH).with_for_update(skip_locked=True)
        ).all()
        for row in rows:
            try:
                _carry_one(row.tenant_id, row.topic, row.body)
            except AWAY:
                raise  # nothing is deleted: all of it is carried again
            except Exception:
                log.exception("outbox message %s of topic %s can't be carried; it is dropped", row.id, row.topic)
        session.execute(delete(OutboxRow).where(OutboxRow.id.in_([r.id for r in rows])))
    return len(rows)


def _carry_one(tenant: int, topic: str, body: dict[str, Any]) -> None:
    connection = streams.client()
    if topic == "settings":
        entity = str(body["entity"])
        if entity == "blacklist":
            blacklist.sync(tenant)
            return
        if entity == "words":
            words.changed(tenant)
            return
        if entity == "enterprise" and not connection.sismember(streams.SETTINGS_TENANTS, str(tenant)):
            synchronise_tenant(tenant)
            return
        with tenant_session(tenant) as session:
            named = list(documents.changed(session, entity, int(body["id"])))
        connection.sadd(streams.SETTINGS_TENANTS, tenant)
        _write(connection, tenant, named)
    elif topic == "command":
        envelope = Envelope(ids.new_id(), str(body["type"]), 1, tenant, wall_s(), dict(body["body"]))
        streams.send_envelope(envelope, wait_s=None)
    elif topic == "blacklisted":
        with tenant_session(tenant) as session:
            cancel_for(session, tenant, body["phones"], "blacklist")
    elif topic == "send":
        progress.announce(tenant, int(body["id"]))
    elif topic == "live":
        streams.publish(tenant, str(body["topic"]), body["payload"])
    else:
        raise ValueError(f"no one takes topic {topic!r}")


def _write(connection: redis.Redis, tenant: int, named: list[documents.Named]) -> None:
    for entity, id_, doc in named:
        field = f"{entity}:{id_}"
        if doc is None:
            connection.hdel(streams.settings_key(tenant), field)
        else:
            connection.hset(streams.settings_key(tenant), field, wire.to_json(doc))
        streams.send(tenant, SettingsChanged(entity, id_, doc), wait_s=None)
