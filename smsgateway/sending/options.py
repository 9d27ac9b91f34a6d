"""What a page for composing needs to know."""

from __future__ import annotations

from typing import Any

import phonenumbers
from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.tenancy.models import Enterprise
from crm.queries.fields import field_defs
from smsgateway import route_table, templates
from smsgateway.purse.models import PurseAccount
from smsgateway.sending.new import MAX_NUMBERS, MAX_PARTS
from smsgateway.sending.signing import signing_of
from smsgateway.texts import Kind, Purpose


def options(session: Session, actor: Actor) -> dict[str, Any]:
    """Placeholders, limits, balances, and what a segment costs to a mobile at home."""
    own = session.get_one(Enterprise, actor.tenant_id)
    sender = session.get(User, actor.user_id) if actor.user_id is not None else None
    accounts = {a.kind: a for a in session.scalars(select(PurseAccount))}
    number = phonenumbers.example_number_for_type(own.country, phonenumbers.PhoneNumberType.MOBILE)
    phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number is not None else ""
    signing = signing_of(session, actor.tenant_id)
    routes = route_table.of(actor.tenant_id)
    kinds: dict[str, Any] = {}
    for kind in Kind:
        route = routes.choose(phone, kind, Purpose.MARKETING) if phone else None
        account = accounts.get(kind.value)
        kinds[kind.value] = {
            "available_minor": account.available_minor if account is not None else 0,
            "currency": account.currency if account is not None else "CNY",
            "price_minor": route.price_minor if route is not None else None,
        }
    own_fields = [{"token": f"field.{f.key}", "label": f.label} for f in field_defs(session).values()]
    return {
        "placeholders": [*({"token": f, "label": ""} for f in templates.FIELDS), *own_fields],
        "signature": signing.usual,
        "signature_required": signing.required,
        "service_number": (sender.service_number or "") if sender is not None else "",
        "needs_approval": sender is not None and sender.texts_need_approval,
        "max_length": templates.MAX_LENGTH,
        "max_parts": MAX_PARTS,
        "max_numbers": MAX_NUMBERS,
        **kinds,
    }
