"""What pages ask of the address book: the tree with its counts, lists of contacts, duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Select, Text, bindparam, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from crm.addressbook.groups import Tree, load_tree, path_of, seen_by, way_to, with_below
from crm.addressbook.models import Contact, ContactMember
from crm.addressbook.texts import folded, name_key, wanted

MOST_DAYS: Final = 366
_LEAP_DAY = (2, 29)


@dataclass(frozen=True)
class Filter:
    """Which contacts. `search`: words of name, company or e-mail, or a number or part of one in any form; `group_id`
    with those `below` it; `ungrouped`: in no group that the user sees; `birthday_days`: the birthday is kept today or
    in the days after it, so many in all; `private`: only those that nobody else sees, or only the others."""

    search: str = ""
    group_id: int | None = None
    below: bool = True
    ungrouped: bool = False
    birthday_days: int | None = None
    tag: str = ""
    private: bool | None = None


def contacts(
    session: Session, actor: Actor, which: Filter, *, country: str, today: date
) -> Select[Contact]:  # fmt: skip
    """The contacts that `actor` sees and `which` leaves, by name, or by the next birthday where that was asked for.
    `country` reads numbers; `today` is the enterprise's."""
    query = select(Contact).where(seen_by(actor, Contact))
    tree = load_tree(session, actor) if which.group_id is not None or which.ungrouped else {}
    if which.group_id is not None:
        groups = with_below([which.group_id], tree) if which.below else {which.group_id} & set(tree)
        query = query.where(Contact.id.in_(select(ContactMember.contact_id).where(ContactMember.group_id.in_(groups))))
    elif which.ungrouped:
        member = select(ContactMember).where(
            ContactMember.contact_id == Contact.id, ContactMember.group_id.in_(tree)
        )  # fmt: skip
        # Found as a whole first: a page in the order of names would look into the groups of one contact after another.
        loose = select(Contact.id).where(seen_by(actor, Contact), ~member.exists()).cte("loose")
        loose = loose.prefix_with("MATERIALIZED", dialect="postgresql")
        query = query.where(Contact.id.in_(select(loose.c.id)))
    if which.search.strip():
        query = _searched(query, which.search, country)
    if which.tag:
        query = query.where(Contact.tags.contains([which.tag]))
    if which.private is not None:
        query = query.where(Contact.owner_id.is_not(None) if which.private else Contact.owner_id.is_(None))
    if which.birthday_days is not None:
        days = days_ahead(today, which.birthday_days)
        query = query.where(tuple_(Contact.birth_month, Contact.birth_day).in_(days))
        ahead = (Contact.birth_month * 100 + Contact.birth_day - today.month * 100 - today.day + 1300) % 1300
        return query.order_by(ahead, Contact.name_key, Contact.id)
    return query.order_by(Contact.name_key, Contact.id)


def days_ahead(today: date, days: int) -> list[tuple[int, int]]:
    """(month, day) of `days` days from `today` on; 29 February beside the 28th where the year has none."""
    out: dict[tuple[int, int], None] = {}
    for i in range(min(days, MOST_DAYS)):
        day = today + timedelta(days=i)
        out[(day.month, day.day)] = None
        if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
            out[_LEAP_DAY] = None
    return list(out)


def _searched(query: Select[Contact], search: str, country: str) -> Select[Contact]:
    asked = wanted(search, country)
    if asked.phone_e164:
        number = bindparam(None, [asked.phone_e164], type_=ARRAY(Text))
        return query.where(Contact.id.in_(select(func.contacts_with_phone(number))))
    for word in asked.words:
        if len(word) > 1:
            query = query.where(Contact.id.in_(select(func.contacts_like(word))))
        else:
            query = query.where(Contact.search.contains(word, autoescape=True))
    return query


def group_rows(session: Session, actor: Actor, search: str = "") -> list[dict[str, Any]]:
    """The groups that `actor` sees, each after the one above it and by name beside the others; with `search` those
    whose name holds it, and the ones above them. `contacts`: how many stand in the group itself, `reached`: in it or
    below it; `used`: whether it and all above it are enabled."""
    tree = load_tree(session, actor)
    member = ContactMember
    found = session.execute(select(member.group_id, func.count()).group_by(member.group_id))
    counts = {group_id: int(count) for group_id, count in found}
    reached = _reached(session, tree)
    kept = set(tree)
    if search.strip():
        needle = folded(search)
        kept = {up for i, node in tree.items() if needle in folded(node.name) for up in way_to(i, tree)}
    return [_group_row(i, tree, counts, reached) for i in in_order(tree) if i in kept]


def _reached(session: Session, tree: Tree) -> dict[int, int]:
    """Group with groups below it → contacts in any of them, each once."""
    parents = {node.parent_id for node in tree.values()}
    pairs = [(up, i) for i in tree for up in way_to(i, tree) if up in parents]
    if not pairs:
        return {}
    rows = session.execute(
        text(
            "SELECT p.above, count(DISTINCT m.contact_id) FROM unnest(CAST(:above AS bigint[]), CAST(:own AS bigint[]))"
            " AS p(above, own) JOIN contact_member m ON m.group_id = p.own GROUP BY p.above"
        ),
        {"above": [up for up, _ in pairs], "own": [i for _, i in pairs]},
    )
    return {group_id: int(count) for group_id, count in rows}


def in_order(tree: Tree) -> list[int]:
    """Public groups first, each after the one above it, beside one another by name."""

    def place(group_id: int) -> tuple[bool, list[str]]:
        way = way_to(group_id, tree)
        return tree[group_id].owner_id is not None, [f"{name_key(tree[i].name)} {i}" for i in way]

    return sorted(tree, key=place)


def group_row(session: Session, actor: Actor, group_id: int) -> dict[str, Any]:
    """One group as `group_rows` gives it. The group must be one that `actor` sees."""
    return next(row for row in group_rows(session, actor) if row["id"] == group_id)


def _group_row(group_id: int, tree: Tree, counts: dict[int, int], reached: dict[int, int]) -> dict[str, Any]:
    node = tree[group_id]
    way = way_to(group_id, tree)
    count = counts.get(group_id, 0)
    return {
        "id": group_id,
        "parent_id": node.parent_id,
        "name": node.name,
        "path": path_of(group_id, tree),
        "depth": len(way) - 1,
        "private": node.owner_id is not None,
        "enabled": node.enabled,
        "used": all(tree[i].enabled for i in way),
        "contacts": count,
        "reached": reached.get(group_id, count),
    }


def tags_in_use(session: Session, actor: Actor, limit: int = 200) -> list[str]:
    """Tags of the contacts that `actor` sees, the commonest first."""
    tag = func.unnest(Contact.tags).label("tag")
    used = select(tag).where(seen_by(actor, Contact)).subquery()
    query = select(used.c.tag).group_by(used.c.tag).order_by(func.count().desc(), used.c.tag).limit(limit)
    return list(session.scalars(query))


@dataclass(frozen=True)
class Shared:
    """Contacts (ids in order) that share `phones`."""

    ids: tuple[int, ...]
    phones: tuple[str, ...]


# Numbers are ordered as bytes, which is several times as fast as in the order of a language.
_SHARED = """
WITH one AS (
  SELECT c.id, unnest(c.phones) COLLATE "C" AS phone FROM contact c WHERE c.owner_id IS NULL OR c.owner_id = :user_id
), shared AS (SELECT phone, array_agg(id ORDER BY id) AS ids FROM one GROUP BY phone HAVING count(*) > 1),
together AS (SELECT ids, array_agg(phone ORDER BY phone) AS phones FROM shared GROUP BY ids)
SELECT t.ids, t.phones, n.total FROM (SELECT count(*) AS total FROM together) n
LEFT JOIN (SELECT * FROM together ORDER BY ids LIMIT :limit OFFSET :offset) t ON true ORDER BY t.ids
"""


def duplicates(session: Session, actor: Actor, *, page: int, per_page: int) -> tuple[list[Shared], int]:
    """A page of contacts that share a number, and how many such groups of contacts there are."""
    given = {"user_id": actor.user_id, "limit": per_page, "offset": (page - 1) * per_page}
    rows = session.execute(text(_SHARED), given).all()
    return [Shared(tuple(r.ids), tuple(r.phones)) for r in rows if r.ids is not None], rows[0].total
