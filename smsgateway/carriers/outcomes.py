"""What carriers answered, stored: texts, their parts, money and the figures of sends, many at a time.

A handful of statements a batch, each for all of its texts. A text that is not this process's any more (its lease was
taken for a dead one's) is left as it is, with its money.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import wire
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.leases import Leased
from smsgateway.carriers.policies import PART_STATES, SUPERSEDED, Doubt, Policy, after_receipts
from smsgateway.carriers.port import Accepted, Lost, Outcome, Receipt, Rejected, Returned
from smsgateway.purse.bookings import Line
from smsgateway.texts import TextState

log = logging.getLogger(__name__)
RefKey = tuple[int, str]  # carrier, normalised reference


@dataclass(frozen=True, slots=True)
class Done:
    """A text and what became of it. `at`: seconds since the epoch."""

    text: Leased
    outcome: Outcome
    at: float


@dataclass(slots=True)
class _Change:
    """A text's next state, and what comes with it."""

    done: Done
    state: TextState
    charged: int = 0
    final_at: float | None = None
    code: str = ""


_ACCEPT = text("""
UPDATE text_message m SET state = n.state, charged_minor = n.charged, submitted_at = to_timestamp(n.at),
  final_at = to_timestamp(n.final_at), error_code = n.code
FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:charged AS int[]), CAST(:ats AS float8[]),
  CAST(:finals AS float8[]), CAST(:codes AS text[])) AS n(id, state, charged, at, final_at, code)
WHERE m.id = n.id AND m.state = 'submitting' AND m.leased_by = :by RETURNING m.id
""")
_OTHERS = text("""
UPDATE text_message m SET state = n.state, error_code = n.code, error = n.error, doubt = m.doubt OR n.doubt,
  final_at = to_timestamp(n.final_at), not_before = coalesce(to_timestamp(n.not_before), m.not_before),
  leased_by = CASE WHEN n.state = 'queued' THEN NULL ELSE m.leased_by END,
  journey = CASE WHEN n.event IS NULL THEN m.journey ELSE coalesce(m.journey, '[]') || n.event END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(id bigint, state text, code text, error text, doubt boolean,
  final_at float8, not_before float8, event jsonb)
WHERE m.id = n.id AND m.state = 'submitting' AND m.leased_by = :by RETURNING m.id
""")
_PARTS = text("""
INSERT INTO text_part (carrier_id, ref, message_id, tenant_id, part, state, code, final_at)
SELECT carrier_id, ref, message_id, tenant_id, part, state, code, to_timestamp(final_at)
FROM unnest(CAST(:carriers AS bigint[]), CAST(:refs AS text[]), CAST(:messages AS bigint[]), CAST(:tenants AS bigint[]),
  CAST(:parts AS int[]), CAST(:states AS text[]), CAST(:codes AS text[]), CAST(:finals AS float8[]))
  AS n(carrier_id, ref, message_id, tenant_id, part, state, code, final_at)
ON CONFLICT DO NOTHING
""")


def store(
    session: Session,
    dones: Sequence[Done],
    policies: Mapping[int, Policy],
    by: str,
    early: Mapping[RefKey, Receipt],
    effects: Effects,
) -> None:
    """Store a batch. `early`: receipts that came before their submission was stored. What it does to sends and purses
    goes to `effects`."""
    accepted: list[_Change] = []
    parts: list[tuple[Any, ...]] = []
    others: list[_Change] = []
    rows: list[dict[str, Any]] = []
    for done in dones:
        outcome, policy = done.outcome, policies[done.text.carrier_id]
        if isinstance(outcome, Accepted):
            accepted.append(_accepted(done, outcome, policy, early, parts))
        else:
            change, row = _other(done, outcome, policy, parts)
            others.append(change)
            rows.append(row)
    kept: set[int] = set()
    if accepted:
        kept.update(session.scalars(_ACCEPT, _columns(accepted, by)))
    if others:
        kept.update(session.scalars(_OTHERS, {"rows": wire.to_json(rows).decode(), "by": by}))
    if len(kept) < len(dones):
        log.warning("%d texts are not ours any more; they stay as they are", len(dones) - len(kept))
    _store_parts(session, [p for p in parts if p[2] in kept])
    for change in (*accepted, *others):
        if change.done.text.id in kept:
            _note(change, effects)


def _accepted(
    done: Done, outcome: Accepted, policy: Policy, early: Mapping[RefKey, Receipt], parts: list[tuple[Any, ...]]
) -> _Change:
    leased = done.text
    change = _Change(done, TextState.SUBMITTED, leased.cost_minor)
    states = []
    for number, ref in enumerate(outcome.refs, 1):
        if not ref:
            continue
        state, code, final_at = "submitted", "", None
        receipt = early.get((leased.carrier_id, ref)) if early else None
        if receipt is not None and receipt.status in PART_STATES:
            state, code, final_at = PART_STATES[receipt.status], receipt.code, receipt.at
            change.final_at, change.code = final_at, "" if state == "delivered" else code
        states.append(state)
        parts.append((leased.carrier_id, ref, leased.id, leased.tenant_id, number, state, code, final_at))
    if change.final_at is not None:
        after = after_receipts(TextState.SUBMITTED, states)
        if after is None:
            change.final_at, change.code = None, ""
        else:
            change.state = after
            if policy.gives_back(after):
                change.charged = 0
    return change


def _other(
    done: Done, outcome: Outcome, policy: Policy, parts: list[tuple[Any, ...]]
) -> tuple[_Change, dict[str, Any]]:
    leased = done.text
    row: dict[str, Any] = {
        "id": leased.id, "code": "", "error": "", "doubt": False, "final_at": None, "not_before": None, "event": None,
    }  # fmt: skip
    state = TextState.QUEUED
    if isinstance(outcome, Rejected):
        state = TextState.FAILED
        row |= {"code": outcome.code[:100], "error": outcome.reason[:500], "final_at": done.at}
    elif isinstance(outcome, Returned):
        row |= {"code": outcome.code[:100], "not_before": done.at + outcome.wait_s}
    elif isinstance(outcome, Lost):
        again = policy.doubt is Doubt.RESEND
        state = TextState.QUEUED if again else TextState.DOUBTFUL
        event = {"at": done.at, "event": "lost", "carrier": leased.carrier_id, "again": again}
        row |= {"doubt": True, "event": [event]}
        for number, ref in enumerate(outcome.refs, 1):
            if ref:
                part = SUPERSEDED if again else "submitted"
                parts.append((leased.carrier_id, ref, leased.id, leased.tenant_id, number, part, "", None))
    row["state"] = state.value
    return _Change(done, state), row


def _columns(changes: Sequence[_Change], by: str) -> dict[str, Any]:
    return {
        "ids": [c.done.text.id for c in changes],
        "states": [c.state.value for c in changes],
        "charged": [c.charged for c in changes],
        "ats": [c.done.at for c in changes],
        "finals": [c.final_at for c in changes],
        "codes": [c.code[:100] for c in changes],
        "by": by,
    }


def _store_parts(session: Session, parts: Sequence[tuple[Any, ...]]) -> None:
    if not parts:
        return
    names = ("carriers", "refs", "messages", "tenants", "parts", "states", "codes", "finals")
    session.execute(_PARTS, dict(zip(names, (list(c) for c in zip(*parts, strict=True)), strict=True)))


def _note(change: _Change, effects: Effects) -> None:
    """What a text's change does to its send and its enterprise's purse."""
    leased = change.done.text
    refused = isinstance(change.done.outcome, Rejected)
    effects.moved(leased.send_id, leased.tenant_id, TextState.SUBMITTING, change.state, change.charged,
                  not_gone=leased.segments if refused else 0)  # fmt: skip
    if leased.reservation_id is None:
        return
    line = Line(leased.reservation_id, leased.cost_minor, 1, leased.segments)
    if isinstance(change.done.outcome, Accepted):
        effects.settled.append(line)
        if not change.charged and change.state in (TextState.FAILED, TextState.EXPIRED):
            effects.given_back.append(line)
    elif change.state is TextState.FAILED:
        effects.refunded.append(line)
