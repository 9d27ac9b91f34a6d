"""Tables of queues and skills. What the engine routes by is made of them in `documents.py`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.acd.settings import QueueSettings, Strategy
from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class Queue(Base, Numbered, TenantOwned, Stamped):
    """A queue; every column as `settings.QueueSettings` says. `waiting`, `callback`, `overflow` and `blending` hold
    what differs from the defaults of the classes there."""

    __tablename__ = "queue"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    strategy: Mapped[str] = mapped_column(Text, server_default=Strategy.LONGEST_IDLE.value)
    priority: Mapped[int] = mapped_column(server_default="0")
    ageing_per_min: Mapped[float] = mapped_column(server_default="1")
    ring_s: Mapped[float] = mapped_column(server_default="15")
    auto_answer: Mapped[bool] = mapped_column(server_default=text("false"))
    wrap_up_s: Mapped[float] = mapped_column(server_default="30")
    disposition_required: Mapped[bool] = mapped_column(server_default=text("false"))
    sticky_s: Mapped[float] = mapped_column(server_default="604800")
    service_level_s: Mapped[float] = mapped_column(server_default="20")
    service_level: Mapped[float] = mapped_column(server_default="0.8")
    utilisation_cap: Mapped[float] = mapped_column(server_default="1")
    record: Mapped[str] = mapped_column(Text, server_default="always")
    max_wait_s: Mapped[float] = mapped_column(server_default="3600")
    language: Mapped[str] = mapped_column(Text, server_default=QueueSettings.language)
    voicemail_greeting: Mapped[str] = mapped_column(Text, server_default="")  # a prompt's name
    script_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("script.id", ondelete="SET NULL"), index=True)
    waiting: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    callback: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    overflow: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    blending: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class QueueMember(Base, TenantOwned):
    """An agent of a queue, as `settings.Member`."""

    __tablename__ = "queue_member"
    queue_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    share: Mapped[float] = mapped_column(server_default="1")
    penalty: Mapped[int] = mapped_column(server_default="0")


class Skill(Base, Numbered, TenantOwned, Stamped):
    """Something that agents can more or less well, such as a language. Menus and documents call it by its name."""

    __tablename__ = "skill"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")


class AgentSkill(Base, TenantOwned):
    """How well an agent can it: `level` 1–10."""

    __tablename__ = "agent_skill"
    skill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("skill.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    level: Mapped[int]


class QueueSkill(Base, TenantOwned):
    """A skill that a queue wants, as `settings.SkillNeed`."""

    __tablename__ = "queue_skill"
    queue_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="CASCADE"), primary_key=True)
    skill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("skill.id"), primary_key=True, index=True)
    level: Mapped[int]
    relax_every_s: Mapped[float] = mapped_column(server_default="0")
    at_least: Mapped[int] = mapped_column(server_default="0")
