"""Whom a send reaches, a page at a time: typed numbers, people, a file, contacts and groups, lists, customers, and for
recurring sends birthdays and renewals.

An audience is read source by source; a cursor {"source", "after"} says where the next page begins, so that a send goes
on after any interruption. Pages follow keys: what is added or deleted meanwhile makes nobody come twice or be left out.
Of leads and customers only those come whom the sender may see. A number that two sources have comes twice here: who
makes texts of it takes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Row, func, or_, select, text
from sqlalchemy.orm import Session

from callcenter.errors import AppError
from crm.addressbook.audience import birthdays_on, phones_of
from crm.models import Customer, Lead
from crm.queries.by_phone import customers_with
from smsgateway.sending import files
from smsgateway.sending.values import values_of

Cursor = Mapping[str, Any]
_NOT_IN_A_LIST: Final = ("blocked", "dead")  # leads that nobody writes to, unless they are asked for by status


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who gets a text. `phone` is E.164 unless `fault` says why it is not. `zone` (IANA) if it is known."""

    phone: str
    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    zone: str = ""
    contact_id: int | None = None
    customer_id: int | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Recipients, and where the next page begins; None: there is none."""

    recipients: list[Recipient]
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class Whose:
    """Who sends: private contacts are those of `user_id` (0: nobody's), records those of `seen` users (None: all)."""

    tenant_id: int
    user_id: int
    seen: frozenset[int] | None


class FileGone(AppError):
    """The file of recipients is not there any more."""

    code = "file_gone"
    status = 409


Found = tuple[list[Recipient], Any]  # and the key behind the last of them; None: that was the last page


def read(session: Session, audience: Mapping[str, Any], whose: Whose, cursor: Cursor, limit: int) -> Page:
    """The next page: up to `limit` recipients, of one source. An empty page may be followed by others."""
    sources = sources_of(audience)
    at, after = int(cursor.get("source", 0)), cursor.get("after")
    if at >= len(sources):
        return Page([], None)
    name, argument = sources[at]
    recipients, following = _READERS[name](session, audience, whose, argument, after, limit)
    if following is not None:
        return Page(recipients, {"source": at, "after": following})
    return Page(recipients, {"source": at + 1} if at + 1 < len(sources) else None)


def sources_of(audience: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The sources of an audience in their order, each with its argument."""
    out: list[tuple[str, Any]] = [
        (name, None) for name in ("numbers", "people", "file", "birthday") if audience.get(name)
    ]
    if audience.get("contacts") or audience.get("groups"):
        out.append(("contacts", None))
    out += [("list", list_id) for list_id in audience.get("lists") or ()]
    if audience.get("renewal"):
        out += [("renewal", list_id) for list_id in audience["renewal"]["lists"]]
    if audience.get("customers") is not None:
        out.append(("customers", None))
    return out


def _numbers(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    begin = int(after or 0)
    phones: list[str] = audience["numbers"][begin : begin + limit]
    known = _customers_by_phone(session, whose, phones)
    given = audience.get("values") or {}
    out = []
    for phone in phones:
        customer = known.get(phone)
        if customer is not None:
            found = of_customer(customer, phone)
            out.append(Recipient(phone, found.name, {**found.values, **given}, "", None, customer.id))
        else:
            out.append(Recipient(phone, "", {**values_of("", phone, {}), **given} if given else {"phone": phone}))
    end = begin + len(phones)
    return out, end if end < len(audience["numbers"]) else None


def _customers_by_phone(session: Session, whose: Whose, phones: Sequence[str]) -> dict[str, Customer]:
    query = select(Customer).where(Customer.id.in_(customers_with(phones)), *_seen(Customer.owner_id, whose))
    known: dict[str, Customer] = {}
    for customer in session.scalars(query.order_by(Customer.id)):
        for phone in customer.phones:
            known.setdefault(phone, customer)
    return known


def _people(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    begin = int(after or 0)
    page = audience["people"][begin : begin + limit]
    customers = {c.id: c for c in session.scalars(select(Customer).where(Customer.id.in_(_ids(page, "customer_id"))))}
    leads = {x.id: x for x in session.scalars(select(Lead).where(Lead.id.in_(_ids(page, "lead_id"))))}
    out = []
    for person in page:
        customer, lead = customers.get(person.get("customer_id")), leads.get(person.get("lead_id"))
        phone = person["phone"]
        if customer is not None:
            found = of_customer(customer, phone)
        elif lead is not None:
            found = of_lead(lead, phone)
        else:
            found = Recipient(phone, values={"phone": phone})
        more = audience.get("values")
        out.append(found if not more else _with(found, more))
    end = begin + len(page)
    return out, end if end < len(audience["people"]) else None


def _with(r: Recipient, more: Mapping[str, str]) -> Recipient:
    return Recipient(r.phone, r.name, {**r.values, **more}, r.zone, r.contact_id, r.customer_id)


def _ids(people: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    return [p[name] for p in people if p.get(name) is not None]


def _file(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    about = audience["file"]
    columns, decode = about["columns"], msgspec.json.decode
    out: list[Recipient] = []
    try:
        with files.rows_path(whose.tenant_id, about["id"]).open("rb") as rows:
            rows.seek(int(after or 0))
            for _n in range(limit):
                line = rows.readline()
                if not line:
                    return out, None
                phone, fault, *cells = decode(line)
                given = files.values(columns, cells)
                name = given.get("name", "")
                if fault:
                    out.append(Recipient(phone, name, {}, fault=fault))
                else:
                    out.append(Recipient(phone, name, {**values_of(name, phone, {}), **given}))
            return out, rows.tell()
    except FileNotFoundError:
        raise FileGone("The file of recipients is gone. Upload it again and make a new send.") from None


def _contacts(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    rows = phones_of(
        session, groups=audience.get("groups") or (), contacts=audience.get("contacts") or (), user_id=whose.user_id,
        after=int(after or 0), limit=limit,
    )  # fmt: skip
    return [_of_contact(r) for r in rows], rows[-1][0] if len(rows) == limit else None


def _birthday(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    day = date.fromisoformat(audience["birthday"]["day"])
    groups = audience["birthday"]["groups"] or None
    rows = birthdays_on(session, day.month, day.day, groups, whose.user_id, int(after or 0), limit, year=day.year)
    return [_of_contact(r) for r in rows], rows[-1][0] if len(rows) == limit else None


def _of_contact(row: tuple[int, str, str, dict[str, Any]]) -> Recipient:
    contact_id, phone, name, fields = row
    more = {k: str(v) for k, v in fields.items() if k in ("company", "birthday") and v}
    return Recipient(phone, name, values_of(name, phone, {}, **more), contact_id=contact_id)


def _list(session: Session, audience: Any, whose: Whose, list_id: int, after: Any, limit: int) -> Found:
    statuses = audience.get("list_statuses")
    wanted = Lead.status.in_(statuses) if statuses else Lead.status.not_in(_NOT_IN_A_LIST)
    return _leads(session, whose, list_id, after, limit, wanted)


def _renewal(session: Session, audience: Any, whose: Whose, list_id: int, after: Any, limit: int) -> Found:
    about = audience["renewal"]
    due = Lead.fields[about["field"]].astext == about["day"]
    return _leads(session, whose, list_id, after, limit, due, Lead.status.not_in(_NOT_IN_A_LIST))


def _leads(
    session: Session, whose: Whose, list_id: int, after: Any, limit: int, *conditions: ColumnElement[bool]
) -> Found:
    columns = select(Lead.phone_e164, Lead.name, Lead.fields, Lead.time_zone, Lead.customer_id)
    query = columns.where(Lead.list_id == list_id, *conditions, *_seen(Lead.owner_id, whose))
    if after is not None:
        query = query.where(Lead.phone_e164 > str(after))
    rows = session.execute(query.order_by(Lead.phone_e164).limit(limit)).all()
    return [of_lead(x, x.phone_e164) for x in rows], rows[-1].phone_e164 if len(rows) == limit else None


def of_lead(lead: Lead | Row[Any], phone: str) -> Recipient:
    """A lead (or a row with those of its columns) as recipient at `phone`."""
    zone = lead.time_zone if phone == lead.phone_e164 else ""
    return Recipient(phone, lead.name, values_of(lead.name, phone, lead.fields), zone, None, lead.customer_id)


def of_customer(customer: Customer, phone: str) -> Recipient:
    """A customer as recipient at `phone`."""
    more = {"company": customer.company} if customer.company else {}
    values = values_of(customer.name, phone, customer.fields, **more)
    return Recipient(phone, customer.name, values, customer_id=customer.id)


def _customers(session: Session, audience: Any, whose: Whose, _: Any, after: Any, limit: int) -> Found:
    query = select(Customer).where(*customers_that(audience["customers"], whose), Customer.id > int(after or 0))
    rows = session.scalars(query.order_by(Customer.id).limit(limit)).all()
    return [of_customer(c, c.phones[0]) for c in rows], rows[-1].id if len(rows) == limit else None


def customers_that(wanted: Mapping[str, Any], whose: Whose) -> list[ColumnElement[bool]]:
    """Conditions for the customers of a filter (`search`, `tags` any of them, `region`, `grade`, `owner_id`, `source`,
    `vip`) who have a number and whom the sender sees."""
    out: list[ColumnElement[bool]] = [Customer.phones != [], *_seen(Customer.owner_id, whose)]
    if search := str(wanted.get("search") or "").strip():
        like: list[ColumnElement[bool]] = [
            Customer.name.icontains(search, autoescape=True), Customer.company.icontains(search, autoescape=True)
        ]  # fmt: skip
        digits = "".join(c for c in search if c.isdigit())
        if len(digits) >= 3 and len(digits) >= len(search) - 4:
            like.append(func.array_to_string(Customer.phones, " ").contains(digits))
        out.append(or_(*like))
    if wanted.get("tags"):
        out.append(Customer.tags.overlap(list(wanted["tags"])))
    if wanted.get("grade"):
        out.append(Customer.grade.in_(list(wanted["grade"])))
    if wanted.get("region"):
        out.append(Customer.region == wanted["region"])
    if wanted.get("source"):
        out.append(Customer.source == wanted["source"])
    if wanted.get("owner_id") is not None:
        out.append(Customer.owner_id == wanted["owner_id"])
    if wanted.get("vip") is not None:
        out.append(Customer.vip.is_(bool(wanted["vip"])))
    return out


def _seen(owner: Any, whose: Whose) -> list[ColumnElement[bool]]:
    return [] if whose.seen is None else [or_(owner.is_(None), owner.in_(whose.seen))]


def estimate(session: Session, audience: Mapping[str, Any], whose: Whose) -> int:
    """How many recipients the audience seems to have, duplicates counted."""
    n = len(audience.get("numbers") or ()) + len(audience.get("people") or ())
    if audience.get("file"):
        n += int(audience["file"]["rows"])
    if audience.get("contacts") or audience.get("groups"):
        given = {"groups": list(audience.get("groups") or ()), "contacts": list(audience.get("contacts") or ())}
        n += int(session.scalar(text(_IN_GROUPS), given) or 0)
    if audience.get("lists"):
        statuses = audience.get("list_statuses")
        wanted = Lead.status.in_(statuses) if statuses else Lead.status.not_in(_NOT_IN_A_LIST)
        query = select(func.count()).where(Lead.list_id.in_(audience["lists"]), wanted, *_seen(Lead.owner_id, whose))
        n += session.scalar(query) or 0
    if audience.get("customers") is not None:
        query = select(func.count()).where(*customers_that(audience["customers"], whose))
        n += session.scalar(query) or 0
    return n


_IN_GROUPS = """
WITH RECURSIVE chosen AS (
  SELECT id FROM contact_group WHERE id = ANY(CAST(:groups AS bigint[]))
  UNION SELECT g.id FROM contact_group g JOIN chosen ON g.parent_id = chosen.id
)
SELECT count(*) FROM (
  SELECT m.contact_id FROM contact_member m JOIN chosen ON chosen.id = m.group_id
  UNION SELECT unnest(CAST(:contacts AS bigint[]))
) x
"""
_READERS: Final[Mapping[str, Callable[[Session, Any, Whose, Any, Any, int], Found]]] = {
    "numbers": _numbers,
    "people": _people,
    "file": _file,
    "contacts": _contacts,
    "birthday": _birthday,
    "list": _list,
    "renewal": _renewal,
    "customers": _customers,
}
