"""Row-level security: the statements that fence a table by enterprise.

After a transaction `current_setting('app.tenant', true)` is the empty string, hence the `nullif`. The owner of the
tables is exempt, which is what `platform_session` relies on.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import MetaData

from callcenter.db.session import APP_ROLE

_OWN = "nullif(current_setting('app.tenant', true), '')::bigint"
# Read by the application for its own enterprise only; the column that names the enterprise is the key itself.
_KEY_COLUMN = {"enterprise": "id"}
# Of the platform alone: the application role has no business in them.
PLATFORM_TABLES = frozenset(
    {
        "alembic_version",
        "announcement",
        "parked_receipt",
        "parted_text",
        "text_carrier",
        "text_price",
        "text_route",
        "unclaimed_text",
    }
)
APPEND_ONLY = frozenset({"audit_entry", "ledger_entry"})  # for the application


def create_app_role() -> str:
    """Makes the application role if it is missing and lets the present user play it."""
    return f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
    CREATE ROLE {APP_ROLE} NOLOGIN;
  END IF;
  EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
END $$;
"""


def fence(table: str) -> Iterator[str]:
    """The statements that fence `table`."""
    column = _KEY_COLUMN.get(table, "tenant_id")
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS tenant_fence ON {table}"
    yield (
        f"CREATE POLICY tenant_fence ON {table} TO {APP_ROLE} USING ({column} = {_OWN}) WITH CHECK ({column} = {_OWN})"
    )
    rights = "SELECT, UPDATE" if table == "enterprise" else "SELECT, INSERT, UPDATE, DELETE"
    if table in APPEND_ONLY:
        rights = "SELECT, INSERT"
    yield f"GRANT {rights} ON {table} TO {APP_ROLE}"


def fenced_tables(metadata: MetaData) -> list[str]:
    """Names of the tables to fence: all that carry a tenant, and the enterprise itself."""
    return sorted(t.name for t in metadata.tables.values() if "tenant_id" in t.c or t.name in _KEY_COLUMN)
