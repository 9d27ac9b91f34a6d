"""The table of the enterprises' prompts."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import BigInteger, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class PromptKind(StrEnum):
    """Where the sound came from."""

    UPLOAD = "upload"
    RECORDED = "recorded"  # in the browser
    SPOKEN = "spoken"  # synthesised of `text`


class Prompt(Base, Numbered, TenantOwned, Stamped):
    """A sound of the enterprise: WAV, 8 kHz, mono, PCM16. `path` is relative to the var directory and carries a digest
    of the sound, so that a replaced prompt is a new file. `language` en, zh, or empty for music. `text` and `voice` (an
    id of `callcenter.voices`) are of spoken ones; for the others `text` may hold what is said in them."""

    __tablename__ = "prompt"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text, server_default="")
    kind: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text, server_default="")
    voice: Mapped[str] = mapped_column(Text, server_default="")
    path: Mapped[str] = mapped_column(Text)
    seconds: Mapped[float]
    sha256: Mapped[str] = mapped_column(Text)
    created_by: Mapped[int | None] = mapped_column(BigInteger)
