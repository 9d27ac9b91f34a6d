"""Tables of campaigns: what is dialed, how, by whom."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned
from dialer.modes import CampaignState, Mode


class Campaign(Base, Numbered, TenantOwned, Stamped):
    """A campaign. Times in seconds; `abandon_cap` a fraction of live answers (0.03 = 3 %); `ratio` calls per free agent
    in power mode. `record`: always, never. `prompt_abandoned` a prompt's name under the installation's prompts."""

    __tablename__ = "campaign"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    mode: Mapped[str] = mapped_column(Text, server_default=Mode.PROGRESSIVE.value)
    state: Mapped[str] = mapped_column(Text, server_default=CampaignState.DRAFT.value)
    ratio: Mapped[float] = mapped_column(server_default="1.5")
    abandon_cap: Mapped[float] = mapped_column(server_default="0.03")
    patience_s: Mapped[float] = mapped_column(server_default="2")
    ring_timeout_s: Mapped[int] = mapped_column(server_default="30")
    wrap_up_s: Mapped[int] = mapped_column(
        server_default="30"
    )  # then available by itself; 0: at once after disposition
    preview_s: Mapped[int] = mapped_column(server_default="30")  # then dialed by itself
    max_lines: Mapped[int] = mapped_column(server_default="100")
    max_attempts: Mapped[int] = mapped_column(server_default="5")  # per lead
    caller_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")  # empty: the trunk's
    trunk_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")  # empty: all
    record: Mapped[str] = mapped_column(Text, server_default="always")
    language: Mapped[str] = mapped_column(Text, server_default="zh-CN")
    prompt_abandoned: Mapped[str] = mapped_column(Text, server_default="")  # empty: the default one of the language
    script_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("script.id", ondelete="SET NULL"))
    rule_set_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("rule_set.id", ondelete="SET NULL"))
    disposition_required: Mapped[bool] = mapped_column(server_default=text("true"))
    # Recycling by the network's outcome: {"busy": {"after_s": 300, "tries": 3}, "no_answer": …, "congestion": …}
    recycling: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class CampaignAgent(Base, TenantOwned):
    """Who works a campaign."""

    __tablename__ = "campaign_agent"
    campaign_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )


class CampaignDay(Base, TenantOwned):
    """A campaign's counts of one day (in the enterprise's zone), folded from the facts of its calls."""

    __tablename__ = "campaign_day"
    campaign_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    placed: Mapped[int] = mapped_column(server_default="0")
    answered: Mapped[int] = mapped_column(server_default="0")
    connected: Mapped[int] = mapped_column(server_default="0")
    abandoned: Mapped[int] = mapped_column(server_default="0")


class Refusal(Base, Numbered, TenantOwned, Stamped):
    """A lead that was not dialed when its turn came, and the rule that forbade it (product row D5)."""

    __tablename__ = "dial_refusal"
    fact_id: Mapped[str] = mapped_column(Text, unique=True)
    campaign_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("campaign.id", ondelete="CASCADE"), index=True
    )
    lead_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("lead.id", ondelete="CASCADE"), index=True)
    phone_e164: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, server_default="")
