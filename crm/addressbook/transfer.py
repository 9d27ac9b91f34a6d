"""A file of contacts into the address book, all in the caller's transaction: each row judged and staged by `COPY`, then
all of it settled by a few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.errors import AppError, InvalidInput
from crm.addressbook.contacts import hold_groups
from crm.addressbook.groups import MAX_DEPTH, MAX_GROUPS, Tree, load_tree, lock_tree, path_of, way_to, with_below
from crm.addressbook.models import ContactGroup
from crm.addressbook.plan import ContactPlan, ContactRow, Judge
from crm.addressbook.texts import name_key, search_text
from crm.importing.columns import EmptyRow
from crm.importing.rows import read_rows
from crm.importing.sniff import FileKind

REJECTED_COUNTS = ("rejected", "duplicate_file", "duplicate_book")
_BATCH = 5000
_SETUP = """
CREATE TEMP TABLE import_row (row_no bigint, name text, name_key text, phones text[], labels text[], email text,
    company text, title text, birth_year int, birth_month int, birth_day int, note text, tags text[], search text,
    paths text[], contact_id bigint, customer_id bigint) ON COMMIT DROP;
CREATE TEMP TABLE import_reject (row_no bigint, reason text, detail text) ON COMMIT DROP;
CREATE TEMP TABLE import_group (path text, group_id bigint) ON COMMIT DROP;
SET LOCAL work_mem = '64MB';
"""
_COLUMNS = (
    "row_no", "name", "name_key", "phones", "labels", "email", "company", "title", "birth_year", "birth_month",
    "birth_day", "note", "tags", "search", "paths",
)  # fmt: skip
_KEPT = "name, name_key, phones, labels, email, company, title, birth_year, birth_month, birth_day, note, tags, search"
_VISIBLE = "(owner_id IS NULL OR owner_id = %(user)s)"
# Each row with the oldest contact that has one of its numbers.
_MATCH = f"""
UPDATE import_row r SET contact_id = m.id FROM (
  SELECT r.row_no, min(b.id) AS id FROM (SELECT row_no, unnest(phones) AS phone FROM import_row) r
  JOIN (SELECT id, unnest(phones) AS phone FROM contact WHERE {_VISIBLE}) b USING (phone) GROUP BY r.row_no
) m WHERE m.row_no = r.row_no
"""
_SKIP = """
WITH gone AS (DELETE FROM import_row WHERE contact_id IS NOT NULL RETURNING row_no)
INSERT INTO import_reject SELECT row_no, 'duplicate_book', '' FROM gone
"""
# Of several rows for one contact the last one counts.
_LAST = """
WITH gone AS (
  DELETE FROM import_row r USING import_row later WHERE later.contact_id = r.contact_id AND later.row_no > r.row_no
  RETURNING r.row_no
) INSERT INTO import_reject SELECT DISTINCT row_no, 'duplicate_file', '' FROM gone
"""
_CUSTOMERS = """
UPDATE import_row r SET customer_id = m.id FROM (
  SELECT r.row_no, min(c.id) AS id FROM (SELECT row_no, unnest(phones) AS phone FROM import_row) r
  JOIN (SELECT id, unnest(phones) AS phone FROM customer) c USING (phone) GROUP BY r.row_no
) m WHERE m.row_no = r.row_no
"""
_OVERWRITE = """
UPDATE contact c SET
  name = coalesce(nullif(r.name, ''), c.name), email = coalesce(nullif(r.email, ''), c.email),
  company = coalesce(nullif(r.company, ''), c.company), title = coalesce(nullif(r.title, ''), c.title),
  note = coalesce(nullif(r.note, ''), c.note), customer_id = coalesce(r.customer_id, c.customer_id),
  birth_year = CASE WHEN r.birth_month IS NULL THEN c.birth_year ELSE r.birth_year END,
  birth_month = coalesce(r.birth_month, c.birth_month), birth_day = coalesce(r.birth_day, c.birth_day),
  phones = r.phones || ARRAY(SELECT p FROM unnest(c.phones) WITH ORDINALITY u(p, n)
                             WHERE p <> ALL(r.phones) ORDER BY n),
  labels = r.labels || ARRAY(SELECT l FROM unnest(c.phones, c.labels) WITH ORDINALITY u(p, l, n)
                             WHERE p <> ALL(r.phones) ORDER BY n),
  tags = c.tags || ARRAY(SELECT t FROM unnest(r.tags) WITH ORDINALITY u(t, n) WHERE t <> ALL(c.tags) ORDER BY n),
  updated_at = now()
FROM import_row r WHERE r.contact_id = c.id RETURNING c.id, c.name, c.company, c.email, c.phones
"""
_DERIVE = """
UPDATE contact c SET name_key = d.name_key, search = d.search
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS d(id, name_key, search) WHERE c.id = d.id
"""
# Ids are given in the order of the rows.
_INSERT = f"""
WITH made AS (
  INSERT INTO contact ({_KEPT}, customer_id, tenant_id, owner_id, created_by)
  SELECT {_KEPT}, customer_id, %(tenant)s, %(owner)s, %(user)s FROM import_row WHERE contact_id IS NULL ORDER BY row_no
  RETURNING id
), numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM made),
rows AS (SELECT row_no, row_number() OVER (ORDER BY row_no) AS n FROM import_row WHERE contact_id IS NULL)
UPDATE import_row r SET contact_id = numbered.id FROM rows JOIN numbered USING (n) WHERE r.row_no = rows.row_no
"""
_ENTER = """
INSERT INTO contact_member (tenant_id, group_id, contact_id)
SELECT DISTINCT %(tenant)s::bigint, g.group_id, r.contact_id FROM import_row r, unnest(r.paths) p
JOIN import_group g ON g.path = p ORDER BY 2, 3 ON CONFLICT DO NOTHING
"""
_ENTER_ONE = """
INSERT INTO contact_member (tenant_id, group_id, contact_id)
SELECT %(tenant)s, %(group)s, contact_id FROM import_row WHERE paths = '{}' ORDER BY contact_id ON CONFLICT DO NOTHING
"""
# A private contact in a public group is there for everybody.
_PUBLISH = """
UPDATE contact c SET owner_id = NULL FROM contact_member m JOIN contact_group g ON g.id = m.group_id
WHERE c.id IN (SELECT contact_id FROM import_row) AND c.owner_id IS NOT NULL
  AND m.contact_id = c.id AND g.owner_id IS NULL
"""


@dataclass(frozen=True)
class Places:
    """Where contacts may go: the tree, and the group that paths start from."""

    tree: Tree
    base: int | None

    @property
    def paths(self) -> dict[str, int]:
        """Path from `base` (lower case) → group. From the root: public groups only."""
        if self.base is None:
            return {path_of(i, self.tree).casefold(): i for i, node in self.tree.items() if node.owner_id is None}
        cut = len(way_to(self.base, self.tree))
        below = with_below([self.base], self.tree) - {self.base}
        return {"/".join(self.tree[j].name for j in way_to(i, self.tree)[cut:]).casefold(): i for i in below}

    @property
    def room(self) -> int:
        """How many levels a path may have."""
        return MAX_DEPTH - len(way_to(self.base, self.tree))


def places(session: Session, actor: Actor, plan: ContactPlan) -> Places:
    """The places that `plan` may use. Raises InvalidInput if its group is gone."""
    tree = load_tree(session, actor)
    if plan.group_id is not None and plan.group_id not in tree:
        sentence = "This group does not exist any more. Choose again."
        raise InvalidInput(sentence, code="unknown_choice", fields={"group_id": sentence})
    return Places(tree, plan.group_id)


def load(
    session: Session,
    connection: psycopg.Connection,
    actor: Actor,
    source: tuple[Path, FileKind],
    plan: ContactPlan,
    this_year: int,
    tick: Callable[..., None],
) -> dict[str, int]:
    """Bring the rows of the file into the address book; returns the counts (total: rows that are not blank). Rejected
    rows are in the temporary table `import_reject`. `connection` is the one under `session`; `tick` gets the progress
    and may raise to stop."""
    connection.execute(_SETUP.encode())
    counts = _stage(connection, source, plan, places(session, actor, plan), this_year, tick)
    tick(force=True, phase="saving", counts=counts)
    connection.execute("SELECT pg_advisory_xact_lock(732, %s)", (actor.tenant_id % 2**31,))
    given = {"tenant": actor.tenant_id, "user": actor.user_id}
    if plan.in_book != "add":
        connection.execute(_MATCH.encode(), given)
        if plan.in_book == "skip":
            counts["duplicate_book"] = connection.execute(_SKIP).rowcount
        else:
            counts["duplicate_file"] += connection.execute(_LAST).rowcount
    connection.execute(_CUSTOMERS)
    counts["updated"] = _overwrite(connection) if plan.in_book == "overwrite" else 0
    lock_tree(session, actor.tenant_id)
    now = places(session, actor, plan)
    base = now.tree[now.base] if now.base is not None else None
    owner = base.owner_id if base is not None else None
    counts["added"] = connection.execute(_INSERT.encode(), {**given, "owner": owner}).rowcount
    _enter(session, connection, actor, now, given)
    return counts


def _stage(
    connection: psycopg.Connection,
    source: tuple[Path, FileKind],
    plan: ContactPlan,
    at: Places,
    this_year: int,
    tick: Callable[..., None],
) -> dict[str, int]:
    judge: Judge | None = None
    known = frozenset(at.paths)
    counts = dict.fromkeys(("total", "rejected", "duplicate_file", "duplicate_book", "added", "updated"), 0)
    holder: dict[str, int] = {}  # number → the row that has it
    replaced: list[int] = []
    for batch in read_rows(*source, plan.reading):
        staged: list[tuple[Any, ...]] = []
        rejected: list[tuple[int, str, str]] = []
        start = 0
        if judge is None:
            width = max((len(r) for r in batch.rows[: 1 if plan.header else 100]), default=0)
            judge = Judge(plan, known, at.room, width, this_year)
            start = 1 if plan.header else 0
        for i in range(start, len(batch.rows)):
            number = batch.first_no + i
            try:
                found = judge.judge(batch.rows[i]) if i not in batch.bad else None
            except EmptyRow:
                continue
            counts["total"] += 1
            if not isinstance(found, ContactRow):
                rejected.append((number, *((found.reason, found.detail) if found else (batch.bad[i], ""))))
                counts["rejected"] += 1
                continue
            earlier = {holder[p] for p in found.phones if p in holder} if plan.in_file != "add" else set()
            if earlier and plan.in_file == "skip":
                rejected.append((number, "duplicate_file", ""))
                counts["duplicate_file"] += 1
                continue
            replaced += earlier
            holder |= dict.fromkeys(found.phones, number)
            staged.append(_line(number, found))
        _copy(connection, "import_row", _COLUMNS, staged)
        _copy(connection, "import_reject", ("row_no", "reason", "detail"), rejected)
        tick(phase="reading", done_bytes=batch.done_bytes, rows=batch.first_no + len(batch.rows) - 1)
    if replaced:
        counts["duplicate_file"] += connection.execute(
            "WITH gone AS (DELETE FROM import_row WHERE row_no = ANY(%s) RETURNING row_no)"
            " INSERT INTO import_reject SELECT row_no, 'duplicate_file', '' FROM gone",
            (replaced,),
        ).rowcount
    return counts


def _line(number: int, row: ContactRow) -> tuple[Any, ...]:
    day = row.birthday
    return (
        number, row.name, name_key(row.name or row.company), list(row.phones), list(row.labels), row.email, row.company,
        row.title, day.year if day else None, day.month if day else None, day.day if day else None, row.note,
        list(row.tags), search_text(row.name, row.company, row.email, row.phones), list(row.paths),
    )  # fmt: skip


def _copy(
    connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:  # fmt: skip
    with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(tuple(v.replace("\0", "") if isinstance(v, str) else v for v in row))


def _overwrite(connection: psycopg.Connection) -> int:
    # In order of id, as others who change several contacts hold them.
    connection.execute(
        "SELECT 1 FROM contact WHERE id IN (SELECT contact_id FROM import_row) ORDER BY id FOR UPDATE"
    )  # fmt: skip
    done = connection.execute(_OVERWRITE).fetchall()
    for at in range(0, len(done), _BATCH):
        part = done[at : at + _BATCH]
        keys = [name_key(name or company) for _, name, company, _, _ in part]
        looked = [search_text(name, company, email, phones) for _, name, company, email, phones in part]
        connection.execute(_DERIVE, ([r[0] for r in part], keys, looked))
    return len(done)


def _enter(
    session: Session, connection: psycopg.Connection, actor: Actor, at: Places, given: dict[str, Any]
) -> None:  # fmt: skip
    paths = [r[0] for r in connection.execute("SELECT DISTINCT unnest(paths) FROM import_row ORDER BY 1")]
    there = at.paths
    owner = at.tree[at.base].owner_id if at.base is not None else None
    count = len(at.tree)
    found: list[tuple[str, int]] = []
    for path in paths:
        above = at.base
        names = path.split("/")
        for depth, name in enumerate(names, 1):
            key = "/".join(names[:depth]).casefold()
            if key not in there:
                count += 1
                if count > MAX_GROUPS:
                    raise AppError(f"There would be more than {MAX_GROUPS} groups.", code="too_many")
                group = ContactGroup(name=name, parent_id=above, owner_id=owner)
                session.add(group)
                session.flush()
                record(session, actor, "create", "contact_group", group.id, name=name, after={"path": key})
                there[key] = group.id
            above = there[key]
        found.append((path, there[path.casefold()]))
    hold_groups(session, [*(g for _, g in found), *([at.base] if at.base is not None else [])])
    _copy(connection, "import_group", ("path", "group_id"), found)
    connection.execute(_ENTER, given)
    if at.base is not None:
        connection.execute(_ENTER_ONE, {**given, "group": at.base})
    connection.execute(_PUBLISH)
