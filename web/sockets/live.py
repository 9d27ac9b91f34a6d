"""Live documents to browsers over Socket.IO, WebSocket only.

A browser sends `subscribe {topics}` and is answered with the newest document of each; from then on every change comes
as `doc {topic, doc}`. A collection (`agents`, `queues`, `campaigns`) is answered with all documents of its kind; its
changes come as `doc` with `part_of`.
One greenlet a process reads the stream `live`; after any interruption it sends the newest documents again, so nothing
has to be kept about what was missed. Every ten seconds sessions and permissions are looked at anew.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import redis
from flask import Flask, request
from flask_socketio import SocketIO, disconnect, join_room, leave_room
from sqlalchemy.exc import SQLAlchemyError

from callcenter import wire
from callcenter.auth.access import permissions_of
from callcenter.auth.sessions import read, touch, users_now
from callcenter.clock import wall_s
from callcenter.db.session import tenant_session
from callcenter.errors import AppError, NotSignedIn
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise
from web import metrics
from web.http import sign_in_by_cookie
from web.masking import PERMISSION, masked
from web.sockets import presence
from web.sockets.topics import COLLECTIONS, allowed

log = logging.getLogger(__name__)
MAX_TOPICS = 100
_BLOCK_MS = 2000
_RETRY_S = 0.5
_COLLECTION_OF = {kind: collection for collection, kind in COLLECTIONS.items()}
_AT_WORK = ("available", "ringing", "on_call", "wrap_up")


@dataclass
class Client:
    """One socket of a signed-in user."""

    session_id: str
    tenant: int
    user_id: int
    permissions: frozenset[str]
    topics: set[str] = field(default_factory=set)

    @property
    def at_desk(self) -> bool:
        return "desk.use" in self.permissions

    def room(self, topic: str) -> str:
        """Where documents of `topic` for this client go."""
        return room(self.tenant, topic, unmasked=PERMISSION in self.permissions)


def room(tenant: int, topic: str, *, unmasked: bool) -> str:
    """Name of the room of those who follow `topic` with or without full phone numbers."""
    return f"{tenant}:{topic}" if unmasked else f"{tenant}:{topic}:masked"


class Live:
    """The sockets of one web process."""

    def __init__(self, socketio: SocketIO) -> None:
        self.socketio = socketio
        self.clients: dict[str, Client] = {}
        socketio.on_event("connect", self.on_connect)
        socketio.on_event("disconnect", self.on_disconnect)
        socketio.on_event("subscribe", self.on_subscribe)
        socketio.on_event("unsubscribe", self.on_unsubscribe)

    # --- what browsers say ---

    def on_connect(self, _auth: object = None) -> bool:
        try:
            who = sign_in_by_cookie()
        except AppError:
            who = None
        if who is None:
            return False
        sid = _sid()
        client = Client(who.session_id, who.enterprise.id, who.user.id, who.permissions)
        self.clients[sid] = client
        metrics.SOCKETS.inc()
        if client.at_desk:
            self._tell(presence.seen, client.tenant, client.user_id, [sid])
        return True

    def on_disconnect(self, _reason: object = None) -> None:
        sid = _sid()
        client = self.clients.pop(sid, None)
        if client is None:
            return
        metrics.SOCKETS.dec()
        if client.at_desk:
            self._tell(presence.gone, client.tenant, client.user_id, sid)

    def on_subscribe(self, message: Any) -> dict[str, Any]:
        client = self.clients.get(_sid())
        answer: dict[str, Any] = {"docs": {}, "denied": [], "now": wall_s()}
        if client is None:
            return answer
        for topic in _topics(message):
            full = len(client.topics) >= MAX_TOPICS and topic not in client.topics
            if full or not allowed(topic, client.user_id, client.permissions):
                answer["denied"].append(topic)
                continue
            client.topics.add(topic)
            join_room(client.room(topic))  # first join, then read: what changes in between comes as `doc`
            answer["docs"][topic] = self._newest(client, topic)
        answer["now"] = wall_s()
        return answer

    def on_unsubscribe(self, message: Any) -> None:
        client = self.clients.get(_sid())
        for topic in _topics(message) if client is not None else ():
            if client is not None and topic in client.topics:
                client.topics.discard(topic)
                leave_room(client.room(topic))

    def _newest(self, client: Client, topic: str) -> Any:
        try:
            doc = newest(client.tenant, topic)
        except redis.RedisError:
            return None  # the pump sends it as soon as Valkey is back
        return doc if PERMISSION in client.permissions else masked(doc)

    @staticmethod
    def _tell(what: Any, *args: Any) -> None:
        try:
            what(*args)
        except (AppError, redis.RedisError) as error:
            log.warning("the engine was not told of a browser: %s", error)

    # --- what the system says ---

    def pump(self) -> None:
        """Read the stream for ever and hand each document to whoever follows it."""
        last: str | bytes = "$"
        while True:
            try:
                answer: Any = streams.client().xread({streams.LIVE_STREAM: last}, count=500, block=_BLOCK_MS)
            except redis.RedisError as error:
                log.warning("live stream interrupted: %s", error)
                self.socketio.sleep(_RETRY_S)
                if self.refresh():
                    last = "$"
                continue
            for _stream, entries in answer or ():
                for entry_id, values in entries:
                    last = entry_id
                    self.deliver(int(values[b"t"]), values[b"k"].decode(), values[b"d"])

    def deliver(self, tenant: int, topic: str, raw: bytes) -> None:
        """Send one document to the rooms of this process."""
        targets: list[tuple[str, str | None]] = [(topic, None)]
        collection = _COLLECTION_OF.get(topic.partition(":")[0])
        if collection is not None:
            targets.append((collection, collection))
        doc: Any = None
        for followed, part_of in targets:
            for unmasked in (True, False):
                name = room(tenant, followed, unmasked=unmasked)
                if not self._anybody(name):
                    continue
                doc = wire.from_json(raw, object) if doc is None else doc
                shown = doc if unmasked else masked(doc)
                message = {"topic": topic, "doc": shown}
                if part_of is not None:
                    message["part_of"] = part_of
                self.socketio.emit("doc", message, to=name)

    def _anybody(self, name: str) -> bool:
        return name in self.socketio.server.manager.rooms.get("/", {})

    def refresh(self) -> bool:
        """Send the newest documents of all followed topics again. False if Valkey is still away."""
        followed = {(c.tenant, t) for c in self.clients.values() for t in c.topics}
        try:
            for tenant, topic in followed:
                doc = newest(tenant, topic)
                for unmasked in (True, False):
                    message = {"topic": topic, "doc": doc if unmasked else masked(doc)}
                    self.socketio.emit("doc", message, to=room(tenant, topic, unmasked=unmasked))
        except redis.RedisError:
            return False
        return True

    def watch(self) -> None:
        """Every ten seconds: tell the engine who is there; end sockets whose session or permission has ended."""
        while True:
            self.socketio.sleep(presence.EVERY_S)
            try:
                self.look()
            except (AppError, redis.RedisError, SQLAlchemyError) as error:
                log.warning("sessions of the sockets could not be looked at: %s", error)

    def look(self) -> None:
        """One round of `watch`."""
        by_tenant: dict[int, dict[str, Client]] = defaultdict(dict)
        for sid, client in list(self.clients.items()):
            by_tenant[client.tenant][sid] = client
        for tenant, clients in by_tenant.items():
            with tenant_session(tenant) as session:
                users = users_now(session, {c.user_id for c in clients.values()})
                enterprise = session.get(Enterprise, tenant)
            at_desk: dict[int, list[str]] = defaultdict(list)
            for sid, client in clients.items():
                user = users.get(client.user_id)
                if user is None or not user.enabled or not _session_lives(client, user.session_epoch):
                    self._end(sid)
                    continue
                self._take_permissions(sid, client, permissions_of(user.roles))
                if client.at_desk:
                    at_desk[client.user_id].append(sid)
            for user_id, sids in at_desk.items():
                self._tell(presence.seen, tenant, user_id, sids)
                agent = streams.snapshot(tenant, f"agent:{user_id}")
                if enterprise is not None and isinstance(agent, dict) and agent.get("state") in _AT_WORK:
                    for sid in sids:  # calls are activity, though nothing is clicked
                        touch(clients[sid].session_id, enterprise.idle_sign_out_min)

    def _take_permissions(self, sid: str, client: Client, now: frozenset[str]) -> None:
        if now == client.permissions:
            return
        before = {topic: client.room(topic) for topic in client.topics}
        client.permissions = now
        for topic, old in before.items():
            keep = allowed(topic, client.user_id, now)
            if keep and client.room(topic) == old:
                continue
            leave_room(old, sid=sid, namespace="/")
            if keep:
                join_room(client.room(topic), sid=sid, namespace="/")
            else:
                client.topics.discard(topic)

    def _end(self, sid: str) -> None:
        disconnect(sid=sid, namespace="/")


def newest(tenant: int, topic: str) -> Any:
    """The newest document of `topic`; of a collection, all its documents by topic."""
    if topic not in COLLECTIONS:
        return streams.snapshot(tenant, topic)
    match = f"{COLLECTIONS[topic]}:*"
    everything: Any = streams.client().hscan_iter(streams.live_key(tenant), match=match, count=500)
    return {k.decode(): wire.from_json(v, object) for k, v in everything}


def _session_lives(client: Client, epoch: int) -> bool:
    try:
        return read(client.session_id).epoch == epoch
    except NotSignedIn:
        return False


def _sid() -> str:
    return str(getattr(request, "sid", ""))


def _topics(message: Any) -> list[str]:
    found = message.get("topics") if isinstance(message, dict) else None
    return [t for t in found if isinstance(t, str)][:MAX_TOPICS] if isinstance(found, list) else []


def install(app: Flask) -> Live:
    """Put the sockets on `app` and start what feeds them. Call it once in a worker, after the gevent patch."""
    socketio = SocketIO(
        app,
        async_mode="gevent",
        transports=["websocket"],
        manage_session=False,
        ping_interval=10,
        ping_timeout=10,
        max_http_buffer_size=64 * 1024,
        logger=False,
        engineio_logger=False,
    )
    live = Live(socketio)

    def in_app(work: Any) -> None:
        with app.app_context():
            work()

    socketio.start_background_task(in_app, live.pump)
    socketio.start_background_task(in_app, live.watch)
    return live
