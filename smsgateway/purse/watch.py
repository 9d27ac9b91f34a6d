"""The loop that tells of balances: to the pages that look at them, and once to who tops up when one becomes low.

It compares the accounts with what it told last, so that whoever changes a balance has nothing to do, and a thousand
changes in a second are one message.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any

import redis
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from callcenter.auth.access import permissions_of
from callcenter.auth.models import User
from callcenter.clock import monotonic_s, utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from smsgateway.purse import orders, proof, rollup

log = logging.getLogger(__name__)
TURN_S = 1.0
EXPIRE_EVERY_S = 300.0
PROVE_EVERY_S = 6 * 3600.0

# Below the limit and not told yet; told, and above it again or without a limit. An account that is being booked on is
# left for the next turn.
_TELL = text("""
UPDATE purse_account SET low_told_at = :now
WHERE id IN (
  SELECT id FROM purse_account WHERE low_minor IS NOT NULL AND available_minor < low_minor AND low_told_at IS NULL
  ORDER BY id FOR UPDATE SKIP LOCKED
)
RETURNING id, tenant_id, kind, currency, available_minor, low_minor
""")
_FORGET = text("""
UPDATE purse_account SET low_told_at = NULL
WHERE id IN (
  SELECT id FROM purse_account
  WHERE low_told_at IS NOT NULL AND (low_minor IS NULL OR available_minor >= low_minor)
  ORDER BY id FOR UPDATE SKIP LOCKED
)
""")
_BALANCES = text("""
SELECT tenant_id, kind, currency, available_minor, reserved_minor, low_minor FROM purse_account
ORDER BY tenant_id, kind DESC
""")


class Watch:
    """What was told last, by enterprise."""

    def __init__(self, connection: redis.Redis | None = None) -> None:
        self._connection = connection
        self._told: dict[int, list[dict[str, Any]]] = {}
        self._expire_at = self._prove_at = monotonic_s()

    def turn(self, now: datetime) -> None:
        """Look once, and tell what is new."""
        with platform_session() as session:
            session.execute(_FORGET)
            low = session.execute(_TELL, {"now": now}).all()
            # Told before it is committed: a notice that comes twice is better than none.
            for account in low:
                self._warn(account, now)
        with platform_session() as session:
            balances: dict[int, list[dict[str, Any]]] = {}
            for row in session.execute(_BALANCES):
                balances.setdefault(row.tenant_id, []).append(_document(row))
        for tenant, accounts in balances.items():
            if self._told.get(tenant) != accounts:
                streams.publish(tenant, "purse", {"accounts": accounts}, self._connection)
        self._told = balances

    def expire(self, now: datetime) -> None:
        """Close the orders that nobody paid."""
        with platform_session() as session:
            count = orders.expire(session, now)
        if count:
            log.info("%d top-up orders expired", count)

    def prove(self) -> int:
        """Look whether ledger, balances and roll-up agree; how many faults were logged. There must never be one. A
        roll-up that is wrong is made anew."""
        with platform_session() as session:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            found = proof.faults(session)
        for fault in found:
            log.error(
                "the purse is wrong: %s of %s is %d and not %d", fault.what, fault.where, fault.is_minor,
                fault.should_minor,
            )  # fmt: skip
        if wrong := {f.rolled for f in found if f.rolled is not None}:
            with platform_session() as session:
                for account_id in sorted(wrong):
                    rollup.throw_away(session, account_id)
        return len(found)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.wait(TURN_S):
            now, at = utc_now(), monotonic_s()
            self.turn(now)
            if at >= self._expire_at:
                self._expire_at = at + EXPIRE_EVERY_S
                self.expire(now)
            if at >= self._prove_at:
                self._prove_at = at + PROVE_EVERY_S
                self.prove()

    def _warn(self, account: Any, now: datetime) -> None:
        notice = {
            "kind": "balance", "id": f"balance-{account.id}-{now.timestamp():.0f}", "at": now.timestamp(),
            "account": account.kind, "currency": account.currency, "available_minor": account.available_minor,
            "low_minor": account.low_minor,
        }  # fmt: skip
        with tenant_session(account.tenant_id) as session:
            for user_id in who_tops_up(session):
                streams.publish(account.tenant_id, f"user:{user_id}", notice, self._connection)


def who_tops_up(session: Session) -> list[int]:
    """The enabled users of the enterprise who may order a top-up."""
    users = session.scalars(select(User).where(User.enabled).order_by(User.id))
    return [u.id for u in users if "purse.order" in permissions_of(u.roles)]


def _document(row: Any) -> dict[str, Any]:
    return {
        "kind": row.kind, "currency": row.currency, "available_minor": row.available_minor,
        "reserved_minor": row.reserved_minor, "low_minor": row.low_minor,
        "low": row.low_minor is not None and row.available_minor < row.low_minor,
    }  # fmt: skip


def run(stop: threading.Event) -> None:
    """The loop of the backoffice."""
    Watch().run(stop)
