"""The migrations make exactly the tables of the code, and every table of an enterprise is fenced."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from callcenter.db import rls
from callcenter.db.models import load_all
from callcenter.db.session import APP_ROLE, engine
from callcenter.embedded.services import Postgres


def test_a_migrated_database_has_the_tables_of_the_code(postgres: Postgres) -> None:
    with engine(postgres.url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        difference = compare_metadata(context, load_all().metadata)
    assert not difference, f"write a migration (python -m callcenter.db.migrate URL MESSAGE): {difference}"


def test_every_table_of_an_enterprise_is_fenced_by_row_level_security(postgres: Postgres) -> None:
    with engine(postgres.url).connect() as connection:
        fenced = set(
            connection.scalars(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid"
                    " WHERE c.relrowsecurity AND p.polqual IS NOT NULL AND p.polwithcheck IS NOT NULL"
                )
            )
        )
        carrying = set(
            connection.scalars(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
                    " WHERE c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped"
                )
            )
        )
        owned = connection.scalar(
            text("SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = :r)"),
            {"r": APP_ROLE},
        )
    wanted = carrying | set(rls.fenced_tables(load_all().metadata))
    assert wanted <= fenced, f"not fenced: {sorted(wanted - fenced)}"
    assert owned == 0, "the application's role must own nothing: an owner is exempt from the fence"


def test_every_other_table_is_out_of_the_applications_reach(postgres: Postgres) -> None:
    metadata = load_all().metadata
    others = set(metadata.tables) - set(rls.fenced_tables(metadata)) | set(rls.PLATFORM_TABLES)
    with engine(postgres.url).connect() as connection:
        open_to_all = [
            name
            for name in sorted(others)
            if connection.scalar(
                text("SELECT has_table_privilege(:r, :t, 'INSERT, UPDATE, DELETE')"), {"r": APP_ROLE, "t": name}
            )
        ]
    assert not open_to_all, open_to_all
