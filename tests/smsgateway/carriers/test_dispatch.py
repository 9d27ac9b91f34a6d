"""The dispatcher over stand-in carriers: who goes first, what becomes of texts and their money, what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from callcenter.clock import utc_now, wall_s
from callcenter.db.session import platform_session, tenant_session
from crm.models import BlacklistEntry
from smsgateway import route_table
from smsgateway.carriers import dispatch, flushing, orphans, recovering, sweeping
from smsgateway.carriers.claim import Claim
from smsgateway.carriers.handed import Handed, file_of
from smsgateway.carriers.leases import Leases, Waiting
from smsgateway.carriers.policies import Doubt, Policy
from smsgateway.carriers.port import (
    Accepted,
    Health,
    Listener,
    Lost,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.models import OptOut
from smsgateway.texts import Purpose
from tests.smsgateway.carriers import gateway
from tests.smsgateway.carriers.gateway import PRICE, Running, adds_up, queue, states, texts, until

pytestmark = pytest.mark.usefixtures("clean", "redis_client")
Answer = Callable[[Outgoing], Outcome | Awaitable[Outcome]]


class Stand:
    """A carrier that answers as a test says, and remembers what it got. By default it takes everything."""

    def __init__(self, answer: Answer | None = None, *, up: bool = True) -> None:
        self.answer, self.up = answer, up
        self.got: list[Outgoing] = []
        self.listener: Listener | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, listener: Listener) -> Stand:
        self.listener = listener
        return self

    def tell(self, up: bool) -> None:
        self.up = up
        assert self.listener is not None
        self.listener.health(Health(up, "as the test says", int(up), 1))

    async def start(self) -> None:
        self.tell(self.up)

    async def submit(self, outgoing: Outgoing) -> Outcome:
        self.got.append(outgoing)
        if self.answer is None:
            return Accepted(self.refs(outgoing))
        found = self.answer(outgoing)
        return found if isinstance(found, (Accepted, Rejected, Returned, Lost)) else await found

    def refs(self, outgoing: Outgoing) -> tuple[str, ...]:
        return tuple(f"{outgoing.id}-{n}" for n in range(outgoing.segments))

    async def receipt(self, ref: str, status: ReceiptStatus = ReceiptStatus.DELIVERED, code: str = "") -> None:
        assert self.listener is not None
        await asyncio.wait_for(self.listener.receipt(Receipt(ref, status, code, wall_s())), 10)

    async def stop(self, grace_s: float) -> None:
        self.up = False


def running(stands: dict[int, Stand], folder: Path) -> Running:
    return Running(stands, folder, dict(stands))


@pytest.fixture
def acme() -> int:
    return gateway.enterprise()


# -- who goes first


@pytest.mark.promise("S7")
async def test_a_single_text_does_not_wait_behind_thousands_of_another_enterprise(tmp_path: Path, acme: int) -> None:
    other, carrier = gateway.enterprise(), gateway.carrier("one", "demo")
    queue(acme, carrier, gateway.phones(5000), purpose=Purpose.MARKETING, due=utc_now() - timedelta(seconds=30))
    stand = Stand()
    single = "+8613912345678"
    async with running({carrier: stand}, tmp_path):
        await until(lambda: len(stand.got) > 100)
        queue(other, carrier, [single], purpose=Purpose.MARKETING)
        await until(lambda: any(o.phone == single for o in stand.got))
        place = [o.phone for o in stand.got].index(single)
        await until(lambda: states() == {"submitted": 5001})
    assert place < 5000
    adds_up()


def test_codes_are_leased_before_service_texts_before_marketing(acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    for purpose in (Purpose.MARKETING, Purpose.SERVICE, Purpose.CODE):
        queue(acme, carrier, gateway.phones(3, list(Purpose).index(purpose) * 10), purpose=purpose)
    with platform_session() as session:
        taken = Leases("me").take(session, carrier, {0: 7, 1: 7, 2: 7}, utc_now())
    assert [t.rank for t in taken] == [0, 0, 0, 1, 1, 1, 2]
    assert states() == {"submitting": 7, "queued": 2}
    adds_up()


def test_the_rest_of_what_a_small_send_could_have_had_goes_to_the_large_one(acme: int) -> None:
    other, carrier = gateway.enterprise(), gateway.carrier("one", "demo")
    large, small = queue(acme, carrier, gateway.phones(50)), queue(other, carrier, gateway.phones(2))
    with platform_session() as session:
        taken = Leases("me").take(session, carrier, {0: 20, 1: 20, 2: 20}, utc_now())
    assert sorted(t.send_id for t in taken) == [large] * 18 + [small] * 2


@pytest.mark.promise("P4")
def test_no_text_is_leased_twice_by_processes_that_lease_at_once(acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    send = queue(acme, carrier, gateway.phones(30))
    with platform_session() as one, platform_session() as other:
        first = Leases("one")._pick(one, carrier, 1, [(Waiting(1, acme, send), 20)], utc_now(), [], {})
        second = Leases("other")._pick(other, carrier, 1, [(Waiting(1, acme, send), 20)], utc_now(), [], {})
    assert len(first) == 20 and len(second) == 10
    assert not {r.id for r in first} & {r.id for r in second}


def test_what_is_not_due_or_of_a_cancelled_send_stays(acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    queue(acme, carrier, gateway.phones(2), due=utc_now() + timedelta(minutes=5))
    cancelled = queue(acme, carrier, gateway.phones(2))
    with platform_session() as session:
        session.execute(text("UPDATE text_send SET state = 'cancelled' WHERE id = :s"), {"s": cancelled})
    with platform_session() as session:
        assert Leases("me").take(session, carrier, {0: 9, 1: 9, 2: 9}, utc_now()) == []


# -- rate and window


async def test_no_more_than_a_window_is_out_and_a_throttled_carrier_is_left_alone(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo", window=7)
    send = queue(acme, carrier, gateway.phones(60))
    out = most = turned_away = 0

    async def answer(outgoing: Outgoing) -> Outcome:
        nonlocal out, most, turned_away
        out += 1
        most = max(most, out)
        await asyncio.sleep(0.002)
        out -= 1
        if turned_away < 5:
            turned_away += 1
            return Returned("0x00000058", 0.05)
        return Accepted((f"r{outgoing.id}",))

    stand = Stand(answer)
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 60})
    assert most == 7
    assert len(stand.got) == 65
    assert gateway.send(send).state == "done"
    adds_up()


# -- what becomes of texts and their money


@pytest.mark.promise("S5")
async def test_each_outcome_has_its_state_and_its_money(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    numbers = gateway.phones(4)
    send = queue(acme, carrier, numbers, "x" * 200)  # two segments each
    outcomes: dict[str, Outcome] = {
        numbers[0]: Accepted(("a", "b")), numbers[1]: Rejected("0x0B", "no such number"), numbers[2]: Lost(("c",)),
    }  # fmt: skip
    stand = Stand(lambda o: outcomes.get(o.phone, Accepted(("d", "e"))))
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 2, "failed": 1, "doubtful": 1})
        found = texts(send)
        assert found[numbers[0]].charged_minor == 2 * PRICE
        assert (found[numbers[1]].error_code, found[numbers[1]].error) == ("0x0B", "no such number")
        assert found[numbers[2]].doubt and found[numbers[2]].journey[0]["event"] == "lost"
        row = gateway.send(send)
        assert (row.state, row.charged_minor, row.doubtful) == ("done", 4 * PRICE, 1)
        adds_up()
        await stand.receipt("a")
        assert texts(send)[numbers[0]].state == "submitted"  # its other part has not come
        await stand.receipt("b")
        await stand.receipt("d")
        await stand.receipt("e", ReceiptStatus.FAILED, "UNDELIV/045")
        await stand.receipt("c")
        found = texts(send)
        assert [found[n].state for n in numbers] == ["delivered", "failed", "doubtful", "failed"]
        assert (found[numbers[3]].charged_minor, found[numbers[3]].error_code) == (0, "UNDELIV/045")
    adds_up()


@pytest.mark.parametrize(
    ("refund", "status", "charged"),
    [
        ("never", ReceiptStatus.FAILED, PRICE), ("failed", ReceiptStatus.FAILED, 0),
        ("failed", ReceiptStatus.EXPIRED, PRICE), ("failed_or_expired", ReceiptStatus.EXPIRED, 0),
    ],
)  # fmt: skip
async def test_money_comes_back_as_the_carriers_policy_says(
    refund: str, status: ReceiptStatus, charged: int, tmp_path: Path, acme: int
) -> None:
    carrier = gateway.carrier("one", "demo", refund=refund)
    send = queue(acme, carrier, gateway.phones(1))
    stand = Stand(lambda o: Accepted(("r",)))
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 1})
        await stand.receipt("r", status, "X")
    (found,) = texts(send).values()
    assert (found.state, found.charged_minor) == (status.value, charged)
    adds_up()


@pytest.mark.promise("S7")
async def test_receipts_that_come_early_twice_late_or_in_the_wrong_order_do_no_harm(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    send = queue(acme, carrier, gateway.phones(3))
    told: list[str] = []

    async def answer(outgoing: Outgoing) -> Outcome:
        ref = f"r{len(told)}"
        told.append(ref)
        await stand.receipt(ref)  # stored and answered before the carrier says that it took the text
        return Accepted((ref,))

    stand = Stand(answer)
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"delivered": 3})
        adds_up()
        for status in (ReceiptStatus.DELIVERED, ReceiptStatus.FAILED, ReceiptStatus.UNDER_WAY, ReceiptStatus.EXPIRED):
            await asyncio.gather(*(stand.receipt(ref, status) for ref in told))
        await stand.receipt("nobody's")
    assert {t.state for t in texts(send).values()} == {"delivered"}
    with platform_session() as session:
        assert session.scalar(text("SELECT count(*) FROM parked_receipt")) == 1
    adds_up()


async def test_a_parked_receipt_is_found_by_the_process_that_comes_after(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    stand = Stand(lambda o: Accepted(("r",)))
    async with running({carrier: stand}, tmp_path):
        await stand.receipt("r", ReceiptStatus.FAILED, "GONE")
    send = queue(acme, carrier, gateway.phones(1))
    async with running({carrier: Stand(lambda o: Accepted(("r",)))}, tmp_path):
        await until(lambda: states() == {"failed": 1})
    (found,) = texts(send).values()
    assert (found.error_code, found.charged_minor) == ("GONE", 0)
    adds_up()


async def test_a_receipt_that_the_web_process_parked_finds_its_text(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    queue(acme, carrier, gateway.phones(1))
    async with running({carrier: Stand(lambda o: Accepted(("r",)))}, tmp_path):
        await until(lambda: states() == {"submitted": 1})
        with platform_session() as session:
            session.execute(
                text("INSERT INTO parked_receipt (carrier_id, ref, status, at) VALUES (:c, 'r', 'delivered', now())"),
                {"c": carrier},
            )
        await until(lambda: states() == {"delivered": 1})
    adds_up()


@pytest.mark.promise("S7")
async def test_a_receipt_after_the_wait_for_it_is_kept_in_the_journey(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo", refund="failed_or_expired", receipt_wait_h=1)
    send = queue(acme, carrier, gateway.phones(1))
    stand = Stand(lambda o: Accepted(("r",)))
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 1})
        with platform_session() as session:
            session.execute(text("UPDATE text_message SET submitted_at = now() - interval '2 hours'"))
        with platform_session() as session:
            assert sweeping.expire_unanswered(session) == 1
        adds_up()
        await stand.receipt("r")
    (found,) = texts(send).values()
    assert (found.state, found.charged_minor) == ("expired", 0)
    assert found.journey[-1]["event"] == "late_receipt" and found.journey[-1]["status"] == "delivered"
    adds_up()


async def test_a_text_whose_time_is_over_expires_and_costs_nothing(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    past = utc_now() - timedelta(hours=3)
    queue(acme, carrier, gateway.phones(3), due=past, valid_s=3600)
    stand = Stand()
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"expired": 3})
    assert not stand.got
    queue(acme, carrier, gateway.phones(3), due=past, valid_s=3600)  # and where no process runs
    with platform_session() as session:
        assert sweeping.expire_queued(session) == 3
    assert states() == {"expired": 6}
    adds_up()


@pytest.mark.promise("S8")
async def test_texts_that_waited_are_judged_again(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    numbers = gateway.phones(4)
    long_ago = utc_now() - timedelta(minutes=5)
    marketing = queue(acme, carrier, numbers, purpose=Purpose.MARKETING, created=long_ago, due=long_ago)
    code = queue(acme, carrier, numbers, purpose=Purpose.CODE, created=long_ago, due=long_ago)
    with tenant_session(acme) as session:
        session.add(OptOut(tenant_id=acme, phone_e164=numbers[0]))
        session.add(BlacklistEntry(tenant_id=acme, phone_e164=numbers[1]))
    stand = Stand()
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 5, "refused": 3})
    found = texts(marketing)
    assert [(found[n].check_name, found[n].rule) for n in numbers[:2]] == [
        ("opt_out", "opted_out"), ("blacklist", "listed"),
    ]  # fmt: skip
    assert texts(code)[numbers[0]].state == "submitted"
    adds_up()


# -- another way


@pytest.mark.promise("S7")
async def test_texts_of_a_carrier_that_is_down_leave_by_another_at_their_price_and_once(
    tmp_path: Path, acme: int, redis_client: redis.Redis
) -> None:
    first, second = gateway.carrier("first", "demo"), gateway.carrier("second", "demo", priority=2)
    send = queue(acme, first, gateway.phones(300), sender="AcmeShop")
    with platform_session() as session:
        session.execute(
            text("UPDATE text_route SET price_minor = 99, sender = 'Other' WHERE carrier_id = :c"), {"c": second}
        )
    route_table.tell_health(first, Health(False, "gone", 0, 1), wall_s() - 60)
    route_table.forget()
    stand = Stand()
    async with running({second: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 300})
    assert len({o.phone for o in stand.got}) == len(stand.got) == 300
    assert {o.sender for o in stand.got} == {"AcmeShop"}
    for found in texts(send).values():
        assert (found.carrier_id, found.charged_minor) == (second, PRICE)
        assert found.journey[0]["event"] == "failover" and found.journey[0]["from"] == first
    adds_up()


async def test_texts_stay_with_a_carrier_that_is_only_just_down(tmp_path: Path, acme: int) -> None:
    first, second = gateway.carrier("first", "demo"), gateway.carrier("second", "demo", priority=2)
    send = queue(acme, first, gateway.phones(3))
    stands = {first: Stand(up=False), second: Stand()}
    async with running(stands, tmp_path):
        stands[first].tell(True)
        await until(lambda: states() == {"submitted": 3})
    assert not stands[second].got
    assert {t.carrier_id for t in texts(send).values()} == {first}


async def test_leased_texts_go_back_when_their_carrier_goes_down(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo", window=1)
    queue(acme, carrier, gateway.phones(50))
    gate = asyncio.Event()

    async def answer(outgoing: Outgoing) -> Outcome:
        await gate.wait()
        return Accepted((f"r{outgoing.id}",))

    stand = Stand(answer)
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitting": 50})
        stand.tell(False)
        await until(lambda: states() == {"queued": 49, "submitting": 1})
        gate.set()
        await until(lambda: states() == {"queued": 49, "submitted": 1})
        adds_up()
        stand.tell(True)
        await until(lambda: states() == {"submitted": 50})
    assert len(stand.got) == 50
    adds_up()


# -- doubt


@pytest.mark.promise("S7")
async def test_a_doubtful_text_is_sent_again_only_where_the_carrier_is_set_so(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo", doubt="resend")
    send = queue(acme, carrier, gateway.phones(1), "x" * 200)
    answers: list[Outcome] = [Lost(("old",)), Accepted(("new1", "new2"))]
    stand = Stand(lambda o: answers.pop(0))
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 1})
        await stand.receipt("old", ReceiptStatus.FAILED)  # of the first try: it says nothing about the second
        await stand.receipt("new1")
        await stand.receipt("new2")
    (found,) = texts(send).values()
    assert (found.state, found.doubt, found.attempts) == ("delivered", True, 2)
    assert found.journey[0] == {**found.journey[0], "event": "lost", "again": True}
    adds_up()


async def test_the_price_of_a_doubt_is_given_back_when_nothing_is_heard(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo", receipt_wait_h=1)
    send = queue(acme, carrier, gateway.phones(2), "x" * 200)
    stand = Stand(lambda o: Lost(("heard",) if o.phone.endswith("1") else ()))
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"doubtful": 2})
        await stand.receipt("heard", ReceiptStatus.FAILED, "X")
        with platform_session() as session:
            session.execute(text("UPDATE text_message SET leased_at = now() - interval '2 hours'"))
        for expected in (1, 0):
            with platform_session() as session:
                assert sweeping.expire_unanswered(session) == expected
    assert states() == {"doubtful": 1, "failed": 1}
    assert gateway.send(send).charged_minor == 0
    with platform_session() as session:
        assert session.scalar(text("SELECT reserved_minor FROM purse_account WHERE kind = 'sms'")) == 0
    adds_up()


@pytest.mark.promise("P4")
def test_after_a_crash_only_what_was_handed_over_is_in_doubt(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    queue(acme, carrier, gateway.phones(10))
    with platform_session() as session:
        taken = Leases("dead").take(session, carrier, {0: 10, 1: 10, 2: 10}, utc_now())
    journal = Handed(file_of(tmp_path, "dead"), "dead")
    for leased in taken[:4]:
        journal.put(leased.id)
    journal.wipe(taken[0].id)  # it came back before the crash
    journal.answered(taken[1].id, Accepted(("r",)))  # and of these the answer had come
    journal.answered(taken[2].id, Rejected("0x0B", "no such number"))
    with platform_session() as session:
        assert recovering.recover(session, {carrier: Policy()}, tmp_path).doubtful == 1
    assert states() == {"queued": 7, "submitted": 1, "failed": 1, "doubtful": 1}
    adds_up()


@pytest.mark.promise("P4")
def test_a_journal_of_another_machine_is_waited_for_and_a_carrier_that_runs_is_left_alone(
    tmp_path: Path, acme: int
) -> None:
    carrier = gateway.carrier("gone", "demo")
    queue(acme, carrier, gateway.phones(3))
    with platform_session() as session:
        Leases("g/dead").take(session, carrier, {0: 10, 1: 10, 2: 10}, utc_now())
    found = orphans.Orphans(tmp_path)
    assert found.recover(0.0) == 0  # it is enabled
    with platform_session() as session:
        session.execute(text("DELETE FROM text_route"))
        session.execute(text("DELETE FROM text_carrier"))
    assert found.recover(1.0) == found.recover(60.0) == 0
    running = Claim([carrier])
    assert running.take()
    assert found.recover(61.0) == 0
    running.let_go()
    assert found.recover(62.0) == 3
    assert states() == {"doubtful": 3}
    adds_up()


@pytest.mark.promise("P4")
@pytest.mark.parametrize("doubt", [Doubt.KEEP, Doubt.RESEND])
def test_after_a_crash_without_a_journal_everything_leased_is_in_doubt(tmp_path: Path, acme: int, doubt: Doubt) -> None:
    carrier = gateway.carrier("one", "demo")
    queue(acme, carrier, gateway.phones(5))
    with platform_session() as session:
        Leases("dead").take(session, carrier, {0: 10, 1: 10, 2: 10}, utc_now())
    with platform_session() as session:
        assert recovering.recover(session, {carrier: Policy(doubt)}, tmp_path).doubtful == 5
    assert states() == {"doubtful" if doubt is Doubt.KEEP else "queued": 5}
    adds_up()


async def test_what_can_not_be_stored_does_not_hold_up_the_rest(
    tmp_path: Path, acme: int, caplog: pytest.LogCaptureFixture
) -> None:
    carrier = gateway.carrier("one", "demo")
    numbers = gateway.phones(20)
    send = queue(acme, carrier, numbers)
    with platform_session() as session:  # a defect: this text's reservation is of nothing
        session.execute(
            text("UPDATE text_message SET reservation_id = 999999 WHERE send_id = :s AND phone_e164 = :p"),
            {"s": send, "p": numbers[7]},
        )
    stand = Stand()
    async with running({carrier: stand}, tmp_path):
        await until(lambda: states() == {"submitted": 19, "submitting": 1})
    assert "can't be stored" in caplog.text
    assert texts(send)[numbers[7]].state == "submitting"


@pytest.mark.promise("P4")
async def test_with_the_database_away_nothing_more_leaves_and_what_came_back_is_kept(
    tmp_path: Path, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = gateway.carrier("one", "demo", window=5)
    queue(acme, carrier, gateway.phones(900))
    away = False
    real = dispatch.platform_session

    def session() -> Any:
        if away:
            raise OperationalError("SELECT", {}, Exception("the database is away"))
        return real()

    for module in (dispatch, flushing):
        monkeypatch.setattr(module, "platform_session", session)

    async def answer(outgoing: Outgoing) -> Outcome:
        await asyncio.sleep(0.001)
        return Accepted((f"r{outgoing.id}",))

    stand = Stand(answer)
    async with running({carrier: stand}, tmp_path):
        await until(lambda: len(stand.got) > 20)
        away = True
        receipt = asyncio.create_task(stand.receipt(f"r{stand.got[0].id}"))
        leased = states()["queued"]
        before = await until(lambda: len(stand.got) == 900 - leased and len(stand.got))
        assert not receipt.done()  # the carrier is not told that we have it
        away = False
        await receipt
        await until(lambda: sum(n for s, n in states().items() if s in ("submitted", "delivered")) == 900)
    assert before < 900
    assert len({o.phone for o in stand.got}) == len(stand.got) == 900
    adds_up()


def health_of(carrier: int) -> Any:
    return route_table.health([carrier])[carrier]


async def test_health_is_told_while_the_process_lives(tmp_path: Path, acme: int) -> None:
    carrier = gateway.carrier("one", "demo")
    stand = Stand()
    async with running({carrier: stand}, tmp_path):
        await until(lambda: (h := health_of(carrier)) is not None and h.up)
        stand.tell(False)
        await until(lambda: not health_of(carrier).up)
        assert health_of(carrier).detail == "as the test says"
        assert carrier in route_table.down([carrier])
        assert carrier not in route_table.down([carrier], for_s=30)
