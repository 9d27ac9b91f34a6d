"""What is asked of the purse: balances and top-ups (E6). Deductions: `spending.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.tenancy.models import Enterprise
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.purse.bookings import KINDS, open_accounts
from smsgateway.purse.days import bounds
from smsgateway.purse.models import PurseAccount, TopUpOrder


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
