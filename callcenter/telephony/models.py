"""The table of trunks."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class TrunkRow(Base, Numbered, TenantOwned, Stamped):
    """A SIP trunk of an enterprise. `prefixes` E.164 prefixes it takes, empty: any. `strip_plus`: dial without the +;
    `prepend` is put before the number. Lower `priority` first, then lower `cost`.

    `inbound`: calls are taken from it. `inbound_auth` ip: from its host's addresses and `inbound_sources` (addresses
    and networks); digest: from whoever knows `inbound_username` and `inbound_password` (from `inbound_sources` only, if
    there are any)."""

    __tablename__ = "trunk"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    host: Mapped[str] = mapped_column(Text)
    port: Mapped[int] = mapped_column(server_default="5060")
    transport: Mapped[str] = mapped_column(Text, server_default="udp")
    outbound_proxy: Mapped[str] = mapped_column(Text, server_default="")  # host:port
    username: Mapped[str] = mapped_column(Text, server_default="")
    password: Mapped[str] = mapped_column(Text, server_default="")
    from_domain: Mapped[str] = mapped_column(Text, server_default="")
    register: Mapped[bool] = mapped_column(server_default=text("false"))
    channels: Mapped[int] = mapped_column(server_default="30")
    calls_per_second: Mapped[float] = mapped_column(server_default="10")
    caller_ids: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    prefixes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    strip_plus: Mapped[bool] = mapped_column(server_default=text("false"))
    prepend: Mapped[str] = mapped_column(Text, server_default="")
    priority: Mapped[int] = mapped_column(server_default="1")
    options_every_s: Mapped[int] = mapped_column(server_default="30")  # health check; 0: none, for carriers without it
    cost: Mapped[int] = mapped_column(server_default="0")
    codec: Mapped[str] = mapped_column(Text, server_default="pcmu")  # or pcma
    inbound: Mapped[bool] = mapped_column(server_default=text("true"))
    inbound_auth: Mapped[str] = mapped_column(Text, server_default="ip")  # or digest
    inbound_username: Mapped[str] = mapped_column(Text, server_default="")
    inbound_password: Mapped[str] = mapped_column(Text, server_default="")
    inbound_sources: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    inbound_channels: Mapped[int] = mapped_column(server_default="30")
    inbound_calls_per_second: Mapped[float] = mapped_column(server_default="10")


class SipPhoneRow(Base, Numbered, TenantOwned, Stamped):
    """A user's SIP phone: a desk phone or softphone that registers with the engine. `username` is one of the whole
    installation, `ha1` all that is kept of the password (`callcenter.telephony.phones.ha1_of`)."""

    __tablename__ = "sip_phone"
    __table_args__ = (UniqueConstraint("tenant_id", "user_id"), UniqueConstraint("username"))
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    username: Mapped[str] = mapped_column(Text)
    ha1: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
