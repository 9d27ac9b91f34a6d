"""From money to a reply, as people live it.

An owner orders a top-up and the operator credits it; an agent whose texts are looked at first writes to a group in
which one is blacklisted, one has opted out and one has a name that may not go; the supervisor lets it pass; the SMSC,
which is not ours, gets the right ones; the answer comes up on the agent's screen, and the owner sees what was deducted.
The owner and the supervisor work in Chinese, the agent and the operator in English. Needs the built interface."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import faults, launch, sign_in
from tests.peers.smsc_npm import NpmSmsc
from tests.system.installation import PASSWORD, ROOT, Installation, ask

pytestmark = [pytest.mark.browser, pytest.mark.promise("S2", "S6", "S9"), pytest.mark.timeout(240)]
SENDER = "+8613900010001"  # the agent's service number
GOOD = {"Wang Li": "+8613800138001", "Li Na": "+8613800138002"}
LEFT_OUT = {"Zhao Listed": "+8613800138003", "Chen Gone": "+8613800138004", "在线赌博": "+8613800138005"}
PRICE = "0.05"


@dataclass
class World:
    """An installation whose texts go to `smsc`; `pages` of people signed in."""

    installation: Installation
    smsc: NpmSmsc
    browser: Browser
    pages: dict[str, Page] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def page(self, username: str, enterprise: str = "acme") -> Page:
        """The page of a user, signed in once."""
        if username not in self.pages:
            page = self.browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-US").new_page()
            page.set_default_timeout(20_000)
            page.on("pageerror", lambda error: self.errors.append(f"{username}: {error}"))
            sign_in(page, self.installation.address, enterprise, username, PASSWORD)
            self.pages[username] = page
        return self.pages[username]

    def go(self, username: str, path: str, enterprise: str = "acme") -> Page:
        """The user's page at `path`."""
        page = self.page(username, enterprise)
        page.goto(self.installation.address + path)
        return page


def platform(installation: Installation) -> None:
    """The operator's enterprise."""
    words = [sys.executable, "-m", "callcenter.tenancy.cli", "platform", "--locale", "en"]
    environment = {**installation.environment, "DATABASE_URL": installation.database_url}
    done = subprocess.run(
        words, env=environment, input=f"{PASSWORD}\n", cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def prepare(installation: Installation, smsc: NpmSmsc) -> None:
    """A carrier and a route, people, a group of contacts, a blacklist entry and an opt-out."""
    installation.open_enterprise("acme")
    platform(installation)
    operator = installation.visitor("operator", "platform")
    settings = {"host": "127.0.0.1", "port": smsc.port, "system_id": "test", "password": "secret", "again_s": 0.2}
    carrier = ask(
        operator, "POST", "/api/platform/carriers", {"name": "SMSC", "protocol": "smpp", "settings": settings}
    )
    ask(
        operator, "POST", "/api/platform/routes",
        {"name": "Main route", "carrier_id": carrier["id"], "price_minor": 5, "sender": "10690000"},
    )  # fmt: skip
    owner = installation.visitor("owner")
    ask(owner, "PATCH", "/api/auth/me", {"locale": "zh-CN"})
    roles = {r["key"]: r["id"] for r in ask(owner, "GET", "/api/roles")["items"]}
    department = ask(owner, "POST", "/api/departments", {"name": "Sales"})["id"]
    people = (
        ("lead", "supervisor", "zh-CN", {}),
        ("agent", "agent", "en", {"texts_need_approval": True, "service_number": SENDER}),
    )
    for username, role, locale, more in people:
        made: dict[str, Any] = {
            "username": username, "name": username.title(), "password": PASSWORD, "locale": locale,
            "department_id": department, "role_ids": [roles[role]], **more,
        }  # fmt: skip
        user = ask(owner, "POST", "/api/users", made)
        if role == "supervisor":
            ask(owner, "PATCH", f"/api/departments/{department}", {"manager_id": user["id"]})
    group = ask(owner, "POST", "/api/contact-groups", {"name": "Spring"})["id"]
    for name, number in {**GOOD, **LEFT_OUT}.items():
        ask(owner, "POST", "/api/contacts", {"name": name, "phones": [{"number": number}], "groups": [group]})
    ask(owner, "POST", "/api/blacklist", {"numbers": [LEFT_OUT["Zhao Listed"]], "reason": "asked"})
    ask(owner, "POST", "/api/opt-outs", {"numbers": [LEFT_OUT["Chen Gone"]], "note": ""})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    smsc = NpmSmsc(receipts="after")
    installation = Installation(tmp_path_factory.mktemp("journey"), "--no-demo").start()
    try:
        prepare(installation, smsc)
        with sync_playwright() as playwright:
            browser = launch(playwright)
            yield World(installation, smsc, browser)
            browser.close()
    finally:
        installation.stop()
        smsc.close()


def test_from_an_ordered_top_up_to_the_answer_on_the_agents_screen(world: World) -> None:
    money_is_ordered_and_credited(world)
    the_agent_writes_to_the_group(world)
    the_supervisor_lets_it_pass(world)
    the_smsc_gets_the_right_ones(world)
    the_answer_comes_up_at_the_agent(world)
    the_owner_sees_what_it_cost(world)
    the_operators_pages_have_no_serious_faults(world)
    assert world.errors == []


def money_is_ordered_and_credited(world: World) -> None:
    owner = world.go("owner", "/balance")
    owner.get_by_role("button", name="充值", exact=True).first.click()
    owner.get_by_label("金额（CNY）").fill("100")
    owner.get_by_role("button", name="提交订单").click()
    number = owner.get_by_role("heading", name=re.compile(r"^充值订单 \S+")).inner_text().split()[-1]
    operator = world.go("operator", "/platform/top-ups", "platform")
    operator.get_by_role("row", name=re.compile(number)).click()
    operator.get_by_role("button", name="Credit ¥100.00").click()
    # Nobody reloads the owner's page: the balance is pushed.
    expect(owner.locator("main, .page").first).to_contain_text("¥100.00", timeout=10_000)


def the_agent_writes_to_the_group(world: World) -> None:
    group = world.installation.rows("SELECT id FROM contact_group WHERE name = 'Spring'")[0]["id"]
    agent = world.go("agent", f"/texts/new?groups={group}")
    agent.get_by_label("Text", exact=True).fill("{{name}}, spring offers are here. Reply to this text.")
    preview = agent.locator("form .right")
    expect(preview).to_contain_text("2 of 5 get it")
    expect(preview).to_contain_text("A supervisor looks at it before it goes")
    for why in ("On the blacklist", "Has opted out of marketing", "Has sensitive words: 赌博"):
        expect(preview).to_contain_text(why)
    agent.get_by_role("button", name="Send to 2", exact=True).click()
    expect(agent.get_by_text("It waits for a supervisor.")).to_be_visible()
    assert world.smsc.figures()["submits"] == 0


def the_supervisor_lets_it_pass(world: World) -> None:
    lead = world.go("lead", "/texts/approvals")
    row = lead.get_by_role("row", name=re.compile("spring offers"))
    expect(row).to_contain_text("Agent")
    row.get_by_role("button", name="通过").click()
    expect(lead.get_by_text("已通过，正在发送。")).to_be_visible()


def the_smsc_gets_the_right_ones(world: World) -> None:
    agent = world.page("agent")
    send = world.installation.rows("SELECT id FROM text_send")[0]["id"]
    agent.goto(f"{world.installation.address}/texts/{send}")
    expect(agent.get_by_text("Done", exact=True).first).to_be_visible(timeout=20_000)
    taken = world.smsc.ask("taken")["taken"]
    assert {f"+{n.lstrip('+')}": count for n, count in dict(taken).items()} == dict.fromkeys(GOOD.values(), 1)
    seen = world.smsc.ask("seen")["seen"]
    assert {s["text"] for s in seen} == {
        f"【Enterprise acme】{n}, spring offers are here. Reply to this text." for n in GOOD
    }
    assert {s["from"].lstrip("+") for s in seen} == {SENDER.lstrip("+")}
    expect(agent.locator(".page")).to_contain_text("On the blacklist")


def the_answer_comes_up_at_the_agent(world: World) -> None:
    agent = world.go("agent", "/")
    world.smsc.tell("deliver", {"from": GOOD["Li Na"].lstrip("+"), "to": SENDER.lstrip("+"), "text": "How much is it?"})
    notice = agent.get_by_role("alert").filter(has_text="How much is it?")
    expect(notice).to_contain_text("Text from Li Na", timeout=15_000)
    notice.click()
    expect(agent).to_have_url(re.compile(r"/conversations/\d+"))
    expect(agent.get_by_text("How much is it?").last).to_be_visible()


def the_owner_sees_what_it_cost(world: World) -> None:
    owner = world.go("owner", "/balance/deductions")
    row = owner.get_by_role("row", name=re.compile("Agent"))
    expect(row).to_contain_text("0.10")
    row_money = world.installation.rows(
        "SELECT available_minor, reserved_minor FROM purse_account WHERE kind = 'sms' AND tenant_id ="
        " (SELECT id FROM enterprise WHERE code = 'acme')"
    )
    assert row_money == [{"available_minor": 10_000 - 10, "reserved_minor": 0}]
    zero = world.installation.rows("SELECT booking FROM ledger_entry GROUP BY booking HAVING sum(amount_minor) <> 0")
    assert zero == []


def the_operators_pages_have_no_serious_faults(world: World) -> None:
    pages = {
        "/platform/enterprises/new": "Open an enterprise",
        "/platform/carriers/1": "SMSC",
        "/platform/routes/1": "Main route",
        "/platform/announcements/new": "Write an announcement",
    }
    for path, title in pages.items():
        page = world.go("operator", path, "platform")
        expect(page.get_by_role("complementary", name=title)).to_be_visible()
        assert [f"{path} {fault}" for fault in faults(page)] == []
