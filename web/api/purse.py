"""Balances, what was deducted (row E7), and statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from flask_smorest import Blueprint

from callcenter.audit.models import record
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import NotFound
from smsgateway.purse import defaults as _defaults  # noqa: F401  # what an enterprise is opened with
from smsgateway.purse import money, orders, records, spending, statements
from smsgateway.purse.export import Cell, amount
from smsgateway.purse.models import PurseAccount
from smsgateway.purse.words import word
from web.downloads import download
from web.http import current_actor, identity, requires, tenant_id
from web.schemas.purse import (
    KINDS,
    BalanceSchema,
    DeductionExportQuery,
    DeductionPageSchema,
    DeductionQuery,
    LowSchema,
    PurseSchema,
    SpendersSchema,
    StatementExportQuery,
    StatementPageSchema,
    StatementQuery,
)

blueprint = Blueprint("purse", __name__, url_prefix="/api/purse", description="Balances and deductions")
_FLOWS = (
    "opening", "topped_up", "corrected", "reserved", "refunded", "given_back", "closing", "reserved_opening",
    "settled", "reserved_closing",
)  # fmt: skip


def balances() -> list[dict[str, Any]]:
    """The enterprise's accounts, and what a segment costs it now."""
    with tenant_session(tenant_id()) as db:
        found = records.accounts(db, tenant_id())
    with platform_session() as db:
        prices = records.prices(db, tenant_id(), utc_now())
    return [_balance(a, prices.get((a.kind, a.currency))) for a in found]


def _balance(account: PurseAccount, price: records.PriceRange | None) -> dict[str, Any]:
    names = ("kind", "currency", "available_minor", "reserved_minor", "low_minor")
    return {
        **{n: getattr(account, n) for n in names},
        "low": records.is_low(account),
        "least_price_minor": price.least_minor if price else None,
        "most_price_minor": price.most_minor if price else None,
    }


@blueprint.get("")
@requires("purse.read")
@blueprint.response(200, PurseSchema)
def get_purse() -> dict[str, Any]:
    """What there is for texts of each kind."""
    return {"balances": balances()}


@blueprint.patch("/<kind>")
@requires("purse.order")
@blueprint.arguments(LowSchema)
@blueprint.response(200, BalanceSchema)
def patch_balance(given: dict[str, Any], kind: str) -> dict[str, Any]:
    """Set below which amount those who top up are told."""
    if kind not in KINDS:
        raise NotFound("There is no such balance.")
    actor = current_actor()
    with tenant_session(tenant_id()) as db:
        account = orders.account_of(db, tenant_id(), kind)
        before = account.low_minor
        low = None if given["low"] is None else orders.amount_of(given["low"], account.currency, field="low")
        account.low_minor = low
        record(
            db, actor, "update", "purse", account.id, name=kind.upper(),
            before={"low": None if before is None else money.plain(before, account.currency)},
            after={"low": None if low is None else money.plain(low, account.currency)},
        )  # fmt: skip
    return next(b for b in balances() if b["kind"] == kind)


@blueprint.get("/deductions")
@requires("purse.read")
@blueprint.arguments(DeductionQuery, location="query")
@blueprint.response(200, DeductionPageSchema)
def list_deductions(args: dict[str, Any]) -> dict[str, Any]:
    """What was spent, by send, the newest first: by business type, who spent, and days."""
    zone = identity().enterprise.time_zone
    with tenant_session(tenant_id()) as db:
        found = records.accounts(db, tenant_id())
        currencies, ids = {a.kind: a.currency for a in found}, {a.kind: a.id for a in found}

        at = {"limit": args["per_page"], "offset": (args["page"] - 1) * args["per_page"]}
        items, total = spending.page(db, args, ids, zone, **at)
        totals = spending.deducted(db, args, ids, zone)
    for item in items:
        parts = (item["send_id"], item["kind"], item["purpose"], item["user_id"])
        item |= {"key": "-".join(str(p) for p in parts), "currency": currencies[item["kind"]]}
    page = {"items": items, "total": total, "page": args["page"], "per_page": args["per_page"]}
    return {**page, "totals": {**totals, "currency": currencies[args["kind"] or "sms"]}}


@blueprint.get("/deductions/export")
@requires("purse.read")
@blueprint.arguments(DeductionExportQuery, location="query")
@blueprint.response(200, content_type="application/octet-stream")
def export_deductions(args: dict[str, Any]) -> Response:
    """The same as a file (CSV, XLSX)."""
    names = ("at", "send", "kind", "purpose", "user", "texts", "segments", "amount", "given_back", "currency")
    tenant, zone, locale = tenant_id(), identity().enterprise.time_zone, identity().user.locale
    _audit_export("deductions", args)

    def rows() -> Iterator[list[Cell]]:
        with tenant_session(tenant) as db:
            found = records.accounts(db, tenant)
            currencies, ids = {a.kind: a.currency for a in found}, {a.kind: a.id for a in found}
            for row in db.execute(spending.listed(args, ids, zone).execution_options(yield_per=1000)):
                currency = currencies[row.kind]
                yield [
                    f"{row.at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}",
                    row.send_id if row.send_id is not None else "",
                    word(locale, row.kind),
                    word(locale, row.purpose),
                    row.user or "",
                    int(row.texts),
                    int(row.segments),
                    amount(int(row.amount_minor), currency),
                    amount(row.given_back_minor, currency),
                    currency,
                ]

    return _file("deductions", args["format"], names, rows)


@blueprint.get("/spenders")
@requires("purse.read")
@blueprint.response(200, SpendersSchema)
def get_spenders() -> dict[str, Any]:
    """Who has ever spent: what the filter of deductions offers."""
    with tenant_session(tenant_id()) as db:
        ids = {a.kind: a.id for a in records.accounts(db, tenant_id())}
        found = spending.spenders(db, ids, identity().enterprise.time_zone)
    return {"users": [{"id": i, "name": name} for i, name in found]}


@blueprint.get("/statement")
@requires("purse.read")
@blueprint.arguments(StatementQuery, location="query")
@blueprint.response(200, StatementPageSchema)
def list_statement(args: dict[str, Any]) -> dict[str, Any]:
    """The days on which an account moved, the newest first; each day opens with the closing of the one before."""
    page, per_page = args["page"], args["per_page"]
    with tenant_session(tenant_id()) as db:
        account = orders.account_of(db, tenant_id(), args["kind"])
        zone = identity().enterprise.time_zone
        span = {"first": args["from_"], "last": args["to"]}
        days, total = statements.statement(db, account.id, zone, **span, limit=per_page, offset=(page - 1) * per_page)
        if not days and page > 1:
            total = statements.statement(db, account.id, zone, **span, limit=1)[1]
    items = [{**vars(d), "currency": account.currency} for d in days]
    return {"items": items, "total": total, "page": page, "per_page": per_page}


@blueprint.get("/statement/export")
@requires("purse.read")
@blueprint.arguments(StatementExportQuery, location="query")
@blueprint.response(200, content_type="application/octet-stream")
def export_statement(args: dict[str, Any]) -> Response:
    """The same as a file (CSV, XLSX)."""
    tenant, zone = tenant_id(), identity().enterprise.time_zone
    _audit_export("statement", args)

    def rows() -> Iterator[list[Cell]]:
        with tenant_session(tenant) as db:
            account = orders.account_of(db, tenant, args["kind"])
            days, _ = statements.statement(db, account.id, zone, first=args["from_"], last=args["to"])
            for day in days:
                moved = [amount(getattr(day, f"{name}_minor"), account.currency) for name in _FLOWS]
                yield [day.day.isoformat(), *moved, account.currency]

    return _file("statement", args["format"], ("day", *_FLOWS, "currency"), rows)


def _audit_export(what: str, args: dict[str, Any]) -> None:
    asked = {k.rstrip("_"): str(v) for k, v in args.items() if v is not None}
    with tenant_session(tenant_id()) as db:
        record(db, current_actor(), "export", what, "", after=asked)


def _file(what: str, form: str, names: tuple[str, ...], rows: Any) -> Response:
    locale, zone = identity().user.locale, identity().enterprise.time_zone
    today = utc_now().astimezone(ZoneInfo(zone)).date()
    return download(form, word(locale, what), today, [word(locale, n) for n in names], rows)
