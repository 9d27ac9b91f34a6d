"""The table of calling rules."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class RuleSet(Base, Numbered, TenantOwned, Stamped):
    """When and how often a number may be called. `windows`: [{days: [1–7, Monday = 1], from: "09:00", to: "12:00"}] in
    the callee's local time (several a day make a midday break). `holidays`: ISO dates without calls. 0 = no limit."""

    __tablename__ = "rule_set"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    country: Mapped[str] = mapped_column(Text, server_default="CN")
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    windows: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    holidays: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    attempts_24h: Mapped[int] = mapped_column(server_default="3")
    attempts_30d: Mapped[int] = mapped_column(server_default="0")
    abandoned_lockout_h: Mapped[int] = mapped_column(server_default="0")  # hours without a call after an abandoned one
    text_windows: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))  # of marketing texts; as `windows`
    texts_24h: Mapped[int] = mapped_column(server_default="0")  # marketing texts to a number
    texts_30d: Mapped[int] = mapped_column(server_default="0")
    min_ring_s: Mapped[int] = mapped_column(server_default="15")
