"""What is asked of the purse: balances, top-ups (E6) and deductions (E7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Select, case, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.tenancy.models import Enterprise
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.purse.bookings import KINDS, open_accounts
from smsgateway.purse.days import bounds
from smsgateway.purse.models import LedgerEntry, PurseAccount, TopUpOrder


@dataclass(frozen=True)
class PriceRange:
    """The least and the most that a segment costs an enterprise now, minor units."""

    least_minor: int
    most_minor: int


def accounts(session: Session, tenant_id: int) -> list[PurseAccount]:
    """The enterprise's accounts, SMS first."""
    query = select(PurseAccount).where(PurseAccount.tenant_id == tenant_id)
    found = {a.kind: a for a in session.scalars(query)}
    if len(found) < len(KINDS):
        open_accounts(session, tenant_id)
        found = {a.kind: a for a in session.scalars(query)}
    return [found[kind] for kind in KINDS]


def is_low(account: PurseAccount) -> bool:
    """Below what its owner wants to be told of."""
    return account.low_minor is not None and account.available_minor < account.low_minor


def prices(session: Session, tenant_id: int, now: datetime) -> dict[tuple[str, str], PriceRange]:
    """What a segment costs the enterprise now, by kind and currency. In a platform session: routes are the
    platform's."""
    newest = (
        select(TextPrice.route_id, TextPrice.price_minor)
        .where(TextPrice.enterprise_id == tenant_id, TextPrice.valid_from <= now)
        .ext(distinct_on(TextPrice.route_id))
        .order_by(TextPrice.route_id, TextPrice.valid_from.desc(), TextPrice.id.desc())
        .subquery()
    )
    price = func.coalesce(newest.c.price_minor, TextRoute.price_minor)
    query = (
        select(TextRoute.kind, TextRoute.currency, func.min(price), func.max(price))
        .join(TextCarrier, TextCarrier.id == TextRoute.carrier_id)
        .outerjoin(newest, newest.c.route_id == TextRoute.id)
        .where(TextRoute.enabled, TextCarrier.enabled)
        .group_by(TextRoute.kind, TextRoute.currency)
    )
    return {(kind, currency): PriceRange(low, high) for kind, currency, low, high in session.execute(query)}


def top_ups(args: Mapping[str, Any], time_zone: str) -> Any:
    """Orders with their account's kind and who ordered, the newest first. `from_` and `to` are days of `time_zone`,
    of the payment, or of the order while it is not paid; both included, each may be None."""
    at = func.coalesce(TopUpOrder.paid_at, TopUpOrder.created_at)
    query: Any = (
        select(TopUpOrder, PurseAccount.kind, User.name)
        .join(PurseAccount, PurseAccount.id == TopUpOrder.account_id)
        .outerjoin(User, User.id == TopUpOrder.ordered_by)
        .order_by(at.desc(), TopUpOrder.id.desc())
    )
    if args.get("kind"):
        query = query.where(PurseAccount.kind == args["kind"])
    if args.get("state"):
        query = query.where(TopUpOrder.state == args["state"])
    begin, end = bounds(args.get("from_"), args.get("to"), time_zone)
    if begin is not None:
        query = query.where(at >= begin)
    if end is not None:
        query = query.where(at < end)
    return query


def all_top_ups(args: Mapping[str, Any]) -> Any:
    """Orders of all enterprises with kind, enterprise and its balance, the oldest open ones first. For a platform
    session."""
    query: Any = (
        select(TopUpOrder, PurseAccount.kind, Enterprise.name, Enterprise.code)
        .join(PurseAccount, PurseAccount.id == TopUpOrder.account_id)
        .join(Enterprise, Enterprise.id == TopUpOrder.tenant_id)
        .order_by(
            case((TopUpOrder.state == "open", TopUpOrder.id)).asc().nulls_last(), TopUpOrder.id.desc()
        )
    )  # fmt: skip
    if args.get("state"):
        query = query.where(TopUpOrder.state == args["state"])
    if args.get("enterprise_id") is not None:
        query = query.where(TopUpOrder.tenant_id == args["enterprise_id"])
    if search := args.get("search", "").strip():
        query = query.where(
            TopUpOrder.number.icontains(search, autoescape=True)
            | Enterprise.name.icontains(search, autoescape=True)
            | Enterprise.code.icontains(search, autoescape=True)
        )
    return query


_SIGN = case((LedgerEntry.event == "settle", 1), else_=-1)
_SUMS = {
    "texts": func.sum(_SIGN * LedgerEntry.texts),
    "segments": func.sum(_SIGN * LedgerEntry.segments),
    "amount_minor": func.sum(LedgerEntry.amount_minor),
    "given_back_minor": func.coalesce(
        -func.sum(LedgerEntry.amount_minor).filter(LedgerEntry.event == "return"), 0
    ).cast(BigInteger),
}


def _spent(query: Select[Any], args: Mapping[str, Any], time_zone: str) -> Select[Any]:
    query = query.join(PurseAccount, PurseAccount.id == LedgerEntry.account_id).where(
        LedgerEntry.side == "spent", LedgerEntry.event.in_(("settle", "return"))
    )
    if args.get("kind"):
        query = query.where(PurseAccount.kind == args["kind"])
    if args.get("purpose"):
        query = query.where(LedgerEntry.purpose == args["purpose"])
    if args.get("user_id") is not None:
        query = query.where(LedgerEntry.user_id == args["user_id"])
    begin, end = bounds(args.get("from_"), args.get("to"), time_zone)
    if begin is not None:
        query = query.where(LedgerEntry.at >= begin)
    if end is not None:
        query = query.where(LedgerEntry.at < end)
    return query


def deductions(args: Mapping[str, Any], time_zone: str) -> Select[Any]:
    """What was spent, by send: `at` (the last deduction), `send_id`, `kind`, `purpose`, `user_id`, `user`, `texts`,
    `segments`, `amount_minor` (less what was given back), `given_back_minor`; the newest first. Filters: `kind`,
    `purpose`, `user_id`, days `from_` and `to` of `time_zone`, both included, each may be None."""
    last = func.max(LedgerEntry.at).label("at")
    sums = [value.label(name) for name, value in _SUMS.items()]
    group = (LedgerEntry.send_id, PurseAccount.kind, LedgerEntry.purpose, LedgerEntry.user_id)
    query = _spent(
        select(last, *group, func.max(User.name).label("user"), *sums).select_from(LedgerEntry), args, time_zone
    )
    query = query.outerjoin(User, User.id == LedgerEntry.user_id)
    return query.group_by(*group).order_by(last.desc(), LedgerEntry.send_id.desc().nulls_last())


def deducted(session: Session, args: Mapping[str, Any], time_zone: str) -> dict[str, int]:
    """Sums over all that `deductions` lists: texts, segments, amount_minor, given_back_minor."""
    query = _spent(select(*(v.label(n) for n, v in _SUMS.items())).select_from(LedgerEntry), args, time_zone)
    row = session.execute(query).one()
    return {name: int(getattr(row, name) or 0) for name in _SUMS}


def spenders(session: Session) -> Sequence[Any]:
    """(id, name) of the users who have ever spent, by name."""
    ids = select(LedgerEntry.user_id).where(LedgerEntry.side == "spent").distinct()
    return session.execute(select(User.id, User.name).where(User.id.in_(ids)).order_by(User.name, User.id)).all()
