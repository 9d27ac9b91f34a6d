"""Tables of the purse. All amounts are integers in minor units of the account's currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class PurseAccount(Base, Numbered, TenantOwned, Stamped):
    """What an enterprise has for texts of one kind. `low_minor`: tell when `available_minor` falls below it."""

    __tablename__ = "purse_account"
    __table_args__ = (
        UniqueConstraint("tenant_id", "kind"),
        CheckConstraint("available_minor >= 0", name="available"),
        CheckConstraint("reserved_minor >= 0", name="reserved"),
    )
    kind: Mapped[str] = mapped_column(Text)  # sms, mms
    currency: Mapped[str] = mapped_column(Text, server_default="CNY")  # ISO 4217
    available_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reserved_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    low_minor: Mapped[int | None] = mapped_column(BigInteger)
    low_told_at: Mapped[datetime | None]


class PurseReservation(Base, Numbered, TenantOwned, Stamped):
    """Money set aside for the first `texts` of a batch. `held_minor` = amount - settled - refunded ≥ 0, and is in the
    account's `reserved_minor`. `key` makes a repeated reservation the same one."""

    __tablename__ = "purse_reservation"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        CheckConstraint("held_minor >= 0", name="held"),
        CheckConstraint("amount_minor = held_minor + settled_minor + refunded_minor", name="whole"),
    )
    key: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("purse_account.id", ondelete="CASCADE"))
    send_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(BigInteger)  # who spends
    purpose: Mapped[str] = mapped_column(Text, server_default="")
    texts: Mapped[int] = mapped_column(server_default="0")
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    held_minor: Mapped[int] = mapped_column(BigInteger)
    settled_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    refunded_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")


class LedgerEntry(Base, Numbered, TenantOwned):
    """One side of a booking; the rows of one `booking` are written by one statement and sum to zero, or the database
    refuses them (trigger `ledger_balances`, migration 0010). Append-only.

    `side`: available, reserved, spent, funds (what was paid in, negative). `event`: top_up, reserve, settle, refund
    (reserved → available), return (spent → available, after a carrier's final no), correction. `key` makes a repeated
    booking the same one, where its giver may repeat it."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key", "side"),
        Index("ix_ledger_entry_account_id", "account_id", "id"),
        Index("ix_ledger_entry_event_at", "tenant_id", "event", "at"),
    )
    booking: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("purse_account.id", ondelete="CASCADE"))
    side: Mapped[str] = mapped_column(Text)
    event: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    texts: Mapped[int] = mapped_column(server_default="0")
    segments: Mapped[int] = mapped_column(server_default="0")
    reservation_id: Mapped[int | None] = mapped_column(BigInteger)
    send_id: Mapped[int | None] = mapped_column(BigInteger)
    order_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int | None] = mapped_column(BigInteger)  # who spent, or who credited
    purpose: Mapped[str] = mapped_column(Text, server_default="")
    note: Mapped[str] = mapped_column(Text, server_default="")
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TopUpOrder(Base, Numbered, TenantOwned, Stamped):
    """An order of credit. `state`: open, paid (credited), cancelled, expired. `number` is what a payer writes on a bank
    transfer, and what a provider calls it by. `provider`: transfer, stripe, alipay, operator (credited unasked). `key`
    makes a repeated order the same one. `detail`: `odd`, what a provider told that does not fit the order."""

    __tablename__ = "top_up_order"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("provider", "provider_ref"),
        UniqueConstraint("tenant_id", "key"),
        Index("ix_top_up_order_state", "state", "created_at"),
    )
    key: Mapped[str | None] = mapped_column(Text)
    number: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("purse_account.id", ondelete="CASCADE"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    provider_ref: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="open")
    ordered_by: Mapped[int | None] = mapped_column(BigInteger)
    paid_at: Mapped[datetime | None]
    credited_by: Mapped[str] = mapped_column(Text, server_default="")  # the operator's name, or the provider
    note: Mapped[str] = mapped_column(Text, server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class PurseMark(Base, TenantOwned):
    """How far an account's ledger is in its roll-up: all entries up to `through_id`, by the days of `time_zone`. Of
    another zone than the enterprise's it counts for nothing, and is made anew (`rollup.py`). Here as in the roll-up no
    foreign key guards the account: its lock would keep bookings waiting while they are folded."""

    __tablename__ = "purse_mark"
    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    time_zone: Mapped[str] = mapped_column(Text)
    through_id: Mapped[int] = mapped_column(BigInteger, server_default="0")


class PurseDay(Base, TenantOwned):
    """The ledger's sums by account, day, user and business type (roll-up; `user_id` 0: nobody). `available_minor` and
    `reserved_minor`: what these sides moved by; the others: by events. `texts` and `segments`: spent, less what was
    given back; `spendings`: how many entries they are of."""

    __tablename__ = "purse_day"
    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    available_minor: Mapped[int] = mapped_column(BigInteger)
    reserved_minor: Mapped[int] = mapped_column(BigInteger)
    topped_up_minor: Mapped[int] = mapped_column(BigInteger)
    corrected_minor: Mapped[int] = mapped_column(BigInteger)
    set_aside_minor: Mapped[int] = mapped_column(BigInteger)
    refunded_minor: Mapped[int] = mapped_column(BigInteger)
    given_back_minor: Mapped[int] = mapped_column(BigInteger)
    settled_minor: Mapped[int] = mapped_column(BigInteger)
    texts: Mapped[int] = mapped_column(BigInteger)
    segments: Mapped[int] = mapped_column(BigInteger)
    spendings: Mapped[int] = mapped_column(BigInteger)


class PurseSendDay(Base, TenantOwned):
    """What a send has cost on a day (roll-up; `send_id` and `user_id` 0: none), `last_at` the last entry of it;
    `next_day`: the next one on which it, spent by the same user for the same, has cost something."""

    __tablename__ = "purse_send_day"
    __table_args__ = (Index("ix_purse_send_day_account_last", "account_id", "last_at"),)
    account_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    send_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    settled_minor: Mapped[int] = mapped_column(BigInteger)
    given_back_minor: Mapped[int] = mapped_column(BigInteger)
    texts: Mapped[int] = mapped_column(BigInteger)
    segments: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime]
    next_day: Mapped[date | None]
