"""Who calls: customers and leads by any of their numbers, whoever wrote them and however, and what happened before.

Asked while a caller hears silence, so every question goes by an index; `tests/crm/test_callers.py` holds that against a
table of many customers.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from callcenter.numbers.caller import Caller, Match, new_card
from crm.blacklist import blocked
from crm.phones import caller_number, time_zone_of

MOST_MATCHES = 20

CUSTOMERS = text(
    """
    SELECT c.id, c.name, c.company, c.grade, c.vip, c.phones, c.fields, u.id AS owner_id
    FROM customer c LEFT JOIN user_account u ON u.id = c.owner_id AND u.enabled
    WHERE c.id IN (SELECT customers_with_phone(ARRAY[:number]) UNION SELECT unnest(CAST(:also AS bigint[])))
    ORDER BY c.vip DESC, c.updated_at DESC, c.id LIMIT :most
    """
)
# By name: campaigns are the dialer's, which stands above this package.
LEADS = text(
    """
    SELECT l.id, l.name, l.phone_e164, l.alt_phones, l.fields, l.attempts, l.customer_id, l.time_zone,
           u.id AS owner_id, ll.name AS list, coalesce(c.name, '') AS campaign
    FROM lead l JOIN lead_list ll ON ll.id = l.list_id LEFT JOIN campaign c ON c.id = ll.campaign_id
    LEFT JOIN user_account u ON u.id = l.owner_id AND u.enabled
    WHERE l.id IN (SELECT leads_with_phone(ARRAY[:number]))
    ORDER BY l.last_attempt_at DESC NULLS LAST, l.id DESC LIMIT :most
    """
)
CALLS = text(
    """
    SELECT (SELECT count(*) FROM call WHERE phone_e164 = :number AND direction = 'in'
              AND started_at > now() - interval '24 hours') AS calls_24h,
           (SELECT extract(epoch FROM started_at) FROM call WHERE phone_e164 = :number
              AND (direction = 'in' OR connected_at IS NOT NULL) ORDER BY started_at DESC LIMIT 1) AS last_call_at,
           (SELECT agent_id FROM call WHERE phone_e164 = :number AND agent_id IS NOT NULL AND connected_at IS NOT NULL
              ORDER BY started_at DESC LIMIT 1) AS last_agent_id
    """
)


def who_calls(session: Session, number: str, country: str) -> Caller:
    """The caller with `number`, as the trunk wrote it, read as one of `country` (ISO 3166) if it has no country code.
    `session` is one of the enterprise's."""
    e164 = caller_number(number, country)
    if not e164:
        return Caller(card=new_card(""))
    given = {"number": e164, "most": MOST_MATCHES}
    leads = session.execute(LEADS, given).mappings().all()
    also = sorted({x["customer_id"] for x in leads if x["customer_id"] is not None})
    customers = session.execute(CUSTOMERS, {**given, "also": also}).mappings().all()
    before = session.execute(CALLS, {"number": e164}).one()
    last = before.last_call_at
    return Caller(
        number=e164,
        matches=_matches(customers, leads),
        blacklisted=bool(blocked(session, [e164])),
        calls_24h=before.calls_24h,
        last_agent_id=before.last_agent_id,
        last_call_at=None if last is None else float(last),
        card=_card(e164, customers, leads),
    )


def _matches(customers: Any, leads: Any) -> tuple[Match, ...]:
    out = [
        Match(c["id"], None, c["name"], c["company"], c["grade"], c["vip"], c["owner_id"])
        for c in customers
    ]  # fmt: skip
    known = {c["id"] for c in customers}
    out += [
        Match(None, x["id"], x["name"], str(x["fields"].get("company", "")), owner_id=x["owner_id"])
        for x in leads
        if x["customer_id"] not in known
    ]
    return tuple(out[:MOST_MATCHES])


def _card(number: str, customers: Any, leads: Any) -> dict[str, Any]:
    """The card of the one person it can be; a new one if it may be several, or nobody."""
    card = new_card(number)
    if len(customers) > 1:
        return card | {"time_zone": time_zone_of(number)}
    customer: RowMapping | None = customers[0] if customers else None
    own = [x for x in leads if customer is None or x["customer_id"] in (None, customer["id"])]
    lead: RowMapping | None = own[0] if own else None
    card["time_zone"] = (lead["time_zone"] if lead is not None else "") or time_zone_of(number)
    if lead is not None:
        phones = [lead["phone_e164"], *lead["alt_phones"]]
        card |= {
            "name": lead["name"], "fields": dict(lead["fields"]), "list": lead["list"], "campaign": lead["campaign"],
            "attempts": lead["attempts"], "lead_id": lead["id"],
            "alt_phones": [p for p in phones if p != number], "owner_id": lead["owner_id"],
            "company": str(lead["fields"].get("company", "")),
        }  # fmt: skip
    if customer is not None:
        others = [*customer["phones"], *card["alt_phones"]]
        card |= {
            "name": customer["name"] or card["name"], "fields": {**card["fields"], **customer["fields"]},
            "alt_phones": [p for p in dict.fromkeys(others) if p != number], "customer_id": customer["id"],
            "company": customer["company"] or card["company"], "grade": customer["grade"], "vip": customer["vip"],
            "owner_id": customer["owner_id"],
        }  # fmt: skip
    return card
