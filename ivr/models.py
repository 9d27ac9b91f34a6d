"""Tables of menus: the draft that is edited, the versions that were published, what callers did and answered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class FlowRow(Base, Numbered, TenantOwned, Stamped):
    """A menu. `draft` is a `flow.Flow` as plain data; `revision` rises with every save of it, so that two editors don't
    overwrite each other. `published`: the version that callers hear, NULL before the first."""

    __tablename__ = "flow"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, server_default="")
    draft: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(server_default="1")
    published: Mapped[int | None]
    changed_by: Mapped[str] = mapped_column(Text, server_default="")  # name of who saved the draft last


class FlowVersion(Base, Numbered, TenantOwned):
    """What was published, never changed afterwards. `version` counts from 1 in each flow."""

    __tablename__ = "flow_version"
    __table_args__ = (UniqueConstraint("flow_id", "version"),)
    flow_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("flow.id", ondelete="CASCADE"))
    version: Mapped[int]
    flow: Mapped[dict[str, Any]]
    note: Mapped[str] = mapped_column(Text, server_default="")
    published_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_by: Mapped[str] = mapped_column(Text, server_default="")  # the name outlives the user


class FlowNodeDay(Base, TenantOwned):
    """How often callers left a node by a way on one day (in the enterprise's zone), and how long they had been in it
    together. Folded from `ivr.node_left`. `way` "hang_up": the caller left the call there."""

    __tablename__ = "flow_node_day"
    flow_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("flow.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    way: Mapped[str] = mapped_column(Text, primary_key=True)
    calls: Mapped[int] = mapped_column(server_default=text("0"))
    seconds: Mapped[float] = mapped_column(server_default=text("0"))


class SurveyAnswerRow(Base, TenantOwned):
    """What a caller keyed or said to a survey question. The call is no foreign key: its row may come later."""

    __tablename__ = "survey_answer"
    __table_args__ = (
        Index("ix_survey_answer_flow_at", "flow_id", "at"),
        Index("ix_survey_answer_call", "call_id"),
    )
    id: Mapped[str] = mapped_column(Text, primary_key=True)  # the fact's id
    flow_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("flow.id", ondelete="SET NULL"))
    node_id: Mapped[str] = mapped_column(Text)
    call_id: Mapped[str] = mapped_column(Text)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    recording_id: Mapped[str] = mapped_column(Text, server_default="")
    at: Mapped[datetime]
