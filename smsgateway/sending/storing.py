"""Texts of a batch in the database: who has one already, paying for them, writing them, releasing those that waited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import wire
from smsgateway.checks.verdict import Check, NeedsApproval, Refusal
from smsgateway.models import TextSend
from smsgateway.purse import bookings
from smsgateway.sending.judging import Job, Judged, detail_of, rank_of, refused_for_balance
from smsgateway.texts import TextState

_ALREADY: Final = text(
    "SELECT phone_e164 FROM text_message WHERE send_id = :send AND phone_e164 = ANY(CAST(:phones AS text[]))"
)
_HELD: Final = text("""
SELECT id, phone_e164, body, contact_id, customer_id, not_before FROM text_message
WHERE send_id = :send AND state = 'approval' AND phone_e164 > :after ORDER BY phone_e164 LIMIT :limit FOR UPDATE
""")
_ROW: Final = """
  id bigint, phone text, contact_id bigint, customer_id bigint, body text, encoding text, segments smallint,
  sender text, state text, check_name text, rule text, detail jsonb, route_id bigint, carrier_id bigint,
  price_minor int, reservation_id bigint, not_before float8, expires_at float8, final boolean
"""
_INSERT: Final = text(f"""
INSERT INTO text_message (tenant_id, send_id, phone_e164, contact_id, customer_id, body, encoding, segments, sender,
  state, rank, check_name, rule, detail, route_id, carrier_id, price_minor, reservation_id, not_before, expires_at,
  final_at, created_at)
SELECT :tenant, :send, phone, contact_id, customer_id, body, encoding, segments, sender, state, :rank, check_name, rule,
  detail, route_id, carrier_id, price_minor, reservation_id, to_timestamp(not_before), to_timestamp(expires_at),
  CASE WHEN final THEN now() END, :now
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n({_ROW})
""")
_RELEASE: Final = text(f"""
UPDATE text_message m SET state = n.state, check_name = n.check_name, rule = n.rule, detail = n.detail,
  route_id = n.route_id, carrier_id = n.carrier_id, price_minor = n.price_minor, reservation_id = n.reservation_id,
  sender = n.sender, not_before = to_timestamp(n.not_before), expires_at = to_timestamp(n.expires_at),
  final_at = CASE WHEN n.final THEN now() END
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n({_ROW}) WHERE m.id = n.id
""")


@dataclass(frozen=True, slots=True)
class Paid:
    """A judged text in the state that it is stored in. `reservation_id` only of one that is queued."""

    judged: Judged
    state: TextState
    reservation_id: int | None = None


def already(session: Session, send_id: int, phones: Sequence[str]) -> frozenset[str]:
    """Those of `phones` to which this send has a text."""
    return frozenset(session.scalars(_ALREADY, {"send": send_id, "phones": list(phones)})) if phones else frozenset()


def held(session: Session, send_id: int, after: str, limit: int) -> list[Any]:
    """The next texts that wait for approval, locked."""
    return list(session.execute(_HELD, {"send": send_id, "after": after, "limit": limit}))


def pay(session: Session, send: TextSend, judged: Sequence[Judged], number: int) -> list[Paid]:
    """Reserve the price of all that passed, from the first on as far as the balance goes; the others are refused for
    it. `number` is the batch's."""
    out = [Paid(j, _state(j)) for j in judged]
    going = [i for i, p in enumerate(out) if p.state is TextState.QUEUED]
    if not going:
        return out
    reserved = bookings.reserve_up_to(
        session, send.tenant_id, send.kind, [out[i].judged.cost_minor for i in going],
        key=f"send:{send.id}:{number}", send_id=send.id, user_id=send.sender_id, purpose=send.purpose,
    )  # fmt: skip
    for n, i in enumerate(going):
        j = out[i].judged
        if n < reserved.count:
            out[i] = Paid(j, TextState.QUEUED, reserved.reservation_id)
        else:
            out[i] = Paid(refused_for_balance(j), TextState.REFUSED)
    return out


def _state(j: Judged) -> TextState:
    if isinstance(j.verdict, Refusal):
        return TextState.REFUSED
    return TextState.APPROVAL if isinstance(j.verdict, NeedsApproval) else TextState.QUEUED


def insert(session: Session, send: TextSend, texts: Sequence[Paid], job: Job, now: datetime) -> Counter[str]:
    """Write the texts; gives what the send's figures grow by."""
    if texts:
        rows = [_row(send, p) for p in texts]
        given = {"tenant": send.tenant_id, "send": send.id, "rank": rank_of(job.purpose), "now": now}
        session.execute(_INSERT, {**given, "rows": wire.to_json(rows).decode()})
    return _figures(texts)


def release(
    session: Session, send: TextSend, held_rows: Sequence[Any], texts: Sequence[Paid], job: Job, now: datetime
) -> Counter[str]:
    """Write the new states of texts that waited (`held_rows`, in the order of `texts`); gives what the send's figures
    grow by, as if they were new."""
    if texts:
        rows = [{"id": old.id, **_row(send, p)} for old, p in zip(held_rows, texts, strict=True)]
        session.execute(_RELEASE, {"rows": wire.to_json(rows).decode()})
    return _figures(texts)


def _figures(texts: Sequence[Paid]) -> Counter[str]:
    out: Counter[str] = Counter(p.state.value for p in texts)
    out["asked"] = len(texts)
    out["segments"] = sum(p.judged.segments for p in texts if p.state is TextState.QUEUED)
    return out


def _row(send: TextSend, p: Paid) -> dict[str, Any]:
    j, r, verdict = p.judged, p.judged.recipient, p.judged.verdict
    check, rule = "", ""
    if isinstance(verdict, Refusal):
        check, rule = verdict.check.value, verdict.rule
    elif isinstance(verdict, NeedsApproval):
        check, rule = Check.APPROVAL.value, verdict.rule
    route = j.route
    return {
        "phone": r.phone,
        "contact_id": r.contact_id,
        "customer_id": r.customer_id,
        "body": j.body,
        "encoding": j.encoding,
        "segments": j.segments,
        "sender": send.service_number or (route.sender if route is not None else ""),
        "state": p.state.value,
        "check_name": check,
        "rule": rule,
        "detail": detail_of(j) or None,
        "route_id": route.route_id if route is not None else None,
        "carrier_id": route.carrier_id if route is not None else None,
        "price_minor": j.price_minor,
        "reservation_id": p.reservation_id,
        "not_before": j.not_before,
        "expires_at": j.not_before + timedelta(hours=send.valid_h).total_seconds(),
        "final": p.state is TextState.REFUSED,
    }
