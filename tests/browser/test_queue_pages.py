"""Queues and skills in a real browser: an owner makes a skill and a queue that wants it. Needs the built interface
(`make ui`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from callcenter.db.session import platform_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.browser.chromium import faults, launch, sign_in
from tests.web.conftest import add_user
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"


@pytest.fixture
def page(
    database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Page, str]]:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    add_user(tenant, "lin", "agent")
    add_user(tenant, "wu", "agent")
    with web_process(tmp_path) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(viewport={"width": 1366, "height": 900}, locale="en-US")
        page = context.new_page()
        page.set_default_timeout(15_000)
        sign_in(page, address, "acme", "boss", PASSWORD)
        yield page, address
        browser.close()


def choose(page: Page, field: Locator, *names: str) -> None:
    """Choose from a list of several by keys and mouse, as a person does."""
    field.focus()
    field.press("ArrowDown")
    for name in names:
        page.get_by_role("option", name=re.compile(name)).locator("visible=true").click()
    page.keyboard.press("Escape")


@pytest.mark.promise("I3")
def test_an_owner_makes_a_skill_and_a_queue_that_wants_it(page: tuple[Page, str]) -> None:
    p, address = page
    p.goto(f"{address}/settings/skills/new")
    panel = p.get_by_role("complementary", name="Add skill")
    panel.get_by_label("Name", exact=True).fill("German")
    choose(p, panel.get_by_label("Agents", exact=True), "Lin")
    expect(panel.get_by_role("slider")).to_have_count(1)
    assert faults(p) == []
    panel.get_by_role("button", name="Add", exact=True).click()
    expect(p.get_by_role("row", name=re.compile("German"))).to_be_visible()

    p.goto(f"{address}/settings/queues/new")
    panel = p.get_by_role("complementary", name="Add queue")
    panel.get_by_label("Name", exact=True).fill("Service")
    panel.get_by_role("tab", name="Agents").click()
    choose(p, panel.get_by_role("combobox").locator("visible=true").first, "Lin", "Wu")
    members = panel.get_by_role("table", name="Agents")
    expect(members.get_by_role("row", name=re.compile("Lin.*German 5"))).to_be_visible()
    panel.get_by_role("tab", name="Skills").click()
    panel.get_by_role("button", name="Add skill").click()
    expect(panel.get_by_text("Level 5 at first, level 1 after 02:00 of waiting.")).to_be_visible()
    panel.get_by_role("tab", name="Overflow").click()
    panel.get_by_text("Offer to be called back").click()
    expect(panel.get_by_text("Promise ends after (hours)")).to_be_visible()
    assert faults(p) == []
    panel.get_by_role("button", name="Add", exact=True).click()
    row = p.get_by_role("row", name=re.compile("Service"))
    expect(row).to_contain_text("80% within 20 s")
    expect(row).to_contain_text("German")

    row.click()
    panel = p.get_by_role("complementary", name="Service")
    panel.get_by_role("tab", name="Figures").click()
    expect(
        panel.get_by_text("Answered within the target time ÷ (answered + given up)").locator("visible=true")
    ).to_be_visible()
    expect(panel.get_by_text("No calls in this time.")).to_be_visible()
    assert faults(p) == []


def test_what_is_wrong_opens_its_tab(page: tuple[Page, str]) -> None:
    p, address = page
    p.goto(f"{address}/settings/queues/new")
    panel = p.get_by_role("complementary", name="Add queue")
    panel.get_by_role("tab", name="Waiting").click()
    panel.get_by_role("button", name="Add", exact=True).click()
    expect(panel.get_by_label("Name", exact=True)).to_be_visible()
    expect(panel.get_by_role("tab", name="General")).to_contain_text("General")
    expect(panel.get_by_role("alert").locator("visible=true")).to_have_count(1)
