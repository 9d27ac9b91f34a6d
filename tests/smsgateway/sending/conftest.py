"""An enterprise that can send: people, a carrier with routes, money, and a preparer without a process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from callcenter.audit.models import Actor
from callcenter.auth.access import permissions_of
from callcenter.auth.models import Role, User, UserRole
from callcenter.auth.permissions import BUILT_IN_ROLES
from callcenter.compliance.models import RuleSet
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.models import Enterprise
from smsgateway import route_table
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.models import TextMessage, TextSend
from smsgateway.purse import bookings
from smsgateway.purse.models import PurseAccount
from smsgateway.sending import facts, preparer
from smsgateway.sending.actions import ask
from smsgateway.sending.new import NewSend
from smsgateway.texts import TextState

PRICE = 5


@dataclass
class Gateway:
    """Ids of what a test works with. `boss` is the owner, `agent` sends on their own, `chief` supervises."""

    tenant: int
    boss: Actor
    chief: Actor
    agent: Actor
    carrier: int
    var: Path

    def ask(self, body: str = "Hello", numbers: list[str] | None = None, *, by: Actor | None = None, key: str = "",
            audience: dict[str, Any] | None = None, **more: Any) -> TextSend:  # fmt: skip
        whom = audience if audience is not None else {"numbers": numbers or ["13800000001"]}
        return ask(by or self.agent, NewSend(body=body, audience=whom, **{"purpose": "service", **more}), key)

    def prepare(self, batch: int = 500) -> None:
        """Make texts until there is nothing to do."""
        loop = preparer.Preparer(batch)
        loop._next_rules = loop._next_files = float("inf")
        while loop.turn():
            pass

    def sent(self, *arguments: Any, **more: Any) -> TextSend:
        """Ask and prepare; the send as it is then."""
        send = self.ask(*arguments, **more)
        self.prepare()
        return self.send(send.id)

    def send(self, send_id: int) -> TextSend:
        with tenant_session(self.tenant) as s:
            return s.get_one(TextSend, send_id)

    def texts(self, send_id: int) -> dict[str, TextMessage]:
        with tenant_session(self.tenant) as s:
            return {m.phone_e164: m for m in s.scalars(select(TextMessage).where(TextMessage.send_id == send_id))}

    def top_up(self, amount: int, kind: str = "sms") -> None:
        with tenant_session(self.tenant) as s:
            bookings.top_up(s, self.tenant, kind, amount, key=f"test:{amount}:{kind}")

    def money(self, kind: str = "sms") -> tuple[int, int]:
        """(available, reserved) in minor units."""
        with tenant_session(self.tenant) as s:
            row = s.scalars(select(PurseAccount).where(PurseAccount.kind == kind)).one()
            return row.available_minor, row.reserved_minor

    def rules(self, **values: Any) -> None:
        """The default rule set."""
        with tenant_session(self.tenant) as s:
            s.add(RuleSet(name="Default", is_default=True, **values))

    def add(self, *rows: Any) -> list[int]:
        with tenant_session(self.tenant) as s:
            s.add_all(rows)
            s.flush()
            return [r.id for r in rows]

    def user(self, name: str, role_key: str, **values: Any) -> Actor:
        with tenant_session(self.tenant) as s:
            user = User(username=name, name=name.title(), password_hash="-", **values)
            role = s.scalar(select(Role).where(Role.key == role_key))
            if role is None:
                title, scope, permissions = BUILT_IN_ROLES[role_key]
                role = Role(name=title, key=role_key, built_in=True, data_scope=scope, permissions=list(permissions))
                s.add(role)
            s.add(user)
            s.flush()
            s.add(UserRole(user_id=user.id, role_id=role.id))
            return Actor(self.tenant, user.id, user.name, permissions=permissions_of([role]))

    def check(self, send_id: int) -> None:
        """Figures, texts, reservations and ledger of a send agree."""
        send = self.send(send_id)
        with tenant_session(self.tenant) as db:
            by_state = text("SELECT state, count(*) FROM text_message WHERE send_id = :i GROUP BY state")
            states = Counter({row[0]: row[1] for row in db.execute(by_state, {"i": send_id})})
        assert {s.value: getattr(send, s.value) for s in TextState} == {s.value: states[s.value] for s in TextState}
        assert send.asked == sum(states.values())
        gone = text("""
            SELECT coalesce(sum(segments), 0) FROM text_message WHERE send_id = :i AND
              (state IN ('queued', 'submitting', 'submitted', 'doubtful', 'delivered') OR submitted_at IS NOT NULL)""")
        with tenant_session(self.tenant) as db:
            assert send.segments == db.scalar(gone, {"i": send_id})
        with platform_session() as s:
            held = s.scalar(text("SELECT coalesce(sum(held_minor), 0) FROM purse_reservation WHERE send_id = :i"),
                            {"i": send_id})  # fmt: skip
            due = s.scalar(
                text(
                    "SELECT coalesce(sum(price_minor * segments), 0) FROM text_message"
                    " WHERE send_id = :i AND state IN ('queued', 'submitting', 'doubtful')"
                ),
                {"i": send_id},
            )
            assert held == due
            assert s.scalar(text("SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry")) == 0
            wrong = s.scalar(
                text("""
                SELECT count(*) FROM purse_account a WHERE
                  available_minor <> (SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry e
                                      WHERE e.account_id = a.id AND side = 'available')
                  OR reserved_minor <> (SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry e
                                        WHERE e.account_id = a.id AND side = 'reserved')""")
            )
            assert wrong == 0


@pytest.fixture
def gateway(
    database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """Enterprise `acme` in China with 10,000.00 for SMS, one carrier for every number at 5 a segment."""
    monkeypatch.setattr(streams, "_client", None)
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    route_table.forget()
    facts.forget()
    with platform_session() as s:
        own = Enterprise(code="acme", name="Acme", country="CN", time_zone="Asia/Shanghai")
        carrier = TextCarrier(name="Demo", protocol="demo", kinds=["sms", "mms"])
        s.add_all([own, carrier])
        s.flush()
        for kind in ("sms", "mms"):
            s.add(TextRoute(name=f"All {kind}", carrier_id=carrier.id, kind=kind, price_minor=PRICE, sender="1069"))
        bookings.open_accounts(s, own.id)
    nobody = Actor(own.id, None, "")
    made = Gateway(own.id, nobody, nobody, nobody, carrier.id, tmp_path)
    made.boss = made.user("boss", "owner")
    made.chief = made.user("chief", "supervisor")
    made.agent = made.user("agent", "agent", service_number="+8610690001")
    made.top_up(1_000_000)
    yield made
    route_table.forget()
