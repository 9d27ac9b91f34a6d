"""text parts

Long texts that come in part by part wait in a table: they outlive the process that got them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parted_text",
        sa.Column("carrier_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("ref", sa.Integer(), nullable=False),
        sa.Column("total", sa.SmallInteger(), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_parted_text"),
    )
    op.create_index("ix_parted_text_key", "parted_text", ["carrier_id", "sender", "ref"])
    op.create_index("ix_parted_text_due", "parted_text", ["due_at"], postgresql_where=sa.text("taken_at IS NULL"))
    op.create_index(
        "ix_parted_text_taken", "parted_text", ["taken_at"], postgresql_where=sa.text("taken_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("parted_text")
