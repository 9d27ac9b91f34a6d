"""Taking texts to send: nobody is passed over for ever, and what has changed since a text was made is seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from smsgateway.carriers import leases
from smsgateway.carriers.leases import FROM_START_S, Leases
from smsgateway.texts import RANK, Purpose
from tests.smsgateway.carriers import gateway as g

NOW = utc_now()


@pytest.fixture
def carrier(database: object, redis_client: object) -> Iterator[int]:
    g.clean()
    yield g.carrier("A")
    g.clean()


def room(count: int) -> dict[int, int]:
    return dict.fromkeys(RANK.values(), count)


def taken(by: Leases, carrier: int, count: int, now: datetime) -> list[int]:
    """The sends whose texts are leased."""
    with platform_session() as session:
        return [t.send_id for t in by.take(session, carrier, room(count), now)]


@pytest.mark.promise("S7")
def test_sends_of_later_do_not_hold_back_one_that_is_due(carrier: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MOST_SENDS", 3)
    acme = g.enterprise()
    for n in range(7):
        g.queue(acme, carrier, g.phones(1, n), due=NOW + timedelta(days=1))
    due = g.queue(acme, carrier, g.phones(1, 50), purpose=Purpose.MARKETING)
    by, now = Leases("one"), utc_now()
    got: list[int] = []
    for n in range(4):
        got += taken(by, carrier, 5, now + timedelta(seconds=n))
    assert got == [due]


@pytest.mark.promise("S7")
def test_an_enterprise_with_very_many_sends_does_not_starve_another(
    carrier: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "MOST_SENDS", 3)
    loud, quiet = g.enterprise(), g.enterprise()
    for n in range(8):
        g.queue(loud, carrier, g.phones(60, 100 * n))
    one = g.queue(quiet, carrier, g.phones(2, 9000))
    by, now = Leases("one"), utc_now()
    got: Counter[int] = Counter()
    for n in range(6):
        got.update(taken(by, carrier, 10, now + timedelta(seconds=n * 2 * FROM_START_S)))
    assert got[one] == 2
    assert sum(got.values()) == 60, "and no room was left empty"


@pytest.mark.promise("S7")
def test_a_code_text_goes_before_a_long_queue_that_is_just_worked_off(carrier: int) -> None:
    loud, quiet = g.enterprise(), g.enterprise()
    g.queue(loud, carrier, g.phones(300), purpose=Purpose.MARKETING)
    by, now = Leases("one"), utc_now()
    assert len(taken(by, carrier, 20, now)) == 20
    code = g.queue(quiet, carrier, g.phones(1, 9000), purpose=Purpose.CODE)
    assert code in taken(by, carrier, 20, utc_now() + timedelta(seconds=FROM_START_S))


def test_a_text_that_comes_back_is_taken_again_while_others_go_on(carrier: int) -> None:
    acme = g.enterprise()
    send = g.queue(acme, carrier, g.phones(100))
    by, now = Leases("one"), utc_now()
    with platform_session() as session:
        first = by.take(session, carrier, room(10), now)
    with platform_session() as session:  # given back at once, as of before it was taken
        session.execute(text("UPDATE text_message SET state = 'queued', leased_by = NULL WHERE id = :i"),
                        {"i": first[0].id})  # fmt: skip
        session.execute(text("UPDATE text_send SET queued = queued + 1, submitting = submitting - 1 WHERE id = :s"),
                        {"s": send})  # fmt: skip
    with platform_session() as session:
        again = by.take(session, carrier, room(10), now + timedelta(seconds=FROM_START_S))
    assert first[0].id in {t.id for t in again}
    assert len(again) == 10


@pytest.mark.promise("E10")
@pytest.mark.promise("S2")
def test_a_scheduled_text_of_an_enterprise_that_has_expired_meanwhile_does_not_go(carrier: int) -> None:
    acme = g.enterprise()
    send = g.queue(acme, carrier, g.phones(2), created=utc_now() - timedelta(days=2))
    with platform_session() as session:
        session.execute(text("UPDATE enterprise SET valid_until = :d WHERE id = :t"),
                        {"d": date(2026, 1, 1), "t": acme})  # fmt: skip
    assert taken(Leases("one"), carrier, 10, utc_now()) == []
    with platform_session() as session:
        rows = session.execute(text("SELECT state, check_name FROM text_message WHERE send_id = :s"), {"s": send})
        assert {tuple(r) for r in rows} == {("refused", "account")}
        left = session.execute(text("SELECT available_minor, reserved_minor FROM purse_account WHERE tenant_id = :t"
                                    " AND kind = 'sms'"), {"t": acme}).one()  # fmt: skip
    assert tuple(left) == (1_000_000, 0)
    g.adds_up()
