"""Top-ups: ordered by the enterprise, and their records (rows S9, E6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import record
from callcenter.audit.records import find
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound, Unavailable
from smsgateway.payments import settings
from smsgateway.payments.provider import Payable, Provider, ProviderAway
from smsgateway.payments.registry import providers
from smsgateway.purse import money, orders, records
from smsgateway.purse.export import Cell, amount
from smsgateway.purse.models import PurseAccount, TopUpOrder
from smsgateway.purse.receipt import Receipt, pdf
from smsgateway.purse.words import word
from web.downloads import download, name_file
from web.http import current_actor, identity, paged, requires, tenant_id
from web.schemas.top_ups import (
    NewTopUpSchema,
    PayingSchema,
    TopUpExportQuery,
    TopUpOptionsSchema,
    TopUpPageSchema,
    TopUpQuery,
    TopUpSchema,
)

blueprint = Blueprint("top_ups", __name__, url_prefix="/api/top-ups", description="Top-ups of balances")


def render(row: Any) -> dict[str, Any]:
    """A row of `records.top_ups` as the interface shows it."""
    order, kind, ordered_by = row[0], row[1], row[2]
    names = ("id", "number", "amount_minor", "currency", "provider", "state", "created_at", "paid_at", "note")
    return {
        **{n: getattr(order, n) for n in names},
        "kind": kind,
        "ordered_by": ordered_by,
        "credited_by": order.credited_by,
    }


def _one(db: Session, order_id: int) -> dict[str, Any]:
    row = db.execute(
        select(TopUpOrder, PurseAccount.kind, User.name)
        .join(PurseAccount, PurseAccount.id == TopUpOrder.account_id)
        .outerjoin(User, User.id == TopUpOrder.ordered_by)
        .where(TopUpOrder.id == order_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return render(row)


def _offered(currency: str) -> dict[str, Provider]:
    return {n: p for n, p in providers(settings.load()).items() if p.takes(currency)}


@blueprint.get("")
@requires("purse.read")
@blueprint.arguments(TopUpQuery, location="query")
@blueprint.response(200, TopUpPageSchema)
def list_top_ups(args: dict[str, Any]) -> dict[str, Any]:
    """Top-ups, the newest first, by kind, state and days (of the payment; of the order while it is not paid)."""
    with tenant_session(tenant_id()) as db:
        return paged(db, records.top_ups(args, identity().enterprise.time_zone), args, render)


@blueprint.post("")
@requires("purse.order")
@blueprint.arguments(NewTopUpSchema)
@blueprint.response(201, TopUpSchema)
def post_top_up(given: dict[str, Any]) -> dict[str, Any]:
    """Order a top-up. It is credited once it is paid."""
    chosen = settings.load()
    with tenant_session(tenant_id()) as db:
        account = orders.account_of(db, tenant_id(), given["kind"])
        if given["provider"] not in _offered(account.currency):
            raise InvalidInput(
                "This way to pay is not offered.",
                code="provider_not_offered",
                fields={"provider": "Choose another way to pay."},
            )
        minor = orders.amount_of(
            given["amount"], account.currency, least=chosen.top_up_min, most=chosen.top_up_max, zero=False
        )
        order = orders.order(
            db, current_actor(), given["kind"], minor, given["provider"], key=given["key"],
            time_zone=identity().enterprise.time_zone,
        )  # fmt: skip
        return _one(db, order.id)


@blueprint.get("/options")
@requires("purse.order")
@blueprint.response(200, TopUpOptionsSchema)
def get_options() -> dict[str, Any]:
    """How a top-up can be paid, and within which limits."""
    chosen = settings.load()
    with tenant_session(tenant_id()) as db:
        currency = records.accounts(db, tenant_id())[0].currency
    return {
        "providers": list(_offered(currency)),
        "currency": currency,
        "min_minor": money.parse(chosen.top_up_min, currency),
        "max_minor": money.parse(chosen.top_up_max, currency),
        "bank_details": chosen.bank_details,
    }


@blueprint.get("/<int:order_id>")
@requires("purse.read")
@blueprint.response(200, TopUpSchema)
def get_top_up(order_id: int) -> dict[str, Any]:
    """One order."""
    with tenant_session(tenant_id()) as db:
        return _one(db, order_id)


@blueprint.post("/<int:order_id>/cancel")
@requires("purse.order")
@blueprint.response(200, TopUpSchema)
def cancel_top_up(order_id: int) -> dict[str, Any]:
    """Give up an order that is not paid."""
    with tenant_session(tenant_id()) as db:
        orders.cancel(db, current_actor(), order_id)
        db.flush()
        return _one(db, order_id)


@blueprint.post("/<int:order_id>/pay")
@requires("purse.order")
@blueprint.response(200, PayingSchema)
def pay_top_up(order_id: int) -> dict[str, Any]:
    """Begin the payment of an open order: the address of the provider's page, if it has one."""
    chosen = settings.load()
    locale = identity().user.locale
    with tenant_session(tenant_id()) as db:
        order = find(db, TopUpOrder, order_id)
        kind = db.get_one(PurseAccount, order.account_id).kind
    if order.state != orders.State.OPEN:
        raise orders.NotOpen("This order is not open any more.", params={"state": order.state})
    provider = _offered(order.currency).get(order.provider)
    if provider is None:
        raise Conflict("This way to pay is not offered any more.", code="provider_not_offered")
    payable = Payable(
        number=order.number,
        amount_minor=order.amount_minor,
        currency=order.currency,
        subject=f"{word(locale, 'top_ups')} {word(locale, kind)} {order.number}",
        return_url=f"{chosen.public_url}/balance/top-ups/{order.id}",
        notify_url=f"{chosen.public_url}/api/payments/{provider.name}",
    )
    try:
        return {"url": provider.start(payable)}
    except ProviderAway as error:
        raise Unavailable(
            "The payment provider can't be reached. The order is kept; try again in a moment.", code="provider_away"
        ) from error


@blueprint.get("/<int:order_id>/receipt")
@requires("purse.read")
@blueprint.response(200, content_type="application/pdf")
def get_receipt(order_id: int) -> Response:
    """The receipt of a credited order, as PDF in the user's language."""
    who = identity()
    locale = who.user.locale
    with tenant_session(tenant_id()) as db:
        told = _one(db, order_id)
        order = find(db, TopUpOrder, order_id)
    if order.paid_at is None:
        raise Conflict("There is a receipt once the order is credited.", code="order_not_paid")
    receipt = Receipt(
        number=order.number, enterprise=who.enterprise.name, kind=told["kind"], amount_minor=order.amount_minor,
        currency=order.currency, provider=order.provider, ref=order.provider_ref or "", ordered_at=order.created_at,
        paid_at=order.paid_at, ordered_by=told["ordered_by"] or "", note=order.note,
    )  # fmt: skip
    answer = Response(pdf(receipt, locale, who.enterprise.time_zone), content_type="application/pdf")
    name_file(answer, f"{word(locale, 'receipt')} {order.number}.pdf")
    return answer


@blueprint.get("/export")
@requires("purse.read")
@blueprint.arguments(TopUpExportQuery, location="query")
@blueprint.response(200, content_type="application/octet-stream")
def export_top_ups(args: dict[str, Any]) -> Response:
    """The records as a file (CSV, XLSX)."""
    names = (
        "number", "kind", "amount", "currency", "state", "provider", "ordered_by", "ordered_at", "paid_at",
        "credited_by", "note",
    )  # fmt: skip
    tenant, zone, locale = tenant_id(), identity().enterprise.time_zone, identity().user.locale
    with tenant_session(tenant) as db:
        asked = {k.rstrip("_"): str(v) for k, v in args.items() if v is not None}
        record(db, current_actor(), "export", "top_ups", "", after=asked)

    def local(at: Any) -> str:
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" if at is not None else ""

    def rows() -> Iterator[list[Cell]]:
        with tenant_session(tenant) as db:
            for order, kind, ordered_by in db.execute(
                records.top_ups(args, zone).execution_options(yield_per=1000)
            ):  # fmt: skip
                yield [
                    order.number, word(locale, kind), amount(order.amount_minor, order.currency), order.currency,
                    word(locale, order.state), word(locale, order.provider), ordered_by or "",
                    local(order.created_at), local(order.paid_at), order.credited_by, order.note,
                ]  # fmt: skip

    today = utc_now().astimezone(ZoneInfo(zone)).date()
    return download(args["format"], word(locale, "top_ups"), today, [word(locale, n) for n in names], rows)
