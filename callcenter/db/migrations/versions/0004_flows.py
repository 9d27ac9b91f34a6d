"""flows

Menus, their published versions, and what callers did in them and answered. The built-in roles of enterprises that exist
already get the permissions that new ones start with.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

FENCED = ("flow", "flow_version", "flow_node_day", "survey_answer")
GIVEN = {"flows.read": ("owner", "admin", "supervisor"), "flows.write": ("owner", "admin")}


def _tenant() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
    ]


def _owned(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["enterprise.id"], name=op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
    )


def _of_flow(table: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["flow_id"], ["flow.id"], name=op.f(f"fk_{table}_flow_id"), ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "flow",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("draft", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("changed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_tenant(),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _owned("flow"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_flow_tenant_id_name")),
    )
    op.create_table(
        "flow_version",
        sa.Column("flow_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("flow", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_by", sa.Text(), server_default="", nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_tenant(),
        _owned("flow_version"),
        _of_flow("flow_version"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_version")),
        sa.UniqueConstraint("flow_id", "version", name=op.f("uq_flow_version_flow_id_version")),
    )
    op.create_table(
        "flow_node_day",
        sa.Column("flow_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        *_tenant(),
        _owned("flow_node_day"),
        _of_flow("flow_node_day"),
        sa.PrimaryKeyConstraint("flow_id", "version", "node_id", "day", "way", name=op.f("pk_flow_node_day")),
    )
    op.create_table(
        "survey_answer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("flow_id", sa.BigInteger(), nullable=True),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_tenant(),
        _owned("survey_answer"),
        _of_flow("survey_answer", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_answer")),
    )
    op.create_index("ix_survey_answer_flow_at", "survey_answer", ["flow_id", "at"])
    op.create_index("ix_survey_answer_call", "survey_answer", ["call_id"])
    for table in FENCED:
        op.create_index(op.f(f"ix_{table}_tenant_id"), table, ["tenant_id"])
        for statement in rls.fence(table):
            op.execute(statement)
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
    for table in reversed(FENCED):
        op.drop_table(table)
