"""Tables of our numbers (DIDs) and of calendars. What lies in their JSON columns is checked by `checks.py`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class CalendarRow(Base, Numbered, TenantOwned, Stamped):
    """Opening hours. `week`: seven lists (Monday first) of {"from": "09:00", "to": "18:00"}; `holidays`:
    {"name", "first", "last", "yearly"} with ISO dates; `special_days`: {"name", "day", "spans"}. `time_zone` empty: the
    enterprise's."""

    __tablename__ = "calendar"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text, server_default="")
    week: Mapped[list[Any]] = mapped_column(server_default=text("'[[], [], [], [], [], [], []]'"))
    holidays: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    special_days: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))


class DidNumber(Base, Numbered, TenantOwned, Stamped):
    """A number of ours that is called. It is one enterprise's in the whole installation: enterprises may share a
    carrier, and its calls are told apart by nothing else. Destinations are {"kind", "id", "number"}, `rules` as
    `routing.Rule`, in their order."""

    __tablename__ = "did_number"
    e164: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    language: Mapped[str] = mapped_column(Text, server_default="en")
    calendar_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("calendar.id"), index=True)
    trunk_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    rules: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    open_to: Mapped[dict[str, Any]]
    closed_to: Mapped[dict[str, Any]]
    holiday_to: Mapped[dict[str, Any] | None]
    record: Mapped[str] = mapped_column(Text, server_default="")  # always, on_demand, never; empty: as the queue says
