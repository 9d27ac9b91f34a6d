"""access

The second factor of users, its recovery codes, which roles want it; tokens of other systems.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FENCED = ("second_factor", "recovery_code", "api_token")
GIVEN = ("owner", "admin", "operator")


def _belongs(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    now = sa.text("now()")
    texts = postgresql.ARRAY(sa.Text())
    required = sa.Column("second_factor_required", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    op.add_column("role", required)
    op.create_table(
        "second_factor",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        _belongs("second_factor", "user_id", "user_account"),
        _belongs("second_factor", "tenant_id", "enterprise"),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factor"),
    )
    op.create_index("ix_second_factor_tenant_id", "second_factor", ["tenant_id"])
    op.create_table(
        "recovery_code",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        _belongs("recovery_code", "user_id", "user_account"),
        _belongs("recovery_code", "tenant_id", "enterprise"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
    )
    op.create_index("ix_recovery_code_tenant_id", "recovery_code", ["tenant_id"])
    op.create_index("ix_recovery_code_user_id", "recovery_code", ["user_id"])
    op.create_table(
        "api_token",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("permissions", texts, server_default="{}", nullable=False),
        sa.Column("ip_allow", texts, server_default="{}", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_ip", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        _belongs("api_token", "user_id", "user_account"),
        _belongs("api_token", "tenant_id", "enterprise"),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )
    op.create_index("ix_api_token_tenant_id", "api_token", ["tenant_id"])
    op.create_index("ix_api_token_user_id", "api_token", ["user_id"])
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)
    op.execute(
        sa.text(
            "UPDATE role SET permissions = array_append(permissions, 'api.tokens')"
            " WHERE built_in AND key = ANY(:keys) AND NOT 'api.tokens' = ANY(permissions)"
        ).bindparams(sa.bindparam("keys", list(GIVEN), type_=postgresql.ARRAY(sa.Text())))
    )


def downgrade() -> None:
    op.execute("UPDATE role SET permissions = array_remove(permissions, 'api.tokens')")
    for table in reversed(FENCED):
        op.drop_table(table)
    op.drop_column("role", "second_factor_required")
