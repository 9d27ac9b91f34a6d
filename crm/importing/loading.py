"""Leads into the table, all in the caller's transaction: `COPY` into a staging table, then an `INSERT` in the order of
the unique index.

A number stands once in a list, which the index guarantees. Numbers that come twice in a file are found while it is
read, as long as the set of them stays small; into an empty list the rows can then go without asking the index for each,
which is a quarter of the work, and a slice at a time while the next one is read. Otherwise they go in the end,
`ON CONFLICT` asks, and only if fewer rows went in than were staged are the duplicates told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import msgspec
import psycopg

from crm.importing.columns import LeadRow
from crm.importing.plan import Plan

SLICE = 50_000  # rows that are stored at once
_LINES_AT_ONCE = 2_000
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

    What is staged goes to the server in a thread, a slice at a time; nobody else may use the connection meanwhile. With
    `first_wins`, later rows with a number that came before are rejected at once; `twice` counts them.
    """

    def __init__(self, connection: psycopg.Connection, settling: Settling, *, first_wins: bool) -> None:
        self.twice = 0
        self._seen: set[int] | None = set() if first_wins else None
        self._connection, self._settling = connection, settling
        self._rows: list[str] = []
        self._rejects: list[str] = []
        connection.execute(_SETUP)

    def __enter__(self) -> Self:
        self._settling.begin()
        self._thread = ThreadPoolExecutor(1, "staging")
        self._storing: Future[None] | None = None
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
                self._flush()
                self._seen = None
        others = "{" + ",".join(alternates) + "}" if alternates else "{}"
        fields = _JSON.encode(values).decode() if values else "{}"
        if "\\" in fields:
            fields = fields.replace("\\", "\\\\")
        self._rows.append(
            f"{row_no}\t{phone}\t{escaped(name)}\t{others}\t{fields}\t{zone}"
            f"\t{priority}\t{_NULL if owner is None else owner}\n"
        )
        if len(self._rows) >= SLICE:
            self._flush()

    @property
    def unique(self) -> bool:
        """Whether no number is staged twice for certain."""
        return self._seen is not None

    def reject(self, row_no: int, reason: str, detail: str) -> None:
        """Note a rejected row."""
        self._rejects.append(f"{row_no}\t{reason}\t{escaped(detail.replace(chr(0), ''))}\n")
        if len(self._rejects) >= SLICE:
            self._flush()

    def _flush(self) -> None:
        """Hand over what has gathered, once the slice before it is stored. Raises what went wrong with that."""
        if self._storing is not None:
            self._storing.result()
        self._storing = self._thread.submit(self._store, self._rows, self._rejects, self.unique)
        self._rows, self._rejects = [], []

    def _store(self, rows: list[str], rejects: list[str], unique: bool) -> None:
        for table, lines in (("import_row", rows), ("import_reject", rejects)):
            if lines:
                with self._connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    for start in range(0, len(lines), _LINES_AT_ONCE):
                        copy.write("".join(lines[start : start + _LINES_AT_ONCE]))
        if rows and unique:
            self._settling.slice()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._flush()
                assert self._storing is not None
                self._storing.result()
        finally:
            self._thread.shutdown(wait=True)


class Settling:
    """Moves staged leads into the list by the plan's rules. `counts`: accepted, updated, blacklisted, duplicate_file,
    duplicate_list, duplicate_enterprise; rejected ones are added to `import_reject`."""

    def __init__(
        self, connection: psycopg.Connection, tenant_id: int, list_id: int, import_id: str, plan: Plan
    ) -> None:
        self.counts = dict.fromkeys(
            ("accepted", "updated", "blacklisted", "duplicate_file", "duplicate_list", "duplicate_enterprise"), 0
        )
        self._connection, self._plan = connection, plan
        self._tenant_id, self._list_id, self._import_id = tenant_id, list_id, import_id
        self._early = False

    def begin(self) -> None:
        """Decide whether slices may go into the list while the file is read. Raises LookupError if the list is gone."""
        rules = self._plan.duplicates
        if rules.file == "skip" and rules.enterprise == "keep" and self._is_empty():
            self._lock()
            self._early = self._is_empty()

    def slice(self) -> None:
        """What is staged is unique so far: into the list with it, if the list was empty."""
        if self._early:
            self._scrub()
            self.counts["accepted"] += self._insert("")
            self._connection.execute("TRUNCATE import_row")

    def finish(self, *, unique: bool) -> dict[str, int]:
        """Settle the rest; returns `counts`. `unique`: no number is staged twice. Raises LookupError if the list is
        gone."""
        rules, counts, connection, list_id = self._plan.duplicates, self.counts, self._connection, self._list_id
        if not self._early:
            self._lock()
        self._scrub()
        if rules.file == "update":
            counts["duplicate_file"] = _last_wins(connection)
        if rules.enterprise != "keep":
            counts["duplicate_enterprise"], updated = _elsewhere(connection, list_id, rules.enterprise)
            counts["updated"] += updated
        if self._early and not unique:
            counts["duplicate_file"] += _in_slices(connection, list_id)
        staged = _count(connection, "SELECT count(*) FROM import_row")
        conflict = "" if unique and self._is_empty() else " ON CONFLICT (list_id, phone_e164) DO NOTHING"
        inserted = self._insert(conflict)
        counts["accepted"] += inserted
        if inserted < staged:
            _tell_apart(connection, list_id, self._import_id, self._plan, counts, staged - inserted)
        return counts

    def _lock(self) -> None:
        # Imports into one list go one after the other; its deletion waits for them too. Whoever adds a lead by hand
        # locks the list's row and so waits for us: an empty list stays empty until we fill it.
        self._connection.execute("SELECT pg_advisory_xact_lock(726, %s)", (self._list_id % 2**31,))
        there = self._connection.execute("SELECT 1 FROM lead_list WHERE id = %s FOR KEY SHARE", (self._list_id,))
        if there.fetchone() is None:
            raise LookupError(f"list {self._list_id} is gone")

    def _is_empty(self) -> bool:
        return self._connection.execute("SELECT 1 FROM lead WHERE list_id = %s LIMIT 1", (self._list_id,)).rowcount == 0

    def _scrub(self) -> None:
        if self._plan.scrub_blacklist:
            self.counts["blacklisted"] += _scrub(self._connection)

    def _insert(self, conflict: str) -> int:
        return self._connection.execute(
            "INSERT INTO lead (tenant_id, list_id, name, phone_e164, alt_phones, fields, time_zone, priority, owner_id,"
            " import_id) SELECT %s, %s, name, phone, alt_phones, fields, time_zone, priority, owner_id, %s"
            f" FROM import_row ORDER BY phone, row_no{conflict}".encode(),
            (self._tenant_id, self._list_id, self._import_id),
        ).rowcount


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


def _in_slices(connection: psycopg.Connection, list_id: int) -> int:
    """Reject staged rows whose number went into the list with an earlier slice of the same file."""
    return connection.execute(
        "WITH gone AS (DELETE FROM import_row r USING lead l WHERE l.list_id = %s AND l.phone_e164 = r.phone"
        " RETURNING r.row_no) INSERT INTO import_reject SELECT row_no, 'duplicate_file', '' FROM gone",
        (list_id,),
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
    connection: psycopg.Connection, list_id: int, import_id: str, plan: Plan, counts: dict[str, int], left: int
) -> None:
    """Sort the `left` staged rows that were not inserted into duplicates in the file and duplicates in the list."""
    connection.execute(
        "CREATE TEMP TABLE import_twice ON COMMIT DROP AS SELECT row_no, phone, n FROM"
        " (SELECT row_no, phone, row_number() OVER (PARTITION BY phone ORDER BY row_no) AS n FROM import_row) x"
        " WHERE n > 1"
    )
    twice = connection.execute(
        "INSERT INTO import_reject SELECT row_no, 'duplicate_file', '' FROM import_twice"
    ).rowcount
    counts["duplicate_file"] += twice
    if twice == left:
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
