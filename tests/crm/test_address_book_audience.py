"""Whom a send to groups and contacts reaches, and on which days birthdays are kept, in real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from callcenter.auth.models import User
from callcenter.db.session import tenant_session
from crm.addressbook.audience import birthdays_on, phones_of
from crm.addressbook.models import Contact, ContactGroup, ContactMember
from tests.crm.conftest import Floor


class Book:
    """Puts rows into the address book of `floor` and asks whom a send reaches."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.number = 13800000000

    def group(self, name: str, parent: int | None = None, *, enabled: bool = True, owner: int | None = None) -> int:
        with tenant_session(self.floor.tenant) as s:
            row = ContactGroup(name=name, parent_id=parent, enabled=enabled, owner_id=owner)
            s.add(row)
            s.flush()
            return row.id

    def contact(self, name: str, *groups: int, phones: int = 1, **values: Any) -> int:
        self.number += phones
        with tenant_session(self.floor.tenant) as s:
            row = Contact(name=name, phones=[f"+86{self.number - i}" for i in range(phones)], **values)
            s.add(row)
            s.flush()
            s.add_all(ContactMember(contact_id=row.id, group_id=g) for g in groups)
            return row.id

    def colleague(self) -> int:
        with tenant_session(self.floor.tenant) as s:
            row = User(username="colleague", name="Colleague", password_hash="")
            s.add(row)
            s.flush()
            return row.id

    def reached(
        self, groups: Sequence[int] = (), contacts: Sequence[int] = (), *, user: int | None = None, limit: int = 100
    ) -> list[str]:
        names: list[str] = []
        after = 0
        while True:
            with tenant_session(self.floor.tenant) as s:
                page = phones_of(
                    s, groups=groups, contacts=contacts, user_id=user or self.floor.user, after=after, limit=limit
                )
            names += [name for _, _, name, _ in page]
            if len(page) < limit:
                return names
            after = page[-1][0]

    def born(self, month: int, day: int, groups: list[int] | None, year: int) -> list[str]:
        with tenant_session(self.floor.tenant) as s:
            found = birthdays_on(s, month, day, groups, self.floor.user, 0, 100, year=year)
        return [name for _, _, name, _ in found]


@pytest.fixture
def book(floor: Floor) -> Book:
    return Book(floor)


@pytest.mark.promise("B3")
def test_a_group_reaches_those_below_it_once_each_and_page_by_page(book: Book) -> None:
    top = book.group("Customers")
    below = book.group("Shanghai", top)
    deep = book.group("Pudong", below)
    other = book.group("Suppliers")
    book.contact("In top", top)
    book.contact("In all", top, below, deep)
    book.contact("In deep", deep)
    book.contact("Elsewhere", other)
    alone = book.contact("Alone")
    book.contact("Without number", top, phones=0)
    assert book.reached([top]) == ["In top", "In all", "In deep"]
    assert book.reached([below, top], [alone], limit=1) == ["In top", "In all", "In deep", "Alone"]
    assert book.reached([deep], [alone], limit=2) == ["In all", "In deep", "Alone"]
    assert book.reached() == []


def test_a_recipient_comes_with_the_main_number_and_what_placeholders_ask_for(book: Book) -> None:
    born = {"birth_year": 1990, "birth_month": 5, "birth_day": 1}
    contact = book.contact("王丽", phones=2, company="Acme", title="CEO", email="wang@example.com", **born)
    bare = book.contact("")
    with tenant_session(book.floor.tenant) as s:
        found = phones_of(s, groups=[], contacts=[contact, bare], user_id=book.floor.user, after=0, limit=9)
    fields = {
        "name": "王丽", "company": "Acme", "title": "CEO", "email": "wang@example.com", "birthday": "1990-05-01",
    }  # fmt: skip
    assert found[0] == (contact, "+8613800000002", "王丽", fields)
    assert found[1][3] == {"name": "", "company": "", "title": "", "email": "", "birthday": ""}


@pytest.mark.promise("B1")
def test_a_disabled_group_and_those_below_it_are_not_used_even_when_they_are_chosen(book: Book) -> None:
    off = book.group("Off", enabled=False)
    below = book.group("Below", off)
    on = book.group("On")
    book.contact("Off", off)
    book.contact("Below", below)
    book.contact("Both", below, on)
    assert book.reached([off, below]) == []
    assert book.reached([off, on]) == ["Both"]


@pytest.mark.promise("B1")
def test_private_groups_and_contacts_reach_their_owners_sends_only(book: Book) -> None:
    me, colleague = book.floor.user, book.colleague()
    mine = book.group("Mine", owner=me)
    friend = book.contact("Friend", mine, owner_id=me)
    book.contact("Everybody's", mine)
    assert book.reached([mine], [friend]) == ["Friend", "Everybody's"]
    assert book.reached([mine], [friend], user=colleague) == []


def test_a_birthday_on_29_february_is_kept_on_the_28th_in_common_years(book: Book) -> None:
    group = book.group("Customers")
    book.contact("Leap day", group, birth_month=2, birth_day=29)
    book.contact("Twenty-eighth", group, birth_month=2, birth_day=28, birth_year=1980)
    assert book.born(2, 28, [group], 2027) == ["Leap day", "Twenty-eighth"]
    assert book.born(2, 28, [group], 2028) == ["Twenty-eighth"]
    assert book.born(2, 29, [group], 2028) == ["Leap day"]
    assert book.born(2, 28, [group], 2100) == ["Leap day", "Twenty-eighth"]


def test_birthdays_of_everybody_leave_out_who_stands_in_disabled_groups_only(book: Book) -> None:
    off, on = book.group("Off", enabled=False), book.group("On")
    book.contact("Off", off, birth_month=3, birth_day=4)
    book.contact("Both", off, on, birth_month=3, birth_day=4)
    book.contact("None", birth_month=3, birth_day=4)
    book.contact("Another day", birth_month=4, birth_day=3)
    assert book.born(3, 4, None, 2027) == ["Both", "None"]
    assert book.born(3, 4, [off, on], 2027) == ["Both"]
