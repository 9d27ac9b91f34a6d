"""Brings a database to the newest schema; runs at every start.

An advisory lock lets one of several starting machines do it while the others wait.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from callcenter.db.session import engine

_LOCK = 7_261_001


def alembic_config(url: str) -> Config:
    """Alembic's settings for `url`; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Run the migrations that `url` lacks."""
    with engine(url).connect() as guard:
        guard.execute(text("SELECT pg_advisory_lock(:k)"), {"k": _LOCK})
        try:
            command.upgrade(alembic_config(url), "head")
        finally:
            guard.execute(text("SELECT pg_advisory_unlock(:k)"), {"k": _LOCK})


def make_revision(url: str, message: str) -> None:
    """Write a new migration file from the difference between the tables in code and the database at `url`."""
    command.revision(alembic_config(url), message=message, autogenerate=True)


if __name__ == "__main__":
    make_revision(sys.argv[1], sys.argv[2])
