"""What a dead process left leased: back to the queue if it was certainly never handed over, stored with the carrier's
answer if that had come, in doubt otherwise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter.clock import wall_s
from smsgateway.carriers import outcomes
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.handed import file_of, left_by_dead
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


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many texts were left, and how many of them are in doubt. `sends`: those they are of, with the enterprise."""

    texts: int
    doubtful: int
    sends: Mapping[int, int]


def recover(session: Session, policies: Mapping[int, Policy], folder: Path) -> Recovered:
    """Take up what is leased of the carriers in `policies`, which nobody else runs now. `folder`: where processes keep
    their journals."""
    rows = session.execute(_LEFT, {"carriers": list(policies)}).all()
    at, doubtful = wall_s(), 0
    by_process: dict[str, list[Done]] = {}
    left: dict[str, Mapping[int, Outcome] | None] = {}
    for row in rows:
        by = row.leased_by or ""
        if by not in left:
            known = left_by_dead(file_of(folder, by))
            left[by] = known[1] if known is not None and known[0] == by else None
        handed = left[by]
        outcome = Lost() if handed is None else handed.get(row.id, Returned("not_written", 0.0))
        doubtful += isinstance(outcome, Lost)
        by_process.setdefault(by, []).append(Done(_leased(row), outcome, at))
    effects = Effects()
    for by, dones in by_process.items():
        outcomes.store(session, dones, policies, by, {}, effects)
    effects.apply(session)
    if rows:
        log.warning("%d texts were leased when their process died; %d of them are in doubt", len(rows), doubtful)
    return Recovered(len(rows), doubtful, effects.sends)


def _leased(row: Any) -> Leased:
    outgoing = Outgoing(row.id, row.phone_e164, "", Kind.SMS, "", "", row.segments, 0.0)
    return Leased(
        row.id, row.tenant_id, row.send_id, row.carrier_id, row.rank, row.segments, row.price_minor * row.segments,
        row.reservation_id, row.attempts, outgoing,
    )  # fmt: skip
