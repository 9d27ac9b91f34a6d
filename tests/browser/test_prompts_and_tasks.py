"""Prompts are spoken, recorded and chosen, tasks are heard and done, in a real browser. Needs the built interface."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from callcenter import wire
from callcenter.calls import facts as f
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.events.envelope import FACTS
from callcenter.processes import recorder
from callcenter.telephony.media import recording as rec
from callcenter.telephony.media.g711 import linear_to_ulaw
from callcenter.tenancy.actions import open_enterprise
from crm.models import Customer
from tests.browser.chromium import faults, launch, sign_in, tone_wav
from tests.web.serving import web_process

pytestmark = pytest.mark.browser
PASSWORD = "correct horse 7"
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder to look at afterwards


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = launch(playwright, tone_wav(tmp_path_factory.mktemp("microphone") / "tone.wav", 440))
        yield browser
        browser.close()


@pytest.fixture
def tenant(database: object, redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as session:
        return open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")


@pytest.fixture
def address(tenant: int, tmp_path: Path) -> Iterator[str]:
    with web_process(tmp_path) as running:
        yield running


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US", permissions=["microphone"])
    page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, address, "acme", "boss", PASSWORD)
    yield page
    context.close()


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def callers(tenant: int, var: Path) -> None:
    """Two missed callers, one of them twice, and a message of three seconds."""
    now = time.time()
    with tenant_session(tenant) as db:
        db.add(Customer(name="Chen Jie", phones=["+8613812345678"]))
    told: list[tuple[str, object]] = []
    for n, (phone, ago) in enumerate([("+8613812345678", 4000), ("+8613812345678", 300), ("+8613900000000", 200)]):
        call, at = f"missed{n}", now - ago
        told.append((call, f.CallStarted(call, "inbound", phone, "", None, None, None, None, None, at, "in", "+8621")))
        end = f.CallEnded(
            call, "inbound", phone, "", None, None, None, None, None, at, None, at, None, at + 40, "abandoned",
            "normal", 200, "customer", None, 0.0, None, "in", "+8621",
        )  # fmt: skip
        told.append((call, end))
    voice = linear_to_ulaw((8000 * np.sin(np.arange(24_000) * 0.3)).astype(np.int16))
    sound = np.repeat(np.frombuffer(voice, np.uint8), 2).tobytes()
    path = var / "recordings/live/message.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(rec.header(len(sound)) + sound)
    call, at = "voicemail", now - 120
    told += [
        (call, f.CallStarted(call, "inbound", "+8613700000001", "", None, None, None, None, None, at, "in", "+8621")),
        (call, f.RecordingStarted("message", call, "live/message.wav", at)),
        (call, f.VoicemailLeft(call, "message", "+8613700000001", "+8621", None, None, None, 3.0, at + 3)),
        (call, f.RecordingClosed("message", call, 3.0, path.stat().st_size)),
    ]
    envelopes = [FACTS.pack(fact, tenant=tenant, at=now, call=call) for call, fact in told]
    recorder.record([(b"0-1", {b"e": wire.to_json(e)}) for e in envelopes])


@pytest.mark.promise("I2")
def test_a_prompt_is_spoken_and_another_is_recorded_with_the_microphone(page: Page, address: str) -> None:
    page.goto(f"{address}/settings/prompts")
    expect(page.get_by_text("No prompt yet")).to_be_visible()
    page.get_by_role("button", name="Add a prompt").first.click()
    panel = page.get_by_role("complementary")
    panel.get_by_label("Name").fill("Welcome")
    panel.get_by_label("What is to be said").fill("Welcome to Acme. How can we help?")
    panel.get_by_role("button", name="Listen to the text").click()
    expect(panel.get_by_role("button", name="Listen to the text")).to_have_attribute("aria-pressed", "true")
    shot(page, "prompt_text")
    panel.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/settings/prompts/\d+$"))
    expect(page.get_by_text("Nothing plays it.")).to_be_visible()
    shot(page, "prompt_panel")

    page.goto(f"{address}/settings/prompts/new")
    panel = page.get_by_role("complementary")
    panel.get_by_text("Record", exact=True).click()
    panel.get_by_label("Name").fill("Spoken by me")
    panel.get_by_role("button", name="Start recording").click()
    page.wait_for_timeout(1500)
    shot(page, "prompt_recording")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_role("button", name="Record again")).to_be_visible()
    panel.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/settings/prompts/\d+$"))
    page.goto(f"{address}/settings/prompts")
    expect(page.get_by_role("row", name=re.compile("Spoken by me"))).to_contain_text("Recorded")
    page.get_by_role("row", name=re.compile("Welcome")).get_by_role("button", name="Listen").click()
    shot(page, "prompts")


@pytest.mark.promise("I6")
def test_messages_are_heard_and_tasks_taken_and_done(page: Page, address: str, tenant: int, tmp_path: Path) -> None:
    callers(tenant, tmp_path)
    page.goto(f"{address}/tasks")
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="Missed 2 times")).to_contain_text("Chen Jie")
    message = rows.filter(has_text="Voicemail")
    expect(page.locator("nav .count")).to_have_text("3")
    hear = message.get_by_role("button", name="Hear the message")
    hear.click()
    expect(hear).to_have_attribute("aria-pressed", "true")
    expect(hear).to_have_attribute("aria-pressed", "false", timeout=8000)  # three seconds, then it has ended by itself
    shot(page, "tasks")
    message.get_by_role("button", name="Take").click()
    expect(message).to_contain_text("boss")
    message.click()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("slider")).to_be_visible()
    panel.locator("textarea").fill("Wants the price list")
    panel.get_by_role("button", name="Save").click()
    shot(page, "task_panel")
    expect(message).to_contain_text("Wants the price list")
    panel.get_by_role("button", name="Done").click()
    expect(message).to_have_count(0)
    expect(page.locator("nav .count")).to_have_text("2")


@pytest.mark.parametrize(("locale", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_axe_finds_nothing_serious(
    chromium: Any, address: str, tenant: int, tmp_path: Path, locale: str, theme: str
) -> None:
    callers(tenant, tmp_path)
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, locale="en-US", color_scheme=theme)
    page = context.new_page()
    sign_in(page, address, "acme", "boss", PASSWORD)
    if locale == "zh-CN":
        page.get_by_role("button", name="Language").click()
        page.get_by_role("menuitem", name="简体中文").click()
        expect(page.get_by_role("button", name="语言")).to_be_visible()
    found = []
    pages = (
        "/tasks", "/tasks/1", "/tasks/new", "/settings/prompts", "/settings/prompts/new", "/customers/1", "/profile",
        "/desk",
    )  # fmt: skip
    for path in pages:
        page.goto(address + path)
        page.locator("main").first.wait_for()
        page.wait_for_load_state("networkidle")
        shot(page, f"axe_{locale}{path.replace('/', '_')}")
        found += [(path, fault) for fault in faults(page)]
    context.close()
    assert found == []
