"""Tables of sends, texts, templates, recurring sends, words and opt-outs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned
from smsgateway.texts import SendState


class TextSend(Base, Numbered, TenantOwned, Stamped):
    """What somebody asked to be sent. `key` makes a repeated request the same send.

    `audience`: {"numbers": [E.164 or as typed], "file": import id, "contacts": [id], "groups": [id], "lists": [id],
    "customers": filter}; `cursor`: how far it has been read. `state` and the counts change with its texts, in the same
    transactions; counts are by the state that a text is in now, so that they always sum to `asked`."""

    __tablename__ = "text_send"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index("ix_text_send_tenant_created", "tenant_id", "created_at"),
        Index("ix_text_send_open", "id", postgresql_where=text("state IN ('preparing', 'approval', 'sending')")),
        Index("ix_text_send_media", "tenant_id", postgresql_where=text("media <> '[]'::jsonb")),
        Index("ix_text_send_sweep", "id", postgresql_where=text("(cursor ->> 'stage') IN ('cancel', 'reject')")),
    )
    key: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, server_default="")
    body: Mapped[str] = mapped_column(Text)  # with placeholders
    signature: Mapped[str] = mapped_column(Text, server_default="")
    media: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))  # [{path, type, name, size_bytes}] under var
    template_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("text_template.id", ondelete="SET NULL"))
    rule_id: Mapped[int | None] = mapped_column(BigInteger)
    call_id: Mapped[str | None] = mapped_column(Text)  # the call during which an agent sent it
    sender_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    service_number: Mapped[str] = mapped_column(Text, server_default="")  # the sender's, when asked
    audience: Mapped[dict[str, Any]]
    cursor: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(Text, server_default=SendState.PREPARING.value)
    not_before: Mapped[datetime | None]
    local_time: Mapped[bool] = mapped_column(server_default=text("false"))  # not_before's wall clock where they are
    outside_hours: Mapped[str] = mapped_column(Text, server_default="wait")  # or refuse
    valid_h: Mapped[int] = mapped_column(server_default="24")  # not later than so many hours after `not_before`
    needs_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    decided_by: Mapped[int | None] = mapped_column(BigInteger)
    decided_at: Mapped[datetime | None]
    decision: Mapped[str] = mapped_column(Text, server_default="")  # the supervisor's reason
    error: Mapped[dict[str, Any] | None]
    asked: Mapped[int] = mapped_column(server_default="0")
    duplicates: Mapped[int] = mapped_column(server_default="0")  # of the audience; they make no text and count no more
    approval: Mapped[int] = mapped_column(server_default="0")
    queued: Mapped[int] = mapped_column(server_default="0")
    submitting: Mapped[int] = mapped_column(server_default="0")
    submitted: Mapped[int] = mapped_column(server_default="0")
    doubtful: Mapped[int] = mapped_column(server_default="0")
    delivered: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    expired: Mapped[int] = mapped_column(server_default="0")
    refused: Mapped[int] = mapped_column(server_default="0")
    cancelled: Mapped[int] = mapped_column(server_default="0")
    charged_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    segments: Mapped[int] = mapped_column(BigInteger, server_default="0")  # of texts that went or still go
    finished_at: Mapped[datetime | None]


class TextMessage(Base, Numbered, TenantOwned):
    """One text to one number. Sent by the million: no foreign keys (as with leads, see `crm.models.Lead`).

    `body` is None when it is the send's body word for word. `price_minor` is of one segment, as reserved;
    `charged_minor` what was settled and not given back. `check_name`, `rule`, `detail` say why it was refused or held
    (`smsgateway.checks`), `error_code` and `error` why the carrier did not deliver it. `journey`: what is out of the
    ordinary on its way: [{"at", "event", …}]. `doubt`: the carrier may have got it twice, or never."""

    __tablename__ = "text_message"
    __table_args__ = (
        UniqueConstraint("send_id", "phone_e164"),
        Index("ix_text_message_phone", "tenant_id", "phone_e164", "created_at"),
        Index("ix_text_message_created", "created_at", postgresql_using="brin"),
        Index(
            "ix_text_message_queue", "carrier_id", "rank", "send_id", "not_before", "id",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_text_message_leased", "carrier_id", postgresql_where=text("state = 'submitting'")),
        Index("ix_text_message_held", "send_id", postgresql_where=text("state = 'approval'")),
        {"postgresql_with": {"fillfactor": "70"}},
    )  # fmt: skip
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    send_id: Mapped[int] = mapped_column(BigInteger)
    phone_e164: Mapped[str] = mapped_column(Text)
    contact_id: Mapped[int | None] = mapped_column(BigInteger)
    customer_id: Mapped[int | None] = mapped_column(BigInteger)
    body: Mapped[str | None] = mapped_column(Text)
    encoding: Mapped[str] = mapped_column(Text, server_default="")  # gsm7, ucs2; empty for MMS
    segments: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    sender: Mapped[str] = mapped_column(Text, server_default="")  # source address
    state: Mapped[str] = mapped_column(Text)
    rank: Mapped[int] = mapped_column(SmallInteger, server_default="2")
    check_name: Mapped[str] = mapped_column(Text, server_default="")
    rule: Mapped[str] = mapped_column(Text, server_default="")
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))  # {params, hits}
    route_id: Mapped[int | None] = mapped_column(BigInteger)
    carrier_id: Mapped[int | None] = mapped_column(BigInteger)
    price_minor: Mapped[int] = mapped_column(server_default="0")
    charged_minor: Mapped[int] = mapped_column(server_default="0")
    reservation_id: Mapped[int | None] = mapped_column(BigInteger)
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]
    leased_by: Mapped[str | None] = mapped_column(Text)
    leased_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    doubt: Mapped[bool] = mapped_column(server_default=text("false"))
    error_code: Mapped[str] = mapped_column(Text, server_default="")
    error: Mapped[str] = mapped_column(Text, server_default="")
    journey: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    submitted_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TextPart(Base, TenantOwned):
    """A part that a carrier took, by the reference that its receipts carry (`ref` normalised). No foreign keys."""

    __tablename__ = "text_part"
    __table_args__ = (Index("ix_text_part_message", "message_id"),)
    carrier_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    ref: Mapped[str] = mapped_column(Text, primary_key=True)
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(BigInteger)
    part: Mapped[int] = mapped_column(SmallInteger)  # from 1
    state: Mapped[str] = mapped_column(Text, server_default="submitted")
    code: Mapped[str] = mapped_column(Text, server_default="")
    final_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ParkedReceipt(Base, Numbered):
    """A receipt that came before its submission was stored, or for nothing we know. Of the platform: nobody's yet."""

    __tablename__ = "parked_receipt"
    __table_args__ = (Index("ix_parked_receipt_ref", "carrier_id", "ref"),)
    carrier_id: Mapped[int] = mapped_column(BigInteger)
    ref: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text, server_default="")
    at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TextTemplate(Base, Numbered, TenantOwned, Stamped):
    """A body to send again, with placeholders."""

    __tablename__ = "text_template"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, server_default="sms")
    purpose: Mapped[str] = mapped_column(Text, server_default="marketing")
    subject: Mapped[str] = mapped_column(Text, server_default="")
    body: Mapped[str] = mapped_column(Text)
    media: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    at_desk: Mapped[bool] = mapped_column(server_default=text("false"))  # offered to agents during a call
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class TextRule(Base, Numbered, TenantOwned, Stamped):
    """A send that is made each day for those whom the day concerns.

    `occasion`: birthday (contacts of `groups`), renewal (leads of `lists` by the date field `field`). `days_before`
    the day itself, at `at` o'clock ("09:30") where the recipient is. `last_day`: the last day it was made for."""

    __tablename__ = "text_rule"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    occasion: Mapped[str] = mapped_column(Text)
    template_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("text_template.id"))
    groups: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    lists: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    field: Mapped[str] = mapped_column(Text, server_default="")
    days_before: Mapped[int] = mapped_column(server_default="0")
    at: Mapped[str] = mapped_column(Text, server_default="09:30")
    sender_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    last_day: Mapped[date | None]


class SensitiveWord(Base, Numbered, TenantOwned, Stamped):
    """A word of the enterprise's own list. Built-in ones are in `smsgateway/words/builtin`."""

    __tablename__ = "sensitive_word"
    __table_args__ = (UniqueConstraint("tenant_id", "word"),)
    word: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text, server_default="own")
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class WordException(Base, Numbered, TenantOwned, Stamped):
    """A phrase in which no word is sensitive."""

    __tablename__ = "word_exception"
    __table_args__ = (UniqueConstraint("tenant_id", "phrase"),)
    phrase: Mapped[str] = mapped_column(Text)
    created_by: Mapped[int | None] = mapped_column(BigInteger)


class BuiltInWordOff(Base, TenantOwned):
    """A built-in word, or with `category:` before it a whole category, that the enterprise has switched off."""

    __tablename__ = "built_in_word_off"
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    tenant_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("enterprise.id", ondelete="CASCADE"), primary_key=True
    )


class OptOut(Base, Numbered, TenantOwned, Stamped):
    """A number that wants no marketing from this enterprise, until `ended_at`."""

    __tablename__ = "opt_out"
    __table_args__ = (
        Index("uq_opt_out_now", "tenant_id", "phone_e164", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    phone_e164: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text, server_default="manual")  # manual, import, keyword, api
    keyword: Mapped[str] = mapped_column(Text, server_default="")
    note: Mapped[str] = mapped_column(Text, server_default="")
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(BigInteger)
