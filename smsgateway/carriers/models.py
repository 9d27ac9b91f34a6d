"""Tables of carriers, routes and prices. They are the platform's: enterprises see routes and prices, not carriers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped


class TextCarrier(Base, Numbered, Stamped):
    """A way out. `protocol`: smpp, cmpp, http, mm7, demo; `settings` as that protocol's module says. One process runs
    all carriers of a `bind_group`.

    `doubt`: what becomes of a text whose connection died before the answer: `keep` (never again, the doubt is shown)
    or `resend` (again, marked). `refund`: given back on a final failure: `never`, `failed`, `failed_or_expired`."""

    __tablename__ = "text_carrier"
    __table_args__ = (UniqueConstraint("name"),)
    name: Mapped[str] = mapped_column(Text)
    protocol: Mapped[str] = mapped_column(Text)
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{sms}")
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    bind_group: Mapped[str] = mapped_column(Text, server_default="")  # empty: one of its own
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    window: Mapped[int] = mapped_column(server_default="50")
    texts_per_second: Mapped[int] = mapped_column(server_default="0")  # 0: no limit
    doubt: Mapped[str] = mapped_column(Text, server_default="keep")
    refund: Mapped[str] = mapped_column(Text, server_default="failed")
    receipt_wait_h: Mapped[int] = mapped_column(server_default="72")  # no receipt by then: expired
    tenant_id_for_inbound: Mapped[int | None] = mapped_column(BigInteger)  # whose replies are, if nothing else tells


class TextRoute(Base, Numbered, Stamped):
    """Which texts a carrier may take. The longest matching prefix wins, then priority (less first), then weight among
    equals; a carrier that is down is passed over. `prefixes`: E.164 beginnings; empty: every number."""

    __tablename__ = "text_route"
    __table_args__ = (UniqueConstraint("name"),)
    name: Mapped[str] = mapped_column(Text)
    carrier_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("text_carrier.id"))
    kind: Mapped[str] = mapped_column(Text, server_default="sms")
    prefixes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    purposes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{code,service,marketing}")
    priority: Mapped[int] = mapped_column(server_default="1")
    weight: Mapped[int] = mapped_column(server_default="1")
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    price_minor: Mapped[int]  # of a segment, for enterprises without a price of their own
    currency: Mapped[str] = mapped_column(Text, server_default="CNY")
    sender: Mapped[str] = mapped_column(Text, server_default="")  # for senders without a service number


class TextPrice(Base, Numbered, Stamped):
    """An enterprise's own price of a segment on a route, from `valid_from` on."""

    __tablename__ = "text_price"
    __table_args__ = (Index("ix_text_price_route", "route_id", "enterprise_id", "valid_from"),)
    route_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("text_route.id", ondelete="CASCADE"))
    enterprise_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("enterprise.id", ondelete="CASCADE"))
    price_minor: Mapped[int]
    valid_from: Mapped[datetime] = mapped_column(server_default=text("now()"))
