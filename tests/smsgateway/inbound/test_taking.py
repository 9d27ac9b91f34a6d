"""Texts that come in, over real PostgreSQL: stored once, in the right hands, told to the right people."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import platform_session, tenant_session
from callcenter.numbers.models import DidNumber
from callcenter.tenancy.actions import open_enterprise
from crm.models import Customer
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import Attachment, Inbound
from smsgateway.inbound import taking, whose
from smsgateway.inbound.models import Conversation, InboundText, TextAnswering, TextKeyword, UnclaimedText
from smsgateway.inbound.taking import Taken, claim, take, take_all
from smsgateway.models import OptOut, TextMessage, TextSend, TextTemplate
from smsgateway.texts import RANK, Purpose

LI = "+8613812345678"
CHEN = "+8613900000001"


@pytest.fixture
def acme(database: object) -> Iterator[int]:
    whose.forget()
    with platform_session() as session:
        tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", "correct horse 7")
    yield tenant


@pytest.fixture
def rival(acme: int) -> int:
    with platform_session() as session:
        return open_enterprise(session, "rival", "Rival", "US", "America/New_York", "chief", "correct horse 7")


@pytest.fixture
def carrier(acme: int) -> int:
    with platform_session() as session:
        row = TextCarrier(name="north", protocol="smpp")
        session.add(row)
        session.flush()
        return row.id


def user(tenant: int, name: str = "boss", **values: Any) -> int:
    with tenant_session(tenant) as db:
        row = db.scalars(select(User).where(User.username == name)).one_or_none()
        if row is None:
            row = User(username=name, name=name.title(), password_hash="x")
            db.add(row)
        for key, value in values.items():
            setattr(row, key, value)
        db.flush()
        return row.id


def sent(
    tenant: int, carrier: int, phone: str = LI, *, by: int | None = None, state: str = "delivered", sender: str = "",
    ago_h: float = 1.0, source: str = "page", purpose: str = "marketing",
) -> int:  # fmt: skip
    """A text of the enterprise; returns its id."""
    now = utc_now()
    with tenant_session(tenant) as db:
        count = db.scalar(select(func.count(TextSend.id)))
        send = TextSend(
            key=f"k{count}", kind="sms", purpose=purpose, source=source, body="Autumn offer", audience={}, sender_id=by,
            state="sending" if state == "queued" else "done", asked=1, **{state: 1},
        )  # fmt: skip
        db.add(send)
        db.flush()
        at = now - timedelta(hours=ago_h)
        text_ = TextMessage(
            tenant_id=tenant, send_id=send.id, phone_e164=phone, state=state, carrier_id=carrier, sender=sender,
            not_before=at, expires_at=now + timedelta(days=1), created_at=at,
        )  # fmt: skip
        db.add(text_)
        db.flush()
        return text_.id


def came(body: str, phone: str = LI, to: str = "10690001", ref: str = "", at: float | None = None) -> Inbound:
    return Inbound(phone, to, body, utc_now().timestamp() if at is None else at, ref)


def rows(tenant: int, kind: Any) -> list[Any]:
    with tenant_session(tenant) as db:
        return list(db.scalars(select(kind).order_by(kind.id)))


def notices(tenant: int) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for row in rows(tenant, OutboxRow):
        if row.topic == "live":
            out.setdefault(row.body["topic"], []).append(row.body["payload"])
    return out


@pytest.mark.promise("S8")
def test_a_reply_lands_with_the_customer_and_rings_who_sent_last(acme: int, rival: int, carrier: int) -> None:
    agent, other = user(acme, "amy"), user(acme, "bob")
    with tenant_session(acme) as db:
        customer = Customer(name="Li Na", phones=[CHEN, LI])
        db.add(customer)
    sent(acme, carrier, by=other, ago_h=5)
    last = sent(acme, carrier, by=agent, ago_h=2)
    sent(acme, carrier, by=None, source="answer", ago_h=1)
    sent(rival, carrier, by=user(rival, "chief"), ago_h=30)
    assert take(came("Is it still on?"), carrier).tenant_id == acme
    (conversation,) = rows(acme, Conversation)
    assert (conversation.phone_e164, conversation.assigned_to, conversation.unread) == (LI, agent, 1)
    assert conversation.customer_id == customer.id
    (row,) = rows(acme, InboundText)
    assert (row.body, row.message_id, row.user_id, row.did) == ("Is it still on?", last, agent, "")
    (notice,) = notices(acme)[f"user:{agent}"]
    assert (notice["kind"], notice["name"], notice["text"]) == ("text", "Li Na", "Is it still on?")
    assert notices(acme)["texts"] and not rows(rival, Conversation)


def test_a_conversation_given_to_somebody_stays_there_until_another_texts(acme: int, carrier: int) -> None:
    amy, bob = user(acme, "amy"), user(acme, "bob")
    sent(acme, carrier, by=amy, ago_h=3)
    take(came("one"), carrier)
    with tenant_session(acme) as db:
        row = db.scalars(select(Conversation)).one()
        row.assigned_to, row.assigned_at = bob, utc_now() - timedelta(hours=1)
    take(came("two"), carrier)
    assert rows(acme, Conversation)[0].assigned_to == bob
    sent(acme, carrier, by=amy, ago_h=0)
    take(came("three"), carrier)
    (conversation,) = rows(acme, Conversation)
    assert (conversation.assigned_to, conversation.unread, conversation.last_body) == (amy, 3, "three")


def test_the_number_it_was_sent_to_tells_whose_it_is(acme: int, rival: int, carrier: int) -> None:
    sent(rival, carrier)  # who texted last
    user(acme, service_number="+8610690001")
    with tenant_session(acme) as db:
        where = {"kind": "hangup", "id": None, "number": ""}
        db.add(DidNumber(e164="+862150001000", name="Main", open_to=where, closed_to=where))
    for to in ("+8610690001", "8610690001", "10690001", "008610690001", "+862150001000", "2150001000"):
        whose.forget()
        assert take(came(f"to {to}", to=to), carrier).tenant_id == acme, to
    assert take(came("elsewhere", to="10690002"), carrier).tenant_id == rival
    user(rival, "chief", service_number="+8610690001")
    whose.forget()
    assert take(came("shared"), carrier).tenant_id == rival, "two have it: who texted last tells"


def test_who_alone_texts_from_a_number_gets_its_strangers_and_then_the_carriers_enterprise(
    acme: int, rival: int, carrier: int
) -> None:
    sent(rival, carrier, CHEN, sender="10690001")
    assert take(came("hello", LI), carrier).tenant_id == rival
    sent(acme, carrier, CHEN, sender="10690001")
    whose.forget()
    assert take(came("hello?", LI), carrier).tenant_id is None
    with platform_session() as session:
        session.get_one(TextCarrier, carrier).tenant_id_for_inbound = acme
    assert take(came("hello!", LI), carrier).tenant_id == acme


def test_a_queued_or_refused_text_is_nothing_that_could_be_answered(acme: int, carrier: int) -> None:
    for state in ("queued", "refused", "cancelled", "approval"):
        sent(acme, carrier, state=state)
    assert take(came("Hello?"), carrier) == Taken(None, 1, True)


def test_a_text_of_nobody_waits_for_the_operator_who_gives_it_to_an_enterprise(acme: int, carrier: int) -> None:
    first = take(came("STOP", ref="r1"), carrier)
    assert (first.tenant_id, first.fresh) == (None, True)
    assert not take(came("STOP", ref="r1"), carrier).fresh
    assert first.id is not None and claim(first.id, acme) is not None
    assert claim(first.id, acme) is None
    assert rows(acme, OptOut)[0].keyword == "STOP"
    with platform_session() as session:
        assert session.scalars(select(UnclaimedText.enterprise_id)).one() == acme


@pytest.mark.promise("P4")
def test_a_text_that_is_brought_again_is_stored_once(acme: int, carrier: int) -> None:
    sent(acme, carrier)
    assert [take(came("hi", ref="7"), carrier).fresh for _ in range(3)] == [True, False, False]
    assert [take(came("ok"), carrier).fresh for _ in range(2)] == [True, False]
    assert [t.fresh for t in take_all([came("a", ref="8"), came("a", ref="8"), came("b", ref="8")], carrier)] == [
        True, False, True,
    ]  # fmt: skip
    later = utc_now() + timedelta(seconds=61)
    assert take_all([came("ok")], carrier, now=later)[0].fresh, "the same word again is another text"
    assert not take_all([came("hi", ref="7")], carrier, now=later)[0].fresh
    assert take_all([came("hi", ref="7")], carrier, now=later + timedelta(days=8))[0].fresh, "references come round"
    assert len(rows(acme, InboundText)) == 6


def test_two_processes_that_bring_the_same_texts_at_once_store_them_once(acme: int, carrier: int) -> None:
    phones = [f"+86138000000{n:02}" for n in range(20)]
    for phone in phones:
        sent(acme, carrier, phone)
    texts = [came("STOP" if n % 3 else "hello", p, ref=f"r{n}") for n, p in enumerate(phones)]
    fresh: list[Taken] = []
    begin = threading.Barrier(4)

    def work(order: int) -> None:
        begin.wait(10)
        fresh.extend(t for t in take_all(texts if order % 2 else texts[::-1], carrier) if t.fresh)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(fresh) == len(texts) == len(rows(acme, InboundText))
    assert {c.unread for c in rows(acme, Conversation)} == {0, 1}
    assert len(rows(acme, OptOut)) == 13


@pytest.mark.promise("S8")
def test_an_opt_out_begins_at_once_is_confirmed_once_and_ends_by_a_word(acme: int, carrier: int) -> None:
    agent = user(acme, "amy")
    sent(acme, carrier, by=agent)
    now = utc_now()

    def say(body: str, minutes: float) -> None:
        take_all([came(body)], carrier, now=now + timedelta(minutes=minutes))

    say("ＴＤ。", 0)
    (opt_out,) = rows(acme, OptOut)
    assert (opt_out.phone_e164, opt_out.source, opt_out.keyword) == (LI, "keyword", "TD")
    confirmations = [s for s in rows(acme, TextSend) if s.source == "opt_out"]
    assert [(s.purpose, s.audience["numbers"]) for s in confirmations] == [("service", [LI])]
    assert "退订" in confirmations[0].body
    assert f"user:{agent}" not in notices(acme), "nobody need answer it"
    assert rows(acme, Conversation)[0].unread == 0
    say("TD", 2)
    say("退订", 4)
    assert len(rows(acme, OptOut)) == 1
    say("开通", 6)
    assert rows(acme, OptOut)[0].ended_at is not None
    say("T", 8)
    assert len([o for o in rows(acme, OptOut) if o.ended_at is None]) == 1
    kinds = [s.body for s in rows(acme, TextSend) if s.source == "opt_out"]
    assert len(kinds) == 2, "each wish once in a day"
    say("开通", 60 * 24 * 2)
    assert len([s for s in rows(acme, TextSend) if s.source == "opt_out"]) == 3
    assert [r.did for r in rows(acme, InboundText)] == ["opt_out"] * 3 + ["opt_in", "opt_out", "opt_in"]


@pytest.mark.promise("S8")
def test_an_opt_out_cancels_the_marketing_that_is_queued_for_that_number_only(acme: int, carrier: int) -> None:
    sent(acme, carrier)
    texts = {
        (phone, purpose, state): sent(acme, carrier, phone, purpose=purpose, state=state)
        for phone in (LI, CHEN)
        for purpose in ("marketing", "service")
        for state in ("queued", "submitting")
    }
    with tenant_session(acme) as db:
        for (_, purpose, _), id_ in texts.items():
            db.get_one(TextMessage, id_).rank = RANK[Purpose(purpose)]
    take(came("STOP"), carrier)
    states = {r.id: (r.state, r.check_name) for r in rows(acme, TextMessage)}
    assert states.pop(texts[LI, "marketing", "queued"]) == ("cancelled", "opt_out")
    assert all(states[id_] == (key[2], "") for key, id_ in texts.items() if id_ in states)
    cancelled = next(s for s in rows(acme, TextSend) if s.cancelled)
    assert (cancelled.queued, cancelled.cancelled, cancelled.state) == (0, 1, "done")


def test_an_enterprise_that_may_not_send_still_hears_what_it_is_told(acme: int, carrier: int) -> None:
    sent(acme, carrier)
    with platform_session() as session:
        session.execute(text("UPDATE enterprise SET valid_until = '2020-01-01'"))
    take(came("STOP"), carrier)
    assert len(rows(acme, OptOut)) == 1
    assert [r.confirmed for r in rows(acme, InboundText)] == [False]


@pytest.mark.promise("S8")
def test_keywords_are_answered_a_few_times_an_hour_and_machines_not_at_all(acme: int, carrier: int) -> None:
    user(acme, service_number="+8613800138000")
    with tenant_session(acme) as db:
        template = TextTemplate(name="hours", purpose="service", body="We are here from 9 to 18, {{name|friend}}.")
        db.add(template)
        db.flush()
        db.add(TextKeyword(name="Hours", words=["hours", "营业时间"], match="contains", template_id=template.id))
        db.add(TextAnswering(answers_per_hour=2))
    now = utc_now()
    for n in range(5):
        take_all([came(f"hours {n}?", to="+8613800138000")], carrier, now=now + timedelta(minutes=n))
    take_all([came("营业时间？", "10086", to="+8613800138000")], carrier, now=now)
    take_all([came("hours", "+8613800138000", to="+8613800138000")], carrier, now=now)
    answers = [s for s in rows(acme, TextSend) if s.source == "answer"]
    assert [s.audience["numbers"] for s in answers] == [[LI], [LI]]
    assert [s.template_id for s in answers] == [template.id] * 2
    did = [r.did for r in rows(acme, InboundText)]
    assert did == ["answer", "answer", "limited", "limited", "limited", "limited", "limited"]
    take_all([came("hours again", to="+8613800138000")], carrier, now=now + timedelta(minutes=70))
    assert len([s for s in rows(acme, TextSend) if s.source == "answer"]) == 3


def test_hostile_texts_are_stored_as_what_can_be_shown(acme: int, carrier: int) -> None:
    sent(acme, carrier)
    with platform_session() as session:
        session.get_one(TextCarrier, carrier).tenant_id_for_inbound = acme
    picture = Attachment("text-media/1/a.jpg", "image/jpeg", "../a\x00.jpg")
    odd = [
        Inbound(LI, "1069", "nul \x00 here \ud800", -5.0, "\x00"),
        Inbound(LI, "1069", "x" * 50_000, 1e12, "r"),
        Inbound("", "", "", 0.0),
        Inbound("BANK<script>", "1069", "{{name}} %s", 5.0, media=(picture,)),
        Inbound("+1", "1069", "short", 1_767_225_600.0),
    ]
    assert [t.tenant_id for t in take_all(odd, carrier)] == [acme] * 5
    stored = {r.body[:9]: r for r in rows(acme, InboundText)}
    assert len(stored["x" * 9].body) == 10_000
    assert stored["{{name}} "].media[0]["name"] == "../a.jpg"
    assert all(r.at <= utc_now() for r in stored.values())


def test_nothing_is_stored_half(acme: int, carrier: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(acme, carrier)

    def broken(*_: object) -> None:
        raise RuntimeError("the process dies here")

    monkeypatch.setattr("smsgateway.inbound.storing._ring", broken)
    with tenant_session(acme) as db:
        row = db.scalars(select(User)).first()
        assert row is not None
        db.add(Conversation(phone_e164=LI, assigned_to=row.id, last_at=utc_now()))
    with pytest.raises(RuntimeError):
        take(came("hello"), carrier)
    assert rows(acme, InboundText) == [] and rows(acme, Conversation)[0].unread == 0
    monkeypatch.undo()
    assert take(came("hello"), carrier).fresh
    assert taking.digest(came("a"), 1) != taking.digest(came("a"), 2)
