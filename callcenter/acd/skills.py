"""Skills: made, renamed, removed, and how well each agent can what. Each change is audited and told to the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from callcenter.acd.models import AgentSkill, Queue, QueueSkill, Skill
from callcenter.audit import records
from callcenter.audit.models import Actor, record
from callcenter.auth.models import User
from callcenter.db.outbox import settings_changed
from callcenter.errors import Conflict, NotFound

ENTITY = "skill"
SETTABLE = frozenset({"name", "description"})
_TAKEN = {"uq_skill_tenant_id_name": ("name", "skill.name_taken")}


class SkillInUse(Conflict):
    """Queues want it; `params["queues"]` are their names."""

    code = "skill.in_use"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Skill:
    """A new skill, with its `agents` if given. Raises InvalidInput on a name that is taken."""
    row = Skill()
    records.put(row, _own(values), SETTABLE)
    session.add(row)
    records.flush(session, _TAKEN)
    session.refresh(row)
    record(session, actor, "create", ENTITY, row.id, name=row.name, after=records.content(row))
    if "agents" in values:
        set_agents(session, actor, row.id, values["agents"])
    return row


def update(session: Session, actor: Actor, skill_id: int, changes: Mapping[str, Any]) -> Skill:
    """Rename or describe it, and say who can it. Menus that ask for it by its old name ask for nothing any more."""
    row = records.find(session, Skill, skill_id, lock=True)
    before = records.content(row)
    records.put(row, _own(changes), SETTABLE)
    records.flush(session, _TAKEN)
    session.refresh(row)
    after = records.content(row)
    if before != after:
        record(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=after)
        _tell(session, skill_id)
    if "agents" in changes:
        set_agents(session, actor, row.id, changes["agents"])
    return row


def delete(session: Session, actor: Actor, skill_id: int) -> None:
    """Remove it from all agents. Raises SkillInUse while a queue wants it."""
    row = records.find(session, Skill, skill_id, lock=True)
    wanted_by = select(Queue.name).join(QueueSkill, QueueSkill.queue_id == Queue.id).order_by(Queue.name)
    queues = list(session.scalars(wanted_by.where(QueueSkill.skill_id == skill_id)))
    if queues:
        names = ", ".join(queues)
        raise SkillInUse(f"These queues want it: {names}.", params={"queues": queues, "names": names})
    before = records.content(row) | {"agents": _levels(session, skill_id)}
    _tell(session, skill_id)
    session.delete(row)
    session.flush()
    record(session, actor, "delete", ENTITY, skill_id, name=row.name, before=before)


def set_agents(session: Session, actor: Actor, skill_id: int, agents: Iterable[Mapping[str, int]]) -> Skill:
    """From now on exactly these can it: `user_id`, `level` 1–10."""
    row = records.find(session, Skill, skill_id, lock=True)
    before = _levels(session, skill_id)
    after = {a["user_id"]: a["level"] for a in agents}
    records.require_ids(session, User, after, "agents")
    if after == before:
        return row
    session.execute(sql_delete(AgentSkill).where(AgentSkill.skill_id == skill_id))
    if after:
        fixed = {"tenant_id": actor.tenant_id, "skill_id": skill_id}
        session.execute(insert(AgentSkill), [fixed | {"user_id": u, "level": n} for u, n in sorted(after.items())])
    record(
        session, actor, "assign_agents", ENTITY, skill_id, name=row.name,
        before={"agents": _shown(before)}, after={"agents": _shown(after)},
    )  # fmt: skip
    for user_id in sorted(u for u in before.keys() | after.keys() if before.get(u) != after.get(u)):
        settings_changed(session, "user", user_id)
    return row


def set_skills_of(session: Session, actor: Actor, user_id: int, skills: Iterable[Mapping[str, int]]) -> None:
    """From now on the agent can exactly these: `skill_id`, `level` 1–10."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    mine = select(AgentSkill.skill_id, AgentSkill.level).where(AgentSkill.user_id == user_id)
    before = dict(session.execute(mine).all())
    after = {s["skill_id"]: s["level"] for s in skills}
    records.require_ids(session, Skill, after, "skills")
    if after == before:
        return
    session.execute(sql_delete(AgentSkill).where(AgentSkill.user_id == user_id))
    if after:
        fixed = {"tenant_id": actor.tenant_id, "user_id": user_id}
        session.execute(insert(AgentSkill), [fixed | {"skill_id": s, "level": n} for s, n in sorted(after.items())])
    record(
        session, actor, "assign_skills", "user", user_id, name=user.name,
        before={"skills": _shown(before)}, after={"skills": _shown(after)},
    )  # fmt: skip
    settings_changed(session, "user", user_id)


def _own(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != "agents"}


def _levels(session: Session, skill_id: int) -> dict[int, int]:
    query = select(AgentSkill.user_id, AgentSkill.level).where(AgentSkill.skill_id == skill_id)
    return dict(session.execute(query).all())


def _shown(levels: Mapping[int, int]) -> dict[str, int]:
    return {str(key): level for key, level in sorted(levels.items())}


def _tell(session: Session, skill_id: int) -> None:
    """Its name stands in the documents of queues and agents."""
    for queue_id in session.scalars(select(QueueSkill.queue_id).where(QueueSkill.skill_id == skill_id)):
        settings_changed(session, "queue", queue_id)
    for user_id in _levels(session, skill_id):
        settings_changed(session, "user", user_id)
