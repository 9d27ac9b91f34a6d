"""What actions share: finding a row, writing it, and leaving its trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

import psycopg.errors
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.base import Base
from callcenter.db.outbox import settings_changed
from callcenter.errors import InvalidInput, NotFound

Row = TypeVar("Row", bound=Base)
_NOT_CONTENT = frozenset({"id", "tenant_id", "created_at", "updated_at"})


def find(session: Session, kind: type[Row], row_id: int, *, lock: bool = False) -> Row:
    """The row of this enterprise, with `lock` held until the transaction ends. Raises NotFound."""
    key: Any = kind.__mapper__.c.id
    query = select(kind).where(key == row_id)
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("There is no such record.")
    return row


def require_ids(session: Session, kind: type[Base], ids: Iterable[int | None], field: str) -> None:
    """Raises InvalidInput on `field` unless every id is a row of this enterprise (None is passed over)."""
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return
    key: Any = kind.__mapper__.c.id
    known = set(session.scalars(select(key).select_from(kind).where(key.in_(wanted))))
    if wanted - known:
        raise InvalidInput(
            "Something that was chosen does not exist any more.",
            code="unknown_choice",
            fields={field: "This does not exist any more. Choose again."},
        )


def content(row: Base) -> dict[str, Any]:
    """What a person set in `row`, as audit keeps it: no ids, no stamps, dates as ISO text."""
    out: dict[str, Any] = {}
    for attribute in inspect(row).mapper.column_attrs:
        if attribute.key not in _NOT_CONTENT:
            value = getattr(row, attribute.key)
            out[attribute.key] = value.isoformat() if isinstance(value, date | datetime) else value
    return out


def put(row: Base, changes: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Set `changes` on `row`. A name outside `allowed` is a defect of the caller: KeyError."""
    for name, value in changes.items():
        if name not in allowed:
            raise KeyError(name)
        setattr(row, name, value)


def flush(session: Session, taken: Mapping[str, tuple[str, str]]) -> None:
    """Send the writes. `taken`: name of a unique constraint → (field, error code); its violation becomes
    InvalidInput."""
    try:
        session.flush()
    except IntegrityError as error:
        cause = error.orig
        constraint = cause.diag.constraint_name if isinstance(cause, psycopg.errors.UniqueViolation) else None
        if constraint is not None and constraint in taken:
            field, code = taken[constraint]
            sentence = "This is taken. Choose another."
            raise InvalidInput(sentence, code=code, fields={field: sentence}) from error
        raise


def trace(
    session: Session,
    actor: Actor,
    action: str,
    entity: str,
    row_id: int,
    *,
    name: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The audit entry of a change, and the word to the engine that `entity` has changed."""
    record(session, actor, action, entity, row_id, name=name, before=before, after=after)
    settings_changed(session, entity, row_id)
