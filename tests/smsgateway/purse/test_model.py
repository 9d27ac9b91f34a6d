"""The purse against a model of it: any sequence of bookings, also wrong and repeated ones, leaves what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import insert, text

from callcenter import ids
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.models import Enterprise
from smsgateway.purse import bookings, proof
from smsgateway.purse.bookings import Line, Reserved

KINDS = st.sampled_from(["sms", "mms"])
KEYS = st.sampled_from("abcdef")
PRICES = st.lists(st.integers(0, 40), min_size=0, max_size=6)
PART = st.floats(0, 1.2)


@dataclass
class Held:
    kind: str
    prices: list[int]
    count: int
    held: int
    settled: int = 0


class Purse(RuleBasedStateMachine):
    """`available` and `spent` by kind, and what each reservation holds."""

    def __init__(self) -> None:
        super().__init__()
        with platform_session() as s:
            self.tenant: int = s.execute(
                insert(Enterprise).values(code=ids.new_id().lower(), name="x").returning(Enterprise.id)
            ).scalar_one()
        self.available = {"sms": 0, "mms": 0}
        self.credits: dict[str, tuple[str, int]] = {}
        self.keys: dict[str, int] = {}
        self.held: dict[int, Held] = {}

    @rule(kind=KINDS, amount=st.integers(1, 200), key=KEYS)
    def top_up(self, kind: str, amount: int, key: str) -> None:
        before = self.credits.get(key)
        with tenant_session(self.tenant) as s:
            if before not in (None, (kind, amount)):
                with pytest.raises(bookings.KeyUsed):
                    bookings.top_up(s, self.tenant, kind, amount, key=key)
            else:
                assert bookings.top_up(s, self.tenant, kind, amount, key=key) is (before is None)
        if before is None:
            self.credits[key] = (kind, amount)
            self.available[kind] += amount

    @rule(kind=KINDS, amount=st.integers(-100, 100).filter(bool))
    def correct(self, kind: str, amount: int) -> None:
        with tenant_session(self.tenant) as s:
            if self.available[kind] + amount < 0:
                with pytest.raises(bookings.TooLittle):
                    bookings.correct(s, self.tenant, kind, amount, key=ids.new_id(), note="x")
                return
            assert bookings.correct(s, self.tenant, kind, amount, key=ids.new_id(), note="x")
        self.available[kind] += amount

    @rule(kind=KINDS, prices=PRICES, key=KEYS, platform=st.booleans())
    def reserve(self, kind: str, prices: list[int], key: str, platform: bool) -> None:
        known = self.held.get(self.keys.get(key, 0))
        with platform_session() if platform else tenant_session(self.tenant) as s:
            if known is not None:
                same = known.kind == kind and sum(prices[: known.count]) == sum(known.prices[: known.count])
                if not same:
                    with pytest.raises(bookings.KeyUsed):
                        bookings.reserve_up_to(s, self.tenant, kind, prices, key=key)
                    return
                again = bookings.reserve_up_to(s, self.tenant, kind, prices, key=key)
                assert again == Reserved(self.keys[key], known.count)
                return
            got = bookings.reserve_up_to(s, self.tenant, kind, prices, key=key)
        count = max(n for n in range(len(prices) + 1) if sum(prices[:n]) <= self.available[kind])
        assert got.count == count
        if count == 0:
            assert got.reservation_id is None
            return
        assert got.reservation_id is not None
        amount = sum(prices[:count])
        self.keys[key] = got.reservation_id
        self.held[got.reservation_id] = Held(kind, prices, count, amount)
        self.available[kind] -= amount

    @precondition(lambda self: self.held)
    @rule(data=st.data(), what=st.sampled_from(["settle", "refund", "give_back"]), parts=st.lists(PART, max_size=4))
    def move(self, data: Any, what: str, parts: list[float]) -> None:
        chosen = [data.draw(st.sampled_from(sorted(self.held))) for _ in parts]
        lines, sums = [], dict.fromkeys(chosen, 0)
        for reservation, part in zip(chosen, parts, strict=True):
            held = self.held[reservation]
            amount = round((held.settled if what == "give_back" else held.held) * part)
            lines.append(Line(reservation, amount, 1, 1))
            sums[reservation] += amount
        there = {r: self.held[r].settled if what == "give_back" else self.held[r].held for r in sums}
        if any(sums[r] > there[r] for r in sums):
            with pytest.raises(bookings.NotHeld), tenant_session(self.tenant) as s:
                getattr(bookings, what)(s, lines)
            return
        with tenant_session(self.tenant) as s:
            getattr(bookings, what)(s, lines)
        for reservation, amount in sums.items():
            held = self.held[reservation]
            if what == "give_back":
                held.settled -= amount
            else:
                held.held -= amount
            if what == "settle":
                held.settled += amount
            else:
                self.available[held.kind] += amount

    @invariant()
    def the_purse_is_what_the_model_says(self) -> None:
        with platform_session() as s:
            rows = s.execute(
                text("SELECT kind, available_minor, reserved_minor FROM purse_account WHERE tenant_id = :t"),
                {"t": self.tenant},
            ).all()
            assert proof.faults(s) == []
        for kind, available, reserved in rows:
            held = sum(h.held for h in self.held.values() if h.kind == kind)
            assert (available, reserved) == (self.available[kind], held)


@pytest.mark.promise("S5")
def test_any_sequence_of_bookings_leaves_what_the_model_says(database: object) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Purse,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
