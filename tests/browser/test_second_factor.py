"""The second factor in a real browser: set up on the account page, asked for at sign-in, typed and pasted; a role that
requires it; API tokens and the API's documentation. No serious fault for axe on any of these pages."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select

from callcenter.auth.models import Role
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.auth.authenticator import code_at
from tests.browser.chromium import faults, launch, sign_in
from tests.web.conftest import add_user
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def tenant(database: object, redis_client: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        return open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")


@pytest.fixture(scope="module")
def running(postgres: object, valkey: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One web process for all of these tests: it keeps nothing of the enterprise of the test before."""
    with web_process(tmp_path_factory.mktemp("web")) as address:
        yield address


@pytest.fixture
def address(tenant: int, running: str) -> str:
    return running


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def give_password(page: Page, address: str, username: str) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("Enterprise code").fill("acme")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")


def secret_on(page: Page) -> str:
    """The key that stands beside the QR code."""
    expect(page.get_by_alt_text("QR code")).to_be_visible()
    return page.locator(".secret code").inner_text().replace(" ", "")


@pytest.mark.promise("E1")
def test_a_user_sets_it_up_and_signs_in_by_a_pasted_code_and_by_a_recovery_code(page: Page, address: str) -> None:
    sign_in(page, address, "acme", "boss", PASSWORD)
    page.goto(f"{address}/profile")
    card = page.get_by_role("region", name="Second factor")
    card.get_by_role("button", name="Set up").click()
    card.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    secret = secret_on(page)
    assert faults(page) == []
    expect(card.get_by_label("The code that the app shows now")).to_be_focused()
    page.keyboard.type(code_at(secret, time.time()))
    shown = card.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()
    card.get_by_text("I have kept these codes").click()
    card.get_by_role("button", name="Go on").click()
    expect(card).to_contain_text("10 recovery codes left")
    assert faults(page) == []

    page.get_by_role("button", name=re.compile("Account of")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    give_password(page, address, "boss")
    field = page.get_by_label("Code from your app")
    expect(field).to_be_focused()
    assert field.get_attribute("autocomplete") == "one-time-code"
    assert faults(page) == []
    page.keyboard.type("00000x0")
    expect(page.get_by_role("alert")).to_contain_text("This code does not fit")
    expect(field).to_be_focused()
    fresh = code_at(secret, time.time() + 30)
    page.evaluate("text => navigator.clipboard.writeText(text)", f"{fresh[:3]} {fresh[3:]}")
    page.keyboard.press("Control+V")
    page.locator("header").first.wait_for()

    page.get_by_role("button", name=re.compile("Account of")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    give_password(page, address, "boss")
    page.get_by_role("button", name=re.compile("use a recovery code")).click()
    page.get_by_label("Recovery code").fill(codes[0].upper())
    page.keyboard.press("Enter")
    page.locator("header").first.wait_for()


@pytest.mark.promise("E1")
def test_a_role_that_requires_it_leads_to_the_set_up_and_then_to_the_page_that_was_wanted(
    page: Page, address: str, tenant: int
) -> None:
    add_user(tenant, "ann", "supervisor")
    with tenant_session(tenant) as db:
        db.scalars(select(Role).where(Role.key == "supervisor")).one().second_factor_required = True
    page.goto(f"{address}/calls")
    page.get_by_label("Enterprise code").fill("acme")
    page.get_by_label("User name").fill("ann")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    secret = secret_on(page)
    assert faults(page) == []
    page.keyboard.type(code_at(secret, time.time()))
    page.get_by_text(re.compile("I have kept|我已保存")).click()
    assert faults(page) == []
    page.get_by_role("button", name=re.compile("Go on|继续")).click()
    expect(page).to_have_url(re.compile("/calls$"))


@pytest.mark.promise("P1")
def test_an_owner_makes_a_token_that_works_reads_the_documentation_and_revokes_it(page: Page, address: str) -> None:
    sign_in(page, address, "acme", "boss", PASSWORD)
    page.goto(f"{address}/settings/api-tokens")
    page.get_by_role("button", name="New token").first.click()
    panel = page.get_by_role("complementary", name="New token")
    panel.get_by_label("Name", exact=True).fill("ERP")
    panel.get_by_role("button", name="Make token").click()
    expect(panel.get_by_role("alert")).to_have_text("Choose at least one permission.")
    panel.get_by_text("See users").click()
    assert faults(page) == []
    panel.get_by_role("button", name="Make token").click()
    token = page.get_by_role("complementary", name="ERP").get_by_label("Token").input_value()
    request = urllib.request.Request(f"{address}/api/users", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert b'"boss"' in answer.read()

    page.get_by_role("link", name="What the API can do").click()
    page.get_by_label("Search the API").fill("/api/users")
    page.get_by_text("/api/users", exact=True).first.click()
    expect(page.get_by_role("cell", name="users.read").or_(page.get_by_text("users.read")).first).to_be_visible()
    expect(page.locator("pre").first).to_contain_text("Authorization: Bearer $TOKEN")
    assert faults(page) == []

    page.goto(f"{address}/settings/api-tokens")
    page.get_by_role("row", name=re.compile("ERP")).click()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("ERP")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("complementary", name="ERP")).to_contain_text("Revoked")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=10)
