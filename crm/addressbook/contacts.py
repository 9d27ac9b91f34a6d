"""Add, change, delete and merge contacts, one at a time. Many at once: `batches.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.clock import utc_now
from callcenter.errors import InvalidInput, NotFound
from callcenter.tenancy.models import Enterprise
from crm.addressbook.groups import Tree, load_tree, path_of, seen_by
from crm.addressbook.models import Contact, ContactGroup, ContactMember, PhoneLabel
from crm.addressbook.texts import Birthday, birthday, name_key, search_text
from crm.phones import Normaliser
from crm.queries.by_phone import customers_with
from crm.queries.card import shown

MAX_PHONES: Final = 10
MAX_TAGS: Final = 20
MAX_TAG: Final = 40
LONGEST: Final[Mapping[str, int]] = {"name": 200, "company": 200, "title": 100, "email": 254, "note": 2000}
MERGED: Final = ("name", "company", "title", "email", "birthday", "note")
_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\"]+")


def find_contact(session: Session, actor: Actor, contact_id: int, *, lock: bool = False) -> Contact:
    """The contact, if `actor` sees it. Raises NotFound."""
    query = select(Contact).where(Contact.id == contact_id, seen_by(actor, Contact))
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("There is no such contact.")
    return row


def add_contact(session: Session, actor: Actor, given: Mapping[str, Any]) -> Contact:
    """A contact by hand. In private groups only, it is private unless `private` says otherwise. Raises InvalidInput."""
    contact = Contact(created_by=actor.user_id, phones=[], labels=[], tags=[], name="", email="", company="")
    tree = load_tree(session, actor)
    groups = _groups(given.get("groups") or [], tree)
    private = given.get("private")
    if private is None:
        private = bool(groups) and all(tree[g].owner_id is not None for g in groups)
    _fill(session, actor, contact, given)
    _place(actor, contact, groups, private, tree)
    session.add(contact)
    session.flush()
    _put_into(session, actor, contact, groups, tree)
    session.refresh(contact)
    record(
        session, actor, "create", "contact", contact.id, name=contact.name, after=_seen(session, contact, tree)
    )  # fmt: skip
    return contact


def change_contact(session: Session, actor: Actor, contact_id: int, changes: Mapping[str, Any]) -> Contact:
    """Change what is given; `groups` are all that the user sees it in. Raises NotFound, InvalidInput."""
    contact = find_contact(session, actor, contact_id, lock=True)
    tree = load_tree(session, actor)
    before = _seen(session, contact, tree)
    _fill(session, actor, contact, changes)
    if "groups" in changes or changes.get("private") is not None:
        now = groups_of(session, [contact.id], tree).get(contact.id, [])
        groups = _groups(changes["groups"], tree) if "groups" in changes else now
        private = changes.get("private")
        if private is None:
            # A private contact that goes into a public group is there for everybody.
            private = contact.owner_id is not None and all(tree[g].owner_id is not None for g in groups)
        _place(actor, contact, groups, private, tree)
        session.flush()
        _put_into(session, actor, contact, groups, tree)
    session.flush()
    session.refresh(contact)
    after = _seen(session, contact, tree)
    if before != after:
        record(session, actor, "update", "contact", contact.id, name=contact.name, before=before, after=after)
    return contact


def delete_contact(session: Session, actor: Actor, contact_id: int) -> None:
    """Delete a contact. Raises NotFound."""
    contact = find_contact(session, actor, contact_id, lock=True)
    before = _seen(session, contact, load_tree(session, actor))
    record(session, actor, "delete", "contact", contact.id, name=contact.name, before=before)
    session.delete(contact)
    session.flush()


def merge(session: Session, actor: Actor, keep_id: int, other_id: int, take: Iterable[str]) -> Contact:
    """Make one contact of two: `keep_id` stays, `other_id` goes. Numbers, groups and tags are joined; the fields of
    `take` (names of MERGED, or `phones` for the other's main number) come from the other, as do those that the first
    one leaves empty. If one of them was everybody's, the result is. Raises NotFound, InvalidInput."""
    if keep_id == other_id:
        raise InvalidInput("Choose two contacts.", fields={"other_id": "Choose another contact."})
    pair = {i: find_contact(session, actor, i, lock=True) for i in sorted((keep_id, other_id))}
    keep, other = pair[keep_id], pair[other_id]
    tree = load_tree(session, actor)
    before = _seen(session, keep, tree)
    taken = frozenset(take)
    for name in MERGED:
        if name == "birthday":
            if name in taken or keep.birth_month is None:
                keep.birth_year, keep.birth_month, keep.birth_day = other.birth_year, other.birth_month, other.birth_day
        elif name in taken or not getattr(keep, name):
            setattr(keep, name, getattr(other, name))
    first, second = (other, keep) if "phones" in taken else (keep, other)
    joined = dict(zip(first.phones, first.labels, strict=False))
    for phone, label in zip(second.phones, second.labels, strict=False):
        joined.setdefault(phone, label)
    keep.phones, keep.labels = list(joined), list(joined.values())
    keep.tags = list(dict.fromkeys([*keep.tags, *other.tags]))
    if other.owner_id is None:
        keep.owner_id = None
    derive(session, keep)
    session.flush()
    places = select(ContactMember.tenant_id, ContactMember.group_id, literal(keep.id))
    places = places.where(ContactMember.contact_id == other.id)
    session.execute(
        insert(ContactMember).from_select(["tenant_id", "group_id", "contact_id"], places).on_conflict_do_nothing()
    )
    gone = _seen(session, other, tree)
    session.delete(other)
    session.flush()
    session.refresh(keep)
    record(session, actor, "merge", "contact", keep.id, name=keep.name, before=before, after=_seen(session, keep, tree))
    record(session, actor, "delete", "contact", other_id, name=str(gone["name"]), before=gone)
    return keep


def derive(session: Session, contact: Contact) -> None:
    """Set what follows from the rest of the contact: its place in the order, what is searched, its customer."""
    contact.name_key = name_key(contact.name or contact.company)
    contact.search = search_text(contact.name, contact.company, contact.email, contact.phones)
    contact.customer_id = min(session.scalars(customers_with(contact.phones)), default=None) if contact.phones else None


def groups_of(session: Session, contact_ids: Sequence[int], tree: Tree) -> dict[int, list[int]]:
    """Contact → the groups of `tree` that it stands in, by their paths."""
    rows = session.execute(
        select(ContactMember.contact_id, ContactMember.group_id).where(
            ContactMember.contact_id.in_(contact_ids), ContactMember.group_id.in_(tree)
        )
    )
    found: dict[int, list[int]] = {}
    for contact_id, group_id in rows:
        found.setdefault(contact_id, []).append(group_id)
    return {c: sorted(g, key=lambda i: path_of(i, tree)) for c, g in found.items()}


def check_tags(given: Iterable[str]) -> list[str]:
    """Tags without blanks around them, each once. Raises InvalidInput."""
    tags = list(dict.fromkeys(t for t in (" ".join(str(x).split()) for x in given) if t))
    if len(tags) > MAX_TAGS or any(len(t) > MAX_TAG for t in tags):
        sentence = f"{MAX_TAGS} tags at most, of {MAX_TAG} characters at most."
        raise InvalidInput(sentence, fields={"tags": sentence})
    return tags


def email_fits(text: str) -> bool:
    """Whether `text` can be an e-mail address."""
    return len(text) <= LONGEST["email"] and _EMAIL.fullmatch(text) is not None


def _fill(session: Session, actor: Actor, contact: Contact, given: Mapping[str, Any]) -> None:
    wrong: dict[str, str] = {}
    for name, most in LONGEST.items():
        if name in given:
            text = str(given[name]).strip()
            if len(text) > most:
                wrong[name] = f"{most} characters at most."
            setattr(contact, name, text)
    if contact.email and not email_fits(contact.email):
        wrong["email"] = "This is not an e-mail address. It looks like name@example.com."
    if "birthday" in given:
        text = str(given["birthday"] or "").strip()
        day = birthday(text, this_year=utc_now().year) if text else None
        if text and day is None:
            wrong["birthday"] = "Give a date like 1990-05-01, or without the year 05-01."
        _set_birthday(contact, day)
    if "tags" in given:
        contact.tags = check_tags(given["tags"])
    if "phones" in given:
        wrong |= _set_phones(session, actor, contact, given["phones"])
    if not wrong and not contact.name and not contact.phones and not contact.company:
        wrong["name"] = "Give a name, a company or a number."
    if wrong:
        raise InvalidInput("Check the marked fields.", fields=wrong)
    derive(session, contact)


def _set_birthday(contact: Contact, day: Birthday | None) -> None:
    contact.birth_year = day.year if day else None
    contact.birth_month = day.month if day else None
    contact.birth_day = day.day if day else None


def _set_phones(session: Session, actor: Actor, contact: Contact, given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Numbers as typed. One that is masked stands for the number of the contact that looks like it."""
    normaliser = Normaliser(session.scalar(select(Enterprise.country)) or "CN")
    kept = {shown(p, actor): p for p in reversed(contact.phones or [])}
    joined: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for i, entry in enumerate(given):
        typed = str(entry.get("number", "")).strip()
        label = entry.get("label") or PhoneLabel.MOBILE.value
        if not typed:
            continue
        if typed in kept:
            joined.setdefault(kept[typed], label)
            continue
        phone = normaliser.read(typed)
        if phone.fault is not None:
            wrong[f"phones.{i}"] = "This is not a phone number. Write it with its area code, or from + on."
        else:
            joined.setdefault(phone.e164, label)
    if len(joined) > MAX_PHONES:
        wrong["phones"] = f"{MAX_PHONES} numbers at most."
    contact.phones, contact.labels = list(joined), list(joined.values())
    return wrong


def _groups(given: Iterable[int], tree: Tree) -> list[int]:
    ids = list(dict.fromkeys(given))
    if any(i not in tree for i in ids):
        sentence = "This group does not exist any more. Choose again."
        raise InvalidInput(sentence, code="unknown_choice", fields={"groups": sentence})
    return ids


def _place(actor: Actor, contact: Contact, groups: list[int], private: bool, tree: Tree) -> None:
    if private and any(tree[g].owner_id is None for g in groups):
        sentence = "A contact that only you see can't stand in a public group."
        raise InvalidInput(sentence, code="contact_in_public_group", fields={"groups": sentence})
    contact.owner_id = actor.user_id if private else None


def _put_into(session: Session, actor: Actor, contact: Contact, groups: list[int], tree: Tree) -> None:
    """Let `groups` be all that `actor` sees the contact in; a private one leaves those of others too."""
    leave = delete(ContactMember).where(ContactMember.contact_id == contact.id, ContactMember.group_id.not_in(groups))
    if contact.owner_id is None:
        leave = leave.where(ContactMember.group_id.in_(tree))
    session.execute(leave)
    if groups:
        hold_groups(session, groups)
        rows = [{"tenant_id": actor.tenant_id, "group_id": g, "contact_id": contact.id} for g in groups]
        session.execute(insert(ContactMember).values(rows).on_conflict_do_nothing())


def hold_groups(session: Session, groups: Iterable[int]) -> None:
    """Keep the groups' rows from being deleted until the transaction ends. Raises InvalidInput if one is gone."""
    wanted = set(groups)
    query = select(ContactGroup.id).where(ContactGroup.id.in_(wanted)).order_by(ContactGroup.id)
    if set(session.scalars(query.with_for_update(read=True, key_share=True))) != wanted:
        sentence = "This group does not exist any more. Choose again."
        raise InvalidInput(sentence, code="unknown_choice", fields={"groups": sentence})


def birthday_of(contact: Contact) -> str:
    """`1990-05-01`, `05-01`, or nothing."""
    if contact.birth_month is None or contact.birth_day is None:
        return ""
    return str(Birthday(contact.birth_month, contact.birth_day, contact.birth_year))


def _seen(session: Session, contact: Contact, tree: Tree) -> dict[str, Any]:
    names = ("name", "phones", "labels", "email", "company", "title", "note", "tags")
    groups = [path_of(g, tree) for g in groups_of(session, [contact.id], tree).get(contact.id, [])]
    return {
        **{n: getattr(contact, n) for n in names},
        "birthday": birthday_of(contact),
        "groups": groups,
        "private": contact.owner_id is not None,
    }
