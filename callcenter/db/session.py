"""Sessions: every transaction says for which enterprise it works.

`tenant_session(tenant_id)` is what actions, routes and jobs use. Inside it the connection plays the role
`callcenter_app`, which owns nothing, and row-level security shows and accepts rows of that enterprise only, in raw SQL
too. `platform_session()` plays the owner and sees all enterprises: for sign-in by enterprise code, for the relay and
the scheduler, never for a request's own work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Executable, Row, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from callcenter import config
from callcenter.db.base import TenantOwned

APP_ROLE = "callcenter_app"
# SET LOCAL of both in one round trip: every request and job begins with it.
_FENCE = text("SELECT set_config('role', :role, true), set_config('app.tenant', :tenant, true)")
_engines: dict[str, Engine] = {}
_lock = threading.Lock()


def engine(url: str | None = None) -> Engine:
    """The process's engine (pool of 5 + 15) for `url`, or for DATABASE_URL."""
    url = url or config.load().database_url
    if not url:
        raise RuntimeError("DATABASE_URL is not set; start the processes with `make run`, or set it")
    with _lock:
        if url not in _engines:
            _engines[url] = create_engine(
                url.replace("postgresql://", "postgresql+psycopg://", 1),
                pool_size=5,
                max_overflow=15,
                pool_pre_ping=True,
                pool_recycle=1800,
            )
        return _engines[url]


def _readers() -> Engine:
    """As `engine`, outside of transactions and without a question beforehand whether the connection still lives."""
    url = config.load().database_url
    key = f"{url} readers"
    with _lock:
        if key not in _engines:
            _engines[key] = create_engine(
                url.replace("postgresql://", "postgresql+psycopg://", 1),
                isolation_level="AUTOCOMMIT",
                pool_size=2,
                max_overflow=8,
                pool_recycle=1800,
            )
        return _engines[key]


def one_or_none(statement: Executable, values: Mapping[str, Any]) -> Row[Any] | None:
    """The one row of a query over all enterprises, in one round trip: no transaction, and no ping before it. It must
    say itself for which enterprise it asks, like `platform_session`. Raises OperationalError without a database."""
    for again in (True, False):
        try:
            with Session(_readers(), expire_on_commit=False) as session:
                return session.execute(statement, values).unique().one_or_none()
        except OperationalError as error:
            if not (again and error.connection_invalidated):  # the database was restarted since the last question
                raise
    raise AssertionError("not reached")


class WrongTenant(Exception):
    """A row of another enterprise was about to be written: a defect of ours, never the user's fault."""


@contextmanager
def tenant_session(tenant_id: int) -> Iterator[Session]:
    """One transaction for enterprise `tenant_id`: committed at the end, rolled back on an exception."""
    with Session(engine(), expire_on_commit=False) as session:
        session.info["tenant_id"] = tenant_id
        session.execute(_FENCE, {"role": APP_ROLE, "tenant": str(tenant_id)})
        yield session
        session.commit()


@contextmanager
def platform_session() -> Iterator[Session]:
    """One transaction over all enterprises."""
    with Session(engine(), expire_on_commit=False) as session:
        yield session
        session.commit()


@event.listens_for(Session, "do_orm_execute")
def _fence_reads(state: ORMExecuteState) -> None:
    tenant_id = state.session.info.get("tenant_id")
    if tenant_id is not None and not state.is_column_load and not state.is_relationship_load:
        state.statement = state.statement.options(
            with_loader_criteria(TenantOwned, lambda cls: cls.tenant_id == tenant_id, include_aliases=True)
        )


@event.listens_for(Session, "before_flush")
def _fence_writes(session: Session, _context: object, _instances: object) -> None:
    tenant_id = session.info.get("tenant_id")
    if tenant_id is None:
        return
    for row in session.new | session.dirty | session.deleted:
        if isinstance(row, TenantOwned):
            if row.tenant_id is None:
                row.tenant_id = tenant_id
            elif row.tenant_id != tenant_id:
                raise WrongTenant(f"{type(row).__name__} of enterprise {row.tenant_id} in a session of {tenant_id}")
