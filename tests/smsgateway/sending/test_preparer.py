"""From an audience to texts: each past the checks in their order, paid, stored with its reason, nobody twice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import Conflict
from callcenter.tenancy.models import Enterprise
from crm.addressbook.models import Contact, ContactGroup, ContactMember
from crm.models import BlacklistEntry, Customer, Lead, LeadList
from smsgateway.models import OptOut, SensitiveWord
from smsgateway.purse import bookings
from smsgateway.sending import cancel, preparer
from smsgateway.words import store
from tests.smsgateway.sending.conftest import PRICE, Gateway


def numbers(n: int, first: int = 0) -> list[str]:
    return [f"+861380000{i:04d}" for i in range(first, first + n)]


def test_a_single_text_is_queued_with_its_price_reserved(gateway: Gateway) -> None:
    send = gateway.sent("Hello {{name|you}}")
    assert (send.state, send.asked, send.queued, send.segments) == ("sending", 1, 1, 1)
    message = gateway.texts(send.id)["+8613800000001"]
    assert (message.state, message.body, message.encoding, message.segments) == ("queued", "Hello you", "gsm7", 1)
    assert (message.sender, message.carrier_id, message.price_minor) == ("+8610690001", gateway.carrier, PRICE)
    assert gateway.money() == (1_000_000 - PRICE, PRICE)
    gateway.check(send.id)


@pytest.mark.promise("S2")
def test_every_refusal_is_stored_with_its_check_and_rule(gateway: Gateway) -> None:
    gateway.add(
        BlacklistEntry(phone_e164="+8613800000002"),
        OptOut(phone_e164="+8613800000003"),
        SensitiveWord(word="forbidden"),
        Customer(name="forbidden", phones=["+8613800000004"]),
        Customer(name="f.o.r.b.i.d.d.e.n", phones=["+8613800000005"]),
    )
    store.changed(gateway.tenant)
    typed = [*numbers(5, 1), "+861062345678"]
    send = gateway.sent("Dear {{name|friend}}", typed, purpose="marketing")
    texts = gateway.texts(send.id)
    assert {p[-4:]: (m.state, m.check_name, m.rule) for p, m in texts.items()} == {
        "0001": ("queued", "", ""),
        "0002": ("refused", "blacklist", "listed"),
        "0003": ("refused", "opt_out", "opted_out"),
        "0004": ("refused", "words", "blocked"),
        "0005": ("approval", "approval", "words"),
        "5678": ("refused", "number", "not_mobile"),
    }
    detail = texts["+8613800000004"].detail
    assert detail is not None
    assert (detail["hits"][0]["word"], detail["hits"][0]["start"]) == ("forbidden", len("Dear "))
    assert (send.asked, send.queued, send.refused, send.approval) == (6, 1, 4, 1)
    assert texts["+8613800000002"].final_at is not None
    gateway.check(send.id)


@pytest.mark.promise("S1")
def test_a_number_of_several_sources_gets_one_text_with_the_fields_of_the_first(gateway: Gateway) -> None:
    group, list_id = gateway.add(ContactGroup(name="Friends"))[0], gateway.add(LeadList(name="L", country="CN"))[0]
    people = gateway.add(
        Contact(name="Ann", phones=["+8613800000001"], company="Corn Ltd"),
        Contact(name="Bo", phones=["+8613800000002"]),
    )
    with_members = [ContactMember(group_id=group, contact_id=i) for i in people]

    with tenant_session(gateway.tenant) as s:
        s.add_all(with_members)
    gateway.add(
        Lead(tenant_id=gateway.tenant, list_id=list_id, name="Cy", phone_e164="+8613800000002"),
        Lead(
            tenant_id=gateway.tenant, list_id=list_id, name="王小明", phone_e164="+8613800000003", fields={"plan": "A"}
        ),
        Lead(tenant_id=gateway.tenant, list_id=list_id, name="Dead", phone_e164="+8613800000008", status="dead"),
        Customer(name="Di", phones=["+8613800000004", "+8613800000005"], tags=["vip"], region="North"),
        Customer(name="Ed", phones=["+8613800000006"], region="South"),
    )
    send = gateway.sent(
        "{{first_name|you}} of {{company|here}}",
        by=gateway.boss,
        audience={
            "numbers": ["13800000001", "138 0000 0001"],
            "groups": [group],
            "lists": [list_id],
            "customers": {"region": "North", "tags": ["vip"]},
        },
    )
    assert {p[-1]: m.body for p, m in gateway.texts(send.id).items()} == {
        "1": "you of here",
        "2": "Bo of here",
        "3": "小明 of here",
        "4": "Di of here",
    }
    # The typed one twice, Ann's contact, and Cy, whose number Bo has.
    assert (send.asked, send.duplicates) == (4, 3)
    assert gateway.texts(send.id)["+8613800000002"].contact_id == people[1]
    gateway.check(send.id)


def test_only_what_the_balance_pays_for_goes(gateway: Gateway) -> None:

    with tenant_session(gateway.tenant) as s:
        bookings.correct(s, gateway.tenant, "sms", -(1_000_000 - 7 * PRICE), key="less", note="test")
    send = gateway.sent("Hi", numbers(10))
    gateway.prepare(3)
    assert (send.queued, send.refused) == (7, 3)
    refused = [m for m in gateway.texts(send.id).values() if m.state == "refused"]
    assert {(m.check_name, m.rule) for m in refused} == {("balance", "not_enough")}
    assert gateway.money() == (0, 7 * PRICE)
    gateway.check(send.id)


def test_the_parts_of_a_long_text_are_paid_each(gateway: Gateway) -> None:
    send = gateway.sent("汉" * 135)
    message = gateway.texts(send.id)["+8613800000001"]
    assert (message.encoding, message.segments, message.body) == ("ucs2", 3, None)
    assert gateway.money() == (1_000_000 - 3 * PRICE, 3 * PRICE)


def test_a_scheduled_text_waits_for_the_recipients_own_clock(gateway: Gateway) -> None:
    tomorrow = datetime.now(ZoneInfo("Asia/Shanghai")).date() + timedelta(days=1)
    at = datetime.combine(tomorrow, time(9))  # without an offset: the enterprise's
    send = gateway.sent("Hi", ["+8613800000001", "+12125550123"], not_before=at, local_time=True)
    texts = gateway.texts(send.id)
    assert texts["+8613800000001"].not_before == at.replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert texts["+12125550123"].not_before == at.replace(tzinfo=ZoneInfo("America/New_York"))
    assert texts["+12125550123"].expires_at - texts["+12125550123"].not_before == timedelta(hours=24)


def closed_now() -> list[dict[str, object]]:
    """Hours that do not hold now, but tomorrow at noon, in China."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).isoweekday()
    return [{"days": [today % 7 + 1], "from": "12:00", "to": "13:00"}]


def test_marketing_outside_the_hours_waits_for_them_or_is_refused_and_service_goes(gateway: Gateway) -> None:
    gateway.rules(text_windows=closed_now())
    waits = gateway.sent("Buy", numbers(1), purpose="marketing")
    message = next(iter(gateway.texts(waits.id).values()))
    local = message.not_before.astimezone(ZoneInfo("Asia/Shanghai"))
    assert (message.state, local.hour) == ("queued", 12)
    assert local > datetime.now(UTC)
    assert message.expires_at - message.not_before == timedelta(hours=24)
    refused = gateway.sent("Buy now", numbers(1), purpose="marketing", outside_hours="refuse")
    message = next(iter(gateway.texts(refused.id).values()))
    assert (message.state, message.check_name, message.rule) == ("refused", "caps", "hours")
    assert refused.state == "done"
    service = gateway.sent("Your parcel", numbers(1))
    assert next(iter(gateway.texts(service.id).values())).not_before <= datetime.now(UTC)


def test_the_cap_counts_marketing_of_all_sends_to_a_number(gateway: Gateway) -> None:
    gateway.rules(texts_24h=2)
    gateway.sent("Your parcel", numbers(1))
    sends = [gateway.sent(f"Buy {n}", numbers(1), purpose="marketing") for n in range(3)]
    found = [next(iter(gateway.texts(s.id).values())) for s in sends]
    assert [(m.state, m.rule) for m in found] == [("queued", ""), ("queued", ""), ("refused", "texts_24h")]
    detail = found[2].detail
    assert detail == {"params": {"sent": 2, "limit": 2}}


def test_a_single_text_does_not_wait_for_a_large_send(gateway: Gateway) -> None:
    large = gateway.ask("Hi", numbers(900))
    loop = preparer.Preparer(batch=100)
    loop.turn()
    single = gateway.ask("Now", numbers(1, 5000))
    loop.turn()
    assert gateway.send(single.id).queued == 1
    assert gateway.send(large.id).state == "preparing"
    gateway.prepare()
    assert gateway.send(large.id).queued == 900


def test_several_preparers_make_each_text_once(gateway: Gateway) -> None:
    sends = [gateway.ask(f"Hi {n}", numbers(300)) for n in range(3)]
    threads = [threading.Thread(target=gateway.prepare, args=(50,)) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    gateway.prepare()
    for send in sends:
        assert (gateway.send(send.id).queued, gateway.send(send.id).state) == (300, "sending")
        gateway.check(send.id)


def test_a_send_that_is_cancelled_while_it_is_prepared_makes_no_more_texts(gateway: Gateway) -> None:
    send = gateway.ask("Hi", numbers(500))
    loop = preparer.Preparer(batch=100)
    loop.turn()
    cancel.cancel(gateway.agent, send.id)
    gateway.prepare()
    found = gateway.send(send.id)
    assert (found.state, found.asked, found.cancelled, found.queued) == ("cancelled", 100, 100, 0)
    assert gateway.money() == (1_000_000, 0)
    gateway.check(send.id)


def test_an_expired_enterprise_sends_nothing(gateway: Gateway) -> None:

    waiting = gateway.ask("Hi", numbers(2))
    with platform_session() as s:
        s.get_one(Enterprise, gateway.tenant).valid_until = datetime.now(UTC).date() - timedelta(days=2)
    gateway.prepare()
    assert {(m.state, m.check_name, m.rule) for m in gateway.texts(waiting.id).values()} == {
        ("refused", "account", "expired")
    }
    with pytest.raises(Conflict) as refused:
        gateway.ask("Hi", numbers(2))
    assert refused.value.code == "enterprise_expired"
