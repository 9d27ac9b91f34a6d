"""The loop that makes texts of sends: it reads an audience batch by batch, judges, reserves, and stores.

Everything of a batch (texts, money, figures, how far the audience is read) is one transaction: a preparer that dies
leaves a batch whole or not begun, and any other goes on from there. Several may run; a send is with one at a time. New
sends come before the next batch of a large one, and large ones take turns, so that a single text does not stand behind
a million.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import redis
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from callcenter import config
from callcenter.clock import monotonic_s, utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import AppError
from smsgateway.models import TextSend
from smsgateway.sending import claims, files, media, progress, rules, storing, sweeping
from smsgateway.sending.actions import CHANNEL
from smsgateway.sending.audience import Recipient, read
from smsgateway.sending.facts import facts_of
from smsgateway.sending.judging import job_of, judge
from smsgateway.sending.resolving import own_keys
from smsgateway.texts import SEND, SendEvent, SendState
from smsgateway.words.normalise import fold

log = logging.getLogger(__name__)
BATCH: Final = 1000
POLL_S: Final = 1.0
AWAY_S: Final = 0.5
ANNOUNCE_S: Final = 0.4
RULES_EVERY_S: Final = 60.0
FILES_EVERY_S: Final = 3600.0
MOST_FAULTS: Final = 5  # in a row on one send, then it is ended with its error
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, redis.RedisError)

# Both conditions are those of partial indexes, word for word.
_FRESH = text("SELECT id, tenant_id FROM text_send WHERE state = 'preparing' AND cursor = '{}' ORDER BY id LIMIT 20")
_OPEN = text("SELECT id, tenant_id FROM text_send WHERE state = 'preparing' ORDER BY id LIMIT 5000")
_SWEEP = text(
    "SELECT id, tenant_id FROM text_send WHERE (cursor ->> 'stage') IN ('cancel', 'reject') ORDER BY id LIMIT 1000"
)


@dataclass(frozen=True)
class Work:
    """A send on which there is something to do."""

    send_id: int
    tenant_id: int


class Preparer:
    """One loop. `batch`: recipients at a time."""

    def __init__(self, batch: int = BATCH) -> None:
        self.batch = batch
        self._last = 0
        self._faults: Counter[int] = Counter()
        self._announced: dict[int, float] = {}
        self._next_rules = self._next_files = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, through times without a database."""
        fold("")  # makes its tables, which takes longer than the first text should wait
        while not stop.is_set():
            try:
                with psycopg.connect(config.load().database_url, autocommit=True, connect_timeout=5) as listener:
                    listener.execute(f"LISTEN {CHANNEL}")
                    while not stop.is_set():
                        while not stop.is_set() and self.turn():
                            pass
                        for _ in listener.notifies(timeout=POLL_S, stop_after=1):
                            break
            except AWAY as error:
                log.warning("the database or Valkey is away (%s); trying again", type(error).__name__)
                stop.wait(AWAY_S)

    def turn(self) -> bool:
        """A batch of each new send, then one of the large send whose turn it is; whether there was anything to do."""
        self._keep_house()
        with platform_session() as session:
            fresh = [Work(*row) for row in session.execute(_FRESH)]
            others = [Work(*row) for row in session.execute(_OPEN)]
            others += [Work(*row) for row in session.execute(_SWEEP)]
        done = sum(self.work(w) for w in fresh)
        new = {w.send_id for w in fresh}
        older = sorted((w for w in others if w.send_id not in new), key=lambda w: (w.send_id <= self._last, w.send_id))
        for w in older:
            self._last = w.send_id
            if self.work(w):
                return True
        return done > 0

    def work(self, w: Work) -> bool:
        """One batch of a send; whether something changed. A fault of the send's own is tried again, then ends it."""
        try:
            moved = self._batch(w)
        except AWAY:
            raise
        except Gone:
            return True
        except Exception as error:
            self._faults[w.send_id] += 1
            log.exception("send %d of tenant %d: a batch failed", w.send_id, w.tenant_id)
            if isinstance(error, AppError) or self._faults[w.send_id] >= MOST_FAULTS:
                self._give_up(w, error)
            return False
        self._faults.pop(w.send_id, None)
        if moved is None:
            return False
        self._announce(w, now=moved.get("state") != SendState.PREPARING, document=moved)
        return True

    def _batch(self, w: Work) -> dict[str, Any] | None:
        """The figures after one batch; None if there was nothing to do, or somebody else has the send."""
        with tenant_session(w.tenant_id) as session:
            if not claims.take(session, w.send_id):
                return None
            send = session.get(TextSend, w.send_id)
            if send is None:
                return None
            stage = send.cursor.get("stage")
            if stage in sweeping.STAGES:
                before = (send.queued, send.approval, stage)
                again = sweeping.step(session, send)
                session.flush()
                moved = again or before != (send.queued, send.approval, send.cursor.get("stage"))
                return progress.document(send) if moved else None
            if send.state != SendState.PREPARING:
                return None
            if stage == "held":
                _release(session, send, self.batch)
            else:
                _read_on(session, send, self.batch)
            session.flush()
            return progress.document(send)

    def _give_up(self, w: Work, error: Exception) -> None:
        """End the reading of a send's audience; what is queued goes, what waits for approval waits."""
        self._faults.pop(w.send_id, None)
        told = {"code": "defect", "message": "Something went wrong on our side; the rest of this send was not made."}
        if isinstance(error, AppError):
            told = {"code": error.code, "message": error.message}
        with tenant_session(w.tenant_id) as session:
            send = session.get(TextSend, w.send_id, with_for_update=True)
            if send is None or send.state != SendState.PREPARING:
                return
            send.error = told
            send.cursor = {"batch": send.cursor.get("batch", 0), "stage": "stopped"}
            _finish(session, send)
            progress.notify(session, send, "stopped", reason=told["message"])

    def _announce(self, w: Work, *, now: bool, document: dict[str, Any]) -> None:
        at = monotonic_s()
        if not now and at - self._announced.get(w.send_id, 0.0) < ANNOUNCE_S:
            return
        if now:
            self._announced.pop(w.send_id, None)
        else:
            self._announced[w.send_id] = at
        try:
            progress.push(w.tenant_id, document)
        except redis.RedisError as error:
            log.warning("progress of send %d could not be pushed: %s", w.send_id, error)

    def _keep_house(self) -> None:
        now = monotonic_s()
        if now >= self._next_rules:
            self._next_rules = now + RULES_EVERY_S
            rules.make_due(utc_now())
        if now >= self._next_files:
            self._next_files = now + FILES_EVERY_S
            files.sweep()
            media.sweep()


def run(stop: threading.Event) -> None:
    """The loop of a process."""
    Preparer().run(stop)


def _read_on(session: Session, send: TextSend, limit: int) -> None:
    """The next recipients of the audience become texts."""
    known = facts_of(session, send.tenant_id, send.sender_id, system=bool(send.audience.get("all")))
    page = read(session, send.audience, known.whose, send.cursor, limit)
    unique: dict[str, Recipient] = {}
    for r in page.recipients:
        unique.setdefault(r.phone, r)
    there = storing.already(session, send.id, list(unique))
    recipients = [r for r in unique.values() if r.phone not in there]
    claims.judging(session, send.tenant_id)
    job = job_of(known, send, own_keys(known.fields, send.audience))
    if job.capped:
        claims.one_at_a_time(session, send.tenant_id)
    now = utc_now()
    judged = judge(session, job, recipients, now.timestamp())
    send = _lock(session, send)
    number = int(send.cursor.get("batch", 0)) + 1
    held = storing.pay(session, send, judged, number)
    added = storing.insert(session, send, held, job, now)
    _add(send, added)
    send.duplicates += len(page.recipients) - len(recipients)
    send.cursor = {**(page.cursor or {"stage": "read"}), "batch": number}
    if page.cursor is None:
        _finish(session, send)


def _release(session: Session, send: TextSend, limit: int) -> None:
    """The next texts that a person has let pass are judged again, and paid."""
    claims.judging(session, send.tenant_id)
    rows = storing.held(session, send.id, str(send.cursor.get("after") or ""), limit)
    known = facts_of(session, send.tenant_id, send.sender_id, system=False)
    job = job_of(known, send, frozenset(), approved=True, rendered=True)
    if job.capped:
        claims.one_at_a_time(session, send.tenant_id)
    now = utc_now()
    bodies = {r.phone_e164: send.body if r.body is None else r.body for r in rows}
    recipients = [Recipient(r.phone_e164, contact_id=r.contact_id, customer_id=r.customer_id) for r in rows]
    # Whose clock it goes by was settled when the text was made.
    dues = {r.phone_e164: r.not_before.timestamp() for r in rows}
    judged = judge(session, job, recipients, now.timestamp(), bodies=bodies, dues=dues)
    send = _lock(session, send)
    number = int(send.cursor.get("batch", 0)) + 1
    paid = storing.pay(session, send, judged, number)
    changed = storing.release(session, send, rows, paid, job, now)
    _add(send, changed)
    send.approval -= len(rows)
    send.asked -= len(rows)
    done = len(rows) < limit
    send.cursor = {"stage": "read" if done else "held", "batch": number}
    if not done:
        send.cursor = {**send.cursor, "after": rows[-1].phone_e164}
    if done:
        _finish(session, send)


class Gone(Exception):
    """The send was cancelled while its batch was judged: nothing of the batch is kept."""


def _lock(session: Session, send: TextSend) -> TextSend:
    """The send's row, locked until the end of the batch: as late as can be, since carriers' processes need it too."""
    session.refresh(send, with_for_update=True)
    if send.state != SendState.PREPARING:
        raise Gone
    return send


def _add(send: TextSend, counts: Counter[str]) -> None:
    for name, n in counts.items():
        setattr(send, name, getattr(send, name) + n)


def _finish(session: Session, send: TextSend) -> None:
    """All recipients are judged."""
    if send.approval > 0:
        progress.changed(session)
    if send.queued + send.submitting > 0:
        event = SendEvent.JUDGED
    elif send.approval > 0:
        event = SendEvent.HELD
    else:
        event = SendEvent.EMPTIED
        send.finished_at = utc_now()
    send.state = SEND.next(SendState(send.state), event).value
