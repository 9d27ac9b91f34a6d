"""desk phones

SIP phones that users register with the engine.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from callcenter.db import rls

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "sip_phone",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("ha1", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_sip_phone_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name="fk_sip_phone_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sip_phone"),
        sa.UniqueConstraint("tenant_id", "user_id", name="uq_sip_phone_tenant_id_user_id"),
        sa.UniqueConstraint("username", name="uq_sip_phone_username"),
    )
    op.create_index("ix_sip_phone_tenant_id", "sip_phone", ["tenant_id"])
    op.create_index("ix_sip_phone_user_id", "sip_phone", ["user_id"])
    for statement in rls.fence("sip_phone"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("sip_phone")
