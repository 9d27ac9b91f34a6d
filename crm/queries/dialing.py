"""What has to be known of a number before it is called by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.calls.models import Call
from callcenter.errors import InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from crm.blacklist import blocked
from crm.phones import Normaliser, time_zone_of
from crm.queries import card as cards


@dataclass(frozen=True)
class Callee:
    """Whom the call goes to; `card` is what the desk shows at once."""

    number: str
    lead_id: int | None
    customer_id: int | None
    campaign_id: int | None
    name: str
    time_zone: str
    blacklisted: bool
    attempts_24h: int
    card: dict[str, object]


def dialable(session: Session, number: str) -> str:
    """`number` as typed, read as one of the enterprise's country: E.164. Raises InvalidInput."""
    phone = Normaliser(session.scalar(select(Enterprise.country)) or "CN").read(number)
    if phone.fault is not None:
        sentence = "This is not a phone number that can be dialed."
        raise InvalidInput(sentence, code="number_invalid", fields={"number": sentence})
    return phone.e164


def callee(
    session: Session,
    actor: Actor,
    *,
    now: datetime,
    number: str | None = None,
    lead_id: int | None = None,
    customer_id: int | None = None,
    phone_index: int = 0,
    campaign_id: int | None = None,
) -> Callee:
    """Resolve whom to call. `number` is read as one of the enterprise's country.

    Raises InvalidInput (no number that can be dialed), NotFound, Forbidden (foreign or another user's records).
    """
    given: dict[str, Any] = {}
    if lead_id is not None:
        given["lead_id"] = lead_id
    if customer_id is not None:
        given["customer_id"] = customer_id
    person = cards.find(session, actor, **given) if given else None
    if number is not None:
        e164 = dialable(session, number)
    else:
        phones = person.phones if person is not None else []
        if phone_index >= len(phones):
            raise InvalidInput("There is no such number.", fields={"phone_index": "Choose one of the numbers."})
        e164 = phones[phone_index]
    if person is None:
        try:
            person = cards.find(session, actor, phone_e164=e164)
        except NotFound:
            person = cards.Person(None, ())
    lead = next((x for x in person.leads if lead_id in (None, x.id)), None)
    customer = person.customer
    name = (customer.name if customer is not None else "") or (lead.name if lead is not None else "")
    fields = {**(lead.fields if lead is not None else {}), **(customer.fields if customer is not None else {})}
    return Callee(
        number=e164,
        lead_id=lead.id if lead is not None else None,
        customer_id=customer.id if customer is not None else None,
        campaign_id=campaign_id,
        name=name,
        time_zone=lead.time_zone if lead is not None and lead.phone_e164 == e164 else time_zone_of(e164),
        blacklisted=bool(blocked(session, [e164])),
        attempts_24h=session.scalar(
            select(func.count())
            .select_from(Call)
            .where(Call.phone_e164 == e164, Call.started_at > now - timedelta(hours=24), Call.direction == "out")
        )
        or 0,
        card={
            "name": name,
            "phone": e164,
            "fields": fields,
            "lead_id": lead.id if lead is not None else None,
            "customer_id": customer.id if customer is not None else None,
            "attempts": lead.attempts if lead is not None else 0,
        },
    )
