"""Changes to carriers, routes and prices, by the platform's operator. The carriers' processes follow by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.audit.records import content, flush, put
from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from callcenter.errors import Conflict, InvalidInput, NotFound
from callcenter.tenancy.platform import as_enterprise, audit, find_enterprise
from smsgateway.carriers import registry
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.carriers.settings import SettingKind
from smsgateway.models import TextMessage
from smsgateway.purse.models import PurseAccount
from smsgateway.purse.orders import account_of
from smsgateway.texts import Kind, TextState

CARRIER = frozenset(
    {
        "name", "protocol", "kinds", "enabled", "bind_group", "settings", "window", "texts_per_second", "doubt",
        "refund", "receipt_wait_h", "tenant_id_for_inbound",
    }
)  # fmt: skip
ROUTE = frozenset(
    {
        "name", "carrier_id", "kind", "prefixes", "purposes", "priority", "weight", "enabled", "price_minor",
        "currency", "sender",
    }
)  # fmt: skip
_UNDER_WAY = (TextState.QUEUED, TextState.SUBMITTING, TextState.SUBMITTED, TextState.DOUBTFUL)


def add_carrier(actor: Actor, given: Mapping[str, Any]) -> int:
    """Add a carrier; returns its id. Raises InvalidInput."""
    with platform_session() as session:
        row = TextCarrier()
        _fill_carrier(session, row, given)
        session.add(row)
        flush(session, {"uq_text_carrier_name": ("name", "name_taken")})
        _trace(session, actor, "create", "text_carrier", row, None)
        return row.id


def change_carrier(actor: Actor, carrier_id: int, given: Mapping[str, Any]) -> None:
    """Change what is given; a secret that is not given stays. Raises NotFound, InvalidInput."""
    with platform_session() as session:
        row = find_carrier(session, carrier_id)
        before = _seen(row)
        _fill_carrier(session, row, given)
        flush(session, {"uq_text_carrier_name": ("name", "name_taken")})
        _trace(session, actor, "update", "text_carrier", row, before)


def delete_carrier(actor: Actor, carrier_id: int) -> None:
    """Delete a carrier that no route uses and that owes no receipt. Raises NotFound, Conflict."""
    with platform_session() as session:
        row = find_carrier(session, carrier_id)
        routes = session.scalars(select(TextRoute.name).where(TextRoute.carrier_id == row.id).limit(5)).all()
        if routes:
            raise Conflict(
                f"Routes use this carrier: {', '.join(routes)}. Delete them or give them another carrier first.",
                code="carrier_in_use",
                params={"routes": ", ".join(routes)},
            )
        left = session.scalar(
            select(func.count()).where(TextMessage.carrier_id == row.id, TextMessage.state.in_(_UNDER_WAY))
        )
        if left:
            raise Conflict(
                f"{left} texts are still under way with this carrier. Disable it, and delete it when they have ended.",
                code="carrier_busy",
                params={"n": left},
            )
        _trace(session, actor, "delete", "text_carrier", row, _seen(row))
        session.delete(row)


def find_carrier(session: Session, carrier_id: int) -> TextCarrier:
    """The carrier. Raises NotFound."""
    row = session.get(TextCarrier, carrier_id)
    if row is None:
        raise NotFound("There is no such carrier.")
    return row


def secrets(protocol: str) -> frozenset[str]:
    """Settings of `protocol` that are never shown."""
    return frozenset(s.name for s in registry.settings_of(protocol) if s.kind is SettingKind.SECRET)


def _fill_carrier(session: Session, row: TextCarrier, given: Mapping[str, Any]) -> None:
    values = dict(given)
    protocol = str(values.get("protocol") or row.protocol)
    if "settings" in values:
        kept = row.settings if row.protocol == protocol and row.settings else {}
        asked = {k: v for k, v in values["settings"].items() if v is not None}
        values["settings"] = {**{k: v for k, v in kept.items() if k in secrets(protocol)}, **asked}
    elif row.protocol is None or row.protocol != protocol:
        values["settings"] = {}
    wrong = {f"settings.{k}": v for k, v in registry.faults(protocol, values.get("settings", row.settings)).items()}
    if "kinds" in values and not values["kinds"]:
        wrong["kinds"] = "Choose at least one."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)
    if values.get("tenant_id_for_inbound") is not None:
        find_enterprise(session, values["tenant_id_for_inbound"])
    put(row, values, CARRIER)


def add_route(actor: Actor, given: Mapping[str, Any]) -> int:
    """Add a route; returns its id. Raises InvalidInput, NotFound."""
    with platform_session() as session:
        row = TextRoute()
        _fill_route(session, row, given)
        session.add(row)
        flush(session, {"uq_text_route_name": ("name", "name_taken")})
        _trace(session, actor, "create", "text_route", row, None)
        return row.id


def change_route(actor: Actor, route_id: int, given: Mapping[str, Any]) -> None:
    """Change what is given. Texts that are queued keep the price that was reserved. Raises NotFound, InvalidInput."""
    with platform_session() as session:
        row = find_route(session, route_id)
        before = _seen(row)
        _fill_route(session, row, given)
        flush(session, {"uq_text_route_name": ("name", "name_taken")})
        _trace(session, actor, "update", "text_route", row, before)


def delete_route(actor: Actor, route_id: int) -> None:
    """Delete a route with its prices; texts that chose it go on. Raises NotFound."""
    with platform_session() as session:
        row = find_route(session, route_id)
        _trace(session, actor, "delete", "text_route", row, _seen(row))
        session.delete(row)


def find_route(session: Session, route_id: int) -> TextRoute:
    """The route. Raises NotFound."""
    row = session.get(TextRoute, route_id)
    if row is None:
        raise NotFound("There is no such route.")
    return row


def _fill_route(session: Session, row: TextRoute, given: Mapping[str, Any]) -> None:
    carrier = session.get(TextCarrier, given.get("carrier_id", row.carrier_id))
    kind = given.get("kind", row.kind) or Kind.SMS
    if carrier is None:
        raise InvalidInput("Check the marked fields.", fields={"carrier_id": "Choose a carrier."})
    if kind not in carrier.kinds:
        raise InvalidInput(
            "Check the marked fields.", fields={"kind": "This carrier does not take texts of this kind."}
        )
    if "purposes" in given and not given["purposes"]:
        raise InvalidInput("Check the marked fields.", fields={"purposes": "Choose at least one."})
    _check_currency(session, row, given, kind)
    put(row, given, ROUTE)


def _check_currency(session: Session, row: TextRoute, given: Mapping[str, Any], kind: str) -> None:
    """A route is only for enterprises that pay in its currency: one that nobody pays in would never be chosen, and a
    price keeps its figure when the currency changes."""
    before, after = row.currency, given.get("currency", row.currency) or "CNY"
    wrong = {}
    if ("currency" in given or "kind" in given or row.id is None) and not session.scalar(
        select(func.count()).where(PurseAccount.kind == kind, PurseAccount.currency == after)
    ):
        wrong["currency"] = "No enterprise pays in this currency. Write the one of the enterprises' balances."
    elif before is not None and after != before:
        if session.scalar(select(func.count()).where(TextPrice.route_id == row.id)):
            wrong["currency"] = "Enterprises have prices of their own in the old currency. Delete those first."
        elif "price_minor" not in given:
            wrong["price_minor"] = "Give the price in the new currency, too."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)


def set_price(actor: Actor, route_id: int, enterprise_id: int, price_minor: int, valid_from: datetime | None) -> int:
    """An enterprise's own price of a segment on a route from `valid_from` (now) on; returns its id.

    Raises NotFound, InvalidInput for the past (what was sent has been charged) and for an enterprise that pays in
    another currency than the route's.
    """
    now = utc_now()
    if valid_from is not None and valid_from < now:
        raise InvalidInput("Check the marked fields.", fields={"valid_from": "Choose a time to come, or none for now."})
    with platform_session() as session:
        route = find_route(session, route_id)
        enterprise = find_enterprise(session, enterprise_id)
        if account_of(session, enterprise_id, route.kind).currency != route.currency:
            told = "This enterprise pays in another currency. Choose a route that is priced in it."
            raise InvalidInput("Check the marked fields.", fields={"enterprise_id": told})
        price = TextPrice(
            route_id=route.id, enterprise_id=enterprise.id, price_minor=price_minor, valid_from=valid_from or now
        )
        session.add(price)
        session.flush()
        after = {"price_minor": price_minor, "valid_from": price.valid_from.isoformat()}
        audit(
            session, actor, "create", "text_price", price.id, enterprise_id=enterprise.id, name=route.name, after=after
        )
        return price.id


def drop_price(actor: Actor, route_id: int, price_id: int) -> None:
    """Take an enterprise's price away again. Raises NotFound."""
    with platform_session() as session:
        price = session.get(TextPrice, price_id)
        if price is None or price.route_id != route_id:
            raise NotFound("There is no such price.")
        before = {"price_minor": price.price_minor, "valid_from": price.valid_from.isoformat()}
        audit(session, actor, "delete", "text_price", price.id, enterprise_id=price.enterprise_id, before=before)
        session.delete(price)


def _seen(row: TextCarrier | TextRoute) -> dict[str, Any]:
    out = content(row)
    if isinstance(row, TextCarrier):
        hidden = secrets(row.protocol)
        out["settings"] = {k: "•••" if k in hidden else v for k, v in row.settings.items()}
    return out


def _trace(
    session: Session,
    actor: Actor,
    action: str,
    entity: str,
    row: TextCarrier | TextRoute,
    before: Mapping[str, Any] | None,
) -> None:
    with as_enterprise(session, actor.tenant_id):
        after = None if action == "delete" else _seen(row)
        record(session, actor, action, entity, row.id, name=row.name, before=before, after=after)
