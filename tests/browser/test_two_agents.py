"""Two Chromium agents work a predictive campaign against SIPp (the issue's main job, as a person does it)."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import AgentAtWork
from tests.system.carriers import Carriers, numbers
from tests.system.heard import check_recordings
from tests.system.installation import PASSWORD, Installation
from tests.system.office import Office, until

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(300)]
VOICES = {"agent1": 440.0, "agent2": 620.0}
RECYCLING = {o: {"after_s": 1, "tries": n} for o, n in {"busy": 2, "no_answer": 1, "abandoned": 9}.items()}
TIMES = {"answer": 1, "busy": 2, "no_answer": 1, "invalid": 1}


@pytest.mark.promise("A1", "A2", "A3", "D2", "D3", "D7", "I5", "V3")
def test_two_agents_in_chromium_work_a_predictive_campaign(tmp_path: Path) -> None:
    leads = {o: numbers(o, n) for o, n in {"answer": 10, "busy": 3, "no_answer": 2, "invalid": 3}.items()}
    carriers = Carriers(tmp_path, ring_ms=700)
    installation = Installation(tmp_path / "var", "--no-demo")
    agents: list[AgentAtWork] = []
    try:
        installation.start()
        office = Office(
            installation, carriers, [n for group in leads.values() for n in group], campaign={"recycling": RECYCLING}
        ).build()
        with sync_playwright() as playwright:
            for username, hz in VOICES.items():
                agents.append(AgentAtWork(playwright, tmp_path, installation.address, username, PASSWORD, hz))
            for agent in agents:
                agent.available()
            office.press("start")
            end = time.monotonic() + 150
            while set(office.lead_statuses()) & {"new", "retry", "in_progress"}:
                assert time.monotonic() < end, office.lead_statuses()
                for agent in agents:
                    agent.turn(talk_ms=1500)
                    agent.page.wait_for_timeout(100)
            for agent in agents:
                assert not agent.errors, agent.errors
            for agent in agents:
                agent.close()
        stored = "SELECT 1 FROM recording WHERE state <> 'stored'"
        until(lambda: not installation.rows(stored), "every recording is at rest", 30)
        _check(installation, carriers, leads, [card for agent in agents for card in agent.cards])
        check_recordings(installation, VOICES)
    finally:
        installation.stop()
        carriers.close()


def _check(installation: Installation, carriers: Carriers, leads: dict[str, list[str]], cards: list[str]) -> None:
    invited = {number: len(ids) for number, ids in carriers.invited().items()}
    calls = installation.rows("SELECT phone_e164, outcome, disposition_id FROM call")
    per_number = Counter(c["phone_e164"] for c in calls)
    assert per_number == Counter(invited), "the CDRs equal what SIPp counted"
    for outcome, group in leads.items():
        for number in group:
            abandoned = sum(c["outcome"] == "abandoned" for c in calls if c["phone_e164"] == number)
            assert per_number[number] == TIMES[outcome] + abandoned, (number, outcome)
    connected = [c for c in calls if c["outcome"] == "connected"]
    assert all(c["disposition_id"] for c in connected)
    assert Counter(cards) == Counter(f"Lead {c['phone_e164'][-7:]}" for c in connected)
