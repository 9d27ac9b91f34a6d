"""Statements and deductions by the roll-up are those of the ledger alone, whenever it was folded and by whose clock."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from callcenter import ids
from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.models import Enterprise
from smsgateway.purse import bookings, proof, records, rollup, spending, statements
from smsgateway.purse.bookings import Line
from smsgateway.purse.watch import Watch

ZONES = (
    "Asia/Shanghai",
    "UTC",
    "Europe/Berlin",  # 2026-03-29: a day of 23 hours
    "America/New_York",  # 2026-03-08
    "Africa/Cairo",  # 2026-04-24 begins at one o'clock
    "Pacific/Kiritimati",  # 14 hours ahead
    "Asia/Kathmandu",  # 5:45 ahead
)
MIDNIGHTS = [datetime(2026, m, d, tzinfo=UTC) for m, d in ((2, 28), (3, 8), (3, 29), (4, 23), (4, 24))]
INSTANTS = st.builds(
    lambda day, hours, seconds: day + timedelta(hours=hours, seconds=seconds),
    st.sampled_from(MIDNIGHTS), st.sampled_from([-14, -5.75, -4, -3, -2, -1, 0, 1, 4, 5, 8]), st.integers(-2, 2),
)  # fmt: skip
STEP = st.one_of(
    st.tuples(st.just("top_up"), INSTANTS, st.integers(1, 500)),
    st.tuples(st.just("reserve"), INSTANTS, st.integers(0, 3)),
    st.tuples(st.sampled_from(["settle", "refund", "give_back"]), INSTANTS, st.integers(0, 40)),
    st.tuples(st.just("correct"), INSTANTS, st.integers(1, 30)),
    st.tuples(st.just("fold"), st.just(MIDNIGHTS[0]), st.integers(1, 7)),
    st.tuples(st.just("zone"), st.just(MIDNIGHTS[0]), st.integers(0, len(ZONES) - 1)),
)


def opened(zone: str = "Asia/Shanghai") -> tuple[int, dict[str, int]]:
    with platform_session() as s:
        tenant = s.execute(
            insert(Enterprise).values(code=ids.new_id().lower(), name="x", time_zone=zone).returning(Enterprise.id)
        ).scalar_one()
        accounts = {a.kind: a.id for a in records.accounts(s, tenant)}
    return tenant, accounts


def ledger(tenant: int) -> Sequence[Any]:
    with platform_session() as s:
        return s.execute(text("SELECT * FROM ledger_entry WHERE tenant_id = :t ORDER BY id"), {"t": tenant}).all()


def expected_days(rows: Sequence[Any], account: int, zone: str) -> list[tuple[Any, ...]]:
    """The statement as the ledger alone has it: day, what moved by event, and both closings; the newest first."""
    days: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        if row.account_id == account:
            day = days[row.at.astimezone(ZoneInfo(zone)).date()]
            day[row.side] += row.amount_minor
            day[f"{row.side} {row.event}"] += row.amount_minor
    order = sorted(days)
    closings = list(accumulate(days[d]["available"] for d in order))
    reserved = list(accumulate(days[d]["reserved"] for d in order))
    return [
        (
            d, days[d]["available top_up"], days[d]["available correction"], days[d]["reserved reserve"],
            days[d]["available refund"], days[d]["available return"], days[d]["spent settle"], close, held,
        )
        for d, close, held in zip(order, closings, reserved, strict=True)
    ][::-1]  # fmt: skip


def expected_sends(
    rows: Sequence[Any], first: date | None, last: date | None, zone: str
) -> dict[Any, tuple[int, int, int, datetime]]:
    """(send, user, business type) → texts, segments, amount, last time: of the days from `first` to `last`."""
    out: dict[Any, tuple[int, int, int, datetime]] = {}
    for row in rows:
        day = row.at.astimezone(ZoneInfo(zone)).date()
        if row.side == "spent" and (first is None or day >= first) and (last is None or day <= last):
            sign = 1 if row.event == "settle" else -1
            key = row.send_id, row.user_id, row.purpose
            texts, segments, amount, at = out.get(key, (0, 0, 0, row.at))
            out[key] = (
                texts + sign * row.texts, segments + sign * row.segments, amount + row.amount_minor, max(at, row.at)
            )  # fmt: skip
    return out


def assert_as_the_ledger(tenant: int, accounts: dict[str, int], zone: str) -> None:
    rows = ledger(tenant)
    with tenant_session(tenant) as s:
        days, total = statements.statement(s, accounts["sms"], zone)
        got = [
            (d.day, d.topped_up_minor, d.corrected_minor, d.reserved_minor, d.refunded_minor, d.given_back_minor,
             d.settled_minor, d.closing_minor, d.reserved_closing_minor)
            for d in days
        ]  # fmt: skip
        assert got == expected_days(rows, accounts["sms"], zone)
        assert total == len(got)
        for first, last in (
            (None, None),
            (date(2026, 3, 8), None),
            (None, date(2026, 3, 29)),
            (date(2026, 4, 24),) * 2,
        ):
            args = {"from_": first, "to": last}
            sends = expected_sends(rows, first, last, zone)
            paged = [spending.page(s, args, accounts, zone, limit=3, offset=n) for n in range(0, len(sends) + 3, 3)]
            listed = s.execute(spending.listed(args, accounts, zone)).all()
            assert {
                (r.send_id, r.user_id, r.purpose): (r.texts, r.segments, r.amount_minor, r.at) for r in listed
            } == sends
            assert [r.at for r in listed] == sorted((v[3] for v in sends.values()), reverse=True)
            assert {total for _, total in paged} == {len(sends)}
            got_paged = [i for items, _ in paged for i in items]
            assert [i["at"] for i in got_paged] == [r.at for r in listed]
            assert {(i["send_id"], i["user_id"], i["purpose"]): (i["texts"], i["segments"], i["amount_minor"], i["at"])
                    for i in got_paged} == sends  # fmt: skip
            sums = spending.deducted(s, args, accounts, zone)
            assert (sums["texts"], sums["segments"], sums["amount_minor"]) == (
                sum(v[0] for v in sends.values()), sum(v[1] for v in sends.values()), sum(v[2] for v in sends.values())
            )  # fmt: skip


class Account:
    """An enterprise's SMS account on which steps are done."""

    def __init__(self) -> None:
        self.zone = "Asia/Shanghai"
        self.tenant, self.accounts = opened(self.zone)
        self.held: list[int] = []
        self.steps = 0

    def do(self, what: str, at: datetime, value: int) -> None:
        self.steps += 1
        if what == "fold":
            with platform_session() as s:
                rollup.fold(s, self.accounts["sms"], most=value)
        elif what == "zone":
            self.zone = ZONES[value]
            with platform_session() as s:
                s.execute(text("UPDATE enterprise SET time_zone = :z WHERE id = :t"),
                          {"z": self.zone, "t": self.tenant})  # fmt: skip
        else:
            with platform_session() as s:
                before = s.scalar(text("SELECT coalesce(max(id), 0) FROM ledger_entry"))
                self.book(s, what, value)
                # It was booked at that time, before anybody could fold it.
                s.execute(text("UPDATE ledger_entry SET at = :at WHERE id > :id"), {"at": at, "id": before})

    def book(self, s: Any, what: str, value: int) -> None:
        key = f"{what}:{self.steps}"
        if what == "top_up":
            bookings.top_up(s, self.tenant, "sms", value, key=key)
        elif what == "correct":
            bookings.correct(s, self.tenant, "sms", value, key=key, note="x")
        elif what == "reserve":
            got = bookings.reserve_up_to(
                s, self.tenant, "sms", [20, 30, 0], key=key, send_id=self.steps % 3 or None, user_id=value or None,
                purpose=("", "code", "service", "marketing")[value],
            )  # fmt: skip
            if got.reservation_id is not None:
                self.held.append(got.reservation_id)
        elif self.held:
            reservation = self.held[value % len(self.held)]
            column = "settled_minor" if what == "give_back" else "held_minor"
            there = s.scalar(text(f"SELECT {column} FROM purse_reservation WHERE id = :i"), {"i": reservation})
            getattr(bookings, what)(s, [Line(reservation, min(value, there), 1, 2)])


@pytest.mark.promise("E7")
@pytest.mark.promise("S5")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEP, min_size=5, max_size=24))
@example(
    steps=[
        ("top_up", MIDNIGHTS[0] - timedelta(hours=8), 500),
        ("reserve", MIDNIGHTS[0] - timedelta(hours=8, seconds=1), 1),
        ("fold", MIDNIGHTS[0], 3),
        ("settle", MIDNIGHTS[4] - timedelta(hours=2), 20),
        ("zone", MIDNIGHTS[0], 4),
        ("give_back", MIDNIGHTS[4] - timedelta(hours=2, seconds=1), 20),
        ("fold", MIDNIGHTS[0], 5),
    ]
)
def test_any_bookings_over_midnight_give_the_statement_of_the_ledger_alone(
    database: object, steps: list[tuple[str, datetime, int]]
) -> None:
    account = Account()
    for step in steps:
        account.do(*step)
        if step[0] in ("fold", "zone"):
            assert_as_the_ledger(account.tenant, account.accounts, account.zone)
    assert_as_the_ledger(account.tenant, account.accounts, account.zone)
    rollup.catch_up()
    with platform_session() as s:
        assert rollup.behind(s) == []
        assert proof.faults(s) == []
    assert_as_the_ledger(account.tenant, account.accounts, account.zone)


def test_a_statement_read_while_others_book_and_fold_is_never_short_or_double(database: object) -> None:
    tenant, accounts = opened()
    stop = threading.Event()
    failed: list[BaseException] = []

    def book() -> None:
        try:
            for n in range(120):
                with tenant_session(tenant) as s:
                    bookings.top_up(s, tenant, "sms", 10, key=f"k{n}")
        except BaseException as error:
            failed.append(error)
        finally:
            stop.set()

    def fold() -> None:
        try:
            while not stop.is_set():
                with platform_session() as s:
                    rollup.fold(s, accounts["sms"], most=3)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for work in (book, fold, fold)]
    for thread in threads:
        thread.start()
    reads = 0
    while not stop.is_set() or not reads:
        with platform_session() as s:
            s.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            there = s.scalar(text("SELECT available_minor FROM purse_account WHERE id = :a"), {"a": accounts["sms"]})
            days, _ = statements.statement(s, accounts["sms"], "Asia/Shanghai")
        assert (days[0].closing_minor if days else 0) == there
        reads += 1
    for thread in threads:
        thread.join(30)
    assert not failed
    with tenant_session(tenant) as s:
        assert statements.statement(s, accounts["sms"], "Asia/Shanghai")[0][0].closing_minor == 1200


def test_nobody_waits_to_book_while_the_ledger_is_folded(database: object) -> None:
    tenant, accounts = opened()
    with tenant_session(tenant) as s:
        bookings.top_up(s, tenant, "sms", 100, key="a")
    with platform_session() as folding:
        assert rollup.fold(folding, accounts["sms"]) == 2
        with tenant_session(tenant) as s:
            s.execute(text("SET LOCAL lock_timeout = '2s'"))
            bookings.top_up(s, tenant, "sms", 50, key="b")
            assert statements.statement(s, accounts["sms"], "Asia/Shanghai")[0][0].closing_minor == 150
    with tenant_session(tenant) as s:
        assert statements.statement(s, accounts["sms"], "Asia/Shanghai")[0][0].closing_minor == 150


def test_a_wrong_roll_up_is_found_and_made_anew(database: object, valkey: object) -> None:
    tenant, accounts = opened()
    with tenant_session(tenant) as s:
        bookings.top_up(s, tenant, "sms", 100, key="a")
        held = bookings.reserve_up_to(s, tenant, "sms", [30], key="b", send_id=4).reservation_id
        assert held is not None
        bookings.settle(s, [Line(held, 30, 1, 1)])
    rollup.catch_up()
    with platform_session() as s:
        s.execute(text("UPDATE purse_day SET settled_minor = settled_minor + 1"))
        s.execute(text("DELETE FROM purse_send_day"))
        found = {(f.what, f.is_minor, f.should_minor) for f in proof.faults(s)}
    assert ("rolled up settled_minor", 31, 30) in found
    assert ("rolled up texts", 0, 1) in found
    watch = Watch()
    assert watch.prove() > 0
    assert_as_the_ledger(tenant, accounts, "Asia/Shanghai")  # by the ledger alone, until it is made anew
    rollup.catch_up()
    assert watch.prove() == 0
    assert_as_the_ledger(tenant, accounts, "Asia/Shanghai")
