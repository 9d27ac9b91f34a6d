"""Dispositions: what agents can call the outcome of a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.calls.models import Call
from callcenter.errors import Conflict, InvalidInput
from crm.models import Disposition
from dialer.models import Campaign

ENTITY = "disposition"
FLAGS = frozenset({"human", "contact", "sale", "not_interested", "do_not_call", "callback", "wrong_number", "final"})
SETTABLE = FLAGS | {
    "campaign_id", "name", "name_zh", "enabled", "hot_key", "position", "retry_after_s", "max_tries",
}  # fmt: skip
# What a built-in one means is counted on in reports; how it looks and comes back is the enterprise's.
_OF_BUILT_IN = frozenset({"name", "name_zh", "enabled", "hot_key", "position", "retry_after_s", "max_tries"})


class BuiltIn(Conflict):
    """A built-in disposition keeps its meaning and stays."""

    code = "disposition.built_in"


class Used(Conflict):
    """Calls carry it; it can be disabled."""

    code = "disposition.used"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Disposition:
    """A new one of the enterprise, or of one campaign. Raises InvalidInput on contradicting flags or a taken key."""
    row = Disposition(code=_code(values["name"]), built_in=False)
    records.put(row, values, SETTABLE)
    _check(session, row)
    session.add(row)
    records.flush(session, {})
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    return row


def update(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> Disposition:
    """Change it. Raises BuiltIn if the meaning of a built-in one would change."""
    row = records.find(session, Disposition, row_id, lock=True)
    before = records.content(row)
    if row.built_in and any(before[k] != v for k, v in changes.items() if k not in _OF_BUILT_IN):
        raise BuiltIn("The meaning of a built-in disposition can't be changed. Add one of your own.")
    records.put(row, changes, SETTABLE)
    with session.no_autoflush:
        _check(session, row)
    records.flush(session, {})
    records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=records.content(row))
    return row


def delete(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it. Raises BuiltIn, or Used if a call carries it."""
    row = records.find(session, Disposition, row_id, lock=True)
    if row.built_in:
        raise BuiltIn("A built-in disposition can't be deleted. Disable it instead.")
    if session.scalar(select(Call.id).where(Call.disposition_id == row_id).limit(1)) is not None:
        raise Used("Calls carry this disposition. Disable it instead, so that their history stays.")
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, row_id, name=row.name, before=before)


def _code(name: str) -> str:
    """A stable code: the words of an English name, and a part that makes it unique."""
    words = "_".join(re.findall(r"[a-z0-9]+", name.lower()))[:40]
    return f"{words or 'own'}_{ids.new_id()[-6:].lower()}"


def _check(session: Session, row: Disposition) -> None:
    records.require_ids(session, Campaign, [row.campaign_id], "campaign_id")
    if row.callback and (row.final or row.do_not_call):
        raise _wrong("callback", "A call-back and an end of all calls exclude each other.", "disposition.contradiction")
    if row.retry_after_s is not None and (row.final or row.do_not_call):
        raise _wrong("retry_after_s", "A final outcome is not tried again. Clear the delay.", "disposition.final_retry")
    if row.hot_key is not None and row.enabled is not False:
        _check_hot_key(session, row)


def _check_hot_key(session: Session, row: Disposition) -> None:
    """An agent sees those of the enterprise and of the campaign at once: among them a key is unique."""
    query = select(Disposition.name).where(Disposition.hot_key == row.hot_key, Disposition.enabled)
    if row.id is not None:
        query = query.where(Disposition.id != row.id)
    if row.campaign_id is not None:
        query = query.where(or_(Disposition.campaign_id.is_(None), Disposition.campaign_id == row.campaign_id))
    other = session.scalars(query.limit(1)).first()
    if other is not None:
        error = _wrong("hot_key", f"Key {row.hot_key} is taken by “{other}”.", "disposition.hot_key_taken")
        error.params = {"key": row.hot_key, "name": other}
        raise error


def _wrong(field: str, sentence: str, code: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, fields={field: sentence})
