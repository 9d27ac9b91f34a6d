"""The roll-up of the ledger by day: statements and deductions of a million entries without reading a million entries.

A loop folds each account's ledger into `purse_day` and `purse_send_day`, by the days of the enterprise's zone, and says
in `purse_mark` how far. Who reads adds what is behind the mark from the ledger itself, in the same statement and hence
the same snapshot, so that figures are always those of the ledger, to the entry.

That a mark of one number is enough rests on the bookings' locks: an account's entries are numbered while its row is
locked, so among them who has the smaller id has committed first. Nothing ever appears behind a mark that was passed.

A mark of another zone than the one that is asked for counts for nothing: the whole ledger is read then, until the loop
has made the roll-up anew. `proof.py` compares the two; a roll-up that were wrong is thrown away.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from callcenter.db.session import platform_session

log = logging.getLogger(__name__)
TURN_S: Final = 2.0
CHUNK: Final = 20_000  # ledger entries in a transaction
LAST_ID: Final = 2**63 - 1

DAY_SUMS: Final[dict[str, str]] = {
    "available_minor": "CASE WHEN side = 'available' THEN amount_minor ELSE 0 END",
    "reserved_minor": "CASE WHEN side = 'reserved' THEN amount_minor ELSE 0 END",
    "topped_up_minor": "CASE WHEN side = 'available' AND event = 'top_up' THEN amount_minor ELSE 0 END",
    "corrected_minor": "CASE WHEN side = 'available' AND event = 'correction' THEN amount_minor ELSE 0 END",
    "set_aside_minor": "CASE WHEN side = 'reserved' AND event = 'reserve' THEN amount_minor ELSE 0 END",
    "refunded_minor": "CASE WHEN side = 'available' AND event = 'refund' THEN amount_minor ELSE 0 END",
    "given_back_minor": "CASE WHEN side = 'spent' AND event = 'return' THEN -amount_minor ELSE 0 END",
    "settled_minor": "CASE WHEN side = 'spent' AND event = 'settle' THEN amount_minor ELSE 0 END",
    "texts": "CASE WHEN side <> 'spent' THEN 0 WHEN event = 'settle' THEN texts ELSE -texts END",
    "segments": "CASE WHEN side <> 'spent' THEN 0 WHEN event = 'settle' THEN segments ELSE -segments END",
    "spendings": "CASE WHEN side = 'spent' THEN 1 ELSE 0 END",
}
SEND_SUMS: Final = ("settled_minor", "given_back_minor", "texts", "segments")


def entries(account: str = "account") -> str:
    """The ledger of an account behind its mark, as rows of a roll-up: SQL with the parameters `account` (of this name)
    and `zone`. For the planner: a range of unknown ends is taken for a small one, so that the index is used; and the
    fence of enterprises lets a comparison into the index, but none that has a coalesce in it."""
    sums = ", ".join(f"{value} AS {name}" for name, value in DAY_SUMS.items())
    return f"""
SELECT account_id, (at AT TIME ZONE :zone)::date AS day, coalesce(send_id, 0) AS send_id,
  coalesce(user_id, 0) AS user_id, purpose, at AS last_at, side, {sums}
FROM ledger_entry WHERE account_id = :{account} AND id < {LAST_ID} AND id > (
  SELECT coalesce(max(through_id), 0) FROM purse_mark WHERE account_id = :{account} AND time_zone = :zone)"""


def rolled(table: str, account: str = "account") -> str:
    """What of `table` holds for an account and `zone`: the tail of a SELECT."""
    return f"""FROM {table} WHERE account_id = :{account}
  AND EXISTS (SELECT FROM purse_mark WHERE account_id = :{account} AND time_zone = :zone)"""


def days(account: str = "account") -> str:
    """All rows of `purse_day` and what the ledger has besides; a day may be in it more than once."""
    columns = ", ".join(("account_id", "day", "user_id", "purpose", *DAY_SUMS))
    return f"SELECT {columns} {rolled('purse_day', account)} UNION ALL SELECT {columns} FROM ({entries(account)}) e"


def sends(account: str = "account") -> str:
    """All rows of `purse_send_day` and what the ledger has besides; a send may be in it more than once."""
    columns = ", ".join(("account_id", "day", "send_id", "user_id", "purpose", *SEND_SUMS, "last_at"))
    return (
        f"SELECT {columns} {rolled('purse_send_day', account)} UNION ALL"
        f" SELECT {columns} FROM ({entries(account)}) e WHERE side = 'spent'"
    )


_BEHIND = text("""
SELECT a.id FROM purse_account a JOIN enterprise e ON e.id = a.tenant_id
LEFT JOIN purse_mark m ON m.account_id = a.id
LEFT JOIN LATERAL (SELECT id FROM ledger_entry WHERE account_id = a.id ORDER BY id DESC LIMIT 1) l ON true
WHERE l.id > coalesce(m.through_id, 0) OR m.time_zone <> e.time_zone
ORDER BY a.id
""")
_BEGIN = text("""
INSERT INTO purse_mark (account_id, tenant_id, time_zone) SELECT id, tenant_id, '' FROM purse_account
WHERE id = :account ON CONFLICT DO NOTHING
""")
_MARK = text("""
SELECT m.tenant_id, m.time_zone, m.through_id, e.time_zone AS own_zone
FROM purse_mark m JOIN enterprise e ON e.id = m.tenant_id WHERE m.account_id = :account FOR UPDATE OF m SKIP LOCKED
""")
_SET = text("UPDATE purse_mark SET time_zone = :zone, through_id = :through WHERE account_id = :account")


def _added(table: str, keys: str, sums: tuple[str, ...], last: bool, source: str) -> str:
    columns = ", ".join((*sums, *(("last_at",) if last else ())))
    values = ", ".join((*(f"sum({c})" for c in sums), *(("max(last_at)",) if last else ())))
    changes = ", ".join(f"{c} = {table}.{c} + excluded.{c}" for c in sums)
    if last:
        changes += f", last_at = greatest({table}.last_at, excluded.last_at)"
    return f"""
  INSERT INTO {table} (tenant_id, {keys}, {columns}) SELECT :tenant, {keys}, {values} FROM {source} GROUP BY {keys}
  ON CONFLICT ({keys}) DO UPDATE SET {changes}"""


_SUMS = ", ".join(f"{value} AS {name}" for name, value in DAY_SUMS.items())
_FOLD = text(f"""
WITH chunk AS MATERIALIZED (
  SELECT id, account_id, (at AT TIME ZONE :zone)::date AS day, coalesce(send_id, 0) AS send_id,
    coalesce(user_id, 0) AS user_id, purpose, at AS last_at, side, {_SUMS}
  FROM ledger_entry WHERE account_id = :account AND id > :through ORDER BY id LIMIT :most
), by_day AS ({_added("purse_day", "account_id, day, user_id, purpose", tuple(DAY_SUMS), False, "chunk")}
), by_send AS ({_added("purse_send_day", "account_id, day, send_id, user_id, purpose", SEND_SUMS, True,
                       "(SELECT * FROM chunk WHERE side = 'spent') spent")}
)
SELECT count(*), max(id), array_agg(DISTINCT send_id) FILTER (WHERE side = 'spent') FROM chunk
""")  # fmt: skip
_CHAIN = text("""
UPDATE purse_send_day d SET next_day = n.next_day FROM (
  SELECT send_id, user_id, purpose, day,
    lead(day) OVER (PARTITION BY send_id, user_id, purpose ORDER BY day) AS next_day
  FROM purse_send_day WHERE account_id = :account AND send_id = ANY(CAST(:sends AS bigint[]))
) n
WHERE d.account_id = :account AND (d.send_id, d.day, d.user_id, d.purpose) = (n.send_id, n.day, n.user_id, n.purpose)
  AND d.next_day IS DISTINCT FROM n.next_day
""")


def behind(session: Session) -> list[int]:
    """The accounts whose roll-up is not up to their ledger. In a platform session."""
    return list(session.scalars(_BEHIND))


def fold(session: Session, account_id: int, most: int = CHUNK) -> int:
    """Fold the next entries of an account; how many. 0: none are left, or another process is at it. In a platform
    session; `most` entries at a time."""
    session.execute(_BEGIN, {"account": account_id})
    mark = session.execute(_MARK, {"account": account_id}).one_or_none()
    if mark is None:
        return 0
    through = mark.through_id
    if mark.time_zone != mark.own_zone:
        for table in ("purse_day", "purse_send_day"):
            session.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), {"account": account_id})
        through = 0
    given = {"account": account_id, "tenant": mark.tenant_id, "zone": mark.own_zone, "through": through, "most": most}
    count, last, sends_ = session.execute(_FOLD, given).one()
    if sends_:
        session.execute(_CHAIN, {"account": account_id, "sends": sends_})
    session.execute(_SET, {"account": account_id, "zone": mark.own_zone, "through": last or through})
    return int(count)


def throw_away(session: Session, account_id: int) -> None:
    """Make an account's roll-up count for nothing; the loop makes it anew. In a platform session."""
    session.execute(text("UPDATE purse_mark SET time_zone = '' WHERE account_id = :account"), {"account": account_id})


def catch_up(stop: threading.Event | None = None) -> None:
    """Fold all that is there, each chunk in a transaction of its own."""
    with platform_session() as session:
        accounts = behind(session)
    for account in accounts:
        while stop is None or not stop.is_set():
            with platform_session() as session:
                if fold(session, account) < CHUNK:
                    break


def run(stop: threading.Event) -> None:
    """The loop of the backoffice."""
    while not stop.wait(TURN_S):
        try:
            catch_up(stop)
        except (OperationalError, InterfaceError) as error:
            log.warning("the ledger can't be rolled up now: %s", str(error).splitlines()[0])
