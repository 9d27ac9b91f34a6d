"""address_book

Groups and contacts of the address book, the files that go in and out, and searching in it by an index.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls
from callcenter.db.session import APP_ROLE

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FENCED = ("contact_group", "contact", "contact_member", "contact_job")
_ALL = ("owner", "admin", "supervisor", "agent")
GIVEN = {
    "contacts.read": _ALL,
    "contacts.write": _ALL,
    "contacts.import": ("owner", "admin", "supervisor"),
}
# Pairs of neighbouring characters: names in Chinese have two or three, and the trigrams of pg_trgm find none in them.
_GRAMS = """
CREATE FUNCTION contact_grams(t text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(DISTINCT substr(t, i, 2)), '{}') FROM generate_series(1, length(t) - 1) AS i
$$
"""
# Under row-level security PostgreSQL may not use an index over arrays: these ask as the owner, for the session's
# enterprise only, as those of migration 0005 do.
_OWN = "tenant_id = nullif(current_setting('app.tenant', true), '')::bigint"
_FINDERS = {
    "contacts_with_phone(wanted text[])": (
        "WITH found AS MATERIALIZED (SELECT id, tenant_id FROM contact WHERE phones && wanted)"
        f" SELECT id FROM found WHERE {_OWN}",
        5,
    ),
    "contacts_like(wanted text)": (
        "WITH found AS MATERIALIZED ("
        "SELECT id, tenant_id FROM contact WHERE contact_grams(search) @> contact_grams(wanted)"
        " AND position(wanted IN search) > 0)"
        f" SELECT id FROM found WHERE {_OWN}",
        200,
    ),
}
_FINDER = """
CREATE FUNCTION {name} RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER ROWS {rows} SET search_path = public, pg_temp SET enable_seqscan = off AS $$
  {query}
$$
"""


def _stamped() -> list[sa.Column[object]]:
    now = sa.text("now()")
    return [
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
    ]


def _of_tenant(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["enterprise.id"], name=f"fk_{table}_tenant_id", ondelete="CASCADE"),
    ]


def _numbered(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _texts(name: str) -> sa.Column[list[str]]:
    return sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(
        name, postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
    )  # fmt: skip


def _groups() -> None:
    op.create_table(
        "contact_group",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *_numbered("contact_group"),
        *_of_tenant("contact_group"),
        *_stamped(),
        sa.ForeignKeyConstraint(["parent_id"], ["contact_group.id"], name="fk_contact_group_parent_id"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name="fk_contact_group_owner_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "tenant_id", "owner_id", "parent_id", "name", name="uq_contact_group_tenant_id_owner_id_parent_id_name",
            postgresql_nulls_not_distinct=True,
        ),
    )  # fmt: skip
    op.create_index("ix_contact_group_tenant_id", "contact_group", ["tenant_id"])
    op.create_index("ix_contact_group_parent_id", "contact_group", ["parent_id"])
    op.create_index(
        "ix_contact_group_owner_id", "contact_group", ["owner_id"], postgresql_where=sa.text("owner_id IS NOT NULL")
    )


def _contacts() -> None:
    op.create_table(
        "contact",
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        _text("name"),
        _text("name_key"),
        _texts("phones"),
        _texts("labels"),
        _text("email"),
        _text("company"),
        _text("title"),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("birth_month", sa.Integer(), nullable=True),
        sa.Column("birth_day", sa.Integer(), nullable=True),
        _text("note"),
        _texts("tags"),
        _text("search"),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        *_numbered("contact"),
        *_of_tenant("contact"),
        *_stamped(),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name="fk_contact_owner_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name="fk_contact_customer_id", ondelete="SET NULL"),
    )
    op.create_index("ix_contact_tenant_id", "contact", ["tenant_id"])
    op.create_index("ix_contact_tenant_name", "contact", ["tenant_id", "name_key", "id"])
    op.create_index("ix_contact_phones", "contact", ["phones"], postgresql_using="gin")
    op.create_index("ix_contact_grams", "contact", [sa.text("contact_grams(search)")], postgresql_using="gin")
    op.create_index(
        "ix_contact_birthday", "contact", ["tenant_id", "birth_month", "birth_day"],
        postgresql_where=sa.text("birth_month IS NOT NULL"),
    )  # fmt: skip
    for column in ("owner_id", "customer_id"):
        op.create_index(
            f"ix_contact_{column}", "contact", [column], postgresql_where=sa.text(f"{column} IS NOT NULL")
        )  # fmt: skip
    op.create_table(
        "contact_member",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        *_of_tenant("contact_member"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["contact_group.id"], name="fk_contact_member_group_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name="fk_contact_member_contact_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "contact_id", name="pk_contact_member"),
    )
    op.create_index("ix_contact_member_tenant_id", "contact_member", ["tenant_id"])
    op.create_index("ix_contact_member_contact_id", "contact_member", ["contact_id"])


def _jobs() -> None:
    op.create_table(
        "contact_job",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="uploaded", nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        _text("path"),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False),
        _json("settings"),
        _json("counts"),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        _text("rejected_path"),
        sa.Column("created_by", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        *_of_tenant("contact_job"),
        *_stamped(),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user_account.id"], name="fk_contact_job_created_by", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact_job"),
    )
    op.create_index("ix_contact_job_tenant_id", "contact_job", ["tenant_id"])


def upgrade() -> None:
    op.execute(_GRAMS)
    _groups()
    _contacts()
    _jobs()
    for table in FENCED:
        for statement in rls.fence(table):
            op.execute(statement)
    for name, (query, rows) in _FINDERS.items():
        signature = name.replace("wanted ", "")
        op.execute(_FINDER.format(name=name, query=query, rows=rows))
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {APP_ROLE}")
    # Numbers are few, and looked for at every change. (The pairs are many: put off, they cost imports a third.)
    op.execute("ALTER INDEX ix_contact_phones SET (fastupdate = off)")
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
    for name in _FINDERS:
        op.execute(f"DROP FUNCTION {name.replace('wanted ', '')}")
    for table in reversed(FENCED):
        op.drop_table(table)
    op.execute("DROP FUNCTION contact_grams(text)")
