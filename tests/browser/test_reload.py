"""What happens to a call when the agent's page is reloaded, loses its network, or is closed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from callcenter.recordings.audio import read
from tests.browser.chromium import AgentAtWork
from tests.system.carriers import TONE_HZ, Carriers, numbers
from tests.system.headset import loudness
from tests.system.heard import channels
from tests.system.installation import PASSWORD, Installation
from tests.system.office import Office, until

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(240)]
VOICE_HZ = 440.0


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    carriers = Carriers(tmp_path)
    installation = Installation(tmp_path / "var", "--no-demo").start()
    try:
        yield Office(installation, carriers, numbers("answer", 4), agents=1, campaign={"mode": "progressive"}).build()
    finally:
        installation.stop()
        carriers.close()


def call_of(office: Office) -> dict[str, Any]:
    """The newest call."""
    return office.installation.rows("SELECT * FROM call ORDER BY started_at DESC LIMIT 1")[0]


@pytest.mark.promise("A1", "A2", "I5")
def test_call_lives_through_a_reload_and_a_lost_network_and_ends_after_the_browser_is_gone(
    office: Office, tmp_path: Path
) -> None:
    with sync_playwright() as playwright:
        agent = AgentAtWork(playwright, tmp_path, office.installation.address, "agent1", PASSWORD, VOICE_HZ)
        agent.available()
        office.press("start")
        agent.wait_for("On call")
        office.press("pause")
        name = agent.customer()
        agent.page.wait_for_timeout(1500)

        agent.page.reload()
        agent.wait_for("On call", timeout_s=30)
        assert agent.customer() == name, "the same card is on the screen"
        agent.page.wait_for_timeout(4000)

        agent.page.context.set_offline(True)
        agent.page.wait_for_timeout(8000)
        agent.page.context.set_offline(False)
        agent.wait_for("On call", timeout_s=30)
        agent.page.wait_for_timeout(3000)
        assert call_of(office)["ended_at"] is None, "one call from the beginning on"
        agent.page.keyboard.press("h")
        agent.page.get_by_role("button", name="Take back").wait_for(timeout=15000)
        agent.page.keyboard.press("h")
        agent.page.get_by_role("button", name="Hold", exact=True).wait_for(timeout=15000)
        gone_at = time.monotonic()
        agent.close()
    ended = until(lambda: call_of(office)["ended_at"], "the customer is not left on the line", 45)
    assert time.monotonic() - gone_at < 40 and ended
    state = "SELECT state FROM agent_state WHERE ended_at IS NULL"
    until(lambda: office.installation.rows(state)[0]["state"] == "offline", "the agent is freed", 30)
    until(lambda: office.installation.rows("SELECT 1 FROM recording WHERE state = 'stored'"), "the recording", 30)
    recording = office.installation.rows("SELECT path, seconds FROM recording")
    assert len(recording) == 1
    left, right = channels(read(office.installation.var / "recordings" / recording[0]["path"]))
    after_reload = slice(8000 * 4, 8000 * 5)
    assert loudness(left[after_reload], VOICE_HZ) > 500, "the agent was heard again after the reload"
    assert loudness(right[after_reload], TONE_HZ) > 500
