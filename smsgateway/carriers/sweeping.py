"""What time alone does to texts: those that waited too long expire, and those whose receipt never came.

Runs beside the preparer, for all carriers, so that nothing waits for ever where a carrier is down, disabled or gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.clock import monotonic_s, wall_s
from callcenter.db.session import platform_session
from smsgateway.carriers.policies import Policy, Refund
from smsgateway.purse import bookings
from smsgateway.purse.bookings import Line
from smsgateway.sending import counts
from smsgateway.texts import TextState

log = logging.getLogger(__name__)
QUEUED_EVERY_S: Final = 15.0
UNANSWERED_EVERY_S: Final = 600.0
BATCH: Final = 1000
PARKED_D: Final = 7

_QUEUED = text("""
SELECT id, send_id, reservation_id, price_minor, segments FROM text_message
WHERE state = 'queued' AND expires_at <= now() ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
""")
_UNANSWERED = text("""
SELECT m.id, m.send_id, m.reservation_id, m.price_minor, m.segments, m.charged_minor, m.state, c.refund
FROM text_send s JOIN text_message m ON m.send_id = s.id JOIN text_carrier c ON c.id = m.carrier_id
WHERE (s.submitted > 0 OR s.doubtful > 0) AND m.state IN ('submitted', 'doubtful')
  AND coalesce(m.submitted_at, m.leased_at) < now() - make_interval(hours => c.receipt_wait_h)
  AND NOT (m.state = 'doubtful' AND m.reservation_id IS NULL)
ORDER BY m.id LIMIT :most FOR UPDATE OF m SKIP LOCKED
""")
_EXPIRE = text("""
UPDATE text_message m SET state = 'expired', final_at = now(), charged_minor = n.charged, error_code = n.code
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(id bigint, charged int, code text) WHERE m.id = n.id
""")
_LET_GO = text("""
UPDATE text_message SET reservation_id = NULL, journey = coalesce(journey, '[]') || CAST(:event AS jsonb)
WHERE id = ANY(CAST(:ids AS bigint[]))
""")
_OLD_PARKED = text("DELETE FROM parked_receipt WHERE received_at < now() - make_interval(days => :days)")


def expire_queued(session: Session, most: int = BATCH) -> int:
    """End queued texts whose time is over, with their money back. Returns how many."""
    rows = session.execute(_QUEUED, {"most": most}).all()
    _end(session, rows, "", [Line(r.reservation_id, r.price_minor * r.segments, 1, r.segments) for r in rows
                             if r.reservation_id is not None], [])  # fmt: skip
    return len(rows)


def expire_unanswered(session: Session, most: int = BATCH) -> int:
    """Give up waiting for receipts. What was submitted is expired; a doubtful text stays in doubt, and its price, which
    nobody can prove, is given back. Returns how many."""
    rows = session.execute(_UNANSWERED, {"most": most}).all()
    expired = [r for r in rows if r.state == TextState.SUBMITTED]
    doubtful = [r for r in rows if r.state == TextState.DOUBTFUL]
    returned = [r for r in expired if r.charged_minor and Policy(refund=Refund(r.refund)).gives_back(TextState.EXPIRED)]
    _end(
        session, expired, "no_receipt",
        [Line(r.reservation_id, r.price_minor * r.segments, 1, r.segments) for r in doubtful],
        [Line(r.reservation_id, r.charged_minor, 1, r.segments) for r in returned if r.reservation_id is not None],
        {r.id for r in returned},
    )  # fmt: skip
    if doubtful:
        event = wire.to_json([{"at": wall_s(), "event": "doubt_refunded"}]).decode()
        session.execute(_LET_GO, {"ids": [r.id for r in doubtful], "event": event})
    return len(rows)


def _end(
    session: Session,
    rows: Sequence[Any],
    code: str,
    refunded: Sequence[Line],
    returned: Sequence[Line],
    free: set[int] | frozenset[int] = frozenset(),
) -> None:
    if rows:
        charged = {r.id: 0 if r.id in free else getattr(r, "charged_minor", 0) for r in rows}
        changes = [{"id": r.id, "charged": charged[r.id], "code": code} for r in rows]
        session.execute(_EXPIRE, {"rows": wire.to_json(changes).decode()})
        shifts: dict[int, dict[str, int]] = {}
        for r in rows:
            by = shifts.setdefault(r.send_id, {"expired": 0, "charged_minor": 0})
            before = getattr(r, "state", TextState.QUEUED.value)
            by["expired"] += 1
            by[before] = by.get(before, 0) - 1
            if before == TextState.QUEUED:
                by["segments"] = by.get("segments", 0) - r.segments
            by["charged_minor"] += charged[r.id] - getattr(r, "charged_minor", 0)
        counts.shift(session, shifts)
    bookings.book(session, refunded=refunded, given_back=returned)


def run(stop: threading.Event) -> None:
    """The loop of a process."""
    next_queued = next_unanswered = 0.0
    while not stop.wait(0.5):
        now = monotonic_s()
        try:
            if now >= next_queued:
                next_queued = now + QUEUED_EVERY_S
                _all_of(expire_queued)
            if now >= next_unanswered:
                next_unanswered = now + UNANSWERED_EVERY_S
                _all_of(expire_unanswered)
                with platform_session() as session:
                    session.execute(_OLD_PARKED, {"days": PARKED_D})
        except (OperationalError, InterfaceError) as error:
            log.warning("texts can't be swept now: %s", str(error).splitlines()[0])
        except Exception:
            log.exception("texts can't be swept; tried again later")


def _all_of(step: Any) -> None:
    while True:
        with platform_session() as session:
            if step(session) < BATCH:
                return
