"""Tables of boards and of what they have alerted to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class Board(Base, Numbered, TenantOwned, Stamped):
    """A live board. `owner_id` whose it is; `shared` ones are shown to all who may see boards.

    `pages`: [{title, tiles: [{id, kind, subject, subject_id, metric, width, height, warn, bad, above, for_s, sound,
    notice, webhook}]}]; big-screen mode turns a page every `rotate_s`. Alerts are posted to `webhook_url`, signed with
    `webhook_secret`.
    """

    __tablename__ = "board"
    name: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="SET NULL"))
    shared: Mapped[bool] = mapped_column(server_default=text("false"))
    pages: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    rotate_s: Mapped[int] = mapped_column(server_default="20")
    webhook_url: Mapped[str] = mapped_column(Text, server_default="")
    webhook_secret: Mapped[str] = mapped_column(Text, server_default="")


class BoardAlert(Base, Numbered, TenantOwned):
    """A level that a tile's figure reached or left. `delivery`: "" without webhook, else ok or why not."""

    __tablename__ = "board_alert"
    __table_args__ = (Index("ix_board_alert_tenant_at", "tenant_id", "at"),)
    board_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("board.id", ondelete="CASCADE"))
    tile_id: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    metric: Mapped[str] = mapped_column(Text)
    level: Mapped[int]
    value: Mapped[float | None]
    at: Mapped[datetime]
    delivery: Mapped[str] = mapped_column(Text, server_default="")
