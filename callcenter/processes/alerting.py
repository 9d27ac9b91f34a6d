"""The loop `alerts`: watches the thresholds of boards, tells who asked for it, and keeps the figures' last hour.

It reads the same live documents that browsers see. What it tells is written down (`board_alert`), shown to the
board's people as a notice on `user:{id}`, and posted to the board's webhook: JSON, with the header
`X-Signature: sha256=<HMAC of the body with the board's secret>`, tried three times.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import threading
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from callcenter import wire
from callcenter.auth.access import permissions_of
from callcenter.auth.models import User
from callcenter.calls.control import Http
from callcenter.clock import to_utc, wall_s
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.metrics import past
from callcenter.metrics.alerts import Level, Threshold, Watch
from callcenter.metrics.boards import all_with_alerts
from callcenter.metrics.figures import FIGURES, figure
from callcenter.metrics.models import BoardAlert
from callcenter.processes.engine.asking import Asking
from callcenter.tenancy.models import Enterprise

log = logging.getLogger(__name__)
TURN_S = 1.0
BOARDS_EVERY_S = 5.0
SAMPLE_EVERY_S = 60.0
POST_TIMEOUT_S = 5.0
POST_TRIES = 3

Key = tuple[int, str]  # board, tile


class Alerting:
    """Watches all enterprises' boards."""

    def __init__(self) -> None:
        self._watches: dict[int, dict[Key, Watch]] = {}
        self._boards: dict[int, list[dict[str, Any]]] = {}
        self._boards_at = 0.0
        self._sampled_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.wait(TURN_S):
            now = wall_s()
            if now - self._boards_at >= BOARDS_EVERY_S:
                self._boards_at = now
                self._boards = self._read_boards()
            sample = now - self._sampled_at >= SAMPLE_EVERY_S
            if sample:
                self._sampled_at = now
            for tenant, boards in self._boards.items():
                documents = newest(tenant)
                if sample:
                    self._sample(tenant, documents, now)
                self.look(tenant, boards, documents, now)

    def _read_boards(self) -> dict[int, list[dict[str, Any]]]:
        with platform_session() as session:
            tenants = list(session.scalars(select(Enterprise.id)))
        out = {}
        for tenant in tenants:
            with tenant_session(tenant) as session:
                out[tenant] = [
                    {
                        "id": b.id, "name": b.name, "owner_id": b.owner_id, "shared": b.shared, "pages": b.pages,
                        "webhook_url": b.webhook_url, "webhook_secret": b.webhook_secret,
                    }
                    for b in all_with_alerts(session)
                ]  # fmt: skip
        return out

    def _sample(self, tenant: int, documents: Mapping[str, Any], now: float) -> None:
        for topic, document in documents.items():
            if topic.partition(":")[0] in FIGURES:
                past.note(tenant, topic, document, now)

    def look(
        self, tenant: int, boards: list[dict[str, Any]], documents: Mapping[str, Any], now: float
    ) -> list[dict[str, Any]]:
        """One turn for one enterprise; returns what was told."""
        watches = self._watches.setdefault(tenant, {})
        wanted: dict[Key, tuple[dict[str, Any], dict[str, Any]]] = {}
        for board in boards:
            for page in board["pages"]:
                for tile in page.get("tiles", ()):
                    limits = tile.get("warn") is not None or tile.get("bad") is not None
                    if tile["kind"] == "figure" and limits and (tile.get("notice") or tile.get("webhook")):
                        wanted[board["id"], tile["id"]] = (board, tile)
        for key in watches.keys() - wanted.keys():
            del watches[key]
        told = []
        for key, (board, tile) in wanted.items():
            threshold = Threshold(tile.get("warn"), tile.get("bad"), tile.get("above", True), tile.get("for_s", 5.0))
            watch = watches.get(key)
            if watch is None or watch.threshold != threshold:
                watch = watches[key] = Watch(threshold, watch.told if watch else Level.OK)
            topic = tile["subject"] + (f":{tile['subject_id']}" if tile.get("subject_id") is not None else "")
            value = figure(tile["subject"], tile["metric"], documents.get(topic), now)
            level = watch.see(value, now)
            if level is not None:
                told.append(self._tell(tenant, board, tile, level, value, now))
        return told

    def _tell(
        self, tenant: int, board: dict[str, Any], tile: dict[str, Any], level: Level, value: float | None, now: float
    ) -> dict[str, Any]:
        alert = {
            "board_id": board["id"], "board": board["name"], "tile_id": tile["id"], "subject": tile["subject"],
            "subject_id": tile.get("subject_id"), "metric": tile["metric"], "level": int(level), "value": value,
            "at": now,
        }  # fmt: skip
        with tenant_session(tenant) as session:
            row = BoardAlert(
                **{k: v for k, v in alert.items() if k not in ("board", "at")}, at=to_utc(now),
                delivery="sending" if tile.get("webhook") and board["webhook_url"] else "",
            )  # fmt: skip
            session.add(row)
            session.flush()
            alert_id = row.id
            people = _people(session, board) if tile.get("notice") else []
        for user_id in people:
            streams.publish(tenant, f"user:{user_id}", {"kind": "alert", "id": f"alert-{alert_id}", **alert})
        if tile.get("webhook") and board["webhook_url"]:
            work = threading.Thread(target=self._post, args=(tenant, alert_id, board, alert), daemon=True)
            work.start()
        return alert

    def _post(self, tenant: int, alert_id: int, board: dict[str, Any], alert: dict[str, Any]) -> None:
        body = wire.to_json({"id": f"{tenant}-{alert_id}", **alert})
        delivery = asyncio.run(deliver(board["webhook_url"], board["webhook_secret"], body))
        with tenant_session(tenant) as session:
            session.execute(update(BoardAlert).where(BoardAlert.id == alert_id).values(delivery=delivery))


def _people(session: Any, board: dict[str, Any]) -> list[int]:
    """Whom an alert of the board is shown to: its owner, and of a shared one all who see boards."""
    if not board["shared"]:
        return [board["owner_id"]] if board["owner_id"] is not None else []
    users = session.scalars(select(User).where(User.enabled))
    return [u.id for u in users if "board.read" in permissions_of(u.roles)]


def newest(tenant: int) -> dict[str, Any]:
    """The newest documents that boards show, by topic; `agents` is all agents' documents."""
    raw: Any = streams.client().hgetall(streams.live_key(tenant))
    documents: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    for name, value in raw.items():
        topic = name.decode()
        kind = topic.partition(":")[0]
        if kind == "agent":
            agents[topic] = wire.from_json(value, object)
        elif kind in FIGURES:
            documents[topic] = wire.from_json(value, object)
    documents["agents"] = agents
    return documents


async def deliver(url: str, secret: str, body: bytes) -> str:
    """Post `body`, signed. Returns "ok" or why it did not arrive, in a word or two."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    post = Http("alert", "POST", url, {"X-Signature": f"sha256={signature}"}, body.decode(), POST_TIMEOUT_S)
    asking = Asking()
    try:
        for attempt in range(POST_TRIES):
            if attempt:
                await asyncio.sleep(2**attempt)
            answer = await asking.ask(post)
            if 200 <= answer.status < 300:
                return "ok"
        return f"status {answer.status}" if answer.status else answer.error
    finally:
        await asking.close()


def run(stop: threading.Event) -> None:
    """The loop of the backoffice."""
    Alerting().run(stop)
