"""Rows → what the engine routes by: a queue's settings, an agent's skills."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter import wire
from callcenter.acd.models import AgentSkill, Queue, QueueMember, QueueSkill, Skill
from callcenter.acd.settings import QueueSettings

_COLUMNS = (
    "id", "name", "strategy", "priority", "ageing_per_min", "ring_s", "auto_answer", "wrap_up_s",
    "disposition_required", "sticky_s", "service_level_s", "service_level", "utilisation_cap", "record", "max_wait_s",
    "waiting", "callback", "overflow", "blending", "language", "voicemail_greeting", "script_id", "enabled",
)  # fmt: skip


def queue_doc(session: Session, row: Queue) -> QueueSettings:
    """The document "queue"."""
    members = session.execute(
        select(QueueMember.user_id, QueueMember.share, QueueMember.penalty)
        .where(QueueMember.queue_id == row.id)
        .order_by(QueueMember.user_id)
    )
    needs = session.execute(
        select(Skill.name.label("skill"), QueueSkill.level, QueueSkill.relax_every_s, QueueSkill.at_least)
        .join(Skill, Skill.id == QueueSkill.skill_id)
        .where(QueueSkill.queue_id == row.id)
        .order_by(Skill.name)
    )
    plain = {name: getattr(row, name) for name in _COLUMNS}
    plain["members"] = [dict(m._mapping) for m in members]
    plain["skills"] = [dict(n._mapping) for n in needs]
    return wire.convert(plain, QueueSettings)


def skills_of(session: Session, user_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """User → skill's name → level; users without any are left out."""
    out: dict[int, dict[str, int]] = {}
    rows = session.execute(
        select(AgentSkill.user_id, Skill.name, AgentSkill.level)
        .join(Skill, Skill.id == AgentSkill.skill_id)
        .where(AgentSkill.user_id.in_(list(user_ids)))
        .order_by(Skill.name)
    )
    for row in rows:
        out.setdefault(row.user_id, {})[row.name] = row.level
    return out
