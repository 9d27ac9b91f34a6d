"""What goes beside a job that runs: its lease, its live document, and the user's wish to stop it.

import:lease:{id}    held by the worker that runs it, 15 s
import:cancel:{id}   the user's wish to stop it
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Generic, TypeVar

import psycopg
from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from callcenter.clock import monotonic_s
from callcenter.events import streams

log = logging.getLogger(__name__)
LEASE_S = 15
_BEAT_S = 3.0
_PUBLISH_EVERY_S = 0.4


class Cancelled(Exception):
    """The user stopped the job; the transaction is rolled back."""


D = TypeVar("D", bound=Any)  # a frozen dataclass


def cancel_key(job_id: str) -> str:
    """Set while the user wants job `job_id` to stop."""
    return f"import:cancel:{job_id}"


def lease_key(job_id: str) -> str:
    """Held by the worker that runs job `job_id`."""
    return f"import:lease:{job_id}"


class Watch(Generic[D]):
    """Keeps the lease, publishes the document, and tells the job when to stop. A thread of its own, since the last
    statement of an import takes seconds; it cancels that statement too. `document` has at
    least id, phase, total_bytes, done_bytes, rows, rows_per_s and seconds_left."""

    def __init__(self, document: D, connection: psycopg.Connection, announce: Callable[[D], None]) -> None:
        self.document: D = document
        self.stop_reason: Exception | None = None
        self._connection, self._announce = connection, announce
        self._ended = threading.Event()
        self._started = monotonic_s()
        self._published = 0.0
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_S / 6):
            try:
                self._once()
            except RedisError:
                log.warning("Redis does not answer; the job goes on", exc_info=True)

    def _once(self) -> None:
        client = streams.client()
        client.set(lease_key(self.document.id), "1", ex=LEASE_S)
        if client.exists(cancel_key(self.document.id)) and self.stop_reason is None:
            self.stop_reason = Cancelled()
            self._connection.cancel_safe(timeout=5)

    def check(self) -> None:
        """Raises Cancelled if the user wants it so."""
        if self.stop_reason is not None:
            raise self.stop_reason

    def tick(self, *, force: bool = False, **changes: Any) -> None:
        """Take over `changes` and publish, at most every 0.4 s unless forced. Raises Cancelled."""
        self.check()
        self.document = replace(self.document, **changes)
        now = monotonic_s()
        if not force and now - self._published < _PUBLISH_EVERY_S:
            return
        self._published = now
        spent, done, total = now - self._started, self.document.done_bytes, self.document.total_bytes
        left = spent / done * (total - done) if done and self.document.phase == "reading" else None
        self.document = replace(self.document, rows_per_s=self.document.rows / spent if spent else 0, seconds_left=left)
        self._announce(self.document)

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join(10)

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """A statement that the watch cancelled ends as what it was cancelled for."""
        try:
            yield
        except psycopg.errors.QueryCanceled:
            self.check()
            raise


def driver_connection(session: Session) -> psycopg.Connection:
    """psycopg's connection under `session`, in its transaction."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection
