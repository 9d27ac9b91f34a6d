"""Tables of calls (CDRs), facts and agents' states: all folded from facts by the recorder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, TenantOwned


class FactRow(Base, TenantOwned):
    """A fact as it came from the engine; the source of every figure."""

    __tablename__ = "fact"
    __table_args__ = (Index("ix_fact_call", "call_id"), Index("ix_fact_tenant_at", "tenant_id", "at"))
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    call_id: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]


class Call(Base, TenantOwned):
    """A CDR. All times UTC. `outcome`: answered-and-connected `connected`, `abandoned`, or the hang-up cause (busy,
    no_answer …). `wait_ms`: from the answer to the agent. `talk_s`: from the connection to the end, holds included."""

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_tenant_started", "tenant_id", "started_at"),
        Index("ix_call_tenant_phone", "tenant_id", "phone_e164", "started_at"),
        Index("ix_call_campaign", "campaign_id", "started_at"),
        Index("ix_call_customer", "customer_id", "started_at"),
        Index("ix_call_lead", "lead_id"),
        Index("ix_call_agent", "agent_id", "started_at"),
    )
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    direction: Mapped[str] = mapped_column(Text, server_default="out")
    mode: Mapped[str] = mapped_column(Text, server_default="")
    campaign_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("campaign.id", ondelete="SET NULL"))
    lead_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("lead.id", ondelete="SET NULL"))
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="SET NULL"))
    agent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    trunk_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("trunk.id", ondelete="SET NULL"))
    phone_e164: Mapped[str] = mapped_column(Text)
    caller_id: Mapped[str] = mapped_column(Text, server_default="")
    started_at: Mapped[datetime]
    ringing_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    wrap_ended_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text, server_default="")  # empty while it lasts
    cause: Mapped[str] = mapped_column(Text, server_default="")
    sip_status: Mapped[int] = mapped_column(server_default="0")
    hung_up_by: Mapped[str] = mapped_column(Text, server_default="")  # agent, customer, system
    wait_ms: Mapped[int | None]
    talk_s: Mapped[float | None]
    hold_s: Mapped[float] = mapped_column(server_default="0")
    mos: Mapped[float | None]
    disposition_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("disposition.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Text, server_default="")


class AgentStateRow(Base, TenantOwned):
    """One stay of an agent in one state. `ended_at` is NULL for the present one."""

    __tablename__ = "agent_state"
    __table_args__ = (Index("ix_agent_state_user", "tenant_id", "user_id", "started_at"),)
    id: Mapped[str] = mapped_column(Text, primary_key=True)  # the fact's id
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    call_id: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Recording(Base, TenantOwned):
    """A recording of a call. `path` is relative to the recordings directory. `state`: growing, closed, stored, lost.
    Channel 1 is the agent, channel 2 the customer."""

    __tablename__ = "recording"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    call_id: Mapped[str] = mapped_column(Text, index=True)
    path: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="growing")
    started_at: Mapped[datetime]
    seconds: Mapped[float | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text, server_default="")
    deleted_at: Mapped[datetime | None]
    channels: Mapped[int] = mapped_column(server_default=text("2"))
