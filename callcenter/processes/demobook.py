"""The demo enterprise's address book: partners and customers of the enterprise, and a private group of its owner."""

from __future__ import annotations

import random

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from crm.addressbook.contacts import add_contact
from crm.addressbook.groups import add_group
from demo.people import demo_people

LEADS = 500  # these people are on the list already
CONTACTS = 64
_TITLES = ("经理", "总监", "采购", "财务", "店长", "")
_TAGS = ("VIP", "续约", "老客户", "展会")
_CITIES = ("上海", "北京", "广州")


def fill_book(session: Session, owner_id: int) -> None:
    """Groups three levels deep, one of them disabled, and CONTACTS contacts; two share a number. The owner's own group
    is seen by the owner alone."""
    actor = Actor(int(session.info["tenant_id"]), owner_id, "demo")
    customers = add_group(session, actor, name="客户 Customers").id
    cities = {c: add_group(session, actor, name=c, parent_id=customers).id for c in _CITIES}
    key = add_group(session, actor, name="重点客户", parent_id=cities["上海"]).id
    partners = add_group(session, actor, name="合作伙伴 Partners").id
    past = add_group(session, actor, name="往年活动")
    past.enabled = False
    friends = add_group(session, actor, name="家人朋友", private=True).id
    rng = random.Random(20240502)
    people = demo_people(LEADS + CONTACTS)[LEADS:]
    for i, person in enumerate(people):
        group = cities.get(person["city"], partners if i % 3 else past.id)
        places = [group] if i % 11 else [group, key]
        number = person["phone_e164"] if i != 5 else people[4]["phone_e164"]
        day = f"{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        add_contact(
            session, actor,
            {
                "name": person["name"], "company": person["company"], "title": rng.choice(_TITLES),
                "phones": [{"number": number, "label": "mobile"}], "birthday": f"{rng.randint(1960, 2002)}-{day}",
                "tags": rng.sample(_TAGS, rng.choice((0, 0, 1, 2))), "groups": [friends] if i % 16 == 7 else places,
                "note": person["note"],
            },
        )  # fmt: skip
