"""What the checks have to know of an enterprise, its rules and the numbers of a batch: read with a query for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Text, any_, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from callcenter.compliance.models import RuleSet
from callcenter.tenancy.models import Enterprise
from smsgateway.checks.verdict import Account, TextRules
from smsgateway.models import OptOut
from smsgateway.texts import RANK, Purpose

# Texts that somebody got, or will: what the caps count. Of marketing, by its rank in the queue.
_COUNTED: Final = f"""
SELECT phone_e164, count(*) FILTER (WHERE created_at > :day), count(*)
FROM text_message
WHERE tenant_id = :tenant AND phone_e164 = ANY(CAST(:phones AS text[])) AND created_at > :month
  AND rank = {RANK[Purpose.MARKETING]} AND send_id <> :send
  AND state IN ('queued', 'submitting', 'submitted', 'doubtful', 'delivered')
GROUP BY phone_e164
"""


def account_of(own: Enterprise) -> Account:
    """The enterprise as check 1 sees it: its last day counts in full, by its own clock."""
    if own.valid_until is None:
        return Account()
    end = datetime.combine(own.valid_until + timedelta(days=1), time(0), ZoneInfo(own.time_zone))
    return Account(valid_until=end.timestamp())


def rules_of(session: Session) -> TextRules:
    """The caps and hours of the enterprise's default rule set, which calls share."""
    row = session.scalar(select(RuleSet).order_by(RuleSet.is_default.desc(), RuleSet.id).limit(1))
    if row is None or not row.is_default:
        return TextRules()
    # Holidays keep marketing away only where there are hours at all: without any, every hour of every day is open.
    holidays = tuple(row.holidays) if row.text_windows else ()
    return TextRules(tuple(row.text_windows), holidays, row.texts_24h, row.texts_30d)


def opted_out(session: Session, phones: Sequence[str]) -> frozenset[str]:
    """Those of `phones` that want no marketing."""
    # One array, not a parameter for each number: with a thousand of them that is ten times quicker.
    among = OptOut.phone_e164 == any_(bindparam(None, list(phones), type_=ARRAY(Text)))
    return frozenset(session.scalars(select(OptOut.phone_e164).where(among, OptOut.ended_at.is_(None))))


def sent_to(
    session: Session, tenant_id: int, phones: Sequence[str], now: datetime, *, but_send: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Marketing texts of the last 24 hours and 30 days by number, those of send `but_send` left out."""
    given: dict[str, Any] = {
        "tenant": tenant_id, "phones": list(phones), "send": but_send, "day": now - timedelta(hours=24),
        "month": now - timedelta(days=30),
    }  # fmt: skip
    day: dict[str, int] = {}
    month: dict[str, int] = {}
    for phone, last_day, all_of_them in session.execute(text(_COUNTED), given):
        month[phone] = all_of_them
        if last_day:
            day[phone] = last_day
    return day, month
