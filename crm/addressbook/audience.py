"""Whom a send to groups and contacts reaches, a page at a time, in order of contact id.

Each contact comes once and with its main number; contacts without a number are passed over. A group counts with all
groups below it, unless it is disabled or stands below a disabled one. Of private groups and contacts only those of
`user_id` count. Pages are cut by the last contact's id (`after`, 0 at first): contacts that are added or deleted
meanwhile never make another one come twice or be left out. A page shorter than `limit` is the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from crm.addressbook.texts import Birthday

Recipient = tuple[int, str, str, dict[str, Any]]

# Groups that sends use, with the way from the root to them.
_LIVE = """
WITH RECURSIVE live AS (
  SELECT id, ARRAY[id] AS way FROM contact_group
  WHERE parent_id IS NULL AND enabled AND (owner_id IS NULL OR owner_id = :user_id)
  UNION ALL
  SELECT g.id, live.way || g.id FROM contact_group g JOIN live ON g.parent_id = live.id
  WHERE g.enabled AND (g.owner_id IS NULL OR g.owner_id = :user_id)
), chosen AS (SELECT id FROM live WHERE way && CAST(:groups AS bigint[]))
"""
_COLUMNS = "c.id, c.phones[1] AS phone, c.name, c.company, c.title, c.email, c.birth_year, c.birth_month, c.birth_day"
_REACHED = "c.phones <> '{}' AND (c.owner_id IS NULL OR c.owner_id = :user_id)"
# The first ones of each group, by its index; the first of all of them are among those.
_PHONES_OF = f"""
{_LIVE}, candidate AS (
  SELECT m.contact_id AS id FROM chosen, LATERAL (
    SELECT m.contact_id FROM contact_member m JOIN contact c ON c.id = m.contact_id
    WHERE m.group_id = chosen.id AND m.contact_id > :after AND {_REACHED}
    ORDER BY m.contact_id LIMIT :limit
  ) m
  UNION SELECT unnest(CAST(:contacts AS bigint[]))
)
SELECT {_COLUMNS} FROM contact c JOIN candidate USING (id)
WHERE c.id > :after AND {_REACHED} ORDER BY c.id LIMIT :limit
"""
_ON_DAY = """
(c.birth_month = :month AND c.birth_day = :day
 OR :with_leap_day AND c.birth_month = 2 AND c.birth_day = 29)
"""
_BIRTHDAYS = f"""
{_LIVE}
SELECT {_COLUMNS} FROM contact c
WHERE {_ON_DAY} AND c.id > :after AND {_REACHED} AND (
  EXISTS (SELECT FROM contact_member m JOIN chosen ON chosen.id = m.group_id WHERE m.contact_id = c.id)
  OR :everybody AND (
    EXISTS (SELECT FROM contact_member m JOIN live ON live.id = m.group_id WHERE m.contact_id = c.id)
    OR NOT EXISTS (SELECT FROM contact_member m WHERE m.contact_id = c.id))
)
ORDER BY c.id LIMIT :limit
"""


def phones_of(
    session: Session, *, groups: Sequence[int], contacts: Sequence[int], user_id: int, after: int, limit: int
) -> list[Recipient]:
    """The next `limit` contacts in `groups` or among `contacts`: (contact id, main number in E.164, name, fields).

    Fields: `name`, `company`, `title`, `email`, and `birthday` ("1990-05-01", or "05-01" without the year), each a
    text, empty if it is not known.
    """
    given = {"groups": list(groups), "contacts": list(contacts), "user_id": user_id, "after": after, "limit": limit}
    return [_recipient(r) for r in session.execute(text(_PHONES_OF), given).mappings()]


def birthdays_on(
    session: Session,
    month: int,
    day: int,
    groups: Sequence[int] | None,
    user_id: int,
    after: int,
    limit: int,
    *,
    year: int | None = None,
) -> list[Recipient]:
    """The next `limit` contacts in `groups` whose birthday is kept on that day, as `phones_of` gives them. `groups`
    None: of all contacts but those who stand in disabled groups only.

    A birthday on 29 February is kept on the 28th in common years: whether it is one, `year` tells, the year of the
    day that is meant in the enterprise's zone (None: the year it is now in UTC).
    """
    year = utc_now().year if year is None else year
    common = year % 4 != 0 or (year % 100 == 0 and year % 400 != 0)
    given = {
        "month": month, "day": day, "with_leap_day": common and (month, day) == (2, 28), "everybody": groups is None,
        "groups": list(groups or ()), "user_id": user_id, "after": after, "limit": limit,
    }  # fmt: skip
    return [_recipient(r) for r in session.execute(text(_BIRTHDAYS), given).mappings()]


def _recipient(row: RowMapping) -> Recipient:
    month, day = row["birth_month"], row["birth_day"]
    fields = {
        "name": row["name"], "company": row["company"], "title": row["title"], "email": row["email"],
        "birthday": str(Birthday(month, day, row["birth_year"])) if month and day else "",
    }  # fmt: skip
    return row["id"], row["phone"], row["name"], fields
