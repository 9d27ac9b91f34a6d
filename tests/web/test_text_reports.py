"""Reports of texts over real PostgreSQL: one definition of each figure, whichever way it is grouped or exported."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.db.session import platform_session, tenant_session
from crm.models import Customer
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.inbound.models import InboundText
from smsgateway.models import TextMessage, TextSend
from smsgateway.reports.definitions import BARS_S, NAMES, STATES, Group
from tests.web.conftest import Browser, add_user

RANGE = "from=2026-03-01&to=2026-03-31"
GONE = ("submitted", "delivered", "doubtful")
New = Callable[[], Browser]


@pytest.fixture
def texts(owner: Browser, enterprise: int) -> dict[str, Any]:
    """2,000 texts of March, as chance will have them, with answers to some."""
    rng = random.Random(7)
    amy, bob = add_user(enterprise, "amy", "agent"), add_user(enterprise, "bob", "agent")
    with platform_session() as session:
        carrier = TextCarrier(name="secret carrier", protocol="smpp")
        session.add(carrier)
        session.flush()
        routes = [TextRoute(name=n, carrier_id=carrier.id, price_minor=5) for n in ("=Mainland", "Abroad")]
        session.add_all(routes)
        session.flush()
        route_ids = [r.id for r in routes]
    first = datetime(2026, 2, 28, 16, tzinfo=UTC)  # midnight in Shanghai
    rows: list[TextMessage] = []
    with tenant_session(enterprise) as db:
        sends = []
        for n in range(8):
            send = TextSend(
                key=str(n), kind="mms" if n == 7 else "sms", purpose="service" if n % 3 == 0 else "marketing",
                source="page", body=f"Offer {n}", audience={}, sender_id=(amy, bob, None)[n % 3], state="done",
            )  # fmt: skip
            sends.append(send)
        db.add_all(sends)
        db.flush()
        for n in range(2000):
            send = sends[n % 8]
            made = first + timedelta(seconds=rng.randrange(31 * 86_400))
            state = rng.choice([*STATES, "delivered", "delivered", "delivered"])
            gone = state in ("submitted", "delivered") or (state in ("failed", "expired") and rng.random() < 0.8)
            left = made + timedelta(seconds=3) if gone else None
            row = TextMessage(
                tenant_id=enterprise, send_id=send.id, phone_e164=f"+8613800{n:06}", state=state, carrier_id=carrier.id,
                route_id=rng.choice([*route_ids, None]), segments=rng.randint(1, 3), price_minor=5, not_before=made,
                expires_at=made, created_at=made, submitted_at=left,
                charged_minor=rng.randint(5, 20) if gone else 0,
                final_at=left + timedelta(seconds=rng.expovariate(1 / 40)) if left and state == "delivered" else None,
                error_code=rng.choice(["UNDELIV", "0x45"]) if state == "failed" else "",
                check_name=rng.choice(["blacklist", "opt_out"]) if state == "refused" else "",
            )  # fmt: skip
            rows.append(row)
        db.add_all(rows)
        db.flush()
        for row in rows[::9]:
            db.add(
                InboundText(
                    carrier_id=carrier.id, digest=str(row.id), phone_e164=row.phone_e164, to="1", body="hi",
                    at=row.created_at, created_at=row.created_at + timedelta(hours=5), message_id=row.id,
                    send_id=row.send_id, did=rng.choice(["", "opt_out", "answer", "opt_in"]),
                )
            )  # fmt: skip
        db.add(Customer(name="Li Na", phones=[rows[0].phone_e164, rows[8].phone_e164]))
    return {"amy": amy, "bob": bob, "rows": rows, "routes": route_ids}


def summary(b: Browser, query: str = RANGE) -> dict[str, Any]:
    answer = b.get(f"/api/text-reports/summary?{query}")
    assert answer.status_code == 200, answer.get_json()
    return dict(answer.get_json())


def groups(b: Browser, by: str, query: str = RANGE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = b.get(f"/api/text-reports/groups?{query}&by={by}&per_page=7&page={len(found) // 7 + 1}").get_json()
        found += page["items"]
        if len(found) >= page["total"]:
            return found


@pytest.mark.promise("R3")
def test_every_way_of_grouping_sums_to_the_same_figures(owner: Browser, texts: dict[str, Any]) -> None:
    whole = summary(owner)["figures"]
    rows = texts["rows"]
    states = Counter(r.state for r in rows)
    assert {s: whole[s] for s in STATES} == {s: states[s] for s in STATES}
    assert sum(whole[s] for s in STATES) == whole["asked"] == 2000
    assert whole["sent"] == sum(r.submitted_at is not None for r in rows)
    assert whole["cost_minor"] == sum(r.charged_minor for r in rows)
    assert whole["replies"] > 0 and whole["opt_outs"] > 0
    for by in Group:
        parts = [g["figures"] for g in groups(owner, by)]
        if by is Group.REASON:
            assert sum(p["asked"] for p in parts) == sum(
                whole[s] for s in ("failed", "expired", "refused", "cancelled")
            )
        else:
            assert {n: sum(p[n] for p in parts) for n in NAMES} == {n: whole[n] for n in NAMES}, by


@pytest.mark.promise("R1")
def test_a_group_leads_to_exactly_its_texts(owner: Browser, texts: dict[str, Any]) -> None:
    way = {
        "route": "route_id", "user": "sender_id", "send": "send_id", "campaign": "campaign_id", "purpose": "purpose",
        "source": "source", "kind": "kind", "reason": "reason", "hour": "hour",
    }  # fmt: skip
    for by, name in way.items():
        for group in groups(owner, by)[:: 11 if by == "hour" else 1]:
            key = group["key"] or "0"
            found = owner.get(f"/api/text-reports/texts?{RANGE}&{name}={key}&per_page=1").get_json()
            assert found["total"] == group["figures"]["asked"], (by, group["key"], found)
            assert summary(owner, f"{RANGE}&{name}={key}")["figures"] == group["figures"] or by == "reason"
    for group in groups(owner, "day")[::5]:
        day = group["key"]
        assert summary(owner, f"from={day}&to={day}")["figures"] == group["figures"]


def test_days_are_those_of_the_enterprise_and_delivery_times_those_of_the_texts(
    owner: Browser, texts: dict[str, Any]
) -> None:
    days = [g["key"] for g in groups(owner, "day")]
    assert (days[0], days[-1], len(days)) == ("2026-03-01", "2026-03-31", 31)
    assert summary(owner, "from=2026-02-01&to=2026-02-28")["figures"]["asked"] == 0
    took = sorted(
        (r.final_at - r.submitted_at).total_seconds() for r in texts["rows"] if r.state == "delivered" and r.final_at
    )
    delivery = summary(owner)["delivery"]
    assert delivery["count"] == len(took) == sum(delivery["bars"])
    assert delivery["p50_s"] == pytest.approx(took[len(took) // 2], rel=0.05)
    assert delivery["p50_s"] < delivery["p90_s"] < delivery["p99_s"] <= took[-1]
    assert delivery["ends_s"] == list(BARS_S)
    assert delivery["bars"][0] == sum(t < 1 for t in took)
    nothing = summary(owner, "from=2020-01-01&to=2020-01-31")
    assert nothing["delivery"]["p50_s"] is None and nothing["figures"]["delivered_rate"] is None


def test_figures_of_one_customer_and_of_one_agent(owner: Browser, browser: New, texts: dict[str, Any]) -> None:
    with tenant_session(1) as db:
        customer = db.scalars(select(Customer)).one()
    assert summary(owner, f"{RANGE}&customer_id={customer.id}")["figures"]["asked"] == 2
    amys = summary(owner, f"{RANGE}&sender_id={texts['amy']}")["figures"]["asked"]
    assert amys == sum(g["figures"]["asked"] for g in groups(owner, "user") if g["label"] == "Amy")
    assert owner.get(f"/api/text-reports/summary?{RANGE}&customer_id=99").status_code == 404


def test_who_reports_sees_only_whom_they_see(owner: Browser, browser: New, texts: dict[str, Any]) -> None:
    add_user(1, "sue", "supervisor")  # no department: her own and what nobody in person sent
    b = browser()
    b.sign_in("acme", "sue")
    assert {g["label"] for g in groups(b, "user")} == {""}
    assert summary(b)["figures"]["asked"] < summary(owner)["figures"]["asked"]
    listed = b.get("/api/text-reports/choices").get_json()
    assert [u["name"] for u in listed["users"]] == ["Sue"]
    add = browser()
    add.sign_in("acme", "amy")
    assert add.get(f"/api/text-reports/summary?{RANGE}").status_code == 403


def test_routes_are_named_and_carriers_are_not(owner: Browser, texts: dict[str, Any]) -> None:
    assert {g["label"] for g in groups(owner, "route")} == {"=Mainland", "Abroad", ""}
    for path in ("groups?by=route&", "texts?", "summary?", "choices?", "export?", "export?by=route&"):
        assert b"secret" not in owner.get(f"/api/text-reports/{path}{RANGE}").data


@pytest.mark.promise("R2")
def test_a_report_and_its_texts_are_exported_and_that_is_audited(owner: Browser, texts: dict[str, Any]) -> None:
    raw = owner.get(f"/api/text-reports/export?{RANGE}&by=texts&state=delivered,failed").data.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(raw)))
    figures = summary(owner)["figures"]
    assert len(rows) - 1 == figures["delivered"] + figures["failed"]
    book = load_workbook(io.BytesIO(owner.get(f"/api/text-reports/export?{RANGE}&by=route&format=xlsx").data))
    table = list(book.active.iter_rows(values_only=True))
    assert {str(r[0]) for r in table[1:]} >= {"=Mainland", "Abroad"}
    assert sum(r[1] for r in table[1:]) == figures["asked"]
    with tenant_session(1) as db:
        kept = db.scalars(select(AuditEntry).where(AuditEntry.action == "export").order_by(AuditEntry.id)).all()
        assert [(e.entity, e.entity_id) for e in kept] == [("text_report", "texts"), ("text_report", "route")]


@pytest.mark.parametrize(
    "query",
    ["from=2026-04-01&to=2026-03-01", "from=2020-01-01&to=2026-01-01", "state=gone", "kind=fax", "from=x", "hour=24"],
)
def test_what_makes_no_sense_is_told_at_its_field(owner: Browser, query: str) -> None:
    answer = owner.get(f"/api/text-reports/summary?{query}")
    assert answer.status_code == 422 and answer.get_json()["fields"]
