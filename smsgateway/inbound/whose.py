"""Which enterprise a text that came in belongs to.

By what tells it best: the number it was sent to, if one enterprise has it (a user's service number, one of our
numbers); who last texted that phone over this carrier; who alone texts from that number; the enterprise that the
operator gave the carrier. Nothing of it tells: it stays with the operator, since a text in the wrong hands is worse
than one that waits.
"""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.clock import monotonic_s
from callcenter.numbers.models import DidNumber
from smsgateway.carriers.models import TextCarrier

NUMBERS_KEPT_S: Final = 5.0
SENDERS_KEPT_S: Final = 600.0
TEXTED_WITHIN_D: Final = 90
ALONE_WITHIN_D: Final = 30
_COUNTRY_CODE: Final = 3  # digits that one way of writing a number may lack
_SHORTEST: Final = 7

_lock = threading.Lock()
_numbers: tuple[float, dict[str, set[int]]] | None = None
_senders: dict[tuple[int, str], tuple[float, int | None]] = {}

# One probe of the index per enterprise.
_LAST = text("""
SELECT m.tenant_id FROM enterprise e CROSS JOIN LATERAL (
  SELECT m.tenant_id, m.created_at, m.sender = :to AS by_it FROM text_message m
  WHERE m.tenant_id = e.id AND m.phone_e164 = :phone AND m.created_at > :since AND m.carrier_id = :carrier
    AND m.state NOT IN ('approval', 'queued', 'refused', 'cancelled')
  ORDER BY by_it DESC, m.created_at DESC LIMIT 1
) m ORDER BY m.by_it DESC, m.created_at DESC LIMIT 1
""")
_ALONE = text("""
SELECT array_agg(DISTINCT tenant_id) FROM text_message
WHERE carrier_id = :carrier AND created_at > :since AND regexp_replace(sender, '[^0-9]', '', 'g') = :to
""")


def digits(number: str) -> str:
    """The digits of `number`, without the zeros that call a foreign country."""
    return re.sub(r"\D", "", number).removeprefix("00")


def find(session: Session, phone: str, to: str, carrier_id: int, now: datetime) -> int | None:
    """The enterprise to which a text of `phone` to our number `to` belongs. `session`: of the platform."""
    number = digits(to)
    by_number = _by_number(session, number)
    if by_number is not None:
        return by_number
    since = now - timedelta(days=TEXTED_WITHIN_D)
    last = session.scalar(_LAST, {"to": to, "phone": phone, "since": since, "carrier": carrier_id})
    if last is not None:
        return int(last)
    alone = _alone(session, number, carrier_id, now)
    if alone is not None:
        return alone
    carrier = session.get(TextCarrier, carrier_id)
    return carrier.tenant_id_for_inbound if carrier is not None else None


def forget() -> None:
    """Read the numbers anew at the next text."""
    global _numbers
    with _lock:
        _numbers = None
        _senders.clear()


def _by_number(session: Session, number: str) -> int | None:
    if not number:
        return None
    known = _known(session)
    found = known.get(number)
    if found is None:
        found = set()
        for other, tenants in known.items():
            longer, shorter = (other, number) if len(other) > len(number) else (number, other)
            if len(shorter) >= _SHORTEST and len(longer) - len(shorter) <= _COUNTRY_CODE and longer.endswith(shorter):
                found |= tenants
    return next(iter(found)) if len(found) == 1 else None


def _known(session: Session) -> dict[str, set[int]]:
    global _numbers
    now = monotonic_s()
    with _lock:
        if _numbers is not None and now - _numbers[0] < NUMBERS_KEPT_S:
            return _numbers[1]
    known: dict[str, set[int]] = {}
    users = select(User.service_number, User.tenant_id).where(User.service_number.is_not(None))
    for written, tenant in session.execute(users.union_all(select(DidNumber.e164, DidNumber.tenant_id))):
        if digits(written or ""):
            known.setdefault(digits(written or ""), set()).add(tenant)
    with _lock:
        _numbers = (now, known)
    return known


def _alone(session: Session, number: str, carrier_id: int, now: datetime) -> int | None:
    if not number:
        return None
    key, at = (carrier_id, number), monotonic_s()
    with _lock:
        kept = _senders.get(key)
        if kept is not None and at - kept[0] < SENDERS_KEPT_S:
            return kept[1]
    since = now - timedelta(days=ALONE_WITHIN_D)
    tenants = session.scalar(_ALONE, {"carrier": carrier_id, "since": since, "to": number}) or []
    alone = int(tenants[0]) if len(tenants) == 1 else None
    with _lock:
        if len(_senders) > 10_000:
            _senders.clear()
        _senders[key] = (at, alone)
    return alone
