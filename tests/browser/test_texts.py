"""Texts are written, approved, followed and stopped in a real browser. Needs the built interface."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright
from sqlalchemy import func, select

from callcenter.audit.models import Actor
from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.processes import relay
from callcenter.tenancy.actions import open_enterprise
from callcenter.tenancy.models import Department
from smsgateway import route_table
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.models import OptOut, TextMessage, TextSend, TextTemplate
from smsgateway.purse import bookings
from smsgateway.sending import progress
from smsgateway.sending.actions import ask
from smsgateway.sending.new import NewSend
from smsgateway.sending.preparer import Preparer
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
def tenant(database: object, redis_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Acme: owner `boss`, supervisor `chief`, and `agent`, whose texts a supervisor passes; 100.00 and one route."""
    monkeypatch.setattr(streams, "_client", None)
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    route_table.forget()
    with platform_session() as db:
        acme = open_enterprise(db, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
        carrier = TextCarrier(name="Demo", protocol="demo", kinds=["sms"])
        db.add(carrier)
        db.flush()
        db.add(TextRoute(name="Everywhere", carrier_id=carrier.id, price_minor=5, sender="1069"))
    with tenant_session(acme) as db:
        bookings.open_accounts(db, acme)
        bookings.top_up(db, acme, "sms", 10_000, key="first")
        hashed = passwords.hash_password(PASSWORD)
        sales = Department(name="Sales")
        db.add(sales)
        db.flush()
        for name, key in (("chief", "supervisor"), ("agent", "agent")):
            user = User(username=name, name=name.title(), password_hash=hashed, locale="en", department_id=sales.id)
            user.texts_need_approval = name == "agent"
            db.add(user)
            db.flush()
            db.add(UserRole(user_id=user.id, role_id=db.scalar(select(Role.id).where(Role.key == key))))
        db.add(TextTemplate(name="Offer", body="尊敬的{{name}}，八折优惠", at_desk=True))
        db.add(OptOut(phone_e164="+8613800000003"))
    yield acme
    route_table.forget()


@pytest.fixture(scope="module")
def address(postgres: object, valkey: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One web process for all tests of this file: it keeps nothing that a test leaves behind."""
    with web_process(tmp_path_factory.mktemp("web")) as running:
        yield running


def prepare() -> None:
    """What the processes of texts and the relay do, carriers left out."""
    loop = Preparer()
    loop._next_rules = loop._next_files = float("inf")
    while loop.turn():
        pass
    while relay.carry():
        pass


def at(chromium: Any, address: str, username: str, path: str) -> Page:
    """`username` looks at `path`."""
    page: Page = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US").new_page()
    page.set_default_timeout(15_000)
    sign_in(page, address, "acme", username, PASSWORD)
    page.goto(address + path)
    return page


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def write(page: Page, body: str, numbers: str) -> Locator:
    """Fill the form of a new text; its button to send."""
    page.get_by_role("textbox", name="Numbers").fill(numbers)
    page.get_by_role("textbox", name="Text", exact=True).fill(body)
    return page.get_by_role("button", name=re.compile(r"^Send to"))


@pytest.mark.promise("S1")
@pytest.mark.promise("S6")
def test_a_text_is_written_passed_by_a_supervisor_followed_and_stopped(
    chromium: Any, address: str, tenant: int
) -> None:
    agent = at(chromium, address, "agent", "/texts/new")
    agent.get_by_label("Signature").fill("")
    send = write(agent, "Dear {{name|customer}}, come by – it is open", "13800000001, 13800000002\n12345\n13800000001")
    expect(agent.get_by_text("Unicode because of “–”")).to_be_visible()
    expect(agent.get_by_text("One is there twice.")).to_be_visible()
    expect(agent.get_by_text("no such number in that country")).to_be_visible()
    shot(agent, "texts_new")
    agent.get_by_role("button", name="Take it out 12345").click()
    expect(agent.get_by_text("Dear customer, come by – it is open")).to_be_visible()
    expect(agent.get_by_text("¥0.10", exact=True)).to_be_visible()
    expect(agent.get_by_text("A supervisor looks at it before it goes")).to_be_visible()
    expect(send).to_have_text(re.compile("Send to 2"))
    send.dblclick()
    expect(agent).to_have_url(re.compile(r"/texts/\d+$"))
    prepare()
    state = agent.locator(".head .state")
    expect(state).to_have_text("Waits for approval")
    with tenant_session(tenant) as db:
        assert db.scalar(select(func.count()).select_from(TextSend)) == 1

    chief = at(chromium, address, "chief", "/texts/approvals")
    row = chief.get_by_role("row").filter(has_text="Dear customer")
    expect(row).to_contain_text("Agent")
    expect(chief.locator("nav .count")).to_have_text("1")
    shot(chief, "texts_approvals")
    row.get_by_role("button", name="Reject").click()
    dialog = chief.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Give a reason")
    dialog.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Let pass").click()
    expect(chief.get_by_text("Nothing waits for you")).to_be_visible()
    prepare()
    expect(state).to_have_text("Sending")
    expect(agent.locator(".el-notification")).to_contain_text("Your text was passed")

    agent.get_by_role("button", name="Cancel what has not gone").click()
    dialog = agent.get_by_role("dialog")
    expect(dialog).to_contain_text("2 texts have not gone yet")
    dialog.get_by_role("button", name="Cancel what has not gone").click()
    prepare()
    expect(state).to_have_text("Cancelled")
    chief.context.close()
    agent.context.close()


@pytest.mark.promise("S2")
def test_the_list_follows_a_send_and_one_text_says_why_it_was_left_out(
    chromium: Any, address: str, tenant: int
) -> None:
    boss = at(chromium, address, "boss", "/texts/new?phone=%2B8613800000001&template=1")
    expect(boss.get_by_role("textbox", name="Text", exact=True)).to_have_value("尊敬的{{name}}，八折优惠")
    boss.goto(f"{address}/texts/new")  # what was begun is there again
    expect(boss.get_by_text("Your unsent text is here again.")).to_be_visible()
    numbers = boss.get_by_role("textbox", name="Numbers")
    expect(numbers).to_have_value("+8613800000001")
    numbers.fill("13800000001 13800000003")
    expect(boss.get_by_text("1 of 2 get it")).to_be_visible()
    boss.get_by_role("button", name="1 Has opted out of marketing.").click()
    expect(boss.get_by_text("+86 138 0000 0003")).to_be_visible()
    boss.get_by_role("button", name="Send to 1").click()
    expect(boss).to_have_url(re.compile(r"/texts/\d+$"))
    boss.get_by_role("link", name="All sends").click()
    row = boss.get_by_role("row").filter(has_text="八折优惠")
    expect(row).to_contain_text("Being prepared")
    prepare()
    expect(row).to_contain_text("Sending")
    with tenant_session(tenant) as db:
        for text in db.scalars(select(TextMessage).where(TextMessage.state == "queued")):
            text.state = "delivered"
        send = db.scalars(select(TextSend)).one()
        send.queued, send.delivered, send.state, send.charged_minor = 0, 1, "done", 5
        streams.publish(tenant, f"send:{send.id}", progress.document(send))
    expect(row).to_contain_text("Done")
    expect(row).to_contain_text("1 / 2")
    shot(boss, "texts")
    row.click()
    boss.get_by_role("button", name="1 Opted out of marketing").click()
    texts = boss.get_by_role("row").filter(has_text="+86 138")
    expect(texts).to_have_count(1)
    texts.click()
    panel = boss.get_by_role("complementary")
    expect(panel.get_by_text("Has opted out of marketing.")).to_be_visible()
    expect(panel.get_by_text("Nothing was charged.")).to_be_visible()
    shot(boss, "texts_one")
    boss.context.close()


@pytest.mark.parametrize(("locale", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_axe_finds_nothing_serious(chromium: Any, address: str, tenant: int, locale: str, theme: str) -> None:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US", color_scheme=theme)
    page = context.new_page()
    with tenant_session(tenant) as db:
        agent = Actor(tenant, db.scalar(select(User.id).where(User.username == "agent")), "Agent")
    ask(agent, NewSend(body="{{name|You}} win 赌 博", audience={"numbers": ["13800000001"]}))
    prepare()
    sign_in(page, address, "acme", "boss", PASSWORD)
    if locale == "zh-CN":
        page.get_by_role("button", name="Language").click()
        page.get_by_role("menuitem", name="简体中文").click()
        expect(page.get_by_role("button", name="语言")).to_be_visible()
    found = []
    pages = (
        "/texts", "/texts/new?groups=1&phone=12345&template=1", "/texts/1/messages/1", "/texts/approvals",
        "/texts/templates/1", "/texts/recurring/new",
    )  # fmt: skip
    for path in pages:
        page.goto(address + path)
        page.locator("h1").first.wait_for()
        page.wait_for_load_state("networkidle")
        shot(page, f"texts_axe_{locale}{re.sub('[^a-z0-9]+', '_', path)}")
        found += [(path, fault) for fault in faults(page)]
    context.close()
    assert found == []
