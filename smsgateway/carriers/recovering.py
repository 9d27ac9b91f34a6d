"""What a dead process left leased: back to the queue if it was certainly never handed over, stored with the carrier's
answer if that had come, in doubt otherwise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter.clock import wall_s
from smsgateway.carriers import outcomes
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.handed import left_by_dead
from smsgateway.carriers.leases import Leased
from smsgateway.carriers.outcomes import Done
from smsgateway.carriers.policies import Policy
from smsgateway.carriers.port import Lost, Outcome, Outgoing, Returned
from smsgateway.texts import Kind

log = logging.getLogger(__name__)
_LEFT: Final = text("""
SELECT id, tenant_id, send_id, carrier_id, rank, segments, price_minor, reservation_id, attempts, leased_by, phone_e164
FROM text_message WHERE state = 'submitting' AND carrier_id = ANY(CAST(:carriers AS bigint[])) ORDER BY id FOR UPDATE
""")


def recover(session: Session, policies: Mapping[int, Policy], handed: Path) -> int:
    """Take up what is leased of the carriers in `policies`, which nobody else runs now. Returns how many texts were in
    doubt. `handed`: the file of the predecessor."""
    known = left_by_dead(handed)
    rows = session.execute(_LEFT, {"carriers": list(policies)}).all()
    at, doubtful = wall_s(), 0
    by_process: dict[str, list[Done]] = {}
    for row in rows:
        outcome: Outcome = Lost()
        if known is not None and row.leased_by == known[0]:
            outcome = known[1].get(row.id, Returned("not_written", 0.0))
        doubtful += isinstance(outcome, Lost)
        by_process.setdefault(row.leased_by or "", []).append(Done(_leased(row), outcome, at))
    effects = Effects()
    for by, dones in by_process.items():
        outcomes.store(session, dones, policies, by, {}, effects)
    effects.apply(session)
    if rows:
        log.warning("%d texts were leased when the last process died; %d of them are in doubt", len(rows), doubtful)
    return doubtful


def _leased(row: Any) -> Leased:
    outgoing = Outgoing(row.id, row.phone_e164, "", Kind.SMS, "", "", row.segments, 0.0)
    return Leased(
        row.id, row.tenant_id, row.send_id, row.carrier_id, row.rank, row.segments, row.price_minor * row.segments,
        row.reservation_id, row.attempts, outgoing,
    )  # fmt: skip
