"""platform

The platform's operator, announcements.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.text("now()")
    op.add_column("enterprise", sa.Column("is_platform", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "uq_enterprise_platform", "enterprise", ["is_platform"], unique=True, postgresql_where=sa.text("is_platform")
    )
    op.create_table(
        "announcement",
        sa.Column("kind", sa.Text(), server_default="announcement", nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=True),
        sa.Column("shown_from", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("shown_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name="fk_announcement_enterprise_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_announcement"),
    )


def downgrade() -> None:
    op.drop_table("announcement")
    op.drop_index("uq_enterprise_platform", "enterprise")
    op.drop_column("enterprise", "is_platform")
