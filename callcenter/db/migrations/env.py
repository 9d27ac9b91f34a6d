"""Alembic's environment: the house's tables and the URL of the settings."""

from alembic import context

from callcenter.db.models import load_all
from callcenter.db.session import engine

metadata = load_all().metadata

with engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
