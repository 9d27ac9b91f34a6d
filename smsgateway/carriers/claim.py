"""Whose carriers are: locks in PostgreSQL, on whatever machine a process runs. They go when its connection goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from callcenter import config

LOCK_CLASS: Final = 0x7458


class Claim:
    """The locks on carriers, as long as the connection lives."""

    def __init__(self, carrier_ids: Sequence[int]) -> None:
        self.carrier_ids = sorted(carrier_ids)
        self._connection: psycopg.Connection | None = None

    def take(self) -> bool:
        """Whether all of them are ours now. Raises psycopg.OperationalError."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(config.load().database_url, autocommit=True, connect_timeout=5)
        for carrier_id in self.carrier_ids:
            query = "SELECT pg_try_advisory_lock(%s, %s)"
            row = self._connection.execute(query, (LOCK_CLASS, carrier_id)).fetchone()
            if row is None or not row[0]:
                self.let_go()
                return False
        return True

    def holds(self) -> bool:
        """Whether the connection still lives. After a break the locks are taken again."""
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return True
        except psycopg.OperationalError:
            self.let_go()
        return False

    def let_go(self) -> None:
        """Give the locks back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def take_for_now(session: Session, carrier_id: int) -> bool:
    """Whether nobody runs the carrier: then nobody else does until the end of this transaction."""
    query = text("SELECT pg_try_advisory_xact_lock(:class, :carrier)")
    return bool(session.scalar(query, {"class": LOCK_CLASS, "carrier": carrier_id}))
