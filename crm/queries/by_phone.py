"""Who has a number, by an index. Under row-level security PostgreSQL may not use the indexes over arrays of phones: two
functions of the database ask as the owner, for the session's enterprise only (migration 0005).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY


def customers_with(phones: Iterable[str]) -> Select[Any]:
    """Ids of the customers with any of `phones` (E.164)."""
    return select(func.customers_with_phone(bindparam(None, list(phones), type_=ARRAY(Text))))


def leads_with(phones: Iterable[str]) -> Select[Any]:
    """Ids of the leads with any of `phones` (E.164), as the first or beside it."""
    return select(func.leads_with_phone(bindparam(None, list(phones), type_=ARRAY(Text))))
