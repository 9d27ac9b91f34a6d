"""The frame and the people's pages in a real browser: signing in, adding a user, losing the session, no serious fault
for axe in either language and theme. Needs the built interface (`make ui`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, expect, sync_playwright

from callcenter.db.session import platform_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.browser.chromium import faults, launch, sign_in
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"
PAGES = ("/", "/people/users", "/people/users/1", "/people/roles/4", "/people/departments", "/audit", "/profile")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def address(database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    with web_process(tmp_path) as running:
        yield running


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.mark.promise("E4")
def test_an_owner_adds_a_user_and_reads_at_the_field_what_is_wrong(page: Page, address: str) -> None:
    sign_in(page, address, "acme", "boss", PASSWORD)
    page.goto(f"{address}/people/users")
    page.get_by_role("button", name="Add user").click()
    panel = page.get_by_role("complementary", name="Add user")
    panel.get_by_label("Name", exact=True).fill("Li Wei")
    panel.get_by_label("User name").fill("boss")
    panel.get_by_label("Password").fill("a long one 9")
    panel.get_by_role("button", name="Add user").click()
    expect(panel.get_by_role("alert")).to_have_text("This user name is taken. Choose another one.")
    panel.get_by_label("User name").fill("li.wei")
    panel.get_by_role("button", name="Add user").click()
    row = page.get_by_role("row", name=re.compile("Li Wei"))
    expect(row).to_contain_text("li.wei")
    row.click()
    expect(page).to_have_url(re.compile(r"/people/users/\d+$"))
    page.reload()
    expect(page.get_by_role("complementary", name="Li Wei")).to_be_visible()


@pytest.mark.promise("E1")
def test_a_lost_session_leads_to_the_sign_in_page_and_back_to_the_same_place(
    page: Page, address: str, redis_client: redis.Redis
) -> None:
    sign_in(page, address, "acme", "boss", PASSWORD)
    page.goto(f"{address}/people/roles")
    expect(page.get_by_role("row", name=re.compile("Supervisor"))).to_be_visible()
    page.wait_for_load_state("networkidle")  # or what the frame asks for finds out first
    keys: Any = redis_client.keys("session:*")
    redis_client.delete(*keys)
    page.get_by_role("row", name=re.compile("Supervisor")).click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_label("User name").fill("boss")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/people/roles"))
    expect(page.get_by_role("row", name=re.compile("Supervisor"))).to_be_visible()


def test_a_page_is_reached_by_typing_its_name(page: Page, address: str) -> None:
    sign_in(page, address, "acme", "boss", PASSWORD)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("audit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()


@pytest.mark.parametrize(("locale", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_axe_finds_nothing_serious(chromium: Any, address: str, locale: str, theme: str) -> None:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US", color_scheme=theme)
    page = context.new_page()
    sign_in(page, address, "acme", "boss", PASSWORD)
    if locale == "zh-CN":
        page.get_by_role("button", name="Language").click()
        page.get_by_role("menuitem", name="简体中文").click()
        expect(page.get_by_role("button", name="语言")).to_be_visible()
    found = []
    for path in PAGES:
        page.goto(address + path)
        page.locator("h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        found += [(path, fault) for fault in faults(page)]
    context.close()
    assert found == []
