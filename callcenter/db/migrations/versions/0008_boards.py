"""boards

Live boards, and what their thresholds have alerted to. How well the two sides of a call were heard.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FENCED = ("board", "board_alert")
GIVEN = ("owner", "admin", "supervisor")


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "board",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pages", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("rotate_s", sa.Integer(), server_default="20", nullable=False),
        sa.Column("webhook_url", sa.Text(), server_default="", nullable=False),
        sa.Column("webhook_secret", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name="fk_board_owner_id", ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name="fk_board_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_board"),
    )
    op.create_index("ix_board_tenant_id", "board", ["tenant_id"])
    op.create_table(
        "board_alert",
        sa.Column("board_id", sa.BigInteger(), nullable=False),
        sa.Column("tile_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivery", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name="fk_board_alert_board_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name="fk_board_alert_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_board_alert"),
    )
    op.create_index("ix_board_alert_tenant_id", "board_alert", ["tenant_id"])
    op.create_index("ix_board_alert_tenant_at", "board_alert", ["tenant_id", "at"])
    quality = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("call", sa.Column("quality", quality, server_default=sa.text("'{}'"), nullable=False))
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)
    op.execute(
        sa.text(
            "UPDATE role SET permissions = array_append(permissions, 'boards.write')"
            " WHERE built_in AND key = ANY(:keys) AND NOT 'boards.write' = ANY(permissions)"
        ).bindparams(sa.bindparam("keys", list(GIVEN), type_=postgresql.ARRAY(sa.Text())))
    )


def downgrade() -> None:
    op.execute("UPDATE role SET permissions = array_remove(permissions, 'boards.write')")
    op.drop_column("call", "quality")
    op.drop_table("board_alert")
    op.drop_table("board")
