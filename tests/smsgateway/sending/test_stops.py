"""What stops texts that were asked for: a supervisor's no, an opt-out, a blacklist entry, a change of mind."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, Forbidden, NotFound
from callcenter.events import streams
from callcenter.processes import relay
from crm.actions import blacklist
from crm.models import Customer
from smsgateway.models import OptOut, SensitiveWord
from smsgateway.optouts import actions as optouts
from smsgateway.sending import approvals, cancel, preparer, progress
from smsgateway.sending.judging import judge
from smsgateway.words import store
from tests.smsgateway.sending.conftest import PRICE, Gateway
from tests.smsgateway.sending.test_preparer import numbers


@pytest.fixture
def flagged(gateway: Gateway) -> Gateway:
    """With an agent whose texts need approval, by the word "odd" or not."""
    gateway.agent = gateway.user("junior", "agent", texts_need_approval=True)
    return gateway


def told(gateway: Gateway) -> list[tuple[str, str]]:
    """Notices to users: (topic, event)."""
    with tenant_session(gateway.tenant) as s:
        rows = s.scalars(select(OutboxRow).where(OutboxRow.topic == "live").order_by(OutboxRow.id))
        return [(r.body["topic"], r.body["payload"]["event"]) for r in rows if r.body["topic"].startswith("user:")]


@pytest.mark.promise("S6")
def test_texts_of_a_flagged_user_wait_without_money_and_go_when_passed(flagged: Gateway) -> None:
    send = flagged.sent("Hello {{name|you}}", numbers(5), purpose="marketing")
    assert (send.state, send.approval, send.needs_approval) == ("approval", 5, True)
    assert flagged.money() == (1_000_000, 0)
    flagged.check(send.id)
    with tenant_session(flagged.tenant) as s:
        optouts.add(s, flagged.chief, ["+8613800000002"], country="CN", source=optouts.Source.MANUAL)
        shown = approvals.shown(s, flagged.boss, s.merge(send))
    assert (shown["waiting"], shown["cost_minor"], shown["by_rule"]) == (5, 5 * PRICE, {"sender": 5})
    assert shown["samples"][0]["body"] == "Hello you"
    approvals.let_pass(flagged.boss, send.id, "fine")
    flagged.prepare(2)
    send = flagged.send(send.id)
    # Passed by a person, and judged again: one has opted out meanwhile.
    assert (send.state, send.queued, send.refused, send.approval, send.asked) == ("sending", 4, 1, 0, 5)
    assert flagged.texts(send.id)["+8613800000002"].check_name == "opt_out"
    assert flagged.money() == (1_000_000 - 4 * PRICE, 4 * PRICE)
    assert told(flagged) == [(f"user:{flagged.agent.user_id}", "passed")]
    flagged.check(send.id)
    with pytest.raises(Conflict):
        approvals.let_pass(flagged.boss, send.id)


@pytest.mark.promise("S6")
def test_a_rejected_send_is_refused_with_the_reason_and_the_sender_is_told(flagged: Gateway) -> None:
    send = flagged.sent("Hello", numbers(3))
    approvals.reject(flagged.boss, send.id, "Wrong price in it")
    send = flagged.send(send.id)
    assert (send.state, send.refused, send.approval, send.decision) == ("rejected", 3, 0, "Wrong price in it")
    message = flagged.texts(send.id)["+8613800000001"]
    assert (message.check_name, message.rule) == ("approval", "rejected")
    assert message.detail == {"params": {"reason": "Wrong price in it"}}
    assert told(flagged) == [(f"user:{flagged.agent.user_id}", "rejected")]
    flagged.check(send.id)


def test_nobody_decides_on_their_own_send_but_the_owner(gateway: Gateway) -> None:
    chief = gateway.user("head", "supervisor", texts_need_approval=True)
    own = gateway.sent("Hello", by=chief)
    with pytest.raises(Forbidden) as refused:
        approvals.let_pass(chief, own.id)
    assert refused.value.code == "own_send"
    boss = gateway.user("partner", "owner", texts_need_approval=True)
    mine = gateway.sent("Hello", by=boss)
    approvals.let_pass(boss, mine.id)
    # A supervisor without a department does not see what the owner sends.
    with pytest.raises(NotFound):
        approvals.let_pass(gateway.chief, own.id)


@pytest.mark.promise("S6")
def test_of_a_send_only_those_with_doubtful_words_wait_and_are_decided_apart(gateway: Gateway) -> None:
    gateway.add(SensitiveWord(word="forbidden"), Customer(name="f.o.r.b.i.d.d.e.n", phones=["+8613800000001"]))
    store.changed(gateway.tenant)
    sends = [gateway.sent("Dear {{name|you}}" + mark, numbers(4)) for mark in "!?"]
    for send in sends:
        assert (send.state, send.queued, send.approval) == ("sending", 3, 1)
    approvals.let_pass(gateway.boss, sends[0].id)
    gateway.prepare()
    passed = gateway.send(sends[0].id)
    assert (passed.state, passed.queued, passed.approval) == ("sending", 4, 0)
    approvals.reject(gateway.boss, sends[1].id, "no")
    rejected = gateway.send(sends[1].id)
    assert (rejected.state, rejected.queued, rejected.refused) == ("sending", 3, 1)
    for send in sends:
        gateway.check(send.id)


@pytest.mark.promise("S8")
def test_an_opt_out_cancels_queued_marketing_at_once_and_refunds_it(gateway: Gateway) -> None:
    marketing = gateway.sent("Buy", numbers(3), purpose="marketing")
    service = gateway.sent("Your parcel", numbers(3))
    with tenant_session(gateway.tenant) as s:
        optouts.add(s, gateway.chief, ["13800000001"], country="CN", source=optouts.Source.MANUAL)
    marketing = gateway.send(marketing.id)
    assert (marketing.queued, marketing.cancelled, gateway.send(service.id).queued) == (2, 1, 3)
    message = gateway.texts(marketing.id)["+8613800000001"]
    assert (message.state, message.check_name, message.rule) == ("cancelled", "opt_out", "opted_out")
    assert gateway.money() == (1_000_000 - 5 * PRICE, 5 * PRICE)
    gateway.check(marketing.id)
    while relay.carry():
        pass
    shown = streams.snapshot(gateway.tenant, f"send:{marketing.id}")
    assert (shown["queued"], shown["cancelled"]) == (2, 1)


@pytest.mark.promise("S4")
def test_a_blacklist_entry_cancels_whatever_is_queued_for_the_number(gateway: Gateway) -> None:
    sends = [gateway.sent("Buy", numbers(2), purpose="marketing"), gateway.sent("Your parcel", numbers(1, 1))]
    with tenant_session(gateway.tenant) as s:
        blacklist.add(s, gateway.chief, ["13800000001"], country="CN", reason="", source="manual")
    while relay.carry():
        pass
    assert [(x.queued, x.cancelled, x.state) for x in (gateway.send(s.id) for s in sends)] == [
        (1, 1, "sending"),
        (0, 1, "done"),
    ]
    assert gateway.texts(sends[1].id)["+8613800000001"].check_name == "blacklist"
    assert streams.snapshot(gateway.tenant, f"send:{sends[1].id}")["state"] == "done"
    for send in sends:
        gateway.check(send.id)


def test_no_text_slips_past_an_opt_out_while_its_batch_is_judged(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = gateway.ask("Buy", numbers(3), purpose="marketing")
    judged, stopped = threading.Event(), threading.Event()
    real = judge

    def slow(*arguments: object, **more: object) -> object:
        found = real(*arguments, **more)  # type: ignore[arg-type]
        judged.set()
        stopped.wait(0.3)  # the opt-out tries to come in between
        return found

    monkeypatch.setattr(preparer, "judge", slow)
    thread = threading.Thread(target=gateway.prepare)
    thread.start()
    assert judged.wait(10)
    with tenant_session(gateway.tenant) as s:
        optouts.add(s, gateway.chief, ["13800000001"], country="CN", source=optouts.Source.MANUAL)
    stopped.set()
    thread.join(10)
    assert gateway.texts(send.id)["+8613800000001"].state == "cancelled"
    with tenant_session(gateway.tenant) as s:
        assert s.scalar(select(OptOut.phone_e164)) == "+8613800000001"
    gateway.check(send.id)


def test_what_is_cancelled_is_refunded_and_a_second_time_is_refused(gateway: Gateway) -> None:
    send = gateway.sent("Hi", numbers(4))
    cancel.cancel(gateway.agent, send.id)
    send = gateway.send(send.id)
    assert (send.state, send.cancelled, send.queued) == ("cancelled", 4, 0)
    assert gateway.money() == (1_000_000, 0)
    assert streams.snapshot(gateway.tenant, f"send:{send.id}")["cancelled"] == 4
    with pytest.raises(Conflict) as refused:
        cancel.cancel(gateway.agent, send.id)
    assert refused.value.code == "send_ended"
    other = gateway.user("other", "agent")
    with pytest.raises(NotFound):
        cancel.cancel(other, send.id)
    assert progress.document(send)["state"] == "cancelled"
    gateway.check(send.id)
