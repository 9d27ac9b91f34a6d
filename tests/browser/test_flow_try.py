"""A menu is drawn, published, and called from the browser's own phone in a whole installation: heard, keyed, lit up."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.chromium import launch, sign_in, tone_wav
from tests.browser.test_flow_editor import Drawing, new_menu, publish
from tests.system.installation import PASSWORD, Installation

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
# All connections of the page, to read how much sound has come in.
WATCH = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""
ENERGY = """async () => {
  let sum = 0;
  for (const one of window.connections)
    for (const report of (await one.getStats()).values())
      if (report.type === "inbound-rtp") sum += report.totalAudioEnergy ?? 0;
  return sum;
}"""


def louder(page: Page, than: float, timeout_s: float = 15.0) -> float:
    """The sound that has come in, once it is more than `than` by what is spoken."""
    end = time.monotonic() + timeout_s
    while (now := float(page.evaluate(ENERGY))) < than + 0.001:
        assert time.monotonic() < end, f"nothing is heard: {now} after {than}"
        page.wait_for_timeout(100)
    return now


def watched(installation: Installation, query: str, when: Callable[[Any], bool]) -> None:
    end = time.monotonic() + 10
    while not when(installation.rows(query)):
        assert time.monotonic() < end, installation.rows(query)
        time.sleep(0.1)


@pytest.mark.promise("I2")
def test_an_admin_publishes_a_menu_calls_it_from_the_browser_and_hears_it(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "var", "--no-demo")
    try:
        installation.start()
        installation.open_enterprise("acme")
        with sync_playwright() as playwright:
            browser = launch(playwright, tone_wav(tmp_path / "voice.wav", 440.0))
            context = browser.new_context(
                viewport={"width": 1366, "height": 768}, locale="en-US", permissions=["microphone"]
            )
            context.add_init_script(WATCH)
            page = context.new_page()
            page.set_default_timeout(15_000)
            sign_in(page, installation.address, "acme", "owner", PASSWORD)
            _draw_publish_and_call(page, installation)
            browser.close()
    finally:
        installation.stop()


def _draw_publish_and_call(page: Page, installation: Installation) -> None:
    if page.get_by_role("button", name="语言").count():
        page.get_by_role("button", name="语言").click()
        page.get_by_role("menuitem", name="English").click()
    drawing = new_menu(page, installation.address, "Main line", "A greeting and a choice")
    for queue in ("queue_1", "queue_2"):
        drawing.choose(queue)
        page.keyboard.press("Delete")
        expect(drawing.node(queue)).to_have_count(0)
    for key in ("1", "2"):
        drawing.connect("menu_1", key, "hang_up_1")
    publish(page, "For callers")
    watched(installation, "SELECT published FROM flow", lambda rows: [r["published"] for r in rows] == [1])

    page.get_by_role("button", name="Try it").click()
    drawing.panel.get_by_role("button", name="Call this menu").click()
    expect(drawing.node("say_1")).to_contain_text("Now here", timeout=20_000)
    heard = louder(page, 0.0)
    expect(drawing.node("menu_1")).to_contain_text("Now here", timeout=20_000)
    heard = louder(page, heard)
    drawing.panel.get_by_role("button", name="2", exact=True).click()
    expect(drawing.node("hang_up_1")).to_contain_text("Now here")
    expect(drawing.panel.get_by_label("Keys pressed")).to_have_text("2")
    louder(page, heard)
    expect(page.locator(".vue-flow__edge.tone-passed")).to_have_count(2)
    expect(drawing.panel.get_by_text("The call has left the menu.")).to_be_visible(timeout=20_000)
    expect(drawing.panel.get_by_role("button", name="Call this menu")).to_be_enabled()
    _hang_up_at_once(drawing)


def _hang_up_at_once(drawing: Drawing) -> None:
    """Once more, and out of it by one's own hand."""
    drawing.panel.get_by_role("button", name="Call this menu").click()
    expect(drawing.node("say_1")).to_contain_text("Now here")
    drawing.panel.get_by_role("button", name="Hang up").click()
    expect(drawing.panel.get_by_role("button", name="Call this menu")).to_be_enabled()
    expect(drawing.page.locator(".vue-flow__node .tone")).to_have_count(0)
