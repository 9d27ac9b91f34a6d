"""Add to the blacklist, enable, disable, delete. Every change is told once, as entity "blacklist"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.outbox import settings_changed, tell
from crm.importing.numbers import sort_typed
from crm.models import BlacklistEntry

_BATCH = 5000


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
    given = sort_typed(numbers, country)
    added = add_good(session, actor, given.good, reason=reason, source=source)
    wrong = tuple((text, fault) for _, text, fault in given.wrong)
    return Added(added, len(given.good) - added, given.rejected, wrong)


def add_good(
    session: Session, actor: Actor, phones: Sequence[str], *, reason: str, source: str, file_name: str = ""
) -> int:
    """Put `phones` (E.164) on the blacklist; returns how many of them were not blocked before."""
    fresh = _insert(session, actor, list(phones), reason, source)
    if fresh:
        what = {"count": len(fresh), "source": source, **({"file": file_name} if file_name else {})}
        record(session, actor, "create", "blacklist", 0, name=", ".join(fresh[:5]), after=what)
        settings_changed(session, "blacklist", 0)
        tell_listed(session, fresh)
    return len(fresh)


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
