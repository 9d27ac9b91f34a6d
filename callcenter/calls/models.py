"""Tables of calls (CDRs), facts and agents' states: all folded from facts by the recorder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
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
    """A CDR. All times UTC. `outcome`: answered-and-connected `connected`, `abandoned`, of a call that came in also
    `menu` (it ended in a menu), `voicemail`, `callback` (it keeps its place), else the hang-up cause (busy, no_answer
    …). `wait_ms`: from the answer to the agent. `talk_s`: from the connection to the end, holds included. `did`: our
    number that was called; `queue_id` the last queue, `queue_wait_s` in all of them; `path` the menus passed, `shown`
    what they learned for the agent."""

    __tablename__ = "call"
    __table_args__ = (
        Index("ix_call_tenant_started", "tenant_id", "started_at"),
        Index("ix_call_tenant_phone", "tenant_id", "phone_e164", "started_at"),
        Index("ix_call_campaign", "campaign_id", "started_at"),
        Index("ix_call_customer", "customer_id", "started_at"),
        Index("ix_call_lead", "lead_id"),
        Index("ix_call_agent", "agent_id", "started_at"),
        Index("ix_call_queue", "queue_id", "started_at"),
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
    did: Mapped[str] = mapped_column(Text, server_default="")
    queue_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="SET NULL"))
    queue_wait_s: Mapped[float | None]
    path: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    shown: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    quality: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class CallQueueStay(Base, TenantOwned):
    """One stay of a call in one queue. `since` is earlier than `entered_at` where it kept its place; `how` it left (as
    in `facts.CallLeftQueue`) is empty while it waits; `wait_s` counts from `entered_at`."""

    __tablename__ = "call_queue_stay"
    __table_args__ = (
        Index("ix_call_queue_stay_queue", "queue_id", "entered_at"),
        Index("ix_call_queue_stay_entered", "tenant_id", "entered_at"),
    )
    id: Mapped[str] = mapped_column(Text, primary_key=True)  # the fact's id
    call_id: Mapped[str] = mapped_column(Text, index=True)
    queue_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="CASCADE"))
    phone_e164: Mapped[str] = mapped_column(Text, server_default="")
    priority: Mapped[int] = mapped_column(server_default="0")
    since: Mapped[datetime]
    entered_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    how: Mapped[str] = mapped_column(Text, server_default="")
    wait_s: Mapped[float | None]
    answered_in_target: Mapped[bool] = mapped_column(server_default=text("false"))
    agent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))


class CallOffer(Base, TenantOwned):
    """One ringing of a call at one agent; `how` it ended as in `facts.OfferEnded`, empty while it rings."""

    __tablename__ = "call_offer"
    __table_args__ = (Index("ix_call_offer_agent", "agent_id", "offered_at"),)
    id: Mapped[str] = mapped_column(Text, primary_key=True)  # the fact's id
    call_id: Mapped[str] = mapped_column(Text, index=True)
    queue_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="SET NULL"))
    agent_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    offered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    how: Mapped[str] = mapped_column(Text, server_default="")
    rang_s: Mapped[float | None]


class QueueCallback(Base, TenantOwned):
    """A place in a queue that was kept for a caller; `id` is the ticket's. `how` it ended as in
    `facts.CallbackTicketEnded`, empty while it is kept; `dialed_call_id` the last call to him."""

    __tablename__ = "queue_callback"
    __table_args__ = (Index("ix_queue_callback_queue", "queue_id", "kept_at"),)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    call_id: Mapped[str] = mapped_column(Text, index=True)
    queue_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("queue.id", ondelete="CASCADE"))
    phone_e164: Mapped[str] = mapped_column(Text)
    kept_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    how: Mapped[str] = mapped_column(Text, server_default="")
    dialed_call_id: Mapped[str] = mapped_column(Text, server_default="")


class CallParty(Base, TenantOwned):
    """Somebody besides the customer and the first agent in a call: a colleague, a third number, a supervisor; or
    (`role` transfer) where a transfer went. `id` is the call's, the party's key and `called_at` together. `outcome`:
    talked, agent (it had the call from then on), why it never talked (busy, no_answer, declined …), or the kind of
    transfer. No key to users: the row outlives them."""

    __tablename__ = "call_party"
    __table_args__ = (Index("ix_call_party_user", "tenant_id", "user_id", "called_at"),)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    call_id: Mapped[str] = mapped_column(Text, index=True)
    party_key: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)  # talk, consult, listen, whisper, transfer
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    number: Mapped[str] = mapped_column(Text, server_default="")
    by_user: Mapped[int | None] = mapped_column(BigInteger)
    called_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text, server_default="")  # empty while it lasts


class CallTalk(Base, TenantOwned):
    """One agent's part of a call's talk: `role` agent (the call was his) or guest (consulted, in a conference), holds
    included. The call's own `talk_s` is the whole. `id` is the call's, the agent's and `began_at` together. No key to
    users: the row outlives them."""

    __tablename__ = "call_talk"
    __table_args__ = (Index("ix_call_talk_user", "tenant_id", "user_id", "began_at"),)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    call_id: Mapped[str] = mapped_column(Text, index=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    role: Mapped[str] = mapped_column(Text)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    talk_s: Mapped[float]


class AgentStateRow(Base, TenantOwned):
    """One stay of an agent in one state. `ended_at` is NULL for the present one."""

    __tablename__ = "agent_state"
    __table_args__ = (
        Index("ix_agent_state_user", "tenant_id", "user_id", "started_at"),
        Index("ix_agent_state_call", "call_id"),
    )
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
