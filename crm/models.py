"""Tables of lists and leads, the blacklist, customers, dispositions, scripts, call-backs, follow-ups and tasks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class LeadStatus(StrEnum):
    """Where a lead stands. `new`, `retry` and `callback` may be dialed (from `next_at` on)."""

    NEW = "new"
    IN_PROGRESS = "in_progress"  # in a hopper or being dialed
    RETRY = "retry"
    CALLBACK = "callback"
    FINISHED = "finished"  # a final disposition, or no tries left
    DEAD = "dead"  # number invalid, wrong, suspended
    BLOCKED = "blocked"  # blacklist or opt-out


class LeadList(Base, Numbered, TenantOwned, Stamped):
    """A list of leads. It feeds one campaign at a time (`campaign_id`)."""

    __tablename__ = "lead_list"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text)  # ISO 3166 alpha-2: how national numbers are read
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    campaign_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("campaign.id", ondelete="SET NULL"))
    expires_at: Mapped[datetime | None]


class FieldDef(Base, Numbered, TenantOwned, Stamped):
    """A custom field of leads. `kind`: text, number, date, choice, choices. `format` is a regular expression or
    empty."""

    __tablename__ = "field_def"
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)
    key: Mapped[str] = mapped_column(Text)  # a–z, 0–9, _
    label: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    required: Mapped[bool] = mapped_column(server_default=text("false"))
    max_length: Mapped[int | None]
    format: Mapped[str] = mapped_column(Text, server_default="")
    choices: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    position: Mapped[int] = mapped_column(server_default="0")


class Lead(Base, Numbered, TenantOwned):
    """One person of a list. `phone_e164` is dialed first, `alt_phones` (E.164) after it. `time_zone` (IANA) comes from
    the number; empty means the enterprise's.

    Lists are imported by the million: a foreign key to the list or the enterprise would cost more than all the rest
    of an import (7 s a million rows each). Row-level security holds the enterprise, importing locks the list's row,
    and a trigger deletes the leads of a list that goes."""

    __tablename__ = "lead"
    __table_args__ = (
        UniqueConstraint("list_id", "phone_e164"),
        Index("ix_lead_tenant_phone", "tenant_id", "phone_e164"),
        Index("ix_lead_alt_phones", "alt_phones", postgresql_using="gin", postgresql_where=text("alt_phones <> '{}'")),
        Index("ix_lead_customer_id", "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
        Index(
            "ix_lead_dialable",  # in the feeder's order
            "list_id",
            "status",
            text("priority DESC"),
            text("next_at NULLS FIRST"),
            "id",
            postgresql_where=text("status IN ('new', 'retry', 'callback')"),
        ),
    )
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    list_id: Mapped[int] = mapped_column(BigInteger)
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Text, server_default="")
    phone_e164: Mapped[str] = mapped_column(Text)
    alt_phones: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    fields: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    time_zone: Mapped[str] = mapped_column(Text, server_default="")
    priority: Mapped[int] = mapped_column(server_default="0")
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    status: Mapped[str] = mapped_column(Text, server_default=LeadStatus.NEW.value)
    attempts: Mapped[int] = mapped_column(server_default="0")
    last_attempt_at: Mapped[datetime | None]
    last_outcome: Mapped[str] = mapped_column(Text, server_default="")
    last_disposition_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("disposition.id", ondelete="SET NULL")
    )
    next_at: Mapped[datetime | None]  # not before; NULL: at once
    import_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class LeadAttempt(Base, TenantOwned):
    """One try at one lead: a call that ended, and how. Its row makes the folding of a call's end happen once, and
    counts the tries by outcome. `counted`: whether it counts against the campaign's tries per lead."""

    __tablename__ = "lead_attempt"
    __table_args__ = (Index("ix_lead_attempt_lead", "lead_id", "at"),)
    call_id: Mapped[str] = mapped_column(Text, primary_key=True)
    lead_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("lead.id", ondelete="CASCADE"))
    campaign_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(Text, server_default="")  # empty: the disposition came before the call's end
    cause: Mapped[str] = mapped_column(Text, server_default="")
    counted: Mapped[bool] = mapped_column(server_default=text("false"))
    disposition_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("disposition.id", ondelete="SET NULL"))


class ImportState(StrEnum):
    """Where an import stands. QUEUED and RUNNING end by themselves, whatever dies."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Import(Base, TenantOwned, Stamped):
    """One uploaded file on its way into a list. `settings`: encoding, delimiter, sheet, header, mapping, duplicate
    rules. `counts`: total, accepted, rejected, duplicate_file, duplicate_list, duplicate_enterprise, blacklisted."""

    __tablename__ = "import_job"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    list_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("lead_list.id", ondelete="CASCADE"))
    file_name: Mapped[str] = mapped_column(Text)
    stored_path: Mapped[str] = mapped_column(Text)  # relative to the var directory
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(Text, server_default=ImportState.UPLOADED.value)
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    done_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    error: Mapped[dict[str, Any] | None]
    rejected_path: Mapped[str] = mapped_column(Text, server_default="")
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class BlacklistEntry(Base, Numbered, TenantOwned, Stamped):
    """A number that is not called and not texted while `enabled`."""

    __tablename__ = "blacklist_entry"
    __table_args__ = (UniqueConstraint("tenant_id", "phone_e164"),)
    phone_e164: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    source: Mapped[str] = mapped_column(Text, server_default="manual")  # manual, import, disposition, opt_out
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class Customer(Base, Numbered, TenantOwned, Stamped):
    """A customer: made of a lead at its first conversation, or by hand. Found by any of `phones` (E.164). `vip`: our
    numbers' rules may put the caller through to the owner, or before others."""

    __tablename__ = "customer"
    __table_args__ = (Index("ix_customer_phones", "phones", postgresql_using="gin"),)
    name: Mapped[str] = mapped_column(Text, server_default="")
    phones: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    company: Mapped[str] = mapped_column(Text, server_default="")
    grade: Mapped[str] = mapped_column(Text, server_default="")
    vip: Mapped[bool] = mapped_column(server_default=text("false"))
    region: Mapped[str] = mapped_column(Text, server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    fields: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    source: Mapped[str] = mapped_column(Text, server_default="")


NO_OUTCOME = "no_outcome"  # code of the system disposition of a call whose agent owed an outcome and gave none


class Disposition(Base, Numbered, TenantOwned, Stamped):
    """What an agent can call the outcome of a call. `campaign_id` None: of the whole enterprise. `system`: no agent
    chooses it, it is stored for him (`NO_OUTCOME`).

    Flags as in product row D7. Recycling: with `retry_after_s` the lead comes back after that delay, at most
    `max_tries` times with this outcome; without it, or with `final`, the lead is finished.
    """

    __tablename__ = "disposition"
    __table_args__ = (UniqueConstraint("tenant_id", "campaign_id", "code", postgresql_nulls_not_distinct=True),)
    campaign_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("campaign.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    name_zh: Mapped[str] = mapped_column(Text)
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    system: Mapped[bool] = mapped_column(server_default=text("false"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    hot_key: Mapped[int | None]  # 1–9
    position: Mapped[int] = mapped_column(server_default="0")
    human: Mapped[bool] = mapped_column(server_default=text("true"))
    contact: Mapped[bool] = mapped_column(server_default=text("false"))
    sale: Mapped[bool] = mapped_column(server_default=text("false"))
    not_interested: Mapped[bool] = mapped_column(server_default=text("false"))
    do_not_call: Mapped[bool] = mapped_column(server_default=text("false"))
    callback: Mapped[bool] = mapped_column(server_default=text("false"))
    wrong_number: Mapped[bool] = mapped_column(server_default=text("false"))
    final: Mapped[bool] = mapped_column(server_default=text("false"))
    retry_after_s: Mapped[int | None]
    max_tries: Mapped[int] = mapped_column(server_default="3")


class Script(Base, Numbered, TenantOwned, Stamped):
    """What the agent reads. `steps`: [{id, title, text with {{name}} placeholders, branches: [{label, to}]}],
    `objections`: [{title, text}]."""

    __tablename__ = "script"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    steps: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    objections: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))


class Callback(Base, Numbered, TenantOwned, Stamped):
    """A promise to call back at `due_at`, by `user_id` or by anyone (None). `state`: open, done, cancelled."""

    __tablename__ = "callback"
    __table_args__ = (
        Index("ix_callback_due", "tenant_id", "state", "due_at"),
        Index("ix_callback_lead", "lead_id", postgresql_where=text("lead_id IS NOT NULL")),
    )
    lead_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("lead.id", ondelete="CASCADE"))
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="CASCADE"))
    campaign_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("campaign.id", ondelete="SET NULL"))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    call_id: Mapped[str | None] = mapped_column(Text, unique=True)  # the call in which it was promised
    due_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, server_default="")
    state: Mapped[str] = mapped_column(Text, server_default="open")


class FollowUp(Base, Numbered, TenantOwned, Stamped):
    """A note on a customer's history: what was said, by whom, when. `call_id` if it is the note of a call's
    disposition, of which there is one."""

    __tablename__ = "follow_up"
    customer_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    call_id: Mapped[str | None] = mapped_column(Text, unique=True)
    text: Mapped[str] = mapped_column(Text)


class TaskKind(StrEnum):
    """Where a task comes from."""

    VOICEMAIL = "voicemail"
    MISSED_CALL = "missed_call"
    MANUAL = "manual"


class Task(Base, Numbered, TenantOwned, Stamped):
    """Something to be done for a customer by `due_at`: a message to be heard, a missed caller to be called, or what
    somebody wrote down. Of `owner_id`, or of nobody yet: then of the members of `queue_id`, or of all.

    A caller who was missed several times is one open task (`count`, `last_at` the latest). `state`: open, done; closed
    by hand (`closed_by`) or by the next conversation with the caller (`closed_by_call_id`). Calls and recordings are no
    foreign keys: their rows may come later, and go earlier."""

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_due", "tenant_id", "state", "due_at"),
        Index("ix_task_open_phone", "tenant_id", "phone_e164", postgresql_where=text("state = 'open'")),
        Index(
            "uq_task_open_missed", "tenant_id", "phone_e164", unique=True,
            postgresql_where=text("state = 'open' AND kind = 'missed_call'"),
        ),
        Index("uq_task_recording", "recording_id", unique=True, postgresql_where=text("recording_id IS NOT NULL")),
        Index("ix_task_call", "call_id", postgresql_where=text("call_id IS NOT NULL")),
        Index("ix_task_customer", "customer_id", postgresql_where=text("customer_id IS NOT NULL")),
    )  # fmt: skip
    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text, server_default="")
    customer_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("customer.id", ondelete="SET NULL"))
    call_id: Mapped[str | None] = mapped_column(Text)  # the call that made it; of several, the last
    recording_id: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float | None]  # length of the message
    phone_e164: Mapped[str] = mapped_column(Text, server_default="")
    did: Mapped[str] = mapped_column(Text, server_default="")
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    queue_id: Mapped[int | None] = mapped_column(BigInteger)
    due_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    count: Mapped[int] = mapped_column(server_default="1")
    state: Mapped[str] = mapped_column(Text, server_default="open")
    note: Mapped[str] = mapped_column(Text, server_default="")
    closed_by: Mapped[int | None] = mapped_column(BigInteger)
    closed_by_call_id: Mapped[str | None] = mapped_column(Text)
    closed_at: Mapped[datetime | None]
