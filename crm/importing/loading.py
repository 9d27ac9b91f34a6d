"""Leads into the table, all in the caller's transaction: `COPY` into a staging table, then one `INSERT` in the order
of the unique index.

A number stands once in a list, which the index guarantees. Numbers that come twice in a file are found while it is
read, as long as the set of them stays small; into an empty list the rows can then go without asking the index for each,
which is a quarter of the work. Otherwise `ON CONFLICT` asks, and only if fewer rows went in than were staged are the
duplicates told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import msgspec
import psycopg

from crm.importing.columns import LeadRow
from crm.importing.plan import Plan

_BUFFER_CHARS = 256 * 1024
_NULL = "\\N"
REMEMBERED = 2_000_000  # numbers known while reading, at about 70 bytes each
_JSON = msgspec.json.Encoder()
_SETUP = """
CREATE TEMP TABLE import_row (row_no bigint, phone text, name text, alt_phones text[], fields jsonb, time_zone text,
    priority integer, owner_id bigint) ON COMMIT DROP;
CREATE TEMP TABLE import_reject (row_no bigint, reason text, detail text) ON COMMIT DROP;
SET LOCAL work_mem = '64MB';
"""


def escaped(text: str) -> str:
    """`text` as a cell of PostgreSQL's COPY text format."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


class Staging:
    """Takes leads and rejected rows in file order. Use as a context manager around one pass over the file.

    With `first_wins`, later rows with a number that came before are rejected at once; `twice` counts them, `unique`
    tells that all of them were found.
    """

    def __init__(self, connection: psycopg.Connection, *, first_wins: bool) -> None:
        self.twice = 0
        self._seen: set[int] | None = set() if first_wins else None
        self._rejects: list[str] = []
        self._connection = connection
        connection.execute(_SETUP)
        self._cursor = connection.cursor()
        self._context = self._cursor.copy("COPY import_row FROM STDIN")
        self._buffer: list[str] = []
        self._size = 0

    def __enter__(self) -> Self:
        self._copy = self._context.__enter__()
        return self

    def lead(self, row_no: int, lead: LeadRow) -> None:
        """Stage one lead, or reject its row if the number came before."""
        phone, name, alternates, values, zone, priority, owner = lead
        if self._seen is not None:
            number = int(phone)
            if number in self._seen:
                self.twice += 1
                self.reject(row_no, "duplicate_file", "")
                return
            self._seen.add(number)
            if len(self._seen) > REMEMBERED:
                self._seen = None
        others = "{" + ",".join(alternates) + "}" if alternates else "{}"
        fields = _JSON.encode(values).decode() if values else "{}"
        if "\\" in fields:
            fields = fields.replace("\\", "\\\\")
        line = (
            f"{row_no}\t{phone}\t{escaped(name)}\t{others}\t{fields}\t{zone}"
            f"\t{priority}\t{_NULL if owner is None else owner}\n"
        )
        self._buffer.append(line)
        self._size += len(line)
        if self._size > _BUFFER_CHARS:
            self._flush()

    @property
    def unique(self) -> bool:
        """Whether no number is staged twice for certain."""
        return self._seen is not None

    def reject(self, row_no: int, reason: str, detail: str) -> None:
        """Note a rejected row. Kept here until the leads' COPY ends: a connection carries one COPY at a time."""
        self._rejects.append(f"{row_no}\t{reason}\t{escaped(detail.replace(chr(0), ''))}\n")
        if len(self._rejects) >= 200_000:
            self._spill()

    def _spill(self) -> None:
        self._end_copy()
        self._write_rejects()
        self._context = self._cursor.copy("COPY import_row FROM STDIN")
        self._copy = self._context.__enter__()

    def _flush(self) -> None:
        self._copy.write("".join(self._buffer))
        self._buffer.clear()
        self._size = 0

    def _end_copy(self) -> None:
        self._flush()
        self._context.__exit__(None, None, None)

    def _write_rejects(self) -> None:
        if self._rejects:
            with self._cursor.copy("COPY import_reject FROM STDIN") as copy:
                copy.write("".join(self._rejects))
            self._rejects.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._context.__exit__(kind, error, trace)
            return
        self._end_copy()
        self._write_rejects()


def settle(
    connection: psycopg.Connection, tenant_id: int, list_id: int, import_id: str, plan: Plan, *, unique: bool = False
) -> dict[str, int]:
    """Move the staged leads into the list by the plan's rules. Returns counts: accepted, updated, blacklisted,
    duplicate_file, duplicate_list, duplicate_enterprise. Rejected ones are added to `import_reject`. `unique`: no
    number is staged twice."""
    # Imports into one list go one after the other; its deletion waits for them too.
    connection.execute("SELECT pg_advisory_xact_lock(726, %s)", (list_id % 2**31,))
    if connection.execute("SELECT 1 FROM lead_list WHERE id = %s FOR KEY SHARE", (list_id,)).fetchone() is None:
        raise LookupError(f"list {list_id} is gone")
    counts = dict.fromkeys(
        ("accepted", "updated", "blacklisted", "duplicate_file", "duplicate_list", "duplicate_enterprise"), 0
    )
    if plan.scrub_blacklist:
        counts["blacklisted"] = _scrub(connection)
    if plan.duplicates.file == "update":
        counts["duplicate_file"] = _last_wins(connection)
    if plan.duplicates.enterprise != "keep":
        counts["duplicate_enterprise"], updated = _elsewhere(connection, list_id, plan.duplicates.enterprise)
        counts["updated"] += updated
    staged = _count(connection, "SELECT count(*) FROM import_row")
    # Whoever adds a lead by hand locks the list's row and so waits for us: an empty list stays empty until then.
    empty = connection.execute("SELECT 1 FROM lead WHERE list_id = %s LIMIT 1", (list_id,)).fetchone() is None
    conflict = "" if unique and empty else " ON CONFLICT (list_id, phone_e164) DO NOTHING"
    counts["accepted"] = connection.execute(
        "INSERT INTO lead (tenant_id, list_id, name, phone_e164, alt_phones, fields, time_zone, priority, owner_id,"
        " import_id) SELECT %s, %s, name, phone, alt_phones, fields, time_zone, priority, owner_id, %s"
        f" FROM import_row ORDER BY phone, row_no{conflict}".encode(),
        (tenant_id, list_id, import_id),
    ).rowcount
    if counts["accepted"] < staged:
        _tell_apart(connection, list_id, import_id, plan, counts)
    return counts


def _count(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def _scrub(connection: psycopg.Connection) -> int:
    if connection.execute("SELECT 1 FROM blacklist_entry WHERE enabled LIMIT 1").fetchone() is None:
        return 0
    return connection.execute(
        "WITH gone AS (DELETE FROM import_row r USING blacklist_entry b WHERE b.phone_e164 = r.phone AND b.enabled"
        " RETURNING r.row_no) INSERT INTO import_reject SELECT row_no, 'blacklisted', '' FROM gone"
    ).rowcount


def _last_wins(connection: psycopg.Connection) -> int:
    return connection.execute(
        "WITH later AS (SELECT row_no, row_number() OVER (PARTITION BY phone ORDER BY row_no DESC) AS n"
        " FROM import_row),"
        " gone AS (DELETE FROM import_row r USING later l WHERE l.row_no = r.row_no AND l.n > 1 RETURNING r.row_no)"
        " INSERT INTO import_reject SELECT row_no, 'duplicate_file', '' FROM gone"
    ).rowcount


_MERGE = (
    "UPDATE lead l SET name = CASE WHEN r.name <> '' THEN r.name ELSE l.name END, fields = l.fields || r.fields,"
    " alt_phones = ARRAY(SELECT DISTINCT p FROM unnest(l.alt_phones || r.alt_phones) p WHERE p <> l.phone_e164),"
    " priority = CASE WHEN r.priority <> 0 THEN r.priority ELSE l.priority END,"
    " owner_id = coalesce(r.owner_id, l.owner_id)"
)


def _elsewhere(connection: psycopg.Connection, list_id: int, rule: str) -> tuple[int, int]:
    """(rejected, updated leads) for numbers that other lists of the enterprise hold."""
    updated = 0
    if rule == "update":
        updated = connection.execute(
            f"{_MERGE} FROM import_row r WHERE l.phone_e164 = r.phone AND l.list_id <> %s".encode(), (list_id,)
        ).rowcount
    gone = "DELETE FROM import_row r WHERE EXISTS (SELECT FROM lead l WHERE l.phone_e164 = r.phone AND l.list_id <> %s)"
    if rule == "update":
        connection.execute(gone.encode(), (list_id,))
        return 0, updated
    query = f"WITH gone AS ({gone} RETURNING r.row_no)"
    query += " INSERT INTO import_reject SELECT row_no, 'duplicate_enterprise', '' FROM gone"
    return connection.execute(query.encode(), (list_id,)).rowcount, 0


def _tell_apart(
    connection: psycopg.Connection, list_id: int, import_id: str, plan: Plan, counts: dict[str, int]
) -> None:
    """Sort the staged rows that were not inserted into duplicates in the file and duplicates in the list."""
    connection.execute(
        "CREATE TEMP TABLE import_twice ON COMMIT DROP AS SELECT row_no, phone, n FROM"
        " (SELECT row_no, phone, row_number() OVER (PARTITION BY phone ORDER BY row_no) AS n FROM import_row) x"
        " WHERE n > 1"
    )
    twice = connection.execute(
        "INSERT INTO import_reject SELECT row_no, 'duplicate_file', '' FROM import_twice"
    ).rowcount
    counts["duplicate_file"] += twice
    if counts["accepted"] == _count(connection, "SELECT count(*) FROM import_row") - twice:
        return
    there = (
        " FROM import_row r WHERE l.list_id = %s AND l.phone_e164 = r.phone AND l.import_id IS DISTINCT FROM %s"
        " AND NOT EXISTS (SELECT FROM import_twice t WHERE t.row_no = r.row_no)"
    )
    if plan.duplicates.list == "update":
        counts["updated"] += connection.execute(f"{_MERGE}{there}".encode(), (list_id, import_id)).rowcount
        return
    joined = there.replace("FROM import_row r", "FROM import_row r, lead l")
    query = f"INSERT INTO import_reject SELECT r.row_no, 'duplicate_list', ''{joined}"
    counts["duplicate_list"] += connection.execute(query.encode(), (list_id, import_id)).rowcount


def rejected_rows(connection: psycopg.Connection) -> Iterator[tuple[int, str, str]]:
    """(row number, reason, detail) of all rejected rows, in row order, streamed from the server."""
    with connection.cursor(name="import_rejects") as cursor:
        cursor.itersize = 5000
        cursor.execute("SELECT row_no, reason, detail FROM import_reject ORDER BY row_no")
        for row_no, reason, detail in cursor:
            yield int(row_no), str(reason), str(detail)
