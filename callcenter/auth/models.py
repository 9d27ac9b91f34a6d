"""Tables of users and roles."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from callcenter.db.base import Base, Numbered, Stamped, TenantOwned


class DataScope(StrEnum):
    """Whose records a role shows (product row E5)."""

    OWN = "own"
    DEPARTMENT = "department"
    DEPARTMENT_AND_BELOW = "department_and_below"
    ALL = "all"


class Role(Base, Numbered, TenantOwned, Stamped):
    """A role: permissions per function (codes in `permissions.py`) and a data scope. Built-in ones can't be deleted."""

    __tablename__ = "role"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    name: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)  # owner, admin, supervisor, agent for the built-in ones
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    data_scope: Mapped[str] = mapped_column(Text, server_default=DataScope.OWN.value)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    second_factor_required: Mapped[bool] = mapped_column(server_default=text("false"))  # asked for at sign-in


class UserRole(Base, TenantOwned):
    """Which user has which role."""

    __tablename__ = "user_role"
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True
    )
    role_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("role.id", ondelete="CASCADE"), primary_key=True)


class User(Base, Numbered, TenantOwned, Stamped):
    """A person of an enterprise. `service_number` (E.164) sends their texts and is the caller ID of their calls.

    `password_hash` is argon2id. `session_epoch` rises to end all sessions of the user at once.
    """

    __tablename__ = "user_account"
    __table_args__ = (UniqueConstraint("tenant_id", "username"),)
    username: Mapped[str] = mapped_column(Text)  # lower case
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    department_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("department.id", ondelete="SET NULL"))
    service_number: Mapped[str | None] = mapped_column(Text)
    texts_need_approval: Mapped[bool] = mapped_column(server_default=text("false"))
    locale: Mapped[str] = mapped_column(Text, server_default="zh-CN")  # or en
    phone_device: Mapped[str] = mapped_column(Text, server_default="browser")  # or number, sip
    phone_number: Mapped[str] = mapped_column(Text, server_default="")  # E.164; of the telephone used as the phone
    failed_logins: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]
    voicemail_greeting: Mapped[str] = mapped_column(Text, server_default="")  # a prompt's name
    session_epoch: Mapped[int] = mapped_column(server_default="0")
    roles: Mapped[list[Role]] = relationship(
        secondary="user_role",
        lazy="selectin",
        secondaryjoin="and_(Role.id == UserRole.role_id, Role.tenant_id == UserRole.tenant_id)",
        viewonly=True,
    )


class SecondFactor(Base, TenantOwned, Stamped):
    """A user's second factor: the secret of their authenticator app, sealed (`vault.py`). It counts once it is
    confirmed. `last_step` is that of the last accepted code: none is accepted twice."""

    __tablename__ = "second_factor"
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base, Numbered, TenantOwned):
    """A code that takes the place of the app once. Only its hash is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ix_recovery_code_user_id", "user_id"),)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(Text)
    used_at: Mapped[datetime | None]


class ApiToken(Base, Numbered, TenantOwned, Stamped):
    """What another system signs in with in place of a person, for its user. `token_hash` is the SHA-256 of the token,
    `prefix` its first letters. `ip_allow`: networks it may come from (CIDR), none for any."""

    __tablename__ = "api_token"
    __table_args__ = (UniqueConstraint("token_hash"), Index("ix_api_token_user_id", "user_id"))
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[str] = mapped_column(Text)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    ip_allow: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the minute
    last_used_ip: Mapped[str] = mapped_column(Text, server_default="")
