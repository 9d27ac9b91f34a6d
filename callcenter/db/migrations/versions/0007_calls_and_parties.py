"""calls and parties

What a call that came in leaves behind: its number, queue and menus in the CDR, its stays in queues, its ringing at
agents, the places that were kept. Who else was in a call, and the telephone that an agent speaks with. The built-in
roles of enterprises that exist already get the permissions that new ones start with.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FENCED = ("call_queue_stay", "call_offer", "queue_callback", "call_party")
GIVEN = {
    "desk.telephone": ("owner", "admin", "supervisor", "agent"),
    "supervise.listen": ("owner", "admin", "supervisor"),
    "supervise.join": ("owner", "admin", "supervisor"),
    "supervise.state": ("owner", "admin", "supervisor"),
    "supervise.message": ("owner", "admin", "supervisor"),
}


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _at(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _link(table: str, column: str, target: str, ondelete: str, *, nullable: bool) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column(column, sa.BigInteger(), nullable=nullable),
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=ondelete),
    ]


def _owned(table: str) -> list[sa.schema.SchemaItem]:
    return [
        _text("id"),
        *_link(table, "tenant_id", "enterprise", "CASCADE", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    """See the title."""
    op.add_column("call", _text("did", ""))
    op.add_column("call", sa.Column("queue_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_call_queue_id"), "call", "queue", ["queue_id"], ["id"], ondelete="SET NULL")
    op.add_column("call", sa.Column("queue_wait_s", sa.Double(), nullable=True))
    op.add_column("call", sa.Column("path", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    shown = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("call", sa.Column("shown", shown, server_default=sa.text("'{}'"), nullable=False))
    op.create_index("ix_call_queue", "call", ["queue_id", "started_at"])
    op.create_table(
        "call_queue_stay",
        *_owned("call_queue_stay"),
        _text("call_id"),
        *_link("call_queue_stay", "queue_id", "queue", "CASCADE", nullable=False),
        _text("phone_e164", ""),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        _at("since"),
        _at("entered_at"),
        _at("left_at", nullable=True),
        _text("how", ""),
        sa.Column("wait_s", sa.Double(), nullable=True),
        sa.Column("answered_in_target", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *_link("call_queue_stay", "agent_id", "user_account", "SET NULL", nullable=True),
    )
    op.create_table(
        "call_offer",
        *_owned("call_offer"),
        _text("call_id"),
        *_link("call_offer", "queue_id", "queue", "SET NULL", nullable=True),
        *_link("call_offer", "agent_id", "user_account", "CASCADE", nullable=False),
        _at("offered_at"),
        _at("ended_at", nullable=True),
        _text("how", ""),
        sa.Column("rang_s", sa.Double(), nullable=True),
    )
    op.create_table(
        "queue_callback",
        *_owned("queue_callback"),
        _text("call_id"),
        *_link("queue_callback", "queue_id", "queue", "CASCADE", nullable=False),
        _text("phone_e164"),
        _at("kept_at"),
        _at("expires_at"),
        _at("ended_at", nullable=True),
        _text("how", ""),
        _text("dialed_call_id", ""),
    )
    op.create_table(
        "call_party",
        *_owned("call_party"),
        _text("call_id"),
        _text("party_key"),
        _text("role"),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        _text("number", ""),
        sa.Column("by_user", sa.BigInteger(), nullable=True),
        _at("called_at"),
        _at("answered_at", nullable=True),
        _at("left_at", nullable=True),
        _text("outcome", ""),
    )
    op.create_index("ix_call_party_user", "call_party", ["tenant_id", "user_id", "called_at"])
    op.create_index("ix_call_queue_stay_queue", "call_queue_stay", ["queue_id", "entered_at"])
    op.create_index("ix_call_queue_stay_entered", "call_queue_stay", ["tenant_id", "entered_at"])
    op.create_index("ix_call_offer_agent", "call_offer", ["agent_id", "offered_at"])
    op.create_index("ix_queue_callback_queue", "queue_callback", ["queue_id", "kept_at"])
    for table in FENCED:
        op.create_index(op.f(f"ix_{table}_call_id"), table, ["call_id"])
        op.create_index(op.f(f"ix_{table}_tenant_id"), table, ["tenant_id"])
        for statement in rls.fence(table):
            op.execute(statement)
    op.add_column("user_account", _text("phone_device", "browser"))
    op.add_column("user_account", _text("phone_number", ""))
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
    """See the title."""
    for permission in GIVEN:
        op.execute(
            sa.text("UPDATE role SET permissions = array_remove(permissions, :permission)").bindparams(
                sa.bindparam("permission", permission, type_=sa.Text())
            )
        )
    for column in ("phone_number", "phone_device"):
        op.drop_column("user_account", column)
    for table in FENCED:
        op.drop_table(table)
    op.drop_index("ix_call_queue", "call")
    op.drop_constraint(op.f("fk_call_queue_id"), "call", type_="foreignkey")
    for column in ("shown", "path", "queue_wait_s", "queue_id", "did"):
        op.drop_column("call", column)
