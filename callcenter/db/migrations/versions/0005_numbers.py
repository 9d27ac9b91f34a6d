"""numbers

Our numbers, calendars, what a trunk lets in, and who of the customers is a VIP. The built-in roles of enterprises that
exist already get the permissions that new ones start with.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from callcenter.db import rls
from callcenter.db.session import APP_ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FENCED = ("calendar", "did_number")
GIVEN = {"numbers.read": ("owner", "admin", "supervisor"), "numbers.write": ("owner", "admin")}


def _of_trunk() -> list[sa.Column[Any]]:
    return [
        sa.Column("inbound", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("inbound_auth", sa.Text(), server_default="ip", nullable=False),
        sa.Column("inbound_username", sa.Text(), server_default="", nullable=False),
        sa.Column("inbound_password", sa.Text(), server_default="", nullable=False),
        sa.Column("inbound_sources", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("inbound_channels", sa.Integer(), server_default="30", nullable=False),
        sa.Column("inbound_calls_per_second", sa.Double(), server_default="10", nullable=False),
    ]


# Who has a number is asked of indexes over arrays. Under row-level security PostgreSQL may not use them: their
# operators are not marked as leaking nothing, so it would read every row of the enterprise. These functions ask as
# the owner, for the enterprise of the session only.
_WITH_PHONE = """
CREATE FUNCTION {table}s_with_phone(wanted text[]) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 SET search_path = public, pg_temp SET enable_seqscan = off AS $$
  {query}
$$
"""
# The number is looked for first, on its own: otherwise the planner, which does not know what is in `wanted`, may prefer
# the index of the enterprise and read all of its rows.
_OWN = "tenant_id = nullif(current_setting('app.tenant', true), '')::bigint"
_FOUND = "WITH found AS MATERIALIZED ({found}) SELECT id FROM found WHERE {own}"
_QUERIES = {
    "customer": _FOUND.format(found="SELECT id, tenant_id FROM customer WHERE phones && wanted", own=_OWN),
    "lead": f"SELECT id FROM lead WHERE phone_e164 = ANY(wanted) AND {_OWN} UNION ("
    + _FOUND.format(
        found="SELECT id, tenant_id FROM lead WHERE alt_phones <> '{}' AND alt_phones && wanted",
        own=_OWN,
    )
    + ")",
}


def _json() -> postgresql.JSONB:
    return postgresql.JSONB(astext_type=sa.Text())


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
        "calendar",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="", nullable=False),
        sa.Column("week", _json(), server_default=sa.text("'[[], [], [], [], [], [], []]'"), nullable=False),
        sa.Column("holidays", _json(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("special_days", _json(), server_default=sa.text("'[]'"), nullable=False),
        *_common("calendar"),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_calendar_tenant_id_name")),
    )
    op.create_table(
        "did_number",
        sa.Column("e164", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("calendar_id", sa.BigInteger(), nullable=True),
        sa.Column("trunk_ids", postgresql.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("rules", _json(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("open_to", _json(), nullable=False),
        sa.Column("closed_to", _json(), nullable=False),
        sa.Column("holiday_to", _json(), nullable=True),
        sa.Column("record", sa.Text(), server_default="", nullable=False),
        *_common("did_number"),
        sa.ForeignKeyConstraint(["calendar_id"], ["calendar.id"], name=op.f("fk_did_number_calendar_id")),
        sa.UniqueConstraint("e164", name=op.f("uq_did_number_e164")),
    )
    op.create_index(op.f("ix_did_number_calendar_id"), "did_number", ["calendar_id"])
    for table in FENCED:
        op.create_index(op.f(f"ix_{table}_tenant_id"), table, ["tenant_id"])
        for statement in rls.fence(table):
            op.execute(statement)
    for column in _of_trunk():
        op.add_column("trunk", column)
    op.add_column("customer", sa.Column("vip", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    for table, query in _QUERIES.items():
        op.execute(_WITH_PHONE.format(table=table, query=query))
        op.execute(f"REVOKE ALL ON FUNCTION {table}s_with_phone(text[]) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {table}s_with_phone(text[]) TO {APP_ROLE}")
    # Customers are made one at a time, and looked for while a caller waits: nothing is put off to be indexed later.
    op.execute("ALTER INDEX ix_customer_phones SET (fastupdate = off)")
    op.execute("SELECT gin_clean_pending_list('ix_customer_phones')")
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
    for table in _QUERIES:
        op.execute(f"DROP FUNCTION {table}s_with_phone(text[])")
    op.execute("ALTER INDEX ix_customer_phones SET (fastupdate = on)")
    op.drop_column("customer", "vip")
    for column in _of_trunk():
        op.drop_column("trunk", column.name)
    for table in reversed(FENCED):
        op.drop_table(table)
