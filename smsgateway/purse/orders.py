"""Top-up orders: made and cancelled by the enterprise, credited by the operator or by a provider's proven word.

An order is `open`, and then once `paid`. A cancelled or expired one whose money arrives all the same is paid too: the
money is the enterprise's. Whatever is told about an order is judged under the lock of its row, so that it is credited
once; the key of its booking holds that in the ledger as well.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.clock import utc_now
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from callcenter.tenancy.platform import as_enterprise, audit, find_enterprise
from smsgateway.payments.provider import Paid, Refunded
from smsgateway.purse import bookings, money
from smsgateway.purse.models import PurseAccount, TopUpOrder

log = logging.getLogger(__name__)
OPERATOR = "operator"  # the provider of what was credited without an order
OPEN_FOR = timedelta(days=30)
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # nothing that is misread on a bank statement
_ODD_KEPT = 20


class State(StrEnum):
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Taken(StrEnum):
    """What became of a provider's word that money came in."""

    CREDITED = "credited"
    REPEATED = "repeated"
    UNKNOWN = "unknown"  # there is no such order
    ODD = "odd"  # it does not fit the order: nothing is credited, the operator sees it


class NotOpen(Conflict):
    """The order is paid, or cancelled."""

    code = "order_not_open"


def account_of(session: Session, tenant_id: int, kind: str) -> PurseAccount:
    """The enterprise's account, made if it is missing."""
    query = select(PurseAccount).where(PurseAccount.tenant_id == tenant_id, PurseAccount.kind == kind)
    account = session.scalars(query).one_or_none()
    if account is None:
        bookings.open_accounts(session, tenant_id)
        account = session.scalars(query).one()
    return account


def amount_of(
    given: str, currency: str, *, least: str = "", most: str = "", field: str = "amount", signed: bool = False,
    zero: bool = True,
) -> int:  # fmt: skip
    """The amount that a person typed, in minor units. Limits are decimal text. Raises InvalidInput on `field`."""
    try:
        value = money.parse(given, currency)
        if (value < 0 and not signed) or (value == 0 and not zero):
            raise money.NotAnAmount(given)
    except money.NotAnAmount:
        raise InvalidInput(
            "Check the marked fields.", code="not_an_amount", fields={field: "Write an amount such as 100.00."}
        ) from None
    low = money.parse(least, currency) if least else -money.MOST_MINOR
    high = money.parse(most, currency) if most else money.MOST_MINOR
    if not low <= value <= high:
        raise InvalidInput(
            "The amount is outside the limits.",
            code="amount_outside_limits",
            fields={field: "Stay within the limits."},
            params={"min": money.plain(low, currency), "max": money.plain(high, currency), "currency": currency},
        )
    return value


def order(
    session: Session, actor: Actor, kind: str, amount_minor: int, provider: str, *, key: str | None, time_zone: str
) -> TopUpOrder:
    """Make an order; with a key that was used, give that order. Raises KeyUsed."""
    account = account_of(session, actor.tenant_id, kind)
    session.refresh(account, with_for_update=True)  # two requests with one key come one after the other
    if key is not None:
        before = session.scalars(select(TopUpOrder).where(TopUpOrder.key == key)).one_or_none()
        if before is not None:
            if (before.account_id, before.amount_minor, before.provider) != (account.id, amount_minor, provider):
                raise bookings.KeyUsed("This key was used for another order.")
            return before
    row = _new(account, amount_minor, provider, key, utc_now().astimezone(ZoneInfo(time_zone)))
    row.ordered_by = actor.user_id
    session.add(row)
    session.flush()
    record(session, actor, "create", "top_up_order", row.id, name=row.number, after=_told(row, kind))
    return row


def cancel(session: Session, actor: Actor, order_id: int) -> TopUpOrder:
    """Give up an order that is not paid. Raises NotFound, NotOpen."""
    row = _locked(session, order_id)
    if row.state == State.CANCELLED:
        return row
    _must_be_open(row)
    record(session, actor, "cancel", "top_up_order", row.id, name=row.number)
    row.state = State.CANCELLED.value
    return row


def expire(session: Session, now: datetime) -> int:
    """Orders of all enterprises that nobody paid; how many. In a platform session."""
    due = update(TopUpOrder).where(TopUpOrder.state == State.OPEN, TopUpOrder.created_at < now - OPEN_FOR)
    return len(session.scalars(due.values(state=State.EXPIRED.value).returning(TopUpOrder.id)).all())


def take(session: Session, provider: str, paid: Paid, now: datetime) -> Taken:
    """A provider's proven word that an order was paid. In a platform session."""
    row = None
    if paid.number.isascii() and paid.number.isalnum():
        query = select(TopUpOrder).where(TopUpOrder.number == paid.number).with_for_update()
        row = session.scalars(query).one_or_none()
    if row is None:
        log.warning("%s tells of a payment for an order that we don't know", provider)
        return Taken.UNKNOWN
    if row.state == State.PAID and (row.provider, row.provider_ref) == (provider, paid.ref):
        return Taken.REPEATED
    odd = _odd(session, row, provider, paid)
    if odd:
        _keep_odd(session, row, provider, paid, odd, now)
        return Taken.ODD
    row.provider_ref = paid.ref
    _credit(session, row, by=provider, now=now)
    with as_enterprise(session, row.tenant_id):
        record(
            session, Actor(row.tenant_id, None, provider), "credit", "top_up_order", row.id, name=row.number,
            after={"amount": money.plain(row.amount_minor, row.currency), "ref": paid.ref},
        )  # fmt: skip
    return Taken.CREDITED


def question_refund(session: Session, provider: str, told: Refunded, now: datetime) -> bool:
    """A provider's proven word that it gave a payment back: shown to the operator, nothing is booked. Whether there is
    such an order. In a platform session."""
    row = None
    if told.number.isascii() and told.number.isalnum():
        query = select(TopUpOrder).where(TopUpOrder.number == told.number, TopUpOrder.provider == provider)
        row = session.scalars(query.with_for_update()).one_or_none()
    if row is not None:
        _keep_odd(session, row, provider, told, "refunded", now)
    return row is not None


def credit_order(session: Session, actor: Actor, order_id: int, note: str, now: datetime) -> TopUpOrder:
    """The operator has seen the money. In a platform session. Raises NotFound, NotOpen."""
    row = _locked(session, order_id)
    if row.state == State.PAID:
        raise NotOpen("This order is credited already.", params={"state": row.state})
    row.note = note
    _credit(session, row, by=actor.name, now=now)
    _audit(session, actor, "credit", row, note)
    return row


def refuse(session: Session, actor: Actor, order_id: int, note: str) -> TopUpOrder:
    """The operator cancels an order. In a platform session. Raises NotFound, NotOpen."""
    row = _locked(session, order_id)
    _must_be_open(row)
    row.state, row.note = State.CANCELLED.value, note
    _audit(session, actor, "cancel", row, note)
    return row


def credit(
    session: Session, actor: Actor, enterprise_id: int, kind: str, amount_minor: int, note: str, *, key: str,
    now: datetime,
) -> TopUpOrder:  # fmt: skip
    """The operator credits what was not ordered. In a platform session. Raises NotFound, KeyUsed."""
    enterprise = find_enterprise(session, enterprise_id)
    account = account_of(session, enterprise_id, kind)
    session.refresh(account, with_for_update=True)
    before = session.scalars(
        select(TopUpOrder).where(TopUpOrder.tenant_id == enterprise_id, TopUpOrder.key == key)
    ).one_or_none()
    if before is not None:
        if (before.account_id, before.amount_minor, before.provider) != (account.id, amount_minor, OPERATOR):
            raise bookings.KeyUsed("This key was used for another credit.")
        return before
    row = _new(account, amount_minor, OPERATOR, key, now.astimezone(ZoneInfo(enterprise.time_zone)))
    row.tenant_id, row.note = enterprise_id, note
    session.add(row)
    session.flush()
    _credit(session, row, by=actor.name, now=now)
    _audit(session, actor, "credit", row, note)
    return row


def correct(
    session: Session, actor: Actor, enterprise_id: int, kind: str, amount_minor: int, reason: str, *, key: str
) -> bool:
    """The operator mends a balance, up or down. In a platform session. False: it was done before. Raises NotFound,
    TooLittle, KeyUsed."""
    enterprise = find_enterprise(session, enterprise_id)
    account = account_of(session, enterprise_id, kind)
    done = bookings.correct(session, enterprise_id, kind, amount_minor, key=f"correction:{key}", note=reason)
    if done:
        after = {"kind": kind, "amount": money.plain(amount_minor, account.currency), "reason": reason}
        audit(
            session, actor, "correct", "purse", account.id, enterprise_id=enterprise_id, name=enterprise.name,
            after=after,
        )  # fmt: skip
    return done


def _new(account: PurseAccount, amount_minor: int, provider: str, key: str | None, local: datetime) -> TopUpOrder:
    if amount_minor <= 0:
        raise ValueError("an order is for more than nothing")
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(7))
    return TopUpOrder(
        number=f"T{local:%y%m%d}{tail}", account_id=account.id, amount_minor=amount_minor, currency=account.currency,
        provider=provider, key=key, state=State.OPEN.value, detail={},
    )  # fmt: skip


def _credit(session: Session, row: TopUpOrder, *, by: str, now: datetime) -> None:
    kind = session.get_one(PurseAccount, row.account_id).kind
    bookings.top_up(
        session, row.tenant_id, kind, row.amount_minor, key=f"order:{row.id}", order_id=row.id, note=row.number
    )
    row.state, row.paid_at, row.credited_by = State.PAID.value, now, by
    session.flush()


def _odd(session: Session, row: TopUpOrder, provider: str, paid: Paid) -> str:
    """Why the payment does not fit the order; empty if it does."""
    if row.provider != provider:
        return "provider"
    if row.state == State.PAID:
        return "paid_twice"
    if paid.currency != row.currency:
        return "currency"
    if paid.amount_minor != row.amount_minor:
        return "amount"
    same = select(TopUpOrder.id).where(TopUpOrder.provider == provider, TopUpOrder.provider_ref == paid.ref)
    return "reference" if session.scalar(same) is not None else ""


def _keep_odd(session: Session, row: TopUpOrder, provider: str, paid: Paid | Refunded, why: str, now: datetime) -> None:
    known: list[dict[str, Any]] = list(row.detail.get("odd", []))
    same = (provider, paid.ref, why, paid.amount_minor)
    if any((o["provider"], o["ref"], o["why"], o["amount_minor"]) == same for o in known):
        return
    log.warning("order %s: %s tells of a payment that does not fit (%s)", row.number, provider, why)
    told = {
        "at": now.isoformat(), "provider": provider, "ref": paid.ref, "why": why,
        "amount_minor": paid.amount_minor, "currency": paid.currency,
    }  # fmt: skip
    row.detail = {**row.detail, "odd": [*known, told][-_ODD_KEPT:]}
    with as_enterprise(session, row.tenant_id):
        record(
            session, Actor(row.tenant_id, None, provider), "question", "top_up_order", row.id, name=row.number,
            after=told,
        )  # fmt: skip


def _locked(session: Session, order_id: int) -> TopUpOrder:
    row = session.scalars(select(TopUpOrder).where(TopUpOrder.id == order_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return row


def _must_be_open(row: TopUpOrder) -> None:
    if row.state != State.OPEN:
        raise NotOpen("This order is not open any more.", params={"state": row.state})


def _told(row: TopUpOrder, kind: str) -> Mapping[str, Any]:
    return {"kind": kind, "amount": money.plain(row.amount_minor, row.currency), "provider": row.provider}


def _audit(session: Session, actor: Actor, action: str, row: TopUpOrder, note: str) -> None:
    enterprise = session.get_one(Enterprise, row.tenant_id)
    audit(
        session, actor, action, "top_up_order", row.id, enterprise_id=row.tenant_id,
        name=f"{row.number} · {enterprise.name}",
        after={"amount": money.plain(row.amount_minor, row.currency), "note": note},
    )  # fmt: skip
