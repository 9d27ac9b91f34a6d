"""A queue's figures of past days, from the stored stays of its calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased

from callcenter.calls.models import Call, CallQueueStay
from callcenter.errors import InvalidInput
from callcenter.metrics.definitions import Stay, queue_figures
from callcenter.tenancy.models import Enterprise

DAYS_MAX = 92


def of_queue(session: Session, queue_id: int, first: date | None, last: date | None, now: datetime) -> dict[str, Any]:
    """`total` and `hours` of the days `first` to `last` (inclusive, in the enterprise's zone; today if not given). A
    call counts where it entered. Raises InvalidInput."""
    zone = ZoneInfo(session.get_one(Enterprise, session.info["tenant_id"]).time_zone)
    first = first or (last if last is not None else now.astimezone(zone).date())
    last = last or first
    if not first <= last < first + timedelta(days=DAYS_MAX):
        sentence = f"Choose 1 to {DAYS_MAX} days."
        raise InvalidInput(sentence, fields={"to": sentence}, params={"days": DAYS_MAX})
    begin = datetime.combine(first, time(0), zone)
    end = datetime.combine(last + timedelta(days=1), time(0), zone)
    by_hour: dict[datetime, list[Stay]] = {}
    for entered_at, stay in _stays(session, queue_id, begin, end):
        local = entered_at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        by_hour.setdefault(local.astimezone(UTC), []).append(stay)
    return {
        "first": first,
        "last": last,
        "total": asdict(queue_figures(s for stays in by_hour.values() for s in stays)),
        "hours": [{"at": at, **asdict(queue_figures(stays))} for at, stays in sorted(by_hour.items())],
    }


def _stays(session: Session, queue_id: int, begin: datetime, end: datetime) -> Iterable[tuple[datetime, Stay]]:
    """(entered, stay) of the queue's calls. An agent's talk goes on until the call ends or enters a queue again."""
    s, following = CallQueueStay, aliased(CallQueueStay)
    again = (
        select(func.min(following.entered_at))
        .where(following.call_id == s.call_id, following.entered_at > s.entered_at)
        .correlate(s)
        .scalar_subquery()
    )
    wrapped = case((again.is_(None), func.extract("epoch", Call.wrap_ended_at - Call.ended_at)), else_=None)
    query = (
        select(
            s.entered_at,
            s.how,
            s.wait_s,
            s.answered_in_target,
            func.extract("epoch", func.coalesce(again, Call.ended_at) - s.left_at).label("talk_s"),
            wrapped.label("wrap_up_s"),
        )
        .outerjoin(Call, Call.id == s.call_id)
        .where(s.queue_id == queue_id, s.entered_at >= begin, s.entered_at < end)
    )
    for row in session.execute(query):
        yield (
            row.entered_at,
            Stay(
                how=row.how or "",
                wait_s=float(row.wait_s or 0.0),
                in_target=bool(row.answered_in_target),
                talk_s=max(0.0, float(row.talk_s or 0.0)),
                wrap_up_s=max(0.0, float(row.wrap_up_s or 0.0)),
            ),
        )
