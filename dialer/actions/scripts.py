"""Scripts: the steps that an agent reads, the branches between them, the answers to objections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.errors import Conflict, InvalidInput
from crm.models import Script
from dialer.models import Campaign

ENTITY = "script"
SETTABLE = frozenset({"name", "steps", "objections"})
_TAKEN = {"uq_script_tenant_id_name": ("name", "script.name_taken")}
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD_NAME = re.compile(r"\s*[A-Za-z][A-Za-z0-9_]*\s*")


class InUse(Conflict):
    """Campaigns use it; `params["campaigns"]` names them."""

    code = "script.in_use"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Script:
    """A new script. Raises InvalidInput naming the step that does not fit."""
    check(values.get("steps", ()), values.get("objections", ()))
    row = Script()
    records.put(row, values, SETTABLE)
    session.add(row)
    records.flush(session, _TAKEN)
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    return row


def update(session: Session, actor: Actor, row_id: int, changes: Mapping[str, Any]) -> Script:
    """Change it; agents see the new text from their next call on."""
    row = records.find(session, Script, row_id, lock=True)
    check(changes.get("steps", ()), changes.get("objections", ()))
    before = records.content(row)
    records.put(row, changes, SETTABLE)
    records.flush(session, _TAKEN)
    records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=records.content(row))
    return row


def delete(session: Session, actor: Actor, row_id: int) -> None:
    """Remove it. Raises InUse while a campaign shows it."""
    row = records.find(session, Script, row_id, lock=True)
    users = sorted(session.scalars(select(Campaign.name).where(Campaign.script_id == row_id)))
    if users:
        raise InUse("Campaigns show this script. Choose another one there first.", params={"campaigns": users})
    before = records.content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, row_id, name=row.name, before=before)


def check(steps: Sequence[Mapping[str, Any]], objections: Sequence[Mapping[str, Any]]) -> None:
    """Every step has an id of its own, every branch leads to a step (or, empty, to the end), every placeholder is the
    name of a field. Raises InvalidInput; the field is `steps.<index>…`."""
    known = {s["id"] for s in steps}
    if len(known) != len(steps):
        raise _wrong("steps", "Two steps have the same id.", "script.same_id")
    for i, step in enumerate(steps):
        _check_text(step["text"], f"steps.{i}.text")
        for j, branch in enumerate(step.get("branches", ())):
            if branch["to"] and branch["to"] not in known:
                field = f"steps.{i}.branches.{j}.to"
                raise _wrong(field, "This branch leads to a step that does not exist.", "script.dangling_branch")
    for i, objection in enumerate(objections):
        _check_text(objection["text"], f"objections.{i}.text")


def _check_text(text: str, field: str) -> None:
    for inside in _PLACEHOLDER.findall(text):
        if not _FIELD_NAME.fullmatch(inside):
            sentence = f"{{{{{inside}}}}} is no field. Use its key, like {{{{name}}}}."
            raise _wrong(field, sentence, "script.bad_placeholder")


def _wrong(field: str, sentence: str, code: str) -> InvalidInput:
    return InvalidInput(sentence, code=code, fields={field: sentence})
