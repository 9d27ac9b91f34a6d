"""What all tests share: real services, started once, and a fenced database for each test that asks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import hypothesis
import pytest
import redis
from sqlalchemy import text

from callcenter.db import session as db_session
from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.embedded.services import Postgres, Valkey
from tests.ports import own_port

LARGE = 1024 * 1024  # bytes of a table that is better truncated

# CI judges a change by the same examples each time; fresh ones are looked for on developers' machines.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def _run(service: Postgres | Valkey) -> subprocess.Popen[bytes]:
    service.prepare()
    log = (service.folder / "log").open("ab")
    process = subprocess.Popen(service.command(), stdout=log, stderr=log, cwd=service.folder)
    service.wait_ready()
    return process


def _end(service: Postgres | Valkey, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(service.stop_signal)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of this test run with the newest schema; DATABASE_URL points at it."""
    service = Postgres(tmp_path_factory.mktemp("pg"), own_port(15432), durable=False)
    process = _run(service)
    os.environ["DATABASE_URL"] = service.url
    load_all()
    upgrade(service.url)
    yield service
    db_session.engine().dispose()
    _end(service, process)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey of this test run; REDIS_URL points at it."""
    service = Valkey(tmp_path_factory.mktemp("vk"), own_port(16379), durable=False)
    process = _run(service)
    os.environ["REDIS_URL"] = service.url
    yield service
    _end(service, process)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Postgres]:
    """An empty database: every table is emptied before the test, every number begins at 1 again.

    Not by TRUNCATE, which costs a new file for each table and index there is, a hundred times what a test leaves.
    """
    names = [t.name for t in load_all().metadata.sorted_tables]
    used = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
    with db_session.engine().begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no keys are asked, no triggers run
        for name in connection.scalars(text(used)).all():
            # What a test filled to the brim is made anew: dead rows would make the plans of the tests after it.
            large = connection.scalar(
                text("SELECT pg_relation_size(to_regclass(:name)) > :most"), {"name": name, "most": LARGE}
            )
            connection.execute(text(f"TRUNCATE {name} CASCADE" if large else f"DELETE FROM {name}"))
        connection.execute(
            text(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
                " FROM pg_sequences WHERE last_value IS NOT NULL"
            )
        )
    yield postgres


@pytest.fixture
def redis_client(valkey: Valkey) -> Iterator[redis.Redis]:
    """An empty Valkey."""
    client = redis.Redis.from_url(valkey.url)
    client.flushall()
    yield client
    client.close()
