"""queues

Queues, who answers them, and skills. The built-in roles of enterprises that exist already get the permissions that new
ones start with.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FENCED = ("queue", "queue_member", "skill", "agent_skill", "queue_skill")
GIVEN = {"queues.read": ("owner", "admin", "supervisor"), "queues.write": ("owner", "admin")}


def _json(name: str) -> sa.Column[Any]:
    kind = postgresql.JSONB(astext_type=sa.Text())
    return sa.Column(name, kind, server_default=sa.text("'{}'"), nullable=False)


def _number(name: str, default: str, kind: type[sa.types.TypeEngine[Any]] = sa.Double) -> sa.Column[Any]:
    return sa.Column(name, kind(), server_default=default, nullable=False)


def _flag(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), server_default=sa.text(default), nullable=False)


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _owned(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["enterprise.id"], name=op.f(f"fk_{table}_tenant_id"), ondelete="CASCADE"
        ),
    ]


def _record(table: str) -> list[sa.schema.SchemaItem]:
    now = sa.text("now()")
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_owned(table),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f(f"uq_{table}_tenant_id_name")),
    ]


def _link(
    table: str, first: str, second: str, targets: dict[str, tuple[str, str | None]]
) -> list[sa.schema.SchemaItem]:
    keys = [
        sa.ForeignKeyConstraint([c], [f"{target}.id"], name=op.f(f"fk_{table}_{c}"), ondelete=ondelete)
        for c, (target, ondelete) in targets.items()
    ]
    return [
        sa.Column(first, sa.BigInteger(), nullable=False),
        sa.Column(second, sa.BigInteger(), nullable=False),
        *_owned(table),
        *keys,
        sa.PrimaryKeyConstraint(first, second, name=op.f(f"pk_{table}")),
    ]


def upgrade() -> None:
    op.create_table(
        "queue",
        _text("name"),
        _flag("enabled", "true"),
        _text("strategy", "longest_idle"),
        _number("priority", "0", sa.Integer),
        _number("ageing_per_min", "1"),
        _number("ring_s", "15"),
        _flag("auto_answer", "false"),
        _number("wrap_up_s", "30"),
        _flag("disposition_required", "false"),
        _number("sticky_s", "604800"),
        _number("service_level_s", "20"),
        _number("service_level", "0.8"),
        _number("utilisation_cap", "1"),
        _text("record", "always"),
        _number("max_wait_s", "3600"),
        _text("language", "en"),
        sa.Column("script_id", sa.BigInteger(), nullable=True),
        _json("waiting"),
        _json("callback"),
        _json("overflow"),
        _json("blending"),
        *_record("queue"),
        sa.ForeignKeyConstraint(["script_id"], ["script.id"], name=op.f("fk_queue_script_id"), ondelete="SET NULL"),
    )
    op.create_table("skill", _text("name"), _text("description", ""), *_record("skill"))
    op.create_table(
        "queue_member",
        *_link(
            "queue_member",
            "queue_id",
            "user_id",
            {"queue_id": ("queue", "CASCADE"), "user_id": ("user_account", "CASCADE")},
        ),
        _number("share", "1"),
        _number("penalty", "0", sa.Integer),
    )
    op.create_table(
        "agent_skill",
        *_link(
            "agent_skill",
            "skill_id",
            "user_id",
            {"skill_id": ("skill", "CASCADE"), "user_id": ("user_account", "CASCADE")},
        ),
        sa.Column("level", sa.Integer(), nullable=False),
    )
    op.create_table(
        "queue_skill",
        *_link("queue_skill", "queue_id", "skill_id", {"queue_id": ("queue", "CASCADE"), "skill_id": ("skill", None)}),
        sa.Column("level", sa.Integer(), nullable=False),
        _number("relax_every_s", "0"),
        _number("at_least", "0", sa.Integer),
    )
    indexes = [
        ("queue", "script_id"),
        ("queue_member", "user_id"),
        ("agent_skill", "user_id"),
        ("queue_skill", "skill_id"),
    ]
    for table, column in [*indexes, *((t, "tenant_id") for t in FENCED)]:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    for table in FENCED:
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
    for table in ("queue_skill", "agent_skill", "queue_member", "skill", "queue"):
        op.drop_table(table)
