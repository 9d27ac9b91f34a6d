"""Queues: made, changed, removed; who answers them. Each change is audited and told to the engine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import delete as sql_delete
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.acd import queries
from callcenter.acd.models import Queue, QueueMember, QueueSkill, Skill
from callcenter.acd.settings import Blending, CallbackOffer, Overflow, Waiting
from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.calls.destination import Destination, DestinationKind
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, InvalidInput, NotFound

ENTITY = "queue"
SETTABLE = frozenset(
    {
        "name", "enabled", "strategy", "priority", "ageing_per_min", "ring_s", "auto_answer", "wrap_up_s",
        "disposition_required", "sticky_s", "service_level_s", "service_level", "utilisation_cap", "record",
        "max_wait_s", "language", "voicemail_greeting", "script_id", "waiting", "callback", "overflow", "blending",
    }
)  # fmt: skip
_TAKEN = {"uq_queue_tenant_id_name": ("name", "queue.name_taken")}
_GROUPS: dict[str, type] = {
    "waiting": Waiting, "callback": CallbackOffer, "overflow": Overflow, "blending": Blending,
}  # fmt: skip
_E164 = re.compile(r"\+[1-9]\d{4,14}")
_OVERFLOWS = ("after_wait", "length", "no_agents")
# Kind of a destination → the table that its id is of. What is missing here needs no id.
_TABLES = {
    DestinationKind.QUEUE: "queue",
    DestinationKind.MENU: "flow",
    DestinationKind.AGENT: "user_account",
    DestinationKind.VOICEMAIL: "user_account",
}


class QueueInUse(Conflict):
    """Numbers, menus or other queues lead to it; `params["used_by"]` are {"kind", "id", "name"}."""

    code = "queue.in_use"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Queue:
    """A new queue, its `members` and `skills` with it if given. Raises InvalidInput naming the field."""
    row = Queue()
    _put(session, row, values)
    session.add(row)
    records.flush(session, _TAKEN)
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    _links(session, actor, row, values)
    return row


def update(session: Session, actor: Actor, queue_id: int, changes: Mapping[str, Any]) -> Queue:
    """Change settings, `members` and `skills` as far as given; who waits goes on waiting by the new ones."""
    row = records.find(session, Queue, queue_id, lock=True)
    before = records.content(row)
    _put(session, row, changes)
    records.flush(session, _TAKEN)
    session.refresh(row)
    after = records.content(row)
    if before != after:
        records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=after)
    _links(session, actor, row, changes)
    return row


def delete(session: Session, actor: Actor, queue_id: int) -> None:
    """Remove it; its calls stay. Raises QueueInUse while numbers, menus or other queues lead to it."""
    row = records.find(session, Queue, queue_id, lock=True)
    used_by = queries.uses(session, queue_id)
    if used_by:
        names = ", ".join(f"{u['kind']} {u['name']}" for u in used_by)
        raise QueueInUse(
            f"Calls still go here from: {names}. Send them elsewhere first.",
            params={"used_by": used_by, "names": ", ".join(u["name"] for u in used_by)},
        )
    before = records.content(row) | {"members": _members(session, queue_id)}
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, queue_id, name=row.name, before=before)


def set_members(session: Session, actor: Actor, queue_id: int, members: Iterable[Mapping[str, Any]]) -> Queue:
    """From now on exactly these answer it: `user_id`, and if wanted `share` and `penalty`."""
    row = records.find(session, Queue, queue_id, lock=True)
    before = _members(session, queue_id)
    wanted = {m["user_id"]: {"share": float(m.get("share", 1.0)), "penalty": int(m.get("penalty", 0))} for m in members}
    records.require_ids(session, User, wanted, "members")
    after = [{"user_id": user_id, **rest} for user_id, rest in sorted(wanted.items())]
    if after == before:
        return row
    session.execute(sql_delete(QueueMember).where(QueueMember.queue_id == queue_id))
    if after:
        fixed = {"tenant_id": actor.tenant_id, "queue_id": queue_id}
        session.execute(insert(QueueMember), [fixed | m for m in after])
    records.trace(
        session, actor, "assign_agents", ENTITY, queue_id, name=row.name,
        before={"members": before}, after={"members": after},
    )  # fmt: skip
    return row


def set_needs(session: Session, actor: Actor, queue_id: int, needs: Iterable[Mapping[str, Any]]) -> Queue:
    """From now on the queue wants exactly these: `skill_id`, `level`, and if wanted `relax_every_s` and `at_least`."""
    row = records.find(session, Queue, queue_id, lock=True)
    before = _needs(session, queue_id)
    wanted = {
        n["skill_id"]: {
            "level": int(n["level"]),
            "relax_every_s": float(n.get("relax_every_s", 0.0)),
            "at_least": min(int(n.get("at_least", 0)), int(n["level"])),
        }
        for n in needs
    }
    records.require_ids(session, Skill, wanted, "skills")
    after = [{"skill_id": skill_id, **rest} for skill_id, rest in sorted(wanted.items())]
    if after == before:
        return row
    session.execute(sql_delete(QueueSkill).where(QueueSkill.queue_id == queue_id))
    if after:
        fixed = {"tenant_id": actor.tenant_id, "queue_id": queue_id}
        session.execute(insert(QueueSkill), [fixed | n for n in after])
    records.trace(
        session, actor, "assign_skills", ENTITY, queue_id, name=row.name,
        before={"skills": before}, after={"skills": after},
    )  # fmt: skip
    return row


def move_agent(session: Session, actor: Actor, user_id: int, queue_ids: Iterable[int]) -> list[int]:
    """From now on the agent answers exactly these queues, at once if no call is on. Share and penalty are kept where he
    stays. Returns the queues. Raises NotFound for the agent, InvalidInput for a queue."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    wanted = set(queue_ids)
    records.require_ids(session, Queue, wanted, "queue_ids")
    mine = select(QueueMember.queue_id).where(QueueMember.user_id == user_id)
    present = set(session.scalars(mine.with_for_update()))
    if gone := present - wanted:
        session.execute(sql_delete(QueueMember).where(QueueMember.user_id == user_id, QueueMember.queue_id.in_(gone)))
    if new := sorted(wanted - present):
        fixed = {"tenant_id": actor.tenant_id, "user_id": user_id}
        session.execute(insert(QueueMember), [{"share": 1.0, "penalty": 0, **fixed, "queue_id": q} for q in new])
    if present != wanted:
        records.trace(
            session, actor, "move_queues", "user", user_id, name=user.name,
            before={"queues": sorted(present)}, after={"queues": sorted(wanted)},
        )  # fmt: skip
        for queue_id in sorted(present ^ wanted):
            settings_changed(session, ENTITY, queue_id)
    return sorted(wanted)


def _links(session: Session, actor: Actor, row: Queue, values: Mapping[str, Any]) -> None:
    if "members" in values:
        set_members(session, actor, row.id, values["members"])
    if "skills" in values:
        set_needs(session, actor, row.id, values["skills"])


def _put(session: Session, row: Queue, values: Mapping[str, Any]) -> None:
    given = {k: v for k, v in values.items() if k not in ("members", "skills")}
    if given.get("script_id") is not None and not queries.has_row(session, "script", given["script_id"]):
        raise _gone("script_id")
    for name, kind in _GROUPS.items():
        if name in given:
            merged = {**(getattr(row, name) or {}), **given[name]}
            try:
                given[name] = wire.plain(wire.convert(merged, kind))
            except msgspec.ValidationError as error:
                raise InvalidInput("Check the marked fields.", fields={name: str(error)}) from error
    for where in _OVERFLOWS:
        destination = given.get("overflow", {}).get(where)
        if destination is not None:
            _check_destination(session, wire.convert(destination, Destination), f"overflow.{where}", row.id)
    records.put(row, given, SETTABLE)


def _check_destination(session: Session, to: Destination, field: str, queue_id: int | None) -> None:
    """Raises InvalidInput unless a caller who waits can be sent there."""
    if to.kind is DestinationKind.REFUSE:
        sentence = "A caller who waits has been answered; choose hang up."
        raise InvalidInput(sentence, fields={field: sentence})
    if to.kind is DestinationKind.NUMBER:
        if not _E164.fullmatch(to.number):
            sentence = "Write the number with country code, like +8613800001234."
            raise InvalidInput(sentence, code="number_not_e164", fields={field: sentence})
        return
    if to.kind is DestinationKind.QUEUE and to.id is not None and to.id == queue_id:
        sentence = "A queue can't overflow into itself."
        raise InvalidInput(sentence, fields={field: sentence})
    table = _TABLES.get(to.kind)
    if table is None or (to.id is None and to.kind is DestinationKind.VOICEMAIL):
        return
    if to.id is None or not queries.has_row(session, table, to.id):
        raise _gone(field)


def _gone(field: str) -> InvalidInput:
    return InvalidInput(
        "Something that was chosen does not exist any more.",
        code="unknown_choice",
        fields={field: "This does not exist any more. Choose again."},
    )


def _members(session: Session, queue_id: int) -> list[dict[str, Any]]:
    query = (
        select(QueueMember.user_id, QueueMember.share, QueueMember.penalty)
        .where(QueueMember.queue_id == queue_id)
        .order_by(QueueMember.user_id)
    )
    return [dict(m._mapping) for m in session.execute(query)]


def _needs(session: Session, queue_id: int) -> list[dict[str, Any]]:
    query = (
        select(QueueSkill.skill_id, QueueSkill.level, QueueSkill.relax_every_s, QueueSkill.at_least)
        .where(QueueSkill.queue_id == queue_id)
        .order_by(QueueSkill.skill_id)
    )
    return [dict(n._mapping) for n in session.execute(query)]
