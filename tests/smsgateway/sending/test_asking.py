"""Asking for a send: once for each key, whoever asks at the same time; recurring ones once a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from callcenter import wire
from callcenter.audit.models import AuditEntry
from callcenter.calls.facts import TextAsked
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict
from callcenter.events.envelope import FACTS
from callcenter.processes import recorder
from crm.addressbook.models import Contact
from crm.models import FieldDef, Lead, LeadList
from smsgateway.models import TextRule, TextSend, TextTemplate
from smsgateway.sending import files, rules
from smsgateway.sending.values import names_of, values_of
from tests.smsgateway.sending.conftest import PRICE, Gateway

NOON = datetime(2026, 5, 1, 4, 0, tzinfo=UTC)  # in China


@pytest.mark.promise("S5")
def test_a_hundred_requests_with_ten_keys_are_ten_sends_and_charge_once(gateway: Gateway) -> None:
    def ask(n: int) -> int:
        return gateway.ask(f"Hello {n % 10}", [f"+861380000000{n % 10}"], key=f"order-{n % 10}").id

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(100)))
    assert len(set(found)) == 10
    gateway.prepare()
    assert gateway.money() == (1_000_000 - 10 * PRICE, 10 * PRICE)
    with tenant_session(gateway.tenant) as s:
        written = select(func.count()).where(AuditEntry.entity == "text_send", AuditEntry.action == "create")
        assert s.scalar(written) == 10
    with pytest.raises(Conflict):
        gateway.ask("Other words", key="order-1")


def _rule(gateway: Gateway, occasion: str, **values: object) -> int:
    template = gateway.add(TextTemplate(name=occasion, body="Dear {{first_name|friend}}", purpose="service"))[0]
    rule = TextRule(name=occasion, occasion=occasion, template_id=template, sender_id=gateway.agent.user_id, **values)
    return gateway.add(rule)[0]


def _of_rule(gateway: Gateway, rule_id: int) -> list[TextSend]:
    with tenant_session(gateway.tenant) as s:
        return list(s.scalars(select(TextSend).where(TextSend.rule_id == rule_id)))


@pytest.mark.promise("S1")
def test_birthdays_are_greeted_once_on_their_day_by_the_clock_of_whom_they_are_for(gateway: Gateway) -> None:
    gateway.add(
        Contact(name="Ann Lee", phones=["+8613800000001"], birth_month=5, birth_day=1),
        Contact(name="Bo", phones=["+12125550123"], birth_month=5, birth_day=1),
        Contact(name="Cy", phones=["+8613800000003"], birth_month=5, birth_day=2),
        Contact(name="Di", phones=["+8613800000004"], birth_month=5, birth_day=1, owner_id=gateway.boss.user_id),
    )
    rule = _rule(gateway, "birthday")
    assert [rules.make_due(NOON) for _ in range(3)] == [1, 0, 0]
    gateway.prepare()
    (send,) = _of_rule(gateway, rule)
    texts = gateway.texts(send.id)
    assert (send.source, send.key) == ("rule", f"rule:{rule}:2026-05-01")
    # Di is a private contact of somebody else.
    assert {p: m.body for p, m in texts.items()} == {
        "+8613800000001": "【Acme】Dear Ann",
        "+12125550123": "【Acme】Dear Bo",
    }
    assert send.not_before == datetime(2026, 5, 1, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert send.local_time is True
    gateway.check(send.id)


def test_renewals_are_announced_so_many_days_before(gateway: Gateway) -> None:
    gateway.add(FieldDef(key="ends", label="Ends", kind="date"))
    list_id = gateway.add(LeadList(name="L", country="CN"))[0]
    gateway.add(
        *(
            Lead(tenant_id=gateway.tenant, list_id=list_id, phone_e164=f"+861380000000{n}", fields={"ends": day})
            for n, day in enumerate(("2026-05-31", "2026-06-01", "2026-05-31"))
        )
    )
    rule = _rule(gateway, "renewal", lists=[list_id], field="ends", days_before=30)
    assert rules.make_due(NOON) == 1
    gateway.prepare()
    (send,) = _of_rule(gateway, rule)
    assert set(gateway.texts(send.id)) == {"+8613800000000", "+8613800000002"}


def test_a_day_without_anybody_is_an_empty_send_and_a_disabled_template_none(gateway: Gateway) -> None:
    rule = _rule(gateway, "birthday")
    assert rules.make(gateway.tenant, rule, date(2026, 5, 1), NOON) is True
    gateway.prepare()
    (send,) = _of_rule(gateway, rule)
    assert (send.state, send.asked) == ("done", 0)
    with tenant_session(gateway.tenant) as s:
        s.get_one(TextTemplate, send.template_id).enabled = False
    assert rules.make(gateway.tenant, rule, date(2026, 5, 2), NOON) is False
    assert len(_of_rule(gateway, rule)) == 1


def test_a_file_is_read_on_from_where_it_was_left_and_its_end_is_told(gateway: Gateway) -> None:
    file_id = files.new_id()
    upload = gateway.var / files.stored_name(gateway.tenant, file_id)
    upload.parent.mkdir(parents=True)
    upload.write_text("phone,name\n" + "".join(f"138{n:08d},Name {n}\n" for n in range(950)) + ",nobody\n")
    found = files.register(gateway.agent, file_id, "people.csv")
    assert (found.rows, found.good, found.wrong_count) == (951, 950, 1)
    assert not upload.exists()
    send = gateway.ask("Dear {{name}}", audience={"file": file_id})
    gateway.prepare(100)
    send = gateway.send(send.id)
    assert (send.asked, send.queued, send.refused) == (951, 950, 1)
    assert gateway.texts(send.id)["#952"].check_name == "number"
    gateway.check(send.id)
    gone = gateway.ask("Dear {{name}}!", audience={"file": file_id})
    files.rows_path(gateway.tenant, file_id).unlink()
    gateway.prepare()
    ended = gateway.send(gone.id)
    assert (ended.state, ended.error) == (
        "done",
        {"code": "file_gone", "message": "The file of recipients is gone. Upload it again and make a new send."},
    )


def test_names_are_taken_apart_as_they_are_written() -> None:
    assert names_of("王小明") == ("小明", "王")
    assert names_of("欧阳娜") == ("娜", "欧阳")
    assert names_of("Ann Mary Lee") == ("Ann Mary", "Lee")
    assert names_of("Ann") == ("Ann", "")
    assert names_of(" ") == ("", "")
    assert values_of("Ann Lee", "+1", {"company": "Corn", "n": 3.0, "c": ["a", "b"]}) == {
        "field.company": "Corn", "field.n": "3", "field.c": "a, b", "name": "Ann Lee", "first_name": "Ann",
        "last_name": "Lee", "phone": "+1", "company": "Corn",
    }  # fmt: skip


@pytest.mark.promise("I2")
def test_a_menu_s_text_is_one_for_each_call_and_node_whatever_is_told_twice(gateway: Gateway) -> None:
    asked = [TextAsked("call-1", 1, n, "+8613800000001", "Your order {{name}} is ready", 0.0) for n in ("t", "t", "u")]
    told = [
        FACTS.pack(fact, tenant=gateway.tenant, at=0.0) for fact in [*asked, TextAsked("c2", 1, "t", "12", "Hi", 0)]
    ]
    recorder.record([(f"{n}-1".encode(), {b"e": wire.to_json(e)}) for n, e in enumerate(told, 1)])
    gateway.prepare()
    with tenant_session(gateway.tenant) as s:
        sends = list(s.scalars(select(TextSend).order_by(TextSend.id)))
    assert [(x.source, x.key, x.queued) for x in sends] == [("menu", "menu:call-1:t", 1), ("menu", "menu:call-1:u", 1)]
    # What callers keyed is never a placeholder.
    assert gateway.texts(sends[0].id)["+8613800000001"].body == "【Acme】Your order {{name}} is ready"
