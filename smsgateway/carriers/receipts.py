"""Receipts, matched with the parts they are about and stored, many at a time.

A receipt that comes twice, or after another final one, changes nothing. One whose submission is not stored yet is
parked, and found when it is. One that comes after its text was given up as expired is kept in the text's journey.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.clock import to_utc
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.outcomes import RefKey
from smsgateway.carriers.policies import FINAL_PARTS, PART_STATES, SUPERSEDED, Policy, after_receipts
from smsgateway.carriers.port import Receipt, ReceiptStatus
from smsgateway.carriers.refs import other_spellings
from smsgateway.purse.bookings import Line
from smsgateway.texts import TextState

Told = tuple[int, Receipt]  # by which carrier
LEAST_MISREAD = 10  # receipts that name nothing we know, before anything is made of it

_FIND = text("""
SELECT n.nr, p.message_id, p.state FROM unnest(CAST(:carriers AS bigint[]), CAST(:refs AS text[]))
  WITH ORDINALITY AS n(carrier_id, ref, nr)
JOIN text_part p ON p.carrier_id = n.carrier_id AND p.ref = n.ref
""")
_PARTS = text("""
UPDATE text_part p SET state = n.state, code = n.code, final_at = to_timestamp(n.at)
FROM unnest(CAST(:carriers AS bigint[]), CAST(:refs AS text[]), CAST(:messages AS bigint[]), CAST(:states AS text[]),
  CAST(:codes AS text[]), CAST(:ats AS float8[])) AS n(carrier_id, ref, message_id, state, code, at)
WHERE p.carrier_id = n.carrier_id AND p.ref = n.ref AND p.message_id = n.message_id
""")
_TEXTS = text("""
SELECT id, tenant_id, send_id, state, carrier_id, segments, price_minor, charged_minor, reservation_id
FROM text_message WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
""")
_PARTS_OF = text("SELECT message_id, state FROM text_part WHERE message_id = ANY(CAST(:ids AS bigint[]))")
# A receipt proves that a text in doubt was handed over.
_END = text("""
UPDATE text_message m SET state = n.state, charged_minor = n.charged, final_at = to_timestamp(n.at),
  error_code = n.code, error = n.error, submitted_at = coalesce(m.submitted_at, m.leased_at)
FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:charged AS int[]), CAST(:ats AS float8[]),
  CAST(:codes AS text[]), CAST(:errors AS text[])) AS n(id, state, charged, at, code, error)
WHERE m.id = n.id
""")
_JOURNEY = text("""
UPDATE text_message m SET journey = coalesce(m.journey, '[]') || n.event
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n(id bigint, event jsonb) WHERE m.id = n.id
""")
_PARK = text("""
INSERT INTO parked_receipt (carrier_id, ref, status, code, at)
SELECT * FROM unnest(CAST(:carriers AS bigint[]), CAST(:refs AS text[]), CAST(:statuses AS text[]),
  CAST(:codes AS text[]), CAST(:ats AS timestamptz[]))
""")
_UNPARK = text("""
DELETE FROM parked_receipt p USING unnest(CAST(:carriers AS bigint[]), CAST(:refs AS text[])) AS n(carrier_id, ref)
WHERE p.carrier_id = n.carrier_id AND p.ref = n.ref
RETURNING p.carrier_id, p.ref, p.status, p.code, extract(epoch FROM p.at)::float8
""")
_FOUND = text("""
DELETE FROM parked_receipt p USING text_part t
WHERE p.carrier_id = ANY(CAST(:carriers AS bigint[])) AND p.received_at > now() - interval '15 minutes'
  AND t.carrier_id = p.carrier_id AND t.ref = p.ref
RETURNING p.carrier_id, p.ref, p.status, p.code, extract(epoch FROM p.at)::float8
""")
_PARKED = text("""
SELECT carrier_id, ref FROM parked_receipt WHERE carrier_id = ANY(CAST(:carriers AS bigint[]))
ORDER BY id DESC LIMIT 20000
""")
_NEWEST = text("""
SELECT ref FROM parked_receipt WHERE carrier_id = :carrier AND received_at > now() - interval '1 day'
ORDER BY id DESC LIMIT 50
""")
_WAITING = text("""
SELECT count(DISTINCT n.ref) FROM unnest(CAST(:refs AS text[]), CAST(:others AS text[])) AS n(ref, other)
JOIN text_part t ON t.carrier_id = :carrier AND t.ref = n.other AND t.state = 'submitted'
""")


def parked(session: Session, carriers: Iterable[int]) -> set[RefKey]:
    """What is parked for `carriers`, the newest of it."""
    return {(c, ref) for c, ref in session.execute(_PARKED, {"carriers": list(carriers)})}


def unpark(session: Session, keys: Sequence[RefKey]) -> list[Told]:
    """Take the receipts for `keys` out of where they are parked."""
    if not keys:
        return []
    rows = session.execute(_UNPARK, {"carriers": [k[0] for k in keys], "refs": [k[1] for k in keys]})
    return [(c, Receipt(ref, ReceiptStatus(status), code, at)) for c, ref, status, code, at in rows]


def sweep(
    session: Session, carriers: Sequence[int], policies: Mapping[int, Policy], effects: Effects
) -> frozenset[RefKey]:
    """Store what another process has parked while the submission was being stored here."""
    rows = session.execute(_FOUND, {"carriers": list(carriers)})
    told = [(c, Receipt(ref, ReceiptStatus(status), code, at)) for c, ref, status, code, at in rows]
    return store(session, told, policies, effects)


def misread(session: Session, carrier_id: int) -> bool:
    """Whether most of what is parked for a carrier would be receipts of its texts, were their references read in
    another notation: its setting is wrong then."""
    refs = session.scalars(_NEWEST, {"carrier": carrier_id}).all()
    if len(refs) < LEAST_MISREAD:
        return False
    pairs = [(ref, other) for ref in refs for other in other_spellings(ref)]
    values = {"carrier": carrier_id, "refs": [r for r, _ in pairs], "others": [o for _, o in pairs]}
    return int(session.scalar(_WAITING, values) or 0) * 2 > len(refs)


def better(one: Receipt | None, other: Receipt) -> Receipt:
    """Of two receipts for the same part: the first final one."""
    return other if one is None or one.status not in PART_STATES else one


def store(
    session: Session, told: Sequence[Told], policies: Mapping[int, Policy], effects: Effects
) -> frozenset[RefKey]:
    """Store a batch; gives those that were parked. What it does to sends and purses goes to `effects`."""
    told = [t for t in told if t[1].status in PART_STATES]  # what is only under way is known by the submission
    if not told:
        return frozenset()
    found: dict[int, list[tuple[int, str]]] = {}
    keys = {"carriers": [c for c, _ in told], "refs": [r.ref for _, r in told]}
    for number, message_id, state in session.execute(_FIND, keys):
        found.setdefault(number - 1, []).append((message_id, state))
    strangers = [t for i, t in enumerate(told) if i not in found]
    fresh: dict[tuple[int, str, int], Receipt] = {}
    read: dict[int, float] = {}
    for i, places in found.items():
        carrier_id, receipt = told[i]
        open_ones = [m for m, state in places if state not in FINAL_PARTS]
        # Carriers use references again: the newest text that still waits has it.
        if open_ones:
            fresh.setdefault((carrier_id, receipt.ref, max(open_ones)), receipt)
        if receipt.status is ReceiptStatus.READ:
            read[max(m for m, _ in places)] = receipt.at
    if fresh:
        session.execute(
            _PARTS,
            {
                "carriers": [k[0] for k in fresh], "refs": [k[1] for k in fresh], "messages": [k[2] for k in fresh],
                "states": [PART_STATES[r.status] for r in fresh.values()], "codes": [r.code for r in fresh.values()],
                "ats": [r.at for r in fresh.values()],
            },
        )  # fmt: skip
    _texts(session, fresh, policies, effects)
    if read:
        _note(session, [{"id": m, "event": [{"at": at, "event": "read"}]} for m, at in read.items()])
    _park(session, strangers)
    return frozenset((c, r.ref) for c, r in strangers)


def _texts(
    session: Session,
    fresh: Mapping[tuple[int, str, int], Receipt],
    policies: Mapping[int, Policy],
    effects: Effects,
) -> None:
    """What the receipts make of their texts."""
    newest = {message: receipt for (_, _, message), receipt in fresh.items()}
    rows = session.execute(_TEXTS, {"ids": sorted(newest)}).all() if newest else []
    parts: dict[int, list[str]] = {}
    long = [r.id for r in rows if r.segments > 1]
    for message_id, state in session.execute(_PARTS_OF, {"ids": long}) if long else ():
        if state != SUPERSEDED:
            parts.setdefault(message_id, []).append(state)
    ends: list[tuple[Any, ...]] = []
    notes: list[dict[str, Any]] = []
    for row in rows:
        receipt, before = newest[row.id], TextState(row.state)
        after = after_receipts(before, parts.get(row.id, [PART_STATES[receipt.status]]), row.segments)
        if after is None:
            if before in (TextState.EXPIRED, TextState.CANCELLED, TextState.REFUSED):
                event = {"at": receipt.at, "event": "late_receipt", "status": receipt.status, "code": receipt.code}
                notes.append({"id": row.id, "event": [event]})
            continue
        policy = policies[row.carrier_id] if row.carrier_id in policies else Policy()
        charged = _money(row, before, after, policy, effects)
        code = "" if after is TextState.DELIVERED else receipt.code
        ends.append((row.id, after.value, charged, receipt.at, code[:100], ""))
        effects.moved(row.send_id, row.tenant_id, before, after, charged - row.charged_minor)
    if ends:
        names = ("ids", "states", "charged", "ats", "codes", "errors")
        session.execute(_END, dict(zip(names, (list(c) for c in zip(*ends, strict=True)), strict=True)))
    _note(session, notes)


def _money(row: Any, before: TextState, after: TextState, policy: Policy, effects: Effects) -> int:
    """Book what the end of a text means; gives what is charged for it now. A doubtful text's price is still reserved,
    unless the wait for its receipt was given up."""
    cost = row.price_minor * row.segments
    if row.reservation_id is None:
        return 0 if before is TextState.DOUBTFUL else int(row.charged_minor)
    line = Line(row.reservation_id, cost, 1, row.segments)
    if policy.gives_back(after):
        (effects.refunded if before is TextState.DOUBTFUL else effects.given_back).append(line)
        return 0
    if before is TextState.DOUBTFUL:
        effects.settled.append(line)
        return int(cost)
    return int(row.charged_minor)


def _note(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.execute(_JOURNEY, {"rows": wire.to_json(rows).decode()})


def _park(session: Session, told: Sequence[Told]) -> None:
    if told:
        session.execute(
            _PARK,
            {
                "carriers": [c for c, _ in told], "refs": [r.ref for _, r in told],
                "statuses": [r.status.value for _, r in told], "codes": [r.code for _, r in told],
                "ats": [to_utc(r.at) for _, r in told],
            },
        )  # fmt: skip
