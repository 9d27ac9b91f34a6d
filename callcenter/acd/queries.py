"""Queues as lists and forms show them, who may be in them, what leads to them, and their figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, Table, bindparam, func, select, text
from sqlalchemy.orm import Session

from callcenter.acd.documents import queue_doc, skills_of
from callcenter.acd.models import AgentSkill, Queue, QueueMember, QueueSkill, Skill
from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.db.base import Base
from callcenter.errors import NotFound

# Where a destination may name a queue: table → (its kind in `uses`, JSON expressions). Named, not imported: menus lie
# above this package.
_PUBLISHED = "(SELECT v.flow FROM flow_version v WHERE v.flow_id = flow.id AND v.version = flow.published)"
_LEADING_HERE = {
    "queue": ("queue", ("queue.overflow",)),
    "did_number": (
        "number",
        ("did_number.open_to", "did_number.closed_to", "did_number.holiday_to", "did_number.rules"),
    ),
    "flow": ("menu", ("flow.draft", _PUBLISHED)),
}
_NAMES_QUEUE = '$.** ? ((@.kind == "queue" && @.id == $id) || @.queue_id == $id || @.queue == $id)'


def visible(session: Session, actor: Actor) -> Select[Any]:
    """The queues that `actor` sees: whose scope is no wider than themself sees those that they answer."""
    query = select(Queue).order_by(Queue.name, Queue.id)
    seen = visible_user_ids(session, actor)
    if seen is not None and seen <= {actor.user_id}:
        mine = select(QueueMember.queue_id).where(QueueMember.user_id == actor.user_id)
        query = query.where(Queue.id.in_(mine))
    return query


def find(session: Session, actor: Actor, queue_id: int) -> Queue:
    """One queue that `actor` sees. Raises NotFound."""
    row = session.scalars(visible(session, actor).where(Queue.id == queue_id)).one_or_none()
    if not isinstance(row, Queue):
        raise NotFound("There is no such queue.")
    return row


def detail(session: Session, row: Queue) -> dict[str, Any]:
    """All that the form edits, the defaults filled in; needs with `skill_id` and the skill's name."""
    out = asdict(queue_doc(session, row))
    needs = session.execute(
        select(QueueSkill.skill_id, Skill.name, QueueSkill.level, QueueSkill.relax_every_s, QueueSkill.at_least)
        .join(Skill, Skill.id == QueueSkill.skill_id)
        .where(QueueSkill.queue_id == row.id)
        .order_by(Skill.name)
    )
    out["skills"] = [dict(n._mapping) for n in needs]
    return out


def rows(session: Session, queues: Iterable[Queue]) -> list[dict[str, Any]]:
    """Each queue as a line of the list."""
    found = list(queues)
    ids = [q.id for q in found]
    counted = session.execute(
        select(QueueMember.queue_id, func.count()).where(QueueMember.queue_id.in_(ids)).group_by(QueueMember.queue_id)
    )
    members = dict(counted.all())
    wanted = session.execute(
        select(QueueSkill.queue_id, Skill.name)
        .join(Skill, Skill.id == QueueSkill.skill_id)
        .where(QueueSkill.queue_id.in_(ids))
        .order_by(Skill.name)
    )
    skills: dict[int, list[str]] = {}
    for queue_id, name in wanted:
        skills.setdefault(queue_id, []).append(name)
    names = ("id", "name", "enabled", "strategy", "priority", "service_level", "service_level_s")
    return [
        {**{n: getattr(q, n) for n in names}, "members": members.get(q.id, 0), "skills": skills.get(q.id, [])}
        for q in found
    ]


def agents(session: Session) -> list[User]:
    """Enabled users who may be agents, by name."""
    users = session.scalars(select(User).where(User.enabled).order_by(User.name, User.id))
    return [u for u in users if any("desk.use" in r.permissions for r in u.roles if r.enabled)]


def options(session: Session) -> dict[str, list[dict[str, Any]]]:
    """What the form of a queue offers to choose from. `menus` and `prompts` as far as the installation has them."""
    people = agents(session)
    can = skills_of(session, [u.id for u in people])
    return {
        "agents": [{"id": u.id, "name": u.name, "username": u.username, "skills": can.get(u.id, {})} for u in people],
        "skills": _named(session, "skill"),
        "queues": _named(session, "queue"),
        "menus": _named(session, "flow"),
        "prompts": _named(session, "prompt"),
        "scripts": _named(session, "script"),
    }


def skill_rows(session: Session, skills: Iterable[Skill]) -> list[dict[str, Any]]:
    """Each skill with its agents (`user_id`, `level`) and the names of the queues that want it."""
    found = list(skills)
    ids = [s.id for s in found]
    levels = session.execute(
        select(AgentSkill.skill_id, AgentSkill.user_id, AgentSkill.level)
        .where(AgentSkill.skill_id.in_(ids))
        .order_by(AgentSkill.level.desc(), AgentSkill.user_id)
    )
    can: dict[int, list[dict[str, int]]] = {}
    for skill_id, user_id, level in levels:
        can.setdefault(skill_id, []).append({"user_id": user_id, "level": level})
    wanted = session.execute(
        select(QueueSkill.skill_id, Queue.name)
        .join(Queue, Queue.id == QueueSkill.queue_id)
        .where(QueueSkill.skill_id.in_(ids))
        .order_by(Queue.name)
    )
    queues: dict[int, list[str]] = {}
    for skill_id, name in wanted:
        queues.setdefault(skill_id, []).append(name)
    return [
        {
            "id": s.id,
            "name": s.name,
            "description": s.description,
            "agents": can.get(s.id, []),
            "queues": queues.get(s.id, []),
        }
        for s in found
    ]


def uses(session: Session, queue_id: int) -> list[dict[str, Any]]:
    """What leads callers to the queue: {"kind": queue, number, menu; "id"; "name"}. A queue may lead to itself."""
    out: list[dict[str, Any]] = []
    for table_name, (kind, columns) in _LEADING_HERE.items():
        table = Base.metadata.tables.get(table_name)
        if table is None:
            continue
        path = "jsonb_build_object('id', CAST(:queue_id AS bigint))"
        named = " OR ".join(f"jsonb_path_exists({c}, '{_NAMES_QUEUE}', {path})" for c in columns)
        query = _of_tenant(session, table).where(text(named).bindparams(bindparam("queue_id", queue_id)))
        out += [
            {"kind": kind, "id": row.id, "name": row.name}
            for row in session.execute(query)
            if (kind, row.id) != ("queue", queue_id)
        ]
    return out


def has_row(session: Session, table_name: str, row_id: int) -> bool:
    """Whether this enterprise has the row. False if the installation has no such table."""
    table = Base.metadata.tables.get(table_name)
    return (
        table is not None
        and session.execute(_of_tenant(session, table).where(table.c.id == row_id)).first() is not None
    )


def _named(session: Session, table_name: str) -> list[dict[str, Any]]:
    table = Base.metadata.tables.get(table_name)
    if table is None:
        return []
    return [{"id": row.id, "name": row.name} for row in session.execute(_of_tenant(session, table))]


def _of_tenant(session: Session, table: Table) -> Select[Any]:
    own = table.c.tenant_id == session.info["tenant_id"]
    return select(table.c.id, table.c.name).where(own).order_by(table.c.name, table.c.id)
