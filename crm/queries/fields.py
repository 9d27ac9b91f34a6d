"""The enterprise's custom fields."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.fields import Field, Kind
from crm.models import FieldDef


def as_field(row: FieldDef) -> Field:
    """The table's row as a value."""
    return Field(row.key, row.label, Kind(row.kind), row.required, row.max_length, row.format, tuple(row.choices or ()))


def field_defs(session: Session) -> dict[str, Field]:
    """The enterprise's custom fields by key, in their order."""
    rows = session.scalars(select(FieldDef).order_by(FieldDef.position, FieldDef.id))
    return {row.key: as_field(row) for row in rows}
