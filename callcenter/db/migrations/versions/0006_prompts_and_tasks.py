"""prompts and tasks

The enterprises' own prompts, tasks, and a user's voicemail greeting. The built-in roles of enterprises that exist already
get the permissions that new ones start with.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FENCED = ("prompt", "task")
_ALL = ("owner", "admin", "supervisor", "agent")
GIVEN = {
    "prompts.read": _ALL,
    "prompts.write": ("owner", "admin"),
    "tasks.read": _ALL,
    "tasks.write": _ALL,
}


def _common(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["enterprise.id"], name=op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "prompt",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("voice", sa.Text(), server_default="", nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        *_common("prompt"),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_prompt_tenant_id_name")),
    )
    op.create_table(
        "task",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("recording_id", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("phone_e164", sa.Text(), server_default="", nullable=False),
        sa.Column("did", sa.Text(), server_default="", nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("queue_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.Column("closed_by_call_id", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        *_common("task"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_task_customer_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name=op.f("fk_task_owner_id"), ondelete="SET NULL"
        ),
    )
    open_only = sa.text("state = 'open'")
    op.create_index("ix_task_due", "task", ["tenant_id", "state", "due_at"])
    op.create_index("ix_task_open_phone", "task", ["tenant_id", "phone_e164"], postgresql_where=open_only)
    op.create_index(
        "uq_task_open_missed", "task", ["tenant_id", "phone_e164"], unique=True,
        postgresql_where=sa.text("state = 'open' AND kind = 'missed_call'"),
    )
    for name, column, unique in (
        ("uq_task_recording", "recording_id", True),
        ("ix_task_call", "call_id", False),
        ("ix_task_customer", "customer_id", False),
    ):
        op.create_index(name, "task", [column], unique=unique, postgresql_where=sa.text(f"{column} IS NOT NULL"))
    for table in FENCED:
        op.create_index(op.f(f"ix_{table}_tenant_id"), table, ["tenant_id"])
        for statement in rls.fence(table):
            op.execute(statement)
    op.add_column("user_account", sa.Column("voicemail_greeting", sa.Text(), server_default="", nullable=False))
    for permission, keys in GIVEN.items():
        op.execute(
            sa.text(
                "UPDATE role SET permissions = array_append(permissions, :permission)"
                " WHERE built_in AND key = ANY(:keys) AND NOT :permission = ANY(permissions)"
            ).bindparams(
                sa.bindparam("permission", permission, type_=sa.Text()),
                sa.bindparam("keys", list(keys), type_=postgresql.ARRAY(sa.Text())),
            )
        )


def downgrade() -> None:
    for permission in GIVEN:
        op.execute(
            sa.text("UPDATE role SET permissions = array_remove(permissions, :permission)").bindparams(
                sa.bindparam("permission", permission, type_=sa.Text())
            )
        )
    op.drop_column("user_account", "voicemail_greeting")
    for table in reversed(FENCED):
        op.drop_table(table)
