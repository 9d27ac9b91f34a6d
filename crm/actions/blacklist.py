"""Add to the blacklist, enable, disable, delete. Every change is told once, as entity "blacklist"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed, tell
from callcenter.errors import InvalidInput
from crm.importing.plan import Plan
from crm.importing.rows import read_rows
from crm.importing.sniff import looks_like_header, propose, sniff
from crm.models import BlacklistEntry
from crm.phones import Normaliser

_BATCH = 5000
MAX_WRONG_SHOWN = 50


@dataclass(frozen=True)
class Added:
    """What became of a number of texts. `wrong`: the first ones that are no phone numbers, with the reason's code."""

    added: int
    already: int
    rejected: int
    wrong: tuple[tuple[str, str], ...]


def add(session: Session, actor: Actor, numbers: Sequence[str], *, country: str, reason: str, source: str) -> Added:
    """Put `numbers`, as written, on the blacklist; a disabled entry is enabled again. Wrong ones are left out and told.

    Raises InvalidInput if there is none to add.
    """
    normaliser = Normaliser(country)
    good: dict[str, None] = {}
    wrong: list[tuple[str, str]] = []
    rejected = 0
    for text in numbers:
        if not text.strip():
            continue
        phone = normaliser.read(text)
        if phone.fault is None:
            good[phone.e164] = None
        else:
            rejected += 1
            if len(wrong) < MAX_WRONG_SHOWN:
                wrong.append((text.strip()[:60], phone.fault))
    if not good and not rejected:
        raise InvalidInput("There is no number to add.", fields={"numbers": "Give at least one phone number."})
    fresh = _insert(session, actor, list(good), reason, source)
    added = len(fresh)
    if added:
        what = ", ".join(list(good)[:5])
        record(session, actor, "create", "blacklist", 0, name=what, after={"count": added, "source": source})
        settings_changed(session, "blacklist", 0)
        tell_listed(session, fresh)
    return Added(added, len(good) - added, rejected, tuple(wrong))


def add_file(session: Session, actor: Actor, path: Path, *, country: str, reason: str) -> Added:
    """Put the numbers of an uploaded file on the blacklist: the column whose header or look says it holds phones.

    Raises InvalidInput for files that are empty or no table, and when no column looks like one of phones.
    """
    found = sniff(path)
    plan = Plan(encoding=found.encoding or "utf-8", delimiter=found.delimiter or ",")
    added = already = rejected = 0
    wrong: tuple[tuple[str, str], ...] = ()
    column: int | None = None
    for batch in read_rows(path, found.kind, plan):
        rows = batch.rows
        if column is None:
            header = looks_like_header(rows[:11])
            column = _phone_column(rows, header)
            rows = rows[1:] if header else rows
        texts = [row[column] for row in rows if len(row) > column and row[column].strip()]
        if texts:
            part = add(session, actor, texts, country=country, reason=reason, source="import")
            added, already, rejected = added + part.added, already + part.already, rejected + part.rejected
            wrong = (*wrong, *part.wrong)[:MAX_WRONG_SHOWN]
    return Added(added, already, rejected, wrong)


def _phone_column(rows: Sequence[Sequence[str]], header: bool) -> int:
    titles = rows[0] if header else ()
    first = next((r for r in rows[1 if header else 0 :] if any(c.strip() for c in r)), ())
    targets = propose(titles, first, ())
    if "phone" in targets:
        return targets.index("phone")
    if max((len(r) for r in rows[:20]), default=0) == 1:
        return 0
    raise InvalidInput(
        "No column of the file looks like phone numbers.",
        code="no_phone_column",
        fields={"file": "Name the column “phone”, or give a file with that column only."},
    )


def tell_listed(session: Session, phones: Sequence[str]) -> None:
    """Tell that these numbers are on the blacklist from now on: what waits for them is stopped."""
    for at in range(0, len(phones), _BATCH):
        tell(session, "blacklisted", phones=list(phones[at : at + _BATCH]))


def _insert(session: Session, actor: Actor, phones: list[str], reason: str, source: str) -> list[str]:
    changed: list[str] = []
    for at in range(0, len(phones), _BATCH):
        rows = [
            {
                "tenant_id": actor.tenant_id,
                "phone_e164": p,
                "reason": reason,
                "source": source,
                "created_by": actor.user_id,
            }
            for p in sorted(phones[at : at + _BATCH])
        ]
        statement = insert(BlacklistEntry).values(rows)
        statement = statement.on_conflict_do_update(
            index_elements=["tenant_id", "phone_e164"],
            set_={"enabled": True},
            where=BlacklistEntry.enabled.is_(False),
        )
        changed += session.scalars(statement.returning(BlacklistEntry.phone_e164)).all()
    return changed


def enable(session: Session, actor: Actor, ids: Sequence[int], enabled: bool) -> int:
    """Enable or disable entries; returns how many changed."""
    statement = (
        update(BlacklistEntry)
        .where(BlacklistEntry.id.in_(ids), BlacklistEntry.enabled.is_not(enabled))
        .values(enabled=enabled)
        .returning(BlacklistEntry.phone_e164)
    )
    phones = list(session.scalars(statement))
    _trace(session, actor, "enable" if enabled else "disable", phones)
    if enabled:
        tell_listed(session, phones)
    return len(phones)


def remove(session: Session, actor: Actor, ids: Sequence[int]) -> int:
    """Delete entries; returns how many there were."""
    phones = list(session.scalars(select(BlacklistEntry.phone_e164).where(BlacklistEntry.id.in_(ids))))
    session.execute(delete(BlacklistEntry).where(BlacklistEntry.id.in_(ids)))
    _trace(session, actor, "delete", phones)
    return len(phones)


def _trace(session: Session, actor: Actor, action: str, phones: list[str]) -> None:
    if phones:
        record(session, actor, action, "blacklist", 0, name=", ".join(phones[:5]), before={"numbers": phones[:1000]})
        settings_changed(session, "blacklist", 0)
