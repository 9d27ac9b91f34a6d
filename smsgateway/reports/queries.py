"""The figures of texts, counted by `definitions`: totals, groups, delivery times, and the texts themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.tenancy.models import Enterprise
from smsgateway.reports import definitions
from smsgateway.reports.definitions import ANSWERS, BARS_S, DELIVERED, DELIVERY_S, FIGURES, KEYS, PERCENTILES, Group
from smsgateway.texts import TextState

MOST_D: Final = 400  # days of one report
_BATCH: Final = 2000


@dataclass(frozen=True)
class Chosen:
    """Which texts. Days are of the enterprise's zone, both included. `users` None: of everybody whom the actor sees;
    `phones` None: to everybody. `reason`: a key of `Group.REASON`."""

    from_: date
    to: date
    zone: str
    tenant_id: int
    users: frozenset[int] | None = None
    kind: str = ""
    purpose: str = ""
    source: str = ""
    states: tuple[str, ...] = ()
    route_id: int | None = None
    sender_id: int | None = None
    send_id: int | None = None
    campaign_id: int | None = None
    reason: str = ""
    hour: int | None = None
    phones: tuple[str, ...] | None = None

    @property
    def since(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.from_, time(), ZoneInfo(self.zone))

    @property
    def until(self) -> datetime:
        """The instant after the last."""
        return datetime.combine(min(self.to, date(9998, 1, 1)) + timedelta(days=1), time(), ZoneInfo(self.zone))


def chosen(
    session: Session, actor: Actor, args: Mapping[str, Any], phones: Sequence[str] | None, now: datetime
) -> Chosen:
    """What `args` ask for, of what `actor` may see. Without days: the last 30."""
    own = session.get_one(Enterprise, actor.tenant_id)
    today = now.astimezone(ZoneInfo(own.time_zone)).date()
    to = args.get("to") or today
    from_ = args.get("from_") or to - timedelta(days=29)
    more = {
        n: args[n]
        for n in ("kind", "purpose", "source", "route_id", "sender_id", "send_id", "campaign_id", "reason", "hour")
        if args.get(n) is not None
    }
    states = tuple(args["state"].split(",")) if args.get("state") else ()
    return Chosen(
        from_, to, own.time_zone, actor.tenant_id, visible_user_ids(session, actor), states=states,
        phones=None if phones is None else tuple(phones), **more,
    )  # fmt: skip


def _where(c: Chosen) -> tuple[str, str, dict[str, Any]]:
    """(joins, conditions, parameters) over `text_message m JOIN text_send s`."""
    given: dict[str, Any] = {"since": c.since, "until": c.until, "zone": c.zone, "tenant": c.tenant_id}
    conditions = ["m.tenant_id = :tenant", "m.created_at >= :since", "m.created_at < :until"]
    joins = "JOIN text_send s ON s.id = m.send_id"
    if c.users is not None:
        conditions.append("(s.sender_id IS NULL OR s.sender_id = ANY(CAST(:users AS bigint[])))")
        given["users"] = sorted(c.users)
    for name, column in (("kind", "s.kind"), ("purpose", "s.purpose"), ("source", "s.source")):
        if getattr(c, name):
            conditions.append(f"{column} = :{name}")
            given[name] = getattr(c, name)
    for name, column in (
        ("route_id", "m.route_id"), ("sender_id", "s.sender_id"), ("send_id", "m.send_id"),
    ):  # fmt: skip
        if (value := getattr(c, name)) is not None:
            # 0: of none.
            conditions.append(f"{column} = :{name}" if value else f"{column} IS NULL")
            given[name] = value
    if c.campaign_id is not None:
        joins += " LEFT JOIN call c ON c.id = s.call_id"
        conditions.append("c.campaign_id = :campaign_id" if c.campaign_id else "c.campaign_id IS NULL")
        given["campaign_id"] = c.campaign_id
    if c.states:
        conditions.append("m.state = ANY(CAST(:states AS text[]))")
        given["states"] = list(c.states)
    if c.reason:
        conditions.append(f"{KEYS[Group.REASON]} = :reason")
        given["reason"] = c.reason
    if c.hour is not None:
        conditions.append(f"{KEYS[Group.HOUR]} = :hour")
        given["hour"] = f"{c.hour:02}"
    if c.phones is not None:
        conditions.append("m.phone_e164 = ANY(CAST(:phones AS text[]))")
        given["phones"] = list(c.phones)
    return joins, " AND ".join(conditions), given


def _columns(figures: Mapping[str, str]) -> str:
    return ", ".join(f"{sql} AS {name}" for name, sql in figures.items())


def totals(session: Session, c: Chosen) -> dict[str, int]:
    """All figures of the chosen texts."""
    rows = grouped(session, c, None)
    return definitions.merged([r for _, r in rows])


def grouped(session: Session, c: Chosen, by: Group | None) -> list[tuple[str, dict[str, int]]]:
    """(key, figures) of each group. By reason only texts that did not arrive are counted."""
    joins, where, given = _where(c)
    key = KEYS[by] if by is not None else "''"
    if by is Group.CAMPAIGN and c.campaign_id is None:
        joins += " LEFT JOIN call c ON c.id = s.call_id"
    if by is Group.REASON:
        where += " AND m.state = ANY(CAST(:not_arrived AS text[]))"
        given["not_arrived"] = list(definitions.NOT_ARRIVED)
    main = f"SELECT {key} AS key, {_columns(FIGURES)} FROM text_message m {joins} WHERE {where} GROUP BY 1"
    out: dict[str, dict[str, int]] = {}
    for row in session.execute(text(main), given).mappings():
        out[row["key"]] = {n: int(row[n]) for n in FIGURES} | dict.fromkeys(ANSWERS, 0)
    answers = (
        f"SELECT {key} AS key, {_columns(ANSWERS)} FROM text_inbound i JOIN text_message m ON m.id = i.message_id"
        f" {joins} WHERE i.tenant_id = :tenant AND i.created_at >= :since AND {where} GROUP BY 1"
    )
    for row in session.execute(text(answers), given).mappings():
        if row["key"] in out:
            out[row["key"]] |= {n: int(row[n]) for n in ANSWERS}
    if by in definitions.IN_ORDER:
        return sorted(out.items())
    return sorted(out.items(), key=lambda item: (-item[1]["asked"], item[0]))


def delivery(session: Session, c: Chosen) -> dict[str, Any]:
    """How long delivered texts took: `count`, `p50_s`, `p90_s`, `p99_s` (None without any), and `bars`: how many took
    up to each of `BARS_S`, and how many longer."""
    joins, where, given = _where(c)
    bars = ", ".join(str(b) for b in BARS_S)
    query = f"""
      SELECT count(*) AS n, percentile_cont(ARRAY[{", ".join(map(str, PERCENTILES))}]) WITHIN GROUP (ORDER BY d) AS p
      FROM (SELECT {DELIVERY_S} AS d FROM text_message m {joins} WHERE {where} AND {DELIVERED}) x
    """
    # width_bucket counts a bar's upper end to the next one: the ends are passed as they are, times are never so exact.
    histogram = f"""
      SELECT width_bucket({DELIVERY_S}::float8, ARRAY[{bars}]::float8[]) AS bar, count(*) AS n
      FROM text_message m {joins} WHERE {where} AND {DELIVERED} GROUP BY 1
    """
    one = session.execute(text(query), given).mappings().one()
    counts = {r.bar: r.n for r in session.execute(text(histogram), given)}
    p = one["p"] or [None] * len(PERCENTILES)
    return {
        "count": int(one["n"]),
        **{f"p{round(q * 100)}_s": None if v is None else float(v) for q, v in zip(PERCENTILES, p, strict=True)},
        "bars": [int(counts.get(i, 0)) for i in range(len(BARS_S) + 1)],
    }


_TEXT: Final = """m.id, m.send_id, m.phone_e164, m.created_at, m.submitted_at, m.final_at, m.state, m.check_name,
  m.rule, m.detail, m.error_code, m.error, m.segments, m.charged_minor, m.route_id, m.sender, m.doubt,
  coalesce(m.body, s.body) AS body, s.kind, s.purpose, s.source, s.sender_id"""


def texts(session: Session, c: Chosen, *, limit: int, offset: int) -> tuple[int, list[Any]]:
    """(how many, the rows of a page) of the chosen texts, the newest first."""
    joins, where, given = _where(c)
    total = session.scalar(text(f"SELECT count(*) FROM text_message m {joins} WHERE {where}"), given)
    query = f"""
      SELECT {_TEXT} FROM text_message m {joins} WHERE {where}
      ORDER BY m.id DESC LIMIT :limit OFFSET :offset
    """
    rows = session.execute(text(query), {**given, "limit": limit, "offset": offset}).mappings().all()
    return int(total or 0), list(rows)


def every_text(session: Session, c: Chosen) -> Iterator[Any]:
    """The chosen texts, the oldest first, by keys: however many there are, memory does not grow with them."""
    joins, where, given = _where(c)
    query = text(f"""
      SELECT {_TEXT} FROM text_message m {joins} WHERE {where} AND m.id > :after ORDER BY m.id LIMIT :limit
    """)
    after = 0
    while True:
        rows = session.execute(query, {**given, "after": after, "limit": _BATCH}).mappings().all()
        yield from rows
        if len(rows) < _BATCH:
            return
        after = rows[-1]["id"]


def shown(figures: Mapping[str, int]) -> dict[str, Any]:
    """Figures with their rates, as the API gives them."""
    waiting = sum(figures[s] for s in (TextState.APPROVAL, TextState.QUEUED, TextState.SUBMITTING))
    rates = {f"{name}_rate": value for name, value in asdict(definitions.rates(figures)).items()}
    return {**figures, "waiting": waiting, **rates}
