"""An owner orders a top-up, the operator credits it, and pages show it at once. Needs the built interface."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select

from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.purse import bookings
from smsgateway.purse.bookings import Line
from smsgateway.purse.watch import Watch
from tests.browser.chromium import faults, launch, sign_in
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder to look at afterwards


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def tenant(database: object, redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as s:
        open_enterprise(s, "platform", "Platform", "CN", "Asia/Shanghai", "op", PASSWORD, locale="en", is_platform=True)
        tenant = open_enterprise(s, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
        carrier = TextCarrier(name="North", protocol="demo")
        s.add(carrier)
        s.flush()
        s.add_all([TextRoute(name=f"r{p}", carrier_id=carrier.id, price_minor=p) for p in (4, 5)])
    return tenant


@pytest.fixture
def address(tenant: int, tmp_path: Path) -> Iterator[str]:
    details = "Example Bank, branch 1\\nAcme Platform Ltd\\n6222 0000 0000 0000"
    with web_process(tmp_path, BANK_DETAILS=details) as running:
        yield running


def page_of(chromium: Any, address: str, enterprise: str, username: str) -> Page:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
    page: Page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, address, enterprise, username, PASSWORD)
    return page


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def spend(tenant: int) -> None:
    """Two sends, one text of the second given back, and one batch still under way."""
    with tenant_session(tenant) as s:
        boss = s.scalars(select(User.id).where(User.username == "boss")).one()
        for send, purpose, count in ((1, "marketing", 1200), (2, "code", 3)):
            held = bookings.reserve_up_to(
                s, tenant, "sms", [5] * count, key=f"send:{send}", send_id=send, user_id=boss, purpose=purpose
            ).reservation_id
            assert held is not None
            bookings.settle(s, [Line(held, 5 * count, count, count)])
            if purpose == "code":
                bookings.give_back(s, [Line(held, 5, 1, 1)])
        bookings.reserve_up_to(s, tenant, "sms", [5] * 400, key="send:3", send_id=3, user_id=boss, purpose="service")


def into_chinese(page: Page) -> None:
    page.get_by_role("button", name="Language").click()
    with page.expect_response(lambda r: r.request.method == "PATCH"):  # kept, before the page is left
        page.get_by_role("menuitem", name="简体中文").click()
    expect(page.get_by_role("button", name="语言")).to_be_visible()


@pytest.mark.promise("S9")
@pytest.mark.promise("E2")
def test_an_owner_orders_the_operator_credits_and_the_owners_page_shows_it_by_itself(
    chromium: Any, address: str, tenant: int
) -> None:
    owner = page_of(chromium, address, "acme", "boss")
    owner.goto(f"{address}/balance")
    expect(owner.get_by_text("No top-ups yet")).to_be_visible()
    shot(owner, "empty")
    owner.get_by_role("main").get_by_role("button", name="Order a top-up").first.click()
    panel = owner.get_by_role("complementary", name="Order a top-up")
    panel.get_by_label("Amount in CNY").fill("1.005")
    panel.get_by_role("button", name="Order", exact=True).click()
    expect(panel.get_by_role("alert")).to_have_text("Write an amount such as 100.00.")
    shot(owner, "wrong_amount")
    panel.get_by_label("Amount in CNY").fill("１,２３４.50")
    panel.get_by_role("button", name="Order", exact=True).click()
    panel = owner.get_by_role("complementary", name=re.compile("^Top-up T"))
    expect(panel.get_by_text("Example Bank, branch 1")).to_be_visible()
    number = panel.locator("code").inner_text()
    shot(owner, "how_to_pay")

    operator = page_of(chromium, address, "platform", "op")
    operator.goto(f"{address}/platform/top-ups")
    operator.get_by_role("row", name=re.compile(number)).click()
    shot(operator, "operator_order")
    credited = operator.get_by_role("complementary", name=re.compile(number))
    credited.get_by_label("Note").fill("Bank statement 12")
    credited.get_by_role("button", name="Credit ¥1,234.50").click()
    expect(operator.get_by_text("¥1,234.50 credited to Acme.")).to_be_visible()

    Watch().turn(utc_now())  # the backoffice's loop
    card = owner.get_by_role("region", name="SMS")
    expect(card).to_contain_text("¥1,234.50")
    expect(card).to_contain_text("Enough for 24,690 to 30,862 segments")
    expect(panel).to_contain_text("Credited by")
    with owner.expect_download() as download:
        panel.get_by_role("link", name="Download receipt").click()
    assert download.value.suggested_filename.endswith(f"{number}.pdf")
    if SHOTS:
        download.value.save_as(f"{SHOTS}/receipt.pdf")
    shot(owner, "credited")

    spend(tenant)
    owner.goto(f"{address}/balance/deductions")
    expect(owner.get_by_role("status").first).to_contain_text("¥60.10")
    expect(owner.get_by_role("region", name="SMS")).to_be_visible()
    expect(owner.get_by_role("row", name=re.compile("Marketing"))).to_contain_text("-¥60.00")
    shot(owner, "deductions")
    owner.goto(f"{address}/balance/statement")
    expect(owner.get_by_role("row", name=re.compile("¥1,154.40"))).to_be_visible()
    shot(owner, "statement")
    owner.get_by_role("button", name=re.compile("No warning is set")).first.click()
    owner.get_by_label("Warn when less is left (CNY)").fill("1200")
    shot(owner, "warn")
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_role("region", name="SMS")).to_contain_text("Running low")
    Watch().turn(utc_now())
    expect(owner.get_by_text("SMS: ¥1,154.40 is left", exact=True)).to_be_visible()
    owner.goto(address)
    expect(owner.get_by_text("SMS: less than ¥1,200.00 is left")).to_be_visible()
    shot(owner, "home")
    owner.context.close()
    _correct(operator, address)
    operator.context.close()


def _correct(operator: Page, address: str) -> None:
    """The operator credits unasked, and takes it away with a reason, but not more than there is."""
    operator.goto(f"{address}/platform/balances")
    operator.get_by_role("row", name=re.compile("Acme")).click()
    panel = operator.get_by_role("complementary", name="Acme")
    panel.get_by_text("MMS", exact=True).click()
    panel.get_by_label("Amount in CNY").fill("50")
    panel.get_by_role("button", name="Credit ¥50.00").click()
    expect(panel).to_contain_text("MMS ¥50.00")
    panel.get_by_text("Correct downwards").click()
    panel.get_by_label("Amount in CNY").fill("50.01")
    panel.get_by_label("Reason").fill("Credited to the wrong enterprise")
    panel.get_by_role("button", name="Take ¥50.01 away").click()
    expect(operator.get_by_text("There is less on the balance than that.")).to_be_visible()
    panel.get_by_label("Amount in CNY").fill("50")
    panel.get_by_role("button", name="Take ¥50.00 away").click()
    expect(panel).to_contain_text("MMS ¥0.00")
    expect(operator.get_by_text("The balance of Acme is corrected by -¥50.00.")).to_be_visible()
    shot(operator, "operator_correct")


def test_axe_finds_nothing_serious_in_either_language(chromium: Any, address: str, tenant: int) -> None:
    with tenant_session(tenant) as s:
        bookings.top_up(s, tenant, "sms", 50_000, key="k")
    spend(tenant)
    found = []
    for enterprise, username, english, chinese in (
        ("acme", "boss", ("/", "/balance/new", "/balance/deductions"), ("/balance", "/balance/statement")),
        ("platform", "op", ("/platform/top-ups",), (f"/platform/balances/{tenant}?name=Acme",)),
    ):
        page = page_of(chromium, address, enterprise, username)
        for locale, paths in (("en", english), ("zh", chinese)):
            if locale == "zh":
                into_chinese(page)
            for path in paths:
                page.goto(address + path)
                page.locator("main").first.wait_for()
                page.wait_for_load_state("networkidle")
                shot(page, f"{locale}{re.sub(r'[^a-z]+', '_', path)}")
                found += [(path, fault) for fault in faults(page)]
        page.context.close()
    assert found == []
