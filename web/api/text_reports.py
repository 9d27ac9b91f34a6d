"""Reports of texts: figures, groups, delivery times, the texts behind them, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from flask_smorest import Blueprint
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from callcenter.audit.models import record
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from crm.queries.card import UNMASKED
from smsgateway.inbound.conversations import phones_of_customer
from smsgateway.purse.export import TYPES, Cell, chunks
from smsgateway.purse.models import PurseAccount
from smsgateway.reports import files, labels, queries
from smsgateway.reports.definitions import BARS_S, Group
from smsgateway.reports.queries import Chosen
from web.http import current_actor, identity, requires, tenant_id
from web.masking import mask_phone
from web.schemas.text_reports import (
    TextReportChoicesSchema,
    TextReportExportQuery,
    TextReportGroupPageSchema,
    TextReportGroupQuery,
    TextReportQuery,
    TextReportSummarySchema,
    TextReportTextPageSchema,
    TextReportTextsQuery,
)

blueprint = Blueprint("text-reports", __name__, url_prefix="/api/text-reports", description="Reports of texts")


def _chosen(db: Session, args: Mapping[str, Any]) -> Chosen:
    actor = current_actor()
    phones = phones_of_customer(db, actor, args["customer_id"]) if args.get("customer_id") is not None else None
    return queries.chosen(db, actor, args, phones, utc_now())


def _currency(db: Session, kind: str = "") -> str:
    query = select(PurseAccount.currency).order_by(PurseAccount.kind.desc())
    return db.scalars(query.where(PurseAccount.kind == kind) if kind else query).first() or "CNY"


def _users(db: Session, ids: set[int]) -> dict[int, str]:
    rows = db.execute(select(User.id, User.name).where(User.id.in_(ids)))
    return {r.id: r.name for r in rows}


@blueprint.get("/summary")
@requires("texts.reports")
@blueprint.arguments(TextReportQuery, location="query")
@blueprint.response(200, TextReportSummarySchema)
def get_summary(args: dict[str, Any]) -> dict[str, Any]:
    """All figures of the chosen texts together, and how long delivery took."""
    with tenant_session(tenant_id()) as db:
        c = _chosen(db, args)
        return {
            "from_": c.from_, "to": c.to, "zone": c.zone, "currency": _currency(db, c.kind),
            "figures": queries.shown(queries.totals(db, c)),
            "delivery": {**queries.delivery(db, c), "ends_s": BARS_S},
        }  # fmt: skip


@blueprint.get("/groups")
@requires("texts.reports")
@blueprint.arguments(TextReportGroupQuery, location="query")
@blueprint.response(200, TextReportGroupPageSchema)
def list_groups(args: dict[str, Any]) -> dict[str, Any]:
    """The figures told apart by `by`: days and hours in order, others the largest first."""
    by = Group(args["by"])
    page, per_page = args["page"], args["per_page"]
    with tenant_session(tenant_id()) as db:
        rows = queries.grouped(db, _chosen(db, args), by)
        shown = rows[(page - 1) * per_page : page * per_page]
        names = labels.names(db, by, [key for key, _ in shown])
    items = [{"key": k, "label": names.get(k, ""), "figures": queries.shown(f)} for k, f in shown]
    return {"items": items, "total": len(rows), "page": page, "per_page": per_page}


@blueprint.get("/texts")
@requires("texts.reports")
@blueprint.arguments(TextReportTextsQuery, location="query")
@blueprint.response(200, TextReportTextPageSchema)
def list_texts(args: dict[str, Any]) -> dict[str, Any]:
    """The texts behind the figures, the newest first. The journey of each: /api/texts/{send_id}/messages."""
    page, per_page = args["page"], args["per_page"]
    with tenant_session(tenant_id()) as db:
        total, rows = queries.texts(db, _chosen(db, args), limit=per_page, offset=(page - 1) * per_page)
        users = _users(db, {r["sender_id"] for r in rows if r["sender_id"] is not None})
        currencies = {k: _currency(db, k) for k in {r["kind"] for r in rows}}
    routes = labels.routes({r["route_id"] for r in rows if r["route_id"] is not None})
    items = []
    for r in rows:
        detail = r["detail"] if isinstance(r["detail"], dict) else {}
        more = {
            "phone": r["phone_e164"], "check": r["check_name"], "params": detail.get("params") or {},
            "route_name": routes.get(str(r["route_id"]), ""), "user_name": users.get(r["sender_id"], ""),
            "currency": currencies[r["kind"]],
        }  # fmt: skip
        items.append({**r, **more})
    return {"items": items, "total": total, "page": page, "per_page": per_page}


@blueprint.get("/choices")
@requires("texts.reports")
@blueprint.response(200, TextReportChoicesSchema)
def get_choices() -> dict[str, Any]:
    """Routes, senders and campaigns to filter by."""
    with tenant_session(tenant_id()) as db:
        seen = visible_user_ids(db, current_actor())
        query = select(User.id, User.name).order_by(User.name)
        users = db.execute(query if seen is None else query.where(User.id.in_(seen))).all()
        campaigns = db.execute(text("SELECT id, name FROM campaign ORDER BY name LIMIT 500")).all()
    return {
        "routes": [{"id": int(i), "name": n} for i, n in labels.routes().items()],
        "users": [{"id": i, "name": n} for i, n in users],
        "campaigns": [{"id": i, "name": n} for i, n in campaigns],
    }


@blueprint.get("/export")
@requires("texts.reports")
@blueprint.arguments(TextReportExportQuery, location="query")
@blueprint.response(200)
def export(args: dict[str, Any]) -> Response:
    """The report, or with `by=texts` each text, as CSV or XLSX. It stands in the audit log."""
    actor, locale = current_actor(), identity().user.locale
    by, form = args["by"], args["format"]
    with tenant_session(tenant_id()) as db:
        c = _chosen(db, args)
        currency = _currency(db, c.kind)
        what = {k: str(v) for k, v in args.items()}
        record(db, actor, "export", "text_report", by, name=f"{c.from_} – {c.to}", after=what)
        if by == "texts":
            header, rows = files.text_header(locale), _each(c, currency, locale, UNMASKED in actor.permissions)
        else:
            found = queries.grouped(db, c, Group(by))
            names = labels.names(db, Group(by), [key for key, _ in found])
            header, rows = files.group_header(locale), files.group_rows(found, names, currency, locale)
    body = chunks(form, "texts", header, rows)
    name = f"texts-{by}-{c.from_}-{c.to}.{form}"
    return Response(body, mimetype=TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _each(c: Chosen, currency: str, locale: str, unmasked: bool) -> Iterator[list[Cell]]:
    """The rows of a file of texts; read while they are written."""
    zone, routes = ZoneInfo(c.zone), labels.routes()
    with tenant_session(c.tenant_id) as db:
        users = {r.id: r.name for r in db.execute(select(User.id, User.name))}
        for row in queries.every_text(db, c):
            phone = row["phone_e164"] if unmasked else mask_phone(row["phone_e164"])
            yield files.text_row(row, phone, routes, users, zone, currency, locale)
