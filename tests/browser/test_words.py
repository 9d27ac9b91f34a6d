"""Words and opt-outs in a real browser: an owner tests a text, adds a word, switches a category off, allows a phrase,
opts a number out and ends it. Needs the built interface (`make ui`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from callcenter.db.session import platform_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.browser.chromium import faults, launch, sign_in
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"


@pytest.fixture
def page(
    database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Page, str]]:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    with web_process(tmp_path) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
        page = context.new_page()
        page.set_default_timeout(15_000)
        sign_in(page, address, "acme", "boss", PASSWORD)
        yield page, address
        browser.close()


@pytest.mark.promise("S3")
@pytest.mark.promise("S8")
def test_an_owner_keeps_words_and_opt_outs(page: tuple[Page, str]) -> None:
    words_are_kept_and_tried_on_a_text(*page)
    numbers_are_opted_out_and_ended_after_being_asked(*page)


def words_are_kept_and_tried_on_a_text(p: Page, address: str) -> None:
    p.goto(f"{address}/settings")
    p.get_by_role("link", name=re.compile("Sensitive words")).click()
    box = p.get_by_role("region", name="Test a text")
    result = box.get_by_role("status")
    box.get_by_label("Text", exact=True).fill("Blue Moon tonight, 賭博 or c a s i n o 😀")
    expect(result).to_contain_text("It would be stopped")
    expect(box.locator("mark.blocks")).to_have_text(["賭博"])
    expect(box.locator("mark.asks")).to_have_text(["c a s i n o"])

    p.get_by_role("button", name="Add words").first.click()
    panel = p.get_by_role("complementary", name="Add words")
    panel.get_by_label("Words").fill("Blue Moon\nx\n赌博")
    assert faults(p) == []
    panel.get_by_role("button", name="Add 3 words").click()
    expect(panel.get_by_role("status")).to_contain_text("1 added")
    expect(panel.get_by_role("status")).to_contain_text("is on the built-in list")
    expect(box.locator("mark.blocks")).to_have_text(["Blue Moon", "賭博"])
    panel.get_by_role("button", name="Close").last.click()
    row = p.get_by_role("row", name=re.compile("Blue Moon"))
    expect(row).to_contain_text("Enabled")

    row.get_by_role("checkbox").check()
    p.get_by_role("toolbar").get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("Disabled")
    expect(box.locator("mark.blocks")).to_have_text(["賭博"])
    p.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("Enabled")
    row.get_by_role("checkbox").check()
    p.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    expect(p.get_by_text("No words of your own yet")).to_be_visible()

    p.get_by_role("link", name="Built-in words").click()
    p.get_by_role("switch", name="Search for words of “Gambling”").locator("..").click()
    expect(result).to_contain_text("It would pass")
    p.get_by_role("button", name=re.compile("^Gambling")).click()
    p.get_by_label("Find a word").fill("ＣＡＳＩＮＯ")
    expect(p.get_by_role("row", name=re.compile("casino")).first).to_contain_text("Category off")
    assert faults(p) == []
    p.get_by_role("switch", name="Search for words of “Gambling”").locator("..").click()
    expect(result).to_contain_text("It would be stopped")

    p.get_by_role("link", name="Allowed phrases").click()
    p.get_by_role("button", name="Add phrases").first.click()
    panel = p.get_by_role("complementary", name="Add phrases")
    panel.get_by_label("Allowed phrases").fill("赌博 or")
    panel.get_by_role("button", name="Add 1 phrase").click()
    expect(panel.get_by_role("status")).to_contain_text("1 added")
    box.get_by_label("Text", exact=True).fill("赌博 or not")
    expect(result).to_contain_text("It would pass")


def numbers_are_opted_out_and_ended_after_being_asked(p: Page, address: str) -> None:
    p.goto(f"{address}/settings/opt-outs/add")
    panel = p.get_by_role("complementary", name="Add opt-outs")
    panel.get_by_role("textbox", name="Numbers").fill("138 1234 5678\n13912345678, nonsense")
    panel.get_by_label("Note").fill("asked by letter")
    assert faults(p) == []
    panel.get_by_role("button", name="Opt out 3 numbers").click()
    expect(panel.get_by_role("status")).to_contain_text("2 opted out")
    expect(panel.get_by_role("textbox", name="Numbers")).to_have_value("nonsense")
    panel.get_by_role("button", name="Close").last.click()
    row = p.get_by_role("row", name=re.compile("138 1234 5678"))
    expect(row).to_contain_text("Opted out")
    expect(row).to_contain_text("asked by letter")
    row.get_by_role("checkbox").check()
    p.get_by_role("toolbar").get_by_role("button", name="End opt-out").click()
    dialog = p.get_by_role("dialog", name="End the opt-out of this number")
    expect(dialog).to_contain_text("Do this only if they asked for it.")
    dialog.get_by_role("button", name="End opt-out").click()
    expect(row).to_have_count(0)
    p.get_by_text("Ended", exact=True).click()
    expect(row).to_contain_text("Ended")
