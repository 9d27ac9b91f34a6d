"""What was spent (E7): by send, in sums, and by whom.

All of it is of the roll-up and the ledger behind its mark (`rollup.py`). A page of sends does not add up all sends: of
each the roll-up has a row for a day, and the row that is the last one in the range (`next_day` is behind it) stands for
the send, in the order of an index. Only those on the page, and those in the ledger behind the mark, are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, DateTime, Select, Text, case, select, text
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from smsgateway.purse import rollup

_KEY: Final = "account_id, send_id, user_id, purpose"
_EARLIEST, _LATEST = date(1900, 1, 1), date(9000, 1, 1)
_SUMS: Final = """coalesce(sum(texts), 0)::bigint AS texts, coalesce(sum(segments), 0)::bigint AS segments,
    coalesce(sum(settled_minor - given_back_minor), 0)::bigint AS amount_minor,
    coalesce(sum(given_back_minor), 0)::bigint AS given_back_minor"""


def page(
    session: Session, args: Mapping[str, Any], accounts: Mapping[str, int], time_zone: str, *, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """A page of what `listed` gives, and how many there are in all."""
    wanted, given = _asked(args, accounts)
    # The same range of days as instants, roughly: for the index.
    for name, asked, days in (("after", args.get("from_"), -2), ("before", args.get("to"), 2)):
        if asked is not None and _EARLIEST < asked < _LATEST:
            given[name] = datetime.combine(asked, time(), UTC) + timedelta(days=days)
            wanted += f" AND last_at {'>' if days < 0 else '<'} :{name}"
    inside = f"{wanted} AND (next_day IS NULL OR next_day > :last)"
    same = " AND ".join(f"d.{c} = k.{c}" for c in _KEY.split(", "))

    def rolled(columns: str, condition: str, tail: str = "") -> str:
        return _each(lambda a: f"SELECT {columns} {rollup.rolled('purse_send_day d', a)} AND {condition} {tail}", given)

    # Not those that have more in the ledger: those are in `live`, all of them.
    fresh = f"{inside} AND NOT EXISTS (SELECT FROM tail k WHERE {same})"
    query = f"""
WITH tail AS MATERIALIZED (
  SELECT {_KEY}, day, last_at, texts, segments, settled_minor, given_back_minor
  FROM ({_each(rollup.entries, given)}) e WHERE side = 'spent' AND {wanted}
), live AS MATERIALIZED (
  SELECT k.*, (SELECT max(last_at) FROM ({rolled("last_at", f"{wanted} AND {same}")}) r) AS rolled_at
  FROM (SELECT {_KEY}, max(last_at) AS last_at FROM tail GROUP BY {_KEY}) k
), keys AS (
  SELECT {_KEY}, last_at FROM ({rolled(f"{_KEY}, last_at", fresh, "ORDER BY last_at DESC LIMIT :most")}) r
  UNION ALL SELECT {_KEY}, greatest(last_at, rolled_at) FROM live
  ORDER BY last_at DESC, send_id DESC, user_id DESC, purpose LIMIT :limit OFFSET :offset
)
SELECT k.*, s.*, (SELECT name FROM user_account WHERE id = k.user_id) AS user,
  (SELECT count(*) FROM ({rolled("1", inside)}) r) + (SELECT count(*) FROM live WHERE rolled_at IS NULL) AS total
FROM (SELECT 1) one LEFT JOIN keys k ON true CROSS JOIN LATERAL (
  SELECT {_SUMS} FROM (
    {rolled("texts, segments, settled_minor, given_back_minor", f"{wanted} AND {same}")}
    UNION ALL SELECT texts, segments, settled_minor, given_back_minor FROM tail d WHERE {same}
  ) x
) s ORDER BY k.last_at DESC, k.send_id DESC, k.user_id DESC, k.purpose
"""
    values = {**given, "zone": time_zone, "last": args.get("to") or date.max, "limit": limit, "offset": offset,
              "most": limit + offset}  # fmt: skip
    rows = session.execute(text(query), values).mappings().all()
    kinds = {a: k for k, a in accounts.items()}
    return [
        {
            **{n: r[n] for n in ("purpose", "user", "texts", "segments", "amount_minor", "given_back_minor")},
            "at": r["last_at"], "send_id": r["send_id"] or None, "user_id": r["user_id"] or None,
            "kind": kinds[r["account_id"]],
        }
        for r in rows
        if r["account_id"] is not None
    ], int(rows[0]["total"])  # fmt: skip


def _asked(args: Mapping[str, Any], accounts: Mapping[str, int]) -> tuple[str, dict[str, Any]]:
    """The condition on rows of a roll-up, and all parameters: one `account…` for each that is asked for."""
    asked = [a for kind, a in accounts.items() if args.get("kind") in (None, "", kind)]
    given: dict[str, Any] = {f"account{i}": a for i, a in enumerate(asked)}
    wanted = []
    for name, condition in (
        ("purpose", "purpose = :purpose"), ("user_id", "user_id = :user_id"), ("from_", "day >= :from_"),
        ("to", "day <= :to"),
    ):  # fmt: skip
        if args.get(name) not in (None, ""):
            given[name] = args[name]
            wanted.append(condition)
    return " AND ".join(wanted) or "true", given


def _spent(source: Callable[[str], str], args: Mapping[str, Any], accounts: Mapping[str, int]) -> tuple[str, Any]:
    """The rows of `source` (`rollup.days`, `rollup.sends`) that are asked for, as SQL with its parameters."""
    wanted, given = _asked(args, accounts)
    return f"(SELECT * FROM ({_each(source, given)}) r WHERE {wanted})", given


def _each(source: Callable[[str], str], given: Mapping[str, Any]) -> str:
    return " UNION ALL ".join(f"({source(name)})" for name in given if name.startswith("account"))


def listed(args: Mapping[str, Any], accounts: Mapping[str, int], time_zone: str) -> Select[Any]:
    """What was spent, by send: `at` (the last deduction), `send_id`, `kind`, `purpose`, `user_id`, `user`, `texts`,
    `segments`, `amount_minor` (less what was given back), `given_back_minor`; the newest first. `accounts`: kind → id.
    Filters: `kind`, `purpose`, `user_id`, days `from_` and `to` of `time_zone`, both included, each may be None. This
    adds all of them up, for files."""
    rows, given = _spent(rollup.sends, args, accounts)
    spent = (
        text(f"""
SELECT account_id, nullif(send_id, 0) AS send_id, nullif(user_id, 0) AS user_id, purpose, max(last_at) AS at,
  sum(texts)::bigint AS texts, sum(segments)::bigint AS segments,
  sum(settled_minor - given_back_minor)::bigint AS amount_minor, sum(given_back_minor)::bigint AS given_back_minor
FROM {rows} s GROUP BY s.account_id, s.send_id, s.user_id, s.purpose
""")
        .bindparams(zone=time_zone, **given)
        .columns(
            account_id=BigInteger, send_id=BigInteger, user_id=BigInteger, purpose=Text, at=DateTime(timezone=True),
            texts=BigInteger, segments=BigInteger, amount_minor=BigInteger, given_back_minor=BigInteger,
        )
        .subquery("spent")
    )  # fmt: skip
    c = spent.c
    kind = case(*((c.account_id == a, k) for k, a in accounts.items())).label("kind")
    name = select(User.name).where(User.id == c.user_id).scalar_subquery().label("user")
    query = select(
        c.at, c.send_id, kind, c.purpose, c.user_id, name, c.texts, c.segments, c.amount_minor, c.given_back_minor
    )
    return query.order_by(c.at.desc(), c.send_id.desc().nulls_last())


def deducted(
    session: Session, args: Mapping[str, Any], accounts: Mapping[str, int], time_zone: str
) -> dict[str, int]:  # fmt: skip
    """Sums over all that `listed` gives: texts, segments, amount_minor, given_back_minor."""
    rows, given = _spent(rollup.days, args, accounts)
    sums = text(f"""
SELECT sum(texts) AS texts, sum(segments) AS segments, sum(settled_minor - given_back_minor) AS amount_minor,
  sum(given_back_minor) AS given_back_minor FROM {rows} s
""")
    row = session.execute(sums, {"zone": time_zone, **given}).one()
    return {name: int(value or 0) for name, value in row._asdict().items()}


def spenders(session: Session, accounts: Mapping[str, int], time_zone: str) -> Sequence[Any]:
    """(id, name) of the users who have ever spent, by name."""
    rows, given = _spent(rollup.days, {}, accounts)
    ids = session.scalars(
        text(f"SELECT DISTINCT user_id FROM {rows} s WHERE spendings > 0"), {"zone": time_zone, **given}
    ).all()
    return session.execute(select(User.id, User.name).where(User.id.in_(ids)).order_by(User.name, User.id)).all()
