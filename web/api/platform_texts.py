"""Carriers, routes and prices of texts, of the platform's operator (row S7)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import redis
from flask_smorest import Blueprint
from sqlalchemy import Select, func, select

from callcenter.db.session import platform_session
from callcenter.errors import Conflict
from callcenter.tenancy import platform
from callcenter.tenancy.models import Enterprise
from smsgateway import route_table
from smsgateway.carriers import actions, registry
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.inbound import taking
from smsgateway.inbound.models import UnclaimedText
from web.http import PageQuery, current_actor, paged, requires
from web.schemas.platform_texts import (
    CarriersQuery,
    ChangeTextCarrierSchema,
    ChangeTextRouteSchema,
    ClaimSchema,
    NewTextCarrierSchema,
    NewTextPriceSchema,
    NewTextRouteSchema,
    TextCarrierPage,
    TextCarrierSchema,
    TextPricePage,
    TextPriceSchema,
    TextProtocolPage,
    TextRoutePage,
    TextRouteSchema,
    UnclaimedTextPage,
)

blueprint = Blueprint(
    "platform_texts", __name__, url_prefix="/api/platform", description="Carriers, routes and prices of texts"
)


@blueprint.get("/text-protocols")
@requires("platform.carriers")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, TextProtocolPage)
def list_protocols(args: dict[str, Any]) -> dict[str, Any]:
    """How carriers can be reached, with what is to be set for each."""
    items = [{"name": p, "settings": [asdict(s) for s in registry.settings_of(p)]} for p in registry.PROTOCOLS]
    begin = (args["page"] - 1) * args["per_page"]
    return {
        "items": items[begin : begin + args["per_page"]],
        "total": len(items),
        "page": args["page"],
        "per_page": args["per_page"],
    }


def _carrier(row: TextCarrier, health: Any) -> dict[str, Any]:
    hidden = actions.secrets(row.protocol)
    shown = {c.key: getattr(row, c.key) for c in TextCarrier.__mapper__.column_attrs}
    return {
        **shown,
        "settings": {k: v for k, v in row.settings.items() if k not in hidden},
        "secrets_set": sorted(k for k in hidden if row.settings.get(k)),
        "health": health,
    }


def _health(ids: list[int]) -> Any:
    try:
        return route_table.health(ids)
    except redis.RedisError:
        return {}


def _one_carrier(carrier_id: int) -> dict[str, Any]:
    with platform_session() as db:
        row = actions.find_carrier(db, carrier_id)
    return _carrier(row, _health([carrier_id]).get(carrier_id))


@blueprint.get("/carriers")
@requires("platform.carriers")
@blueprint.arguments(CarriersQuery, location="query")
@blueprint.response(200, TextCarrierPage)
def list_carriers(args: dict[str, Any]) -> dict[str, Any]:
    """Carriers with how they are."""
    with platform_session() as db:
        page = paged(db, select(TextCarrier).order_by(TextCarrier.name), args)
    told = _health([row.id for row in page["items"]])
    return {**page, "items": [_carrier(row, told.get(row.id)) for row in page["items"]]}


@blueprint.post("/carriers")
@requires("platform.carriers")
@blueprint.arguments(NewTextCarrierSchema)
@blueprint.response(201, TextCarrierSchema)
def post_carrier(given: dict[str, Any]) -> dict[str, Any]:
    """Add a carrier; its process connects at once."""
    return _one_carrier(actions.add_carrier(current_actor(), given))


@blueprint.get("/carriers/<int:carrier_id>")
@requires("platform.carriers")
@blueprint.response(200, TextCarrierSchema)
def get_carrier(carrier_id: int) -> dict[str, Any]:
    """One carrier."""
    return _one_carrier(carrier_id)


@blueprint.patch("/carriers/<int:carrier_id>")
@requires("platform.carriers")
@blueprint.arguments(ChangeTextCarrierSchema)
@blueprint.response(200, TextCarrierSchema)
def patch_carrier(given: dict[str, Any], carrier_id: int) -> dict[str, Any]:
    """Change a carrier; its process connects anew where it must."""
    actions.change_carrier(current_actor(), carrier_id, given)
    return _one_carrier(carrier_id)


@blueprint.delete("/carriers/<int:carrier_id>")
@requires("platform.carriers")
@blueprint.response(204)
def delete_carrier(carrier_id: int) -> None:
    """Delete a carrier without routes and without texts under way."""
    actions.delete_carrier(current_actor(), carrier_id)


def _routes() -> Any:
    own = select(func.count()).where(TextPrice.route_id == TextRoute.id).scalar_subquery()
    return (
        select(TextRoute, TextCarrier.name, own)
        .join(TextCarrier, TextCarrier.id == TextRoute.carrier_id)
        .order_by(TextRoute.kind.desc(), TextRoute.priority, TextRoute.name)
    )


def _route(row: Any) -> dict[str, Any]:
    route, carrier_name, own_prices = row
    shown = {c.key: getattr(route, c.key) for c in TextRoute.__mapper__.column_attrs}
    return {**shown, "carrier_name": carrier_name, "own_prices": own_prices}


def _one_route(route_id: int) -> dict[str, Any]:
    with platform_session() as db:
        actions.find_route(db, route_id)
        return _route(db.execute(_routes().where(TextRoute.id == route_id)).one())


@blueprint.get("/routes")
@requires("platform.carriers")
@blueprint.arguments(CarriersQuery, location="query")
@blueprint.response(200, TextRoutePage)
def list_routes(args: dict[str, Any]) -> dict[str, Any]:
    """Routes in the order in which they are tried."""
    with platform_session() as db:
        return paged(db, _routes(), args, _route)


@blueprint.post("/routes")
@requires("platform.carriers")
@blueprint.arguments(NewTextRouteSchema)
@blueprint.response(201, TextRouteSchema)
def post_route(given: dict[str, Any]) -> dict[str, Any]:
    """Add a route; texts are sent over it within a second."""
    return _one_route(actions.add_route(current_actor(), given))


@blueprint.get("/routes/<int:route_id>")
@requires("platform.carriers")
@blueprint.response(200, TextRouteSchema)
def get_route(route_id: int) -> dict[str, Any]:
    """One route."""
    return _one_route(route_id)


@blueprint.patch("/routes/<int:route_id>")
@requires("platform.carriers")
@blueprint.arguments(ChangeTextRouteSchema)
@blueprint.response(200, TextRouteSchema)
def patch_route(given: dict[str, Any], route_id: int) -> dict[str, Any]:
    """Change a route. What is queued keeps its price."""
    actions.change_route(current_actor(), route_id, given)
    return _one_route(route_id)


@blueprint.delete("/routes/<int:route_id>")
@requires("platform.carriers")
@blueprint.response(204)
def delete_route(route_id: int) -> None:
    """Delete a route with the enterprises' own prices of it."""
    actions.delete_route(current_actor(), route_id)


def _prices(route_id: int) -> Any:
    return (
        select(TextPrice, Enterprise.name)
        .join(Enterprise, Enterprise.id == TextPrice.enterprise_id)
        .where(TextPrice.route_id == route_id)
        .order_by(Enterprise.name, TextPrice.valid_from.desc())
    )


def _price(row: Any) -> dict[str, Any]:
    price, enterprise_name = row
    shown = {k: getattr(price, k) for k in ("id", "enterprise_id", "price_minor", "valid_from")}
    return {**shown, "enterprise_name": enterprise_name}


@blueprint.get("/routes/<int:route_id>/prices")
@requires("platform.carriers")
@blueprint.arguments(CarriersQuery, location="query")
@blueprint.response(200, TextPricePage)
def list_prices(args: dict[str, Any], route_id: int) -> dict[str, Any]:
    """Enterprises' own prices on a route."""
    with platform_session() as db:
        actions.find_route(db, route_id)
        return paged(db, _prices(route_id), args, _price)


@blueprint.post("/routes/<int:route_id>/prices")
@requires("platform.carriers")
@blueprint.arguments(NewTextPriceSchema)
@blueprint.response(201, TextPriceSchema)
def post_price(given: dict[str, Any], route_id: int) -> dict[str, Any]:
    """Give an enterprise its own price of a segment, from now or a time to come on."""
    price_id = actions.set_price(current_actor(), route_id, **given)
    with platform_session() as db:
        return _price(db.execute(_prices(route_id).where(TextPrice.id == price_id)).one())


@blueprint.delete("/routes/<int:route_id>/prices/<int:price_id>")
@requires("platform.carriers")
@blueprint.response(204)
def delete_price(route_id: int, price_id: int) -> None:
    """Take an enterprise's own price away."""
    actions.drop_price(current_actor(), route_id, price_id)


def _unclaimed(row: Any) -> dict[str, Any]:
    text, carrier_name = row
    shown = {k: getattr(text, k) for k in ("id", "to", "subject", "body", "at")}
    return {**shown, "phone": text.phone_e164, "carrier_name": carrier_name or ""}


@blueprint.get("/unclaimed-texts")
@requires("platform.carriers")
@blueprint.arguments(CarriersQuery, location="query")
@blueprint.response(200, UnclaimedTextPage)
def list_unclaimed(args: dict[str, Any]) -> dict[str, Any]:
    """Texts that came in and tell of no enterprise, the newest first."""
    query = (
        select(UnclaimedText, TextCarrier.name)
        .outerjoin(TextCarrier, TextCarrier.id == UnclaimedText.carrier_id)
        .where(UnclaimedText.claimed_at.is_(None))
        .order_by(UnclaimedText.id.desc())
    )
    with platform_session() as db:
        return paged(db, cast("Select[Any]", query), args, _unclaimed)


@blueprint.post("/unclaimed-texts/<int:text_id>/claim")
@requires("platform.carriers")
@blueprint.arguments(ClaimSchema)
@blueprint.response(204)
def claim_text(given: dict[str, Any], text_id: int) -> None:
    """Give a text to the enterprise it is for: it comes in there now."""
    enterprise_id = given["enterprise_id"]
    with platform_session() as db:
        name = platform.find_enterprise(db, enterprise_id).name
    if taking.claim(text_id, enterprise_id) is None:
        raise Conflict("Somebody has given this text away already.", code="already_claimed")
    with platform_session() as db:
        platform.audit(db, current_actor(), "claim", "unclaimed_text", text_id, enterprise_id=enterprise_id, name=name)
