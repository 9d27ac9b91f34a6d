"""The purse through the API: orders, credit by the operator, records, deductions, statements, receipts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import select, text

from callcenter.audit.models import AuditEntry
from callcenter.auth.models import User
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from smsgateway.carriers.models import TextCarrier, TextPrice, TextRoute
from smsgateway.purse import bookings, proof
from smsgateway.purse.bookings import Line
from smsgateway.purse.watch import Watch
from tests.web.conftest import PASSWORD, Browser, add_user

New = Callable[[], Browser]
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.fixture
def operator(browser: New, enterprise: int) -> Browser:
    with platform_session() as s:
        open_enterprise(s, "platform", "Platform", "CN", "Asia/Shanghai", "op", PASSWORD, is_platform=True)
    b = browser()
    assert b.sign_in("platform", "op").status_code == 200
    return b


def balance(b: Browser, kind: str = "sms") -> dict[str, Any]:
    found: dict[str, Any] = next(x for x in b.get("/api/purse").get_json()["balances"] if x["kind"] == kind)
    return found


def order(b: Browser, amount: str = "100.00", **more: Any) -> dict[str, Any]:
    answer = b.post("/api/top-ups", {"kind": "sms", "amount": amount, **more})
    assert answer.status_code == 201, answer.get_json()
    made: dict[str, Any] = answer.get_json()
    return made


def audited(tenant: int, action: str) -> list[AuditEntry]:
    with tenant_session(tenant) as s:
        return list(s.scalars(select(AuditEntry).where(AuditEntry.action == action)))


@pytest.mark.promise("S9")
@pytest.mark.promise("E10")
def test_an_ordered_top_up_is_credited_once_by_the_operator(owner: Browser, operator: Browser, enterprise: int) -> None:
    made = order(owner, "1,234.50")
    assert (made["amount_minor"], made["currency"], made["state"]) == (123450, "CNY", "open")
    assert owner.post(f"/api/top-ups/{made['id']}/pay").get_json() == {"url": None}
    seen = operator.get("/api/platform/top-ups").get_json()["items"]
    assert [(o["number"], o["enterprise"], o["odd"]) for o in seen] == [(made["number"], "Acme", [])]
    credit = f"/api/platform/top-ups/{made['id']}/credit"
    assert operator.post(credit, {"note": "bank 7 March"}).get_json()["state"] == "paid"
    again = operator.post(credit, {"note": ""})
    assert (again.status_code, again.get_json()["code"]) == (409, "order_not_open")
    assert balance(owner)["available_minor"] == 123450
    assert owner.get(f"/api/top-ups/{made['id']}").get_json()["credited_by"] == "op"
    assert [e.actor_name for e in audited(enterprise, "credit")] == ["op"]
    assert owner.post(f"/api/top-ups/{made['id']}/cancel").status_code == 409
    assert owner.post(credit, {"note": ""}).status_code == 403


WRONG = {
    "": "invalid_input", "ten": "not_an_amount", "1.005": "not_an_amount", "-20": "not_an_amount",
    "0": "not_an_amount", "1,00.00": "not_an_amount", "9.99": "amount_outside_limits",
    "1000000.01": "amount_outside_limits", "1" + "0" * 25: "not_an_amount", "NaN": "not_an_amount",
}  # fmt: skip


@pytest.mark.promise("S9")
def test_what_is_no_amount_or_no_offered_way_to_pay_is_refused_at_its_field(
    owner: Browser,
) -> None:
    for amount, code in WRONG.items():
        answer = owner.post("/api/top-ups", {"kind": "sms", "amount": amount})
        assert (answer.status_code, answer.get_json()["code"]) == (422, code), amount
        assert list(answer.get_json()["fields"]) == ["amount"]
    assert owner.get("/api/top-ups/options").get_json()["providers"] == ["transfer"], "the others have no keys"
    answer = owner.post("/api/top-ups", {"kind": "sms", "amount": "100", "provider": "stripe"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "provider_not_offered")
    assert owner.get("/api/top-ups").get_json()["total"] == 0


def test_a_repeated_order_is_the_same_one_and_a_cancelled_one_stays_so(owner: Browser, operator: Browser) -> None:
    first = order(owner, key="one-click-1")
    assert order(owner, key="one-click-1")["id"] == first["id"]
    assert owner.post("/api/top-ups", {"kind": "mms", "amount": "100", "key": "one-click-1"}).status_code == 409
    assert owner.post(f"/api/top-ups/{first['id']}/cancel").get_json()["state"] == "cancelled"
    answer = operator.post(f"/api/platform/top-ups/{first['id']}/cancel", {"note": "x"})
    assert answer.status_code == 409
    # The money comes after all: it is credited.
    assert operator.post(f"/api/platform/top-ups/{first['id']}/credit", {"note": "late"}).status_code == 200
    assert balance(owner)["available_minor"] == 10000


@pytest.mark.promise("E10")
def test_the_operator_credits_unasked_and_corrects_with_a_reason(
    owner: Browser, operator: Browser, enterprise: int
) -> None:
    given = {"enterprise_id": enterprise, "kind": "mms", "amount": "50", "note": "welcome", "key": "credit-0001"}
    assert operator.post("/api/platform/top-ups", given).status_code == 201
    assert operator.post("/api/platform/top-ups", given).status_code == 201
    assert operator.post("/api/platform/top-ups", {**given, "amount": "51"}).get_json()["code"] == "key_used"
    fix = {
        "enterprise_id": enterprise,
        "kind": "mms",
        "amount": "-20.5",
        "reason": "credited too much",
        "key": "fix-0001",
    }
    assert operator.post("/api/platform/top-ups/corrections", fix).get_json() == {"done": True}
    assert operator.post("/api/platform/top-ups/corrections", fix).get_json() == {"done": False}
    assert balance(owner, "mms")["available_minor"] == 2950
    more = operator.post("/api/platform/top-ups/corrections", {**fix, "amount": "-30", "key": "fix-0002"})
    assert (more.status_code, more.get_json()["code"]) == (409, "balance_too_small")
    assert operator.post("/api/platform/top-ups/corrections", {**fix, "reason": ""}).status_code == 422
    assert operator.post("/api/platform/top-ups", {**given, "enterprise_id": 999}).status_code == 404
    listed = operator.get("/api/platform/top-ups/balances?search=acm").get_json()["items"]
    assert [(e["code"], e["sms_minor"], e["mms_minor"]) for e in listed] == [("acme", 0, 2950)]
    assert len(audited(enterprise, "correct")) == 1
    with platform_session() as s:
        assert proof.faults(s) == []


def spend(tenant: int, at: datetime, *, user_id: int | None, send_id: int, prices: list[int], back: int = 0) -> None:
    """A send of `prices` that is settled, of which `back` texts fail in the end."""
    with tenant_session(tenant) as s:
        held = bookings.reserve_up_to(
            s, tenant, "sms", prices, key=f"send:{send_id}:0", send_id=send_id, user_id=user_id, purpose="marketing"
        ).reservation_id
        assert held is not None
        bookings.settle(s, [Line(held, p, 1, 2) for p in prices])
        bookings.give_back(s, [Line(held, p, 1, 2) for p in prices[:back]])
    with platform_session() as s:
        s.execute(text("UPDATE ledger_entry SET at = :at WHERE send_id = :i"), {"at": at, "i": send_id})


@pytest.fixture
def spent(enterprise: int) -> int:
    """Three sends of two people on two days in Shanghai: the first just before midnight."""
    agent = add_user(enterprise, "ann", "agent")
    with tenant_session(enterprise) as s:
        boss = s.scalars(select(User.id).where(User.username == "boss")).one()
        bookings.top_up(s, enterprise, "sms", 10000, key="paid")
    with platform_session() as s:
        s.execute(text("UPDATE ledger_entry SET at = '2026-02-27T04:00:00Z'"))
    spend(enterprise, datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC), user_id=agent, send_id=1, prices=[10, 10])
    spend(enterprise, datetime(2026, 2, 28, 16, 0, 0, tzinfo=UTC), user_id=boss, send_id=2, prices=[30])
    spend(enterprise, NOON, user_id=agent, send_id=3, prices=[40, 40, 40], back=1)
    return agent


@pytest.mark.promise("E7")
def test_deductions_are_listed_by_business_type_who_spent_and_days(owner: Browser, spent: int) -> None:
    def listed(query: str = "") -> tuple[list[int], int]:
        page = owner.get(f"/api/purse/deductions?{query}").get_json()
        assert page["total"] == len(page["items"])
        assert page["totals"]["amount_minor"] == sum(i["amount_minor"] for i in page["items"])
        return [i["send_id"] for i in page["items"]], page["totals"]["texts"]

    assert listed() == ([3, 2, 1], 5)
    assert listed("to=2026-02-28") == ([1], 2)
    assert listed("from=2026-03-01") == ([3, 2], 3)
    assert listed("from=2026-02-28&to=2026-02-28") == ([1], 2)
    assert listed(f"user_id={spent}") == ([3, 1], 4)
    assert listed("kind=mms") == ([], 0)
    assert listed("purpose=code") == ([], 0)
    assert listed("kind=sms&purpose=marketing") == ([3, 2, 1], 5)
    third = owner.get("/api/purse/deductions").get_json()["items"][0]
    assert (third["amount_minor"], third["given_back_minor"], third["segments"], third["user"]) == (80, 40, 4, "Ann")
    assert owner.get("/api/purse/spenders").get_json()["users"] == [
        {"id": spent, "name": "Ann"}, {"id": spent - 1, "name": "boss"},
    ]  # fmt: skip
    assert owner.get("/api/purse/deductions?from=yesterday").status_code == 422


@pytest.mark.promise("S5")
def test_a_statement_chains_from_day_to_day(owner: Browser, spent: int) -> None:
    days = list(reversed(owner.get("/api/purse/statement").get_json()["items"]))
    assert [d["day"] for d in days] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert [(d["opening_minor"], d["closing_minor"]) for d in days] == [(0, 10000), (10000, 9980), (9980, 9870)]
    for d in days:
        moved = d["topped_up_minor"] + d["corrected_minor"] - d["reserved_minor"] + d["refunded_minor"]
        assert d["opening_minor"] + moved + d["given_back_minor"] == d["closing_minor"]
        held = d["reserved_opening_minor"] + d["reserved_minor"] - d["settled_minor"] - d["refunded_minor"]
        assert held == d["reserved_closing_minor"]
    second = owner.get("/api/purse/statement?page=2&per_page=2").get_json()
    assert ([d["day"] for d in second["items"]], second["total"]) == (["2026-02-27"], 3)
    assert owner.get("/api/purse/statement?page=9&per_page=2").get_json()["total"] == 3
    one = owner.get("/api/purse/statement?from=2026-02-28&to=2026-02-28").get_json()["items"]
    assert [d["opening_minor"] for d in one] == [10000]
    assert owner.get("/api/purse/statement?kind=mms").get_json()["items"] == []


@pytest.mark.promise("E6")
def test_top_up_records_are_listed_by_days_open_at_either_end_and_by_kind(owner: Browser, enterprise: int) -> None:
    numbers = [order(owner, "10", kind=kind)["number"] for kind in ("sms", "mms", "sms")]
    days = ("2026-02-28T15:59:59Z", "2026-02-28T16:00:00Z", "2026-03-02T00:00:00Z")
    with platform_session() as s:
        for number, at in zip(numbers, days, strict=True):
            s.execute(text("UPDATE top_up_order SET created_at = :a WHERE number = :n"), {"a": at, "n": number})
        # Paid later than ordered: the payment counts.
        s.execute(text("UPDATE top_up_order SET state = 'paid', paid_at = created_at + interval '2 days'"
                       " WHERE number = :n"), {"n": numbers[2]})  # fmt: skip

    def listed(query: str) -> list[str]:
        return [i["number"] for i in owner.get(f"/api/top-ups?{query}").get_json()["items"]]

    assert listed("") == numbers[::-1]
    assert listed("to=2026-02-28") == [numbers[0]]
    assert listed("from=2026-03-01") == [numbers[2], numbers[1]]
    assert listed("from=2026-03-01&to=2026-03-03") == [numbers[1]]
    assert listed("kind=mms") == [numbers[1]]
    assert listed("state=paid") == [numbers[2]]


@pytest.mark.promise("E7")
def test_exports_hold_every_row_exactly_and_are_audited(owner: Browser, enterprise: int, spent: int) -> None:
    order(owner, "10.05", kind="sms")
    raw = owner.get("/api/purse/deductions/export?format=csv&kind=sms").get_data().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(raw)))
    assert [(r["发送任务"], r["金额"], r["退回"]) for r in rows] == [
        ("3", "0.80", "0.40"), ("2", "0.30", "0.00"), ("1", "0.20", "0.00"),
    ]  # fmt: skip
    assert rows[2]["时间"] == "2026-02-28 23:59:59"
    sheet = load_workbook(io.BytesIO(owner.get("/api/top-ups/export?format=xlsx").get_data())).active
    assert sheet is not None
    assert [c.value for c in sheet[2]][1:5] == ["短信", 10.05, "CNY", "待付款"]
    statement = owner.get("/api/purse/statement/export").get_data().decode("utf-8-sig").splitlines()
    assert len(statement) == 4
    assert statement[3].startswith("2026-02-27,0.00,100.00")
    assert sorted(e.entity for e in audited(enterprise, "export")) == ["deductions", "statement", "top_ups"]
    assert owner.get("/api/top-ups/export?format=exe").status_code == 422


@pytest.mark.promise("S9")
def test_a_receipt_is_made_once_the_order_is_credited(owner: Browser, operator: Browser) -> None:
    made = order(owner)
    assert owner.get(f"/api/top-ups/{made['id']}/receipt").status_code == 409
    operator.post(f"/api/platform/top-ups/{made['id']}/credit", {"note": "到账 " * 60})
    for locale in ("zh-CN", "en"):
        with platform_session() as s:
            s.execute(text("UPDATE user_account SET locale = :l"), {"l": locale})
        answer = owner.get(f"/api/top-ups/{made['id']}/receipt")
        assert (answer.status_code, answer.content_type) == (200, "application/pdf")
        assert answer.get_data().startswith(b"%PDF-")
        assert made["number"] in answer.headers["Content-Disposition"]


@pytest.mark.promise("S9")
def test_a_low_balance_is_told_once_to_who_tops_up_until_it_is_above_again(
    owner: Browser, operator: Browser, enterprise: int
) -> None:
    add_user(enterprise, "ann", "admin")  # sees balances, orders nothing
    watch = Watch()

    def told() -> list[Any]:
        streams.client().delete(streams.live_key(enterprise))
        watch.turn(NOON)
        documents: Any = streams.client().hgetall(streams.live_key(enterprise))
        return sorted(k.decode() for k in documents if k.startswith(b"user:"))

    given = {"enterprise_id": enterprise, "kind": "sms", "amount": "100", "note": "", "key": "credit-0001"}
    operator.post("/api/platform/top-ups", given)
    assert told() == []
    assert owner.patch("/api/purse/sms", {"low": "100.01"}).get_json()["low"] is True
    with tenant_session(enterprise) as s:
        boss = s.scalars(select(User.id).where(User.username == "boss")).one()
    assert told() == [f"user:{boss}"]
    assert told() == []
    operator.post("/api/platform/top-ups", {**given, "amount": "20", "key": "credit-0002"})
    assert told() == []
    assert owner.patch("/api/purse/sms", {"low": "500"}).status_code == 200
    assert told() == [f"user:{boss}"]
    assert owner.patch("/api/purse/sms", {"low": "few"}).get_json()["fields"] == {
        "low": "Write an amount such as 100.00."
    }
    assert owner.patch("/api/purse/sms", {"low": None}).get_json()["low"] is False
    assert owner.patch("/api/purse/gold", {"low": None}).status_code == 404


def test_a_changed_balance_is_pushed_once(owner: Browser, enterprise: int) -> None:
    watch = Watch()
    with tenant_session(enterprise) as s:
        bookings.top_up(s, enterprise, "sms", 700, key="k")
    watch.turn(NOON)
    before = streams.client().xlen(streams.LIVE_STREAM)
    watch.turn(NOON)
    assert streams.client().xlen(streams.LIVE_STREAM) == before
    shown: Any = streams.snapshot(enterprise, "purse")
    assert {a["kind"]: a["available_minor"] for a in shown["accounts"]} == {"sms": 700, "mms": 0}


def test_an_order_that_nobody_pays_expires_and_is_still_credited_when_the_money_comes(
    owner: Browser, operator: Browser
) -> None:
    made = order(owner)
    with platform_session() as s:
        s.execute(text("UPDATE top_up_order SET created_at = :a"), {"a": NOON})
    Watch().expire(datetime(2026, 3, 31, 3, 59, tzinfo=UTC))
    assert owner.get(f"/api/top-ups/{made['id']}").get_json()["state"] == "open"
    Watch().expire(datetime(2026, 3, 31, 4, 1, tzinfo=UTC))
    assert owner.get(f"/api/top-ups/{made['id']}").get_json()["state"] == "expired"
    assert owner.post(f"/api/top-ups/{made['id']}/pay").get_json()["code"] == "order_not_open"
    assert operator.post(f"/api/platform/top-ups/{made['id']}/credit", {"note": ""}).status_code == 200


def test_what_a_balance_is_enough_for_is_told_by_the_enterprises_own_prices(owner: Browser, enterprise: int) -> None:
    assert balance(owner)["least_price_minor"] is None
    with platform_session() as s:
        carrier = TextCarrier(name="c", protocol="demo")
        s.add(carrier)
        s.flush()
        cheap = TextRoute(name="a", carrier_id=carrier.id, price_minor=5)
        s.add_all([cheap, TextRoute(name="b", carrier_id=carrier.id, price_minor=9)])
        s.add(TextRoute(name="off", carrier_id=carrier.id, price_minor=1, enabled=False))
        s.flush()
        s.add(TextPrice(route_id=cheap.id, enterprise_id=enterprise, price_minor=4, valid_from=NOON.replace(2020)))
        s.add(TextPrice(route_id=cheap.id, enterprise_id=enterprise, price_minor=1, valid_from=NOON.replace(2999)))
    shown = balance(owner)
    assert (shown["least_price_minor"], shown["most_price_minor"]) == (4, 9)
