"""What callers did in menus and answered: the figures of nodes, survey answers, and how facts become both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.calls.facts import NodeLeft, SurveyAnswer
from callcenter.clock import to_utc, utc_now
from callcenter.errors import InvalidInput
from callcenter.events.envelope import Envelope
from callcenter.tenancy.models import Enterprise
from ivr.models import FlowNodeDay, FlowRow, SurveyAnswerRow
from ivr.run import HANG_UP

DAYS = 30  # of figures, where no dates are given
DAYS_MAX = 400


def fold(session: Session, told: Sequence[tuple[Envelope, object]], zone: ZoneInfo) -> None:
    """New facts of menus into the tables. Only the recorder calls this, with each fact once. Days are those of `zone`,
    by when a node was left; what belongs to a menu that is deleted, or to a draft that was tried out, is not
    counted."""
    left = [f for _, f in told if isinstance(f, NodeLeft) and f.version > 0]
    answers = [(e, f) for e, f in told if isinstance(f, SurveyAnswer)]
    if not left and not answers:
        return
    wanted = {f.flow_id for f in left} | {f.flow_id for _, f in answers}
    there = set(session.scalars(select(FlowRow.id).where(FlowRow.id.in_(wanted))))
    counts: dict[tuple[int, int, str, date, str], list[float]] = defaultdict(lambda: [0, 0.0])
    for fact in left:
        if fact.flow_id in there:
            day = to_utc(fact.left_at).astimezone(zone).date()
            counted = counts[fact.flow_id, fact.version, fact.node_id, day, fact.way]
            counted[0] += 1
            counted[1] += max(0.0, fact.left_at - fact.entered_at)
    if counts:
        tenant = session.info["tenant_id"]
        statement = insert(FlowNodeDay)
        rows = [
            {
                "tenant_id": tenant, "flow_id": flow, "version": version, "node_id": node, "day": day, "way": way,
                "calls": int(calls), "seconds": seconds,
            }
            # In one order always, so that two recorders do not wait for each other's rows.
            for (flow, version, node, day, way), (calls, seconds) in sorted(counts.items())
        ]  # fmt: skip
        adds = {
            "calls": FlowNodeDay.calls + statement.excluded.calls,
            "seconds": FlowNodeDay.seconds + statement.excluded.seconds,
        }
        keys = [FlowNodeDay.flow_id, FlowNodeDay.version, FlowNodeDay.node_id, FlowNodeDay.day, FlowNodeDay.way]
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=adds), rows)
    if answers:
        session.execute(
            insert(SurveyAnswerRow).on_conflict_do_nothing(),
            [_answer(session.info["tenant_id"], e.id, f, there) for e, f in answers],
        )


def _answer(tenant: int, fact_id: str, fact: SurveyAnswer, there: set[int]) -> dict[str, Any]:
    return {
        "tenant_id": tenant, "id": fact_id, "flow_id": fact.flow_id if fact.flow_id in there else None,
        "node_id": fact.node_id, "call_id": fact.call_id, "question": fact.question, "answer": fact.answer,
        "recording_id": fact.recording_id, "at": to_utc(fact.at),
    }  # fmt: skip


def zone_of(session: Session) -> ZoneInfo:
    """The enterprise's time zone."""
    query = select(Enterprise.time_zone).where(Enterprise.id == session.info["tenant_id"])
    return ZoneInfo(session.scalars(query).one())


def period(session: Session, first: date | None, last: date | None) -> tuple[date, date, ZoneInfo]:
    """The days asked for, both included, in the enterprise's zone; the last 30 if nothing is said. Raises
    InvalidInput."""
    zone = zone_of(session)
    last = last or utc_now().astimezone(zone).date()
    first = first or last - timedelta(days=DAYS - 1)
    if not 0 <= (last - first).days < DAYS_MAX:
        sentence = f"Choose from one day to {DAYS_MAX} days, the first not after the last."
        raise InvalidInput(sentence, code="bad_period", fields={"from": sentence})
    return first, last, zone


def figures(
    session: Session, flow_id: int, first: date | None, last: date | None, number: int | None
) -> dict[str, Any]:
    """Per node: how many callers were in it, hung up in it, how long they stayed, which ways they took."""
    first, last, _ = period(session, first, last)
    query = (
        select(FlowNodeDay.node_id, FlowNodeDay.way, func.sum(FlowNodeDay.calls), func.sum(FlowNodeDay.seconds))
        .where(FlowNodeDay.flow_id == flow_id, FlowNodeDay.day.between(first, last))
        .group_by(FlowNodeDay.node_id, FlowNodeDay.way)
    )
    if number is not None:
        query = query.where(FlowNodeDay.version == number)
    ways: dict[str, dict[str, int]] = defaultdict(dict)
    seconds: dict[str, float] = defaultdict(float)
    for node, way, calls, spent in session.execute(query):
        ways[node][way] = int(calls)
        seconds[node] += float(spent)
    return {"from_": first, "to": last, "nodes": [_node_figures(n, ways[n], seconds[n]) for n in sorted(ways)]}


def _node_figures(node: str, ways: Mapping[str, int], seconds: float) -> dict[str, Any]:
    reached = sum(ways.values())
    return {
        "node": node,
        "reached": reached,
        "left": ways.get(HANG_UP, 0),
        "average_s": round(seconds / reached, 2) if reached else None,
        "ways": dict(ways),
    }


def answers(session: Session, flow_id: int, first: date | None, last: date | None, node: str) -> Select[Any]:
    """Answers to survey questions, the newest first."""
    first, last, zone = period(session, first, last)
    begin = datetime.combine(first, time(0), tzinfo=zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(0), tzinfo=zone).astimezone(UTC)
    query = (
        select(SurveyAnswerRow)
        .where(SurveyAnswerRow.flow_id == flow_id, SurveyAnswerRow.at >= begin, SurveyAnswerRow.at < end)
        .order_by(SurveyAnswerRow.at.desc(), SurveyAnswerRow.id)
    )
    return query.where(SurveyAnswerRow.node_id == node) if node else query
