"""Conversations, automatic answers and reports of texts in a real browser, in both languages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select, text

from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db import session as db_session
from callcenter.db.models import load_all
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.processes import relay
from callcenter.tenancy.actions import open_enterprise
from crm.models import Customer
from smsgateway import route_table
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.carriers.port import Inbound
from smsgateway.inbound import whose
from smsgateway.inbound.taking import take_all
from smsgateway.models import TextMessage, TextSend, TextTemplate
from smsgateway.purse import bookings
from smsgateway.sending import preparer
from tests.browser.chromium import faults, launch, sign_in, tone_wav
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder to look at afterwards
LI, CHEN, WANG, ZHAO = "+8613812345678", "+8613900000001", "+8613700000002", "+8613700000003"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright, tone_wav(tmp_path_factory.mktemp("microphone") / "tone.wav", 440))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tenant(postgres: Any, valkey: Any) -> Iterator[int]:
    """Enterprise `acme` with texts of the last days; all tests of this file share it, each with its own numbers."""
    names = ", ".join(t.name for t in load_all().metadata.sorted_tables)
    with db_session.engine().begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    patch = pytest.MonkeyPatch()
    patch.setattr(streams, "_client", None)
    streams.client().flushall()
    whose.forget()
    route_table.forget()
    with platform_session() as session:
        tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
        carrier = TextCarrier(name="north", protocol="demo", tenant_id_for_inbound=tenant)
        session.add(carrier)
        session.flush()
        session.add(TextRoute(name="Mainland", carrier_id=carrier.id, price_minor=5))
        bookings.top_up(session, tenant, "sms", 10_000, key="first")
    march(tenant)
    with tenant_session(tenant) as db:
        db.add(TextTemplate(name="Hours", purpose="service", body="We are here from 9 to 18."))
    yield tenant
    patch.undo()


@pytest.fixture(scope="module")
def address(tenant: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with web_process(tmp_path_factory.mktemp("var")) as running:
        yield running


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, address, "acme", "boss", PASSWORD)
    yield page
    context.close()


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def boss_of(tenant: int) -> int:
    with tenant_session(tenant) as db:
        return db.scalars(select(User.id).where(User.username == "boss")).one()


def march(tenant: int) -> None:
    """Texts of the last days with every end, from the boss."""
    boss = boss_of(tenant)
    now = utc_now()
    ends = ["delivered"] * 7 + ["failed", "refused", "submitted"]
    with tenant_session(tenant) as db:
        db.add(Customer(name="Li Na", company="Blue Sky", phones=[LI]))
        for n in range(4):
            send = TextSend(
                key=str(n), kind="sms", purpose="marketing", source="page", body=f"Autumn offer {n}: 20 % off.",
                audience={}, sender_id=boss, state="done", asked=30,
            )  # fmt: skip
            db.add(send)
            db.flush()
            for i in range(30):
                state, at = ends[i % 10], now - timedelta(days=n * 2, minutes=i)
                gone = state != "refused"
                db.add(
                    TextMessage(
                        tenant_id=tenant, send_id=send.id, phone_e164=LI if i == 0 else f"+861350000{n}{i:03}",
                        state=state, carrier_id=1, route_id=1, segments=1, price_minor=5, charged_minor=5 * gone,
                        not_before=at, expires_at=at, created_at=at, submitted_at=at if gone else None,
                        final_at=at + timedelta(seconds=3 + i) if state == "delivered" else None,
                        error_code="UNDELIV" if state == "failed" else "",
                        check_name="blacklist" if state == "refused" else "",
                        rule="listed" if state == "refused" else "",
                    )
                )  # fmt: skip


def came(*texts: tuple[str, str]) -> None:
    """Texts come in, and the relay tells browsers."""
    take_all([Inbound(phone, "10690001", body, utc_now().timestamp()) for phone, body in texts], 1)
    while relay.carry():
        pass


@pytest.mark.promise("S8")
def test_a_reply_rings_who_sent_and_is_answered_in_bubbles(page: Page, address: str, tenant: int) -> None:
    page.goto(f"{address}/conversations")
    expect(page.get_by_text("No conversations yet")).to_be_visible()
    came((LI, "Is the offer still on?"))
    expect(page.locator("nav .count")).to_have_text("1")
    expect(page.get_by_role("alert").filter(has_text="Li Na")).to_contain_text("Is the offer still on?")
    shot(page, "conversation_notice")
    came((CHEN, "你好，请问营业时间？"), (WANG, "STOP"))
    rows = page.get_by_role("region", name="Conversations").get_by_role("link")
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Nobody's").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name=re.compile("^All")).click()
    page.get_by_role("textbox", name="Name or number").fill("li na")
    expect(rows).to_have_count(1)
    rows.first.click()
    thread = page.get_by_role("log")
    expect(thread).to_contain_text("Autumn offer 0")
    expect(thread).to_contain_text("Is the offer still on?")
    expect(page.locator("nav .count")).to_have_text("1")
    write = page.get_by_role("textbox", name="Write an answer")
    write.fill("Yes, until Friday. Shall I book a place for you?")
    shot(page, "conversation")
    write.press("Control+Enter")
    mine = thread.get_by_role("listitem").last
    expect(mine).to_contain_text("Yes, until Friday.")
    expect(write).to_have_value("")
    loop = preparer.Preparer()
    while loop.turn():
        pass
    expect(mine.get_by_role("link")).to_contain_text("Waiting")
    with tenant_session(tenant) as db:
        answer = db.scalars(select(TextSend).order_by(TextSend.id.desc())).first()
        assert answer is not None and (answer.purpose, answer.source) == ("service", "page")
        assert answer.audience["numbers"] == [LI]


@pytest.mark.promise("S8")
def test_an_opt_out_is_shown_with_its_word(page: Page, address: str, tenant: int) -> None:
    came((ZHAO, "退订"), (ZHAO, "By the way, who are you?"))
    page.goto(f"{address}/conversations?search=0003")
    page.get_by_role("region", name="Conversations").get_by_role("link").first.click()
    expect(page.get_by_text("Opted out by text (“退订”)")).to_be_visible()
    page.get_by_role("button", name="Take").click()
    expect(page.get_by_role("button", name="Take")).to_have_count(0)
    shot(page, "conversation_opted_out")


@pytest.mark.promise("S8")
def test_answers_and_keywords_are_set_and_tried(page: Page, address: str, tenant: int) -> None:
    page.goto(f"{address}/settings/text-keywords")
    page.get_by_role("button", name="Add an answer").click()
    panel = page.get_by_role("complementary")
    panel.get_by_label("Name").fill("Opening hours")
    words = panel.get_by_label("Words", exact=True)
    for word in ("hours", "营业时间"):
        words.fill(word)
        words.press("Enter")
    panel.get_by_label("Answer with template").click()
    page.get_by_role("option", name="Hours").click()
    panel.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("Opening hours"))).to_contain_text("营业时间")
    page.get_by_label("Try a text").fill("请问营业时间是？")
    expect(page.get_by_role("status")).to_contain_text("“Opening hours” answers.")
    expect(page.get_by_text("We are here from 9 to 18.")).to_be_visible()
    page.get_by_label("Try a text").fill("stop please")
    expect(page.get_by_role("status")).to_contain_text("Opts out with “STOP”.")
    page.get_by_role("textbox", name="Address").fill("crm.example.com")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("Write an address that begins with https://.")).to_be_visible()
    page.get_by_role("textbox", name="Address").fill("https://crm.example.com/texts")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_role("button", name="Post a test")).to_be_enabled()
    shot(page, "text_keywords")


@pytest.mark.promise("R1")
def test_a_report_leads_to_the_texts_behind_its_figures(page: Page, address: str, tenant: int) -> None:
    page.goto(f"{address}/texts/reports")
    tile = page.get_by_role("link", name=re.compile("^Delivered"))
    expect(tile).to_contain_text("84")
    expect(page.get_by_role("row").filter(has_text="21")).to_have_count(4)
    page.locator(".el-select", has=page.locator("#report-by")).click()
    page.get_by_role("option", name="Reason").click()
    row = page.get_by_role("row", name=re.compile("On the blacklist"))
    expect(row).to_contain_text("12")
    shot(page, "text_report")
    row.click()
    expect(page).to_have_url(re.compile("reason=refused"))
    expect(page.get_by_text("1–12")).to_be_visible()
    shot(page, "text_report_texts")


AXE = (
    ("en", "light", ("/conversations/1", "/settings/text-keywords", "/texts/reports")),
    ("zh-CN", "dark", ("/conversations/2", "/settings/text-keywords/new", "/texts/reports/texts")),
)


@pytest.mark.parametrize(("locale", "theme", "pages"), AXE)
def test_axe_finds_nothing_serious(
    chromium: Any, address: str, tenant: int, locale: str, theme: str, pages: tuple[str, ...]
) -> None:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US", color_scheme=theme)
    page = context.new_page()
    sign_in(page, address, "acme", "boss", PASSWORD)
    if locale == "zh-CN":
        page.get_by_role("button", name="Language").click()
        page.get_by_role("menuitem", name="简体中文").click()
        expect(page.get_by_role("button", name="语言")).to_be_visible()
    found = []
    for path in pages:
        page.goto(address + path)
        page.locator("main").first.wait_for()
        page.wait_for_load_state("networkidle")
        shot(page, f"axe_{locale}{path.replace('/', '_')}")
        found += [(path, fault) for fault in faults(page)]
    context.close()
    assert found == []
