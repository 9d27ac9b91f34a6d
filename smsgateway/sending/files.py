"""Files of recipients: one column of numbers, the others fill placeholders.

An upload is read once: each row is judged and written as a line of JSON, [number, fault, values…], beside a document
that says what the columns are. So a send can go on from any place of it. Files lie under `var/text-files/{enterprise}`
and are removed after KEEP_DAYS.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from callcenter import config, ids
from callcenter.audit.models import Actor, record
from callcenter.db.session import tenant_session
from callcenter.errors import InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from crm.importing.plan import Plan
from crm.importing.rows import read_rows
from crm.importing.sniff import looks_like_header, propose, sniff
from crm.phones import Normaliser, PhoneFault
from crm.queries.fields import field_defs
from smsgateway.templates import FIELDS

MAX_BYTES: Final = 200 * 1024 * 1024
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 60
KEEP_DAYS: Final = 30
_WRONG_SHOWN: Final = 50
_FIRST_SHOWN: Final = 5
_CELL: Final = 500
_ID: Final = re.compile(r"[0-9A-Za-z]{10,40}")
_FACTS: Final = {"company": ("company", "公司", "单位", "企业"), "birthday": ("birthday", "生日", "出生")}


@dataclass(frozen=True)
class Column:
    """`placeholder` is what its values fill in; empty for the column of numbers."""

    title: str
    placeholder: str


@dataclass(frozen=True)
class Wrong:
    line: int
    text: str
    code: str


@dataclass(frozen=True)
class RecipientFile:
    """An upload as it was read. `good` rows have a number that can be one, `rows` are all with anything in them."""

    id: str
    file_name: str
    size_bytes: int
    rows: int
    good: int
    wrong: tuple[Wrong, ...]
    wrong_count: int
    columns: tuple[Column, ...]
    first: tuple[tuple[str, ...], ...]
    user_id: int | None = None


def new_id() -> str:
    """A name for an upload."""
    return ids.new_id()


def stored_name(tenant_id: int, file_id: str) -> str:
    """Where an upload lies, relative to the var directory."""
    return f"text-files/{tenant_id}/{file_id}.upload"


def rows_path(tenant_id: int, file_id: str) -> Path:
    """The rows as they were judged."""
    return config.load().var / f"text-files/{tenant_id}/{file_id}.rows"


def _about_path(tenant_id: int, file_id: str) -> Path:
    return rows_path(tenant_id, file_id).with_suffix(".json")


def find(actor: Actor, file_id: str) -> RecipientFile:
    """An upload of the actor's own. Raises NotFound."""
    path = _about_path(actor.tenant_id, file_id) if _ID.fullmatch(file_id) else None
    if path is None or not path.exists():
        raise NotFound("The uploaded file is gone. Upload it again.", code="file_gone")
    found = msgspec.json.decode(path.read_bytes(), type=RecipientFile)
    if found.user_id != actor.user_id:
        raise NotFound("The uploaded file is gone. Upload it again.", code="file_gone")
    return found


def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do `work` here and now."""
    return work(*arguments)


def register(actor: Actor, file_id: str, file_name: str, aside: Callable[..., Any] = at_once) -> RecipientFile:
    """Read an upload. Raises InvalidInput if it is no table, has no numbers or too many rows. `aside` does what takes
    long and asks nobody, such as in another thread."""
    path = config.load().var / stored_name(actor.tenant_id, file_id)
    target = rows_path(actor.tenant_id, file_id)
    try:
        with tenant_session(actor.tenant_id) as session:
            country = session.get_one(Enterprise, actor.tenant_id).country
            own = [(f.key, f.label) for f in field_defs(session).values()]
        found: RecipientFile = aside(_read, path, target, file_id, file_name[:255], country, own, actor.user_id)
        _about_path(actor.tenant_id, file_id).write_bytes(msgspec.json.encode(found))
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        path.unlink(missing_ok=True)
    with tenant_session(actor.tenant_id) as session:
        after = {"rows": found.rows, "good": found.good}
        record(session, actor, "upload", "text_file", file_id, name=found.file_name, after=after)
    return found


def _read(
    path: Path,
    target: Path,
    file_id: str,
    name: str,
    country: str,
    own: Sequence[tuple[str, str]],
    user_id: int | None,
) -> RecipientFile:
    size = path.stat().st_size
    kind = sniff(path)
    plan = Plan(encoding=kind.encoding or "utf-8", delimiter=kind.delimiter or ",")
    read, encode = Normaliser(country).read, msgspec.json.encode
    columns: list[Column] | None = None
    at = 0
    rows = good = wrong_count = 0
    wrong: list[Wrong] = []
    first: list[tuple[str, ...]] = []
    with target.open("wb") as out:
        for batch in read_rows(path, kind.kind, plan):
            begin = 0
            if columns is None:
                header = looks_like_header(batch.rows[:11])
                columns, at = _columns(batch.rows, header, own)
                begin = 1 if header else 0
            for i in range(begin, len(batch.rows)):
                row = batch.rows[i]
                if not any(c.strip() for c in row):
                    continue
                rows += 1
                if rows > MAX_ROWS:
                    raise InvalidInput(
                        "The file has too many rows.", code="file_too_long",
                        fields={"file": f"A file can have at most {MAX_ROWS:,} rows. Cut it into several."},
                    )  # fmt: skip
                text = row[at].strip() if len(row) > at else ""
                phone = read(text) if i not in batch.bad else None
                fault = PhoneFault.NOT_A_NUMBER if phone is None else phone.fault
                if fault is not None:
                    wrong_count += 1
                    if len(wrong) < _WRONG_SHOWN:
                        wrong.append(Wrong(batch.first_no + i, text[:60], fault.value))
                else:
                    good += 1
                number = phone.e164 if phone is not None and fault is None else text[:40] or f"#{batch.first_no + i}"
                cells = [c.strip()[:_CELL] for c in row[: len(columns)]]
                if len(first) < _FIRST_SHOWN:
                    first.append(tuple(cells))
                out.write(encode([number, fault.value if fault else "", *cells]) + b"\n")
    if not good:
        raise InvalidInput(
            "No row has a phone number.", code="no_phone_column",
            fields={"file": "Name the column “phone”, or give a file with that column only."},
        )  # fmt: skip
    return RecipientFile(
        file_id, name, size, rows, good, tuple(wrong), wrong_count, tuple(columns or ()), tuple(first), user_id
    )


def _columns(rows: Sequence[Sequence[str]], header: bool, own: Sequence[tuple[str, str]]) -> tuple[list[Column], int]:
    """What the columns are, and which one holds the numbers. Raises InvalidInput if none does."""
    titles = [t.strip() for t in rows[0]] if header else []
    body = rows[1 if header else 0 :]
    sample = next((r for r in body if any(c.strip() for c in r)), ())
    width = min(max((len(r) for r in rows[:50]), default=0), MAX_COLUMNS)
    targets = propose(titles, sample, own)[:width]
    targets += [""] * (width - len(targets))
    if "phone" not in targets and width == 1:
        targets = ["phone"]
    if "phone" not in targets:
        raise InvalidInput(
            "No column of the file looks like phone numbers.", code="no_phone_column",
            fields={"file": "Name the column “phone”, or give a file with that column only."},
        )  # fmt: skip
    at = targets.index("phone")
    taken: set[str] = set()
    columns = []
    for i, target in enumerate(targets):
        title = titles[i] if i < len(titles) else ""
        placeholder = "" if i == at else _placeholder(title, target, i, taken)
        taken.add(placeholder)
        columns.append(Column(title, placeholder))
    return columns, at


def _placeholder(title: str, target: str, column: int, taken: set[str]) -> str:
    """`name`, `company` … where the title says so, else `field.<key>`: the enterprise's field of that name, the title
    itself if it can be one, else `col_3`."""
    low = title.casefold()
    wanted = ""
    if target == "name" and low not in FIELDS:
        wanted = "name"
    elif target.startswith("field:"):
        wanted = f"field.{target[6:]}"
    elif low in FIELDS and low not in ("phone", "agent", "agent_phone", "enterprise", "date"):
        wanted = low
    elif title:
        wanted = next((fact for fact, words in _FACTS.items() if any(w in low for w in words)), "")
        key = re.sub(r"[^a-z0-9_]+", "_", low).strip("_")[:40]
        if not wanted and title.isascii() and key:
            wanted = f"field.{key}"
    return wanted if wanted and wanted not in taken else f"field.col_{column + 1}"


def sweep() -> int:
    """Remove files older than KEEP_DAYS; returns how many."""
    before = time.time() - KEEP_DAYS * 86400
    removed = 0
    for path in (config.load().var / "text-files").glob("*/*"):
        if path.is_file() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def values(columns: Sequence[Any], cells: Sequence[str]) -> dict[str, str]:
    """Placeholder → value of one row."""
    return {c["placeholder"]: v for c, v in zip(columns, cells, strict=False) if c["placeholder"]}
