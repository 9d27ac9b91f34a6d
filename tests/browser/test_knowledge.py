"""The knowledge base in Chromium: written and read on its page, and at hand beside a call without losing its keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select

from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from crm.knowledge import actions
from crm.knowledge.models import KnowledgeArticle
from dialer.actions.defaults import give_defaults
from dialer.models import Campaign
from tests.browser.chromium import faults, launch, sign_in
from tests.browser.test_desk import Floor
from tests.dialer.floor import add_call
from tests.web.conftest import PASSWORD, add_user
from tests.web.serving import web_process
from tests.web.test_calls import EngineDouble

pytestmark = [pytest.mark.browser, pytest.mark.promise("A4"), pytest.mark.timeout(180)]
EVIL = """## Refunds
**Within** 7 days, <img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>
- [a trap](javascript:window.hacked=1)
- [the rules](https://example.com/rules)
"""
Open = Callable[[str, str], Page]


@pytest.fixture
def floor(
    database: object, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Floor]:
    """A web process, an engine that says yes, an agent, and a campaign with an article of its own among others."""
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as s:
        tenant = open_enterprise(s, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    agent = add_user(tenant, "lin", "agent")
    with tenant_session(tenant) as s:
        s.get_one(User, agent).locale = "en"
        give_defaults(s, tenant)
        campaign = Campaign(name="Autumn", mode="predictive", state="running")
        s.add(campaign)
        s.flush()
        writer = Actor(tenant, None, "Admin", permissions=frozenset({"knowledge.write"}))
        articles: tuple[tuple[str, str, list[int]], ...] = (
            ("Autumn prices", "## Plans\n1. **100M** costs 59 yuan", [campaign.id]),
            ("Moving house", "We move the line. 搬家移机 is free.", []),
            ("Slow internet", "Look at the light of the router.", []),
        )
        for title, body, campaigns in articles:
            row = actions.create(s, writer, {"title": title, "body": body, "campaign_ids": campaigns}, utc_now())
            actions.publish(s, writer, row.id, utc_now())
        found = (tenant, agent, campaign.id)
    engine = EngineDouble(redis_client)
    engine.start()
    with web_process(tmp_path) as address:
        yield Floor(found[0], found[1], found[2], 0, 0, address, engine)
    engine.running = False
    engine.join(5)


@pytest.fixture
def open_page(floor: Floor) -> Iterator[Open]:
    """Opens an address as a user, in English."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)

        def page(username: str, path: str) -> Page:
            found = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US").new_page()
            found.set_default_timeout(10_000)
            sign_in(found, floor.address, "acme", username, PASSWORD)
            found.goto(floor.address + path)
            return found

        yield page
        chromium.close()


def test_an_article_is_written_published_and_restored_and_no_html_in_it_is_ever_run(
    floor: Floor, open_page: Open
) -> None:
    page = open_page("boss", "/knowledge/new")
    page.get_by_label("Title").fill("How refunds work")
    page.get_by_role("textbox", name="Text").fill(EVIL)
    preview = page.get_by_label("As agents read it")
    expect(preview.get_by_role("heading", name="Refunds", exact=True)).to_be_visible()
    expect(preview.locator("strong")).to_have_text("Within")
    expect(preview).to_contain_text('<img src=x onerror="window.hacked = 1"><script>')
    assert faults(page) == []
    page.reload()
    expect(page.get_by_label("Title")).to_have_value("How refunds work")  # what was typed is kept
    page.get_by_role("button", name="Publish").click()
    article = page.get_by_role("article", name="How refunds work")
    expect(article.get_by_role("link", name="the rules")).to_have_attribute("href", "https://example.com/rules")
    expect(article).to_contain_text("[a trap](javascript:window.hacked=1)")
    assert article.locator("img, script").count() == 0 and page.locator("[href^='javascript' i]").count() == 0
    assert page.evaluate("window.hacked") is None
    article.get_by_role("button", name="Helped").click()
    expect(article.get_by_role("button", name="Helped 1")).to_have_attribute("aria-pressed", "true")
    assert faults(page) == []

    article.get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Text").fill("No refunds at all.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.get_by_role("button", name="Versions").click()
    page.get_by_role("button", name=re.compile("^Version 1 ")).click()
    page.get_by_role("button", name="Restore this version").click()
    expect(preview.locator("strong")).to_have_text("Within")
    with tenant_session(floor.tenant) as s:
        row = s.scalars(select(KnowledgeArticle).where(KnowledgeArticle.title == "How refunds work")).one()
        assert (row.revision, row.body, row.helped, row.views) == (3, EVIL.rstrip(), 1, 1)

    page.goto(f"{floor.address}/knowledge")
    page.get_by_label("Search titles, tags and texts").fill("移机")
    expect(page.get_by_role("link", name=re.compile("Moving house"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("How refunds work"))).to_be_hidden()
    assert faults(page) == []


def test_in_a_call_the_key_b_opens_it_and_the_keys_of_the_outcome_stay(floor: Floor, open_page: Open) -> None:
    floor.show("on_call", floor.call("talking"))
    page = open_page("lin", "/desk")
    sale = page.get_by_role("radio", name="Sale")
    sale.wait_for()
    page.keyboard.press("b")
    at_hand = page.get_by_role("region", name="Knowledge base")
    search = at_hand.get_by_role("combobox")
    expect(search).to_be_focused()
    expect(at_hand.get_by_role("option")).to_have_count(3)
    expect(at_hand.get_by_role("option").first).to_contain_text("Autumn prices")
    assert faults(page) == []
    page.keyboard.type("1")
    expect(sale).to_have_attribute("aria-checked", "false")  # typing chooses nothing
    search.fill("")
    expect(at_hand.get_by_role("option")).to_have_count(3)
    page.keyboard.press("ArrowDown")
    expect(at_hand.get_by_role("option").nth(1)).to_have_attribute("aria-selected", "true")
    search.fill("router")
    expect(at_hand.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    article = at_hand.get_by_role("article", name="Slow internet")
    expect(article).to_contain_text("Look at the light of the router.")
    page.keyboard.press("1")
    expect(sale).to_have_attribute("aria-checked", "true")
    page.keyboard.press("h")
    assert floor.wait_for("call.hold")["on"] is True
    expect(article).to_be_visible()
    article.get_by_role("button", name="Did not help").click()
    expect(article.get_by_role("button", name="Did not help 1")).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(search).to_be_focused()
    page.keyboard.press("Escape")
    expect(at_hand).to_be_hidden()
    page.keyboard.press("b")
    expect(at_hand).to_be_visible()

    page.get_by_role("link", name="Customers").click()
    expect(at_hand).to_be_visible()  # over the page, where there is no desk to stand on
    assert faults(page) == []
    page.get_by_role("button", name="Knowledge base", exact=True).click()
    expect(at_hand).to_be_hidden()
    page.keyboard.press("b")
    floor.show("available", floor.call("ended", dispositioned=True))
    expect(at_hand).to_be_hidden()
    with tenant_session(floor.tenant) as s:
        row = s.scalars(select(KnowledgeArticle).where(KnowledgeArticle.title == "Slow internet")).one()
        assert (row.views, row.not_helped) == (1, 1)


def test_an_agent_sees_the_own_line_among_the_best_and_only_the_place_where_names_are_off(
    floor: Floor, open_page: Open
) -> None:
    now = utc_now()
    mei = add_user(floor.tenant, "mei", "agent")
    for agent in (mei, mei, floor.agent):
        add_call(floor.tenant, now, agent_id=agent, connected_at=now, talk_s=95)
    floor.show("available")
    page = open_page("lin", "/desk")
    day = page.get_by_role("region", name="My day")
    own = day.get_by_role("row", name=re.compile("Lin"))
    expect(own).to_have_attribute("aria-current", "true")
    expect(own).to_contain_text("2")
    expect(day.get_by_role("row")).to_have_count(3)
    assert faults(page) == []
    settings = open_page("boss", "/settings/ranking")
    assert faults(settings) == []
    settings.locator(".el-switch").click()
    expect(settings.get_by_text("Agents see their own figures and place only.")).to_be_visible()
    day.get_by_role("button", name="This week").click()
    expect(day.get_by_text("Your enterprise shows each agent the own place only.")).to_be_visible()
    expect(day.get_by_text("Mei")).to_be_hidden()
    expect(day).to_contain_text("of 2")
