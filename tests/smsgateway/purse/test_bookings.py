"""Bookings against a real database: what each moves, and that repetition and defects move nothing."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from callcenter.db.session import platform_session, tenant_session
from callcenter.tenancy.actions import open_enterprise
from smsgateway.purse import bookings, proof
from smsgateway.purse.bookings import Line, Reserved
from smsgateway.purse.watch import Watch

PASSWORD = "correct horse 7"


def balance(tenant: int, kind: str = "sms") -> tuple[int, int]:
    with tenant_session(tenant) as s:
        row = s.execute(
            text("SELECT available_minor, reserved_minor FROM purse_account WHERE tenant_id = :t AND kind = :k"),
            {"t": tenant, "k": kind},
        ).one()
    return row.available_minor, row.reserved_minor


def enterprise(code: str, available: int = 0) -> int:
    with platform_session() as s:
        tenant = open_enterprise(s, code, code, "CN", "Asia/Shanghai", "boss", PASSWORD)
        if available:
            bookings.top_up(s, tenant, "sms", available, key="first")
    return tenant


@pytest.fixture
def acme(database: object) -> int:
    return enterprise("acme", 1000)


@pytest.mark.promise("S5")
def test_the_longest_prefix_that_can_be_paid_is_reserved(acme: int) -> None:
    with tenant_session(acme) as s:
        assert bookings.reserve_up_to(s, acme, "sms", [400, 400, 400, 10], key="a").count == 2
    assert balance(acme) == (200, 800)
    with tenant_session(acme) as s:
        assert bookings.reserve_up_to(s, acme, "sms", [400], key="b") == Reserved(None, 0)
        assert bookings.reserve_up_to(s, acme, "mms", [1], key="c") == Reserved(None, 0)
    assert balance(acme) == (200, 800)


@pytest.mark.promise("S5")
def test_a_repeated_reservation_is_the_same_one_whatever_the_balance_is_now(acme: int) -> None:
    with tenant_session(acme) as s:
        first = bookings.reserve_up_to(s, acme, "sms", [400, 400, 400], key="a", send_id=7, purpose="code")
    with tenant_session(acme) as s:
        bookings.top_up(s, acme, "sms", 5000, key="more")
        assert bookings.reserve_up_to(s, acme, "sms", [400, 400, 400], key="a") == first
        with pytest.raises(bookings.KeyUsed):
            bookings.reserve_up_to(s, acme, "sms", [300, 300], key="a")
    assert balance(acme) == (5200, 800)


@pytest.mark.promise("S5")
def test_settled_refunded_and_given_back_money_stands_where_it_belongs(acme: int) -> None:
    with tenant_session(acme) as s:
        held = bookings.reserve_up_to(s, acme, "sms", [100] * 5, key="a").reservation_id
        assert held is not None
        bookings.settle(s, [Line(held, 100, 1, 1), Line(held, 200, 2, 2)])
        bookings.refund(s, [Line(held, 200, 2, 2)])
    assert balance(acme) == (700, 0)
    with tenant_session(acme) as s:
        bookings.give_back(s, [Line(held, 100, 1, 1)])
    assert balance(acme) == (800, 0)
    with tenant_session(acme) as s:
        spent = text("SELECT sum(amount_minor), sum(texts) FILTER (WHERE event = 'settle') FROM ledger_entry"
                     " WHERE side = 'spent'")  # fmt: skip
        assert tuple(s.execute(spent).one()) == (200, 3)
        assert proof.faults(s) == []


def test_more_than_is_held_is_not_moved_and_leaves_nothing_behind(acme: int) -> None:
    with tenant_session(acme) as s:
        held = bookings.reserve_up_to(s, acme, "sms", [100, 100], key="a").reservation_id
    assert held is not None
    for move in (bookings.settle, bookings.refund, bookings.give_back):
        with pytest.raises(bookings.NotHeld) as caught, tenant_session(acme) as s:
            move(s, [Line(held, 201), Line(held + 1, 0)])
        assert caught.value.reservations == (held, held + 1)
    assert balance(acme) == (800, 200)


def test_a_credit_with_the_same_key_counts_once(acme: int) -> None:
    with tenant_session(acme) as s:
        assert bookings.top_up(s, acme, "sms", 10, key="order:1")
        assert not bookings.top_up(s, acme, "sms", 10, key="order:1")
        with pytest.raises(bookings.KeyUsed):
            bookings.top_up(s, acme, "sms", 11, key="order:1")
        with pytest.raises(bookings.TooLittle):
            bookings.correct(s, acme, "sms", -1011, key="c", note="twice")
        assert bookings.correct(s, acme, "sms", -1010, key="c", note="twice")
    assert balance(acme) == (0, 0)


def test_an_enterprise_books_nothing_on_anothers_account(acme: int) -> None:
    rival = enterprise("rival")
    with tenant_session(acme) as s:
        held = bookings.reserve_up_to(s, acme, "sms", [100], key="a").reservation_id
    assert held is not None
    with pytest.raises(bookings.NotHeld), tenant_session(rival) as s:
        bookings.refund(s, [Line(held, 100)])
    assert balance(acme) == (900, 100)


def test_many_enterprises_are_booked_in_one_call(acme: int) -> None:
    rival = enterprise("rival", 500)
    with platform_session() as s:
        a = bookings.reserve_up_to(s, acme, "sms", [10, 20], key="x").reservation_id
        b = bookings.reserve_up_to(s, rival, "sms", [30], key="x").reservation_id
        assert a and b
        bookings.settle(s, [Line(b, 30, 1, 2), Line(a, 10, 1, 1)])
        bookings.refund(s, [Line(a, 20, 1, 1)])
    assert (balance(acme), balance(rival)) == ((990, 0), (470, 0))
    with platform_session() as s:
        assert proof.faults(s) == []


@pytest.mark.promise("S5")
def test_the_database_refuses_a_booking_that_does_not_sum_to_zero(acme: int) -> None:
    row = "INSERT INTO ledger_entry (tenant_id, booking, account_id, side, event, amount_minor) VALUES "
    with pytest.raises(IntegrityError, match="sum to zero"), tenant_session(acme) as s:
        s.execute(
            text(row + "(:t, 'x', 1, 'available', 'top_up', 5), (:t, 'x', 1, 'funds', 'top_up', -4)"), {"t": acme}
        )


def test_a_balance_that_the_ledger_does_not_tell_is_found_and_logged(
    acme: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    assert watch.prove() == 0
    with platform_session() as s:
        s.execute(text("UPDATE purse_account SET available_minor = 999, reserved_minor = 1 WHERE kind = 'sms'"))
    assert watch.prove() == 3
    assert "available of 1 is 999 and not 1000" in caplog.text


def test_an_enterprise_from_before_the_purse_gets_its_accounts_when_they_are_needed(acme: int) -> None:
    with platform_session() as s:
        s.execute(text("DELETE FROM purse_account"))
    with tenant_session(acme) as s:
        assert bookings.reserve_up_to(s, acme, "mms", [1], key="a") == Reserved(None, 0)
        assert bookings.top_up(s, acme, "mms", 5, key="k")
    assert balance(acme, "mms") == (5, 0)


def test_transactions_that_book_for_the_same_enterprises_in_another_order_do_not_wait_for_each_other(acme: int) -> None:
    rival = enterprise("rival", 1000)
    held: dict[int, int] = {}
    for tenant in (acme, rival):
        with tenant_session(tenant) as s:
            reservation = bookings.reserve_up_to(s, tenant, "sms", [10] * 100, key="a").reservation_id
            assert reservation is not None
            held[tenant] = reservation
    failures: list[BaseException] = []

    def work(settled: int, refunded: int) -> None:
        try:
            for _ in range(25):
                with platform_session() as s:
                    bookings.book(s, settled=[Line(held[settled], 10)], refunded=[Line(held[refunded], 10)])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in ((acme, rival), (rival, acme))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert balance(acme) == balance(rival) == (250, 500)
