"""Top-ups of all enterprises, credited by the platform's operator (row E10)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from callcenter.errors import NotFound
from callcenter.tenancy.models import Enterprise
from callcenter.tenancy.platform import enterprises_query, find_enterprise
from crm.queries import typed
from smsgateway.purse import orders, records
from smsgateway.purse.models import PurseAccount, TopUpOrder
from web.api.top_ups import render
from web.http import current_actor, paged, requires
from web.schemas.top_ups import (
    CorrectedSchema,
    DecisionSchema,
    EnterpriseBalancePageSchema,
    EnterpriseBalanceQuery,
    NewCorrectionSchema,
    NewCreditSchema,
    PlatformTopUpPageSchema,
    PlatformTopUpQuery,
    PlatformTopUpSchema,
)

blueprint = Blueprint(
    "platform_top_ups", __name__, url_prefix="/api/platform/top-ups", description="Top-ups of all enterprises"
)


def _render(row: Any) -> dict[str, Any]:
    order, kind, name, code = row
    odd = order.detail.get("odd", []) if isinstance(order.detail, dict) else []
    return {
        **render((order, kind, None)), "enterprise_id": order.tenant_id, "enterprise": name, "code": code, "odd": odd,
    }  # fmt: skip


def _one(db: Session, order_id: int) -> dict[str, Any]:
    db.flush()
    row = db.execute(records.all_top_ups({}).where(TopUpOrder.id == order_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such order.")
    return _render(row)


@blueprint.get("")
@requires("platform.credit")
@blueprint.arguments(PlatformTopUpQuery, location="query")
@blueprint.response(200, PlatformTopUpPageSchema)
def list_platform_top_ups(args: dict[str, Any]) -> dict[str, Any]:
    """Orders of all enterprises: the open ones first, by age."""
    with platform_session() as db:
        return paged(db, records.all_top_ups(args), args, _render)


@blueprint.get("/balances")
@requires("platform.credit")
@blueprint.arguments(EnterpriseBalanceQuery, location="query")
@blueprint.response(200, EnterpriseBalancePageSchema)
def list_balances(args: dict[str, Any]) -> dict[str, Any]:
    """What each enterprise has."""
    with platform_session() as db:
        return paged(db, _balances(args["search"]), args, lambda row: row._asdict())


def _balances(search: str) -> Select[Any]:
    sms, mms = aliased(PurseAccount), aliased(PurseAccount)
    return typed(
        select(
            Enterprise.id.label("enterprise_id"), Enterprise.name.label("enterprise"), Enterprise.code,
            func.coalesce(sms.currency, "CNY").label("currency"),
            func.coalesce(sms.available_minor, 0).label("sms_minor"),
            func.coalesce(sms.reserved_minor, 0).label("sms_reserved_minor"),
            func.coalesce(mms.available_minor, 0).label("mms_minor"),
            func.coalesce(mms.reserved_minor, 0).label("mms_reserved_minor"),
        )
        .outerjoin(sms, (sms.tenant_id == Enterprise.id) & (sms.kind == "sms"))
        .outerjoin(mms, (mms.tenant_id == Enterprise.id) & (mms.kind == "mms"))
        .where(Enterprise.id.in_(enterprises_query(search).order_by(None).with_only_columns(Enterprise.id)))
        .order_by(Enterprise.name, Enterprise.id)
    )  # fmt: skip


@blueprint.post("")
@requires("platform.credit")
@blueprint.arguments(NewCreditSchema)
@blueprint.response(201, PlatformTopUpSchema)
def post_credit(given: dict[str, Any]) -> dict[str, Any]:
    """Credit what was not ordered."""
    with platform_session() as db:
        minor = _amount(db, given)
        order = orders.credit(
            db, current_actor(), given["enterprise_id"], given["kind"], minor, given["note"], key=given["key"],
            now=utc_now(),
        )  # fmt: skip
        return _one(db, order.id)


@blueprint.post("/corrections")
@requires("platform.credit")
@blueprint.arguments(NewCorrectionSchema)
@blueprint.response(200, CorrectedSchema)
def post_correction(given: dict[str, Any]) -> dict[str, Any]:
    """Mend a balance, up or down, with the reason."""
    with platform_session() as db:
        minor = _amount(db, given, signed=True)
        done = orders.correct(
            db, current_actor(), given["enterprise_id"], given["kind"], minor, given["reason"], key=given["key"]
        )
    return {"done": done}


@blueprint.get("/<int:order_id>")
@requires("platform.credit")
@blueprint.response(200, PlatformTopUpSchema)
def get_platform_top_up(order_id: int) -> dict[str, Any]:
    """One order."""
    with platform_session() as db:
        return _one(db, order_id)


@blueprint.post("/<int:order_id>/credit")
@requires("platform.credit")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, PlatformTopUpSchema)
def credit_top_up(given: dict[str, Any], order_id: int) -> dict[str, Any]:
    """The money has come: credit the order."""
    with platform_session() as db:
        orders.credit_order(db, current_actor(), order_id, given["note"], utc_now())
        return _one(db, order_id)


@blueprint.post("/<int:order_id>/cancel")
@requires("platform.credit")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, PlatformTopUpSchema)
def cancel_platform_top_up(given: dict[str, Any], order_id: int) -> dict[str, Any]:
    """Cancel an open order."""
    with platform_session() as db:
        orders.refuse(db, current_actor(), order_id, given["note"])
        return _one(db, order_id)


def _amount(db: Session, given: dict[str, Any], *, signed: bool = False) -> int:
    find_enterprise(db, given["enterprise_id"])
    account = orders.account_of(db, given["enterprise_id"], given["kind"])
    return orders.amount_of(given["amount"], account.currency, signed=signed, zero=False)
