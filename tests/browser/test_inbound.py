"""A call that comes in, as people live it: a caller by SIPp, two agents in Chromium, a supervisor who whispers.

Everybody speaks a tone of his own, so that what each hears is proved by what arrives in his ear.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from callcenter.recordings.audio import read
from tests.browser.chromium import FAINT, AgentAtWork
from tests.system.callers import LOUD, Caller, Callers, loudest
from tests.system.headset import Headset
from tests.system.heard import channels
from tests.system.installation import PASSWORD, Installation, ask
from tests.system.office import until
from tests.system.switchboard import (
    GREETING_HZ,
    KNOWN_NAME,
    MUSIC_HZ,
    REPAIRS,
    SERVICE_HZ,
    TO_MENU,
    WELCOME_HZ,
    Switchboard,
)

pytestmark = [pytest.mark.browser, pytest.mark.interop, pytest.mark.timeout(240)]
CALLER, FIRST, SECOND, BOSS = 1000.0, 440.0, 620.0, 850.0
KNOWN, STRANGER, IMPATIENT = "+8613900000001", "+8613900000002", "+8613900000003"


@dataclass
class House:
    """All who take part."""

    board: Switchboard
    callers: Callers
    first: AgentAtWork
    second: AgentAtWork
    boss: Headset

    def calls(self, number: str) -> Caller:
        """Through the menu to Repairs."""
        caller = self.callers.call_one(number, TO_MENU, CALLER).until("answered")
        caller.until_hears(WELCOME_HZ).press("2")
        caller.until_hears(SERVICE_HZ).press("1")
        return caller.until_hears(GREETING_HZ)

    def dispose(self, agent: AgentAtWork) -> None:
        """Sale, by keys."""
        agent.wait_for("Wrap-up", timeout_s=15)
        agent.page.get_by_role("button", name="Save and next").wait_for()
        agent.page.get_by_role("radio", name="Sale").wait_for()  # the keys work once the outcomes are there
        agent.page.locator("h1").first.focus()
        agent.page.keyboard.press("1")
        expect(agent.page.get_by_role("radio", name="Sale")).to_have_attribute("aria-checked", "true")
        agent.page.keyboard.press("Enter")
        agent.wait_for("Available", timeout_s=15)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("inbound")
    installation = Installation(folder / "var", "--no-demo")
    try:
        waiting = {"announce_wait": False, "announce_every_s": 3.0}
        board = Switchboard(
            installation.start(), settings={"wrap_up_s": 120}, waiting=waiting, customers=[KNOWN]
        ).build()
        with sync_playwright() as playwright:
            callers, boss = board.callers(), board.headset("boss", BOSS)
            first = _agent(playwright, folder, board, "agent1", FIRST)
            second = _agent(playwright, folder, board, "agent2", SECOND)
            try:
                yield House(board, callers, first, second, boss)
                assert not first.errors + second.errors, first.errors + second.errors
            finally:
                callers.close()
                boss.close()
                first.close()
                second.close()
        assert not installation.logs("error", "critical"), installation.logs("error", "critical")
    finally:
        installation.stop()


def _agent(playwright: Playwright, folder: Path, board: Switchboard, username: str, hz: float) -> AgentAtWork:
    return AgentAtWork(playwright, folder, board.installation.address, username, PASSWORD, hz)


@pytest.mark.promise("I1", "I2", "I3", "I5", "A1", "V2", "V3")
def test_a_caller_is_led_to_the_right_agent_transferred_and_coached(house: House) -> None:
    board, caller = house.board, house.calls(KNOWN)
    caller.until_hears(MUSIC_HZ)
    assert board.queue(REPAIRS)["waiting"][0]["phone_e164"] == KNOWN
    caller.until_hears_speech((MUSIC_HZ, GREETING_HZ))  # the place in the queue is announced
    caller.until_hears(MUSIC_HZ)

    first, second = house.first, house.second
    second.available()
    first.choose_available()
    first.wait_for("Ringing")
    page = first.page
    page.locator(".person .title", has_text=KNOWN_NAME).wait_for()
    page.get_by_text("Welcome › Welcome: Service › Service: Repairs").wait_for()
    assert not board.calls(KNOWN)[-1]["connected_at"], "the card is there before the connection"
    assert first.heard(CALLER) < FAINT and second.state() == "Available", "Repairs is not the second agent's queue"
    page.locator("h1").first.focus()
    page.keyboard.press("Enter")
    first.wait_for("On call")
    caller.until_hears(FIRST)
    first.until_hears(CALLER)

    boss = house.boss
    boss.connect()
    boss.until(lambda d: d.get("phone", {}).get("state") == "connected", "the supervisor's phone")
    coach(house, "whisper")
    first.until_hears(BOSS)
    boss.until_hears(FIRST)
    boss.until_hears(CALLER)
    time.sleep(1)
    meanwhile = caller.recent(1.0)
    assert loudest(meanwhile, FIRST) > LOUD, "the caller hears the agent"
    assert loudest(meanwhile, BOSS) < loudest(meanwhile, FIRST) / 8, "and not the whisper"
    page.locator(".callbar").get_by_text("Boss speaks to you only").first.wait_for(state="attached")
    coach(house, "stop")
    first.until_hears(CALLER, but_not=(BOSS,))

    page.keyboard.press("t")
    page.get_by_role("option").filter(has_text="Agent 2").get_by_role("button", name="Speak first").click()
    second.wait_for("Ringing")
    second.page.locator(".person .title", has_text=KNOWN_NAME).wait_for()
    second.page.locator("h1").first.focus()
    second.page.keyboard.press("Enter")
    second.until_hears(FIRST, but_not=(CALLER,))
    first.until_hears(SECOND, but_not=(CALLER,))
    time.sleep(0.4)
    assert loudest(caller.recent(0.4), SECOND) < LOUD, "the customer is held"
    page.get_by_role("button", name="Hand over").click()
    caller.until_hears(SECOND)
    second.until_hears(CALLER, but_not=(FIRST,))
    house.dispose(first)
    time.sleep(1.2)  # enough of the second to be found at the recording's end
    caller.hang_up()
    house.dispose(second)
    _is_told(board, caller)


def coach(house: House, how: str) -> None:
    """The supervisor does something with the first agent's call."""
    house.boss.post(f"/api/supervision/{house.board.ids['agent1']}", {"how": how})


def _is_told(board: Switchboard, caller: Caller) -> None:
    """The CDR, its parties, its stay and ringing, and the recording."""
    row = board.ended_call(KNOWN)
    ids = board.ids
    assert (row["direction"], row["outcome"], row["hung_up_by"]) == ("in", "connected", "customer")
    assert (row["queue_id"], row["agent_id"], row["did"]) == (ids[REPAIRS], ids["agent2"], TO_MENU)
    assert row["path"] == ["Welcome", "Welcome: Service", "Service: Repairs"] and row["disposition_id"] == ids["sale"]
    [stay] = _of_call(board, "call_queue_stay", row)
    assert (stay["how"], stay["agent_id"]) == ("connected", ids["agent1"]) and stay["wait_s"] > 3
    [offer] = _of_call(board, "call_offer", row)
    assert (offer["how"], offer["agent_id"]) == ("taken", ids["agent1"])
    joined = {(f["role"], f["user_id"]) for f in board.facts("call.party_joined", row["id"])}
    assert joined == {("whisper", ids["boss"]), ("consult", ids["agent2"])}
    [given] = board.facts("call.transferred", row["id"])
    assert (given["kind"], given["by_user"], given["to_id"]) == ("attended", ids["agent1"], ids["agent2"])
    stored = "SELECT * FROM recording WHERE call_id = %s AND state = 'stored'"
    [recording] = until(lambda: board.installation.rows(stored, row["id"]), "the recording is at rest")
    agent, customer = channels(read(board.installation.var / "recordings" / recording["path"]))
    assert abs(len(agent) / 8000 - row["talk_s"]) < 1.0
    beginning, end = slice(4000, 8000), slice(-8000, -4000)
    assert loudest(agent[beginning], FIRST) > LOUD and loudest(agent[end], SECOND) > LOUD
    assert loudest(customer[end], CALLER) > LOUD
    for part, voice in ((agent, FIRST), (customer, CALLER)):
        assert loudest(part, BOSS) < loudest(part, voice) / 8, "a whisper is on no channel"


def _of_call(board: Switchboard, table: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    return board.installation.rows(f"SELECT * FROM {table} WHERE call_id = %s", row["id"])


@pytest.mark.promise("I5", "A1")
def test_a_stranger_is_a_card_with_his_number_and_the_agent_may_end_the_call(house: House) -> None:
    caller = house.calls(STRANGER)
    first = house.first
    first.wait_for("Ringing")
    expect(first.page.get_by_text("139 0000 0002").first).to_be_visible()
    first.page.reload()
    first.wait_for("Ringing")
    connected = "the phone is there again after the reload"
    until(lambda: house.board.agent("agent1")["phone"]["state"] == "connected", connected)
    first.page.locator("h1").first.focus()
    first.page.keyboard.press("Enter")
    caller.until_hears(FIRST)
    first.wait_for("On call")
    first.page.keyboard.press("Space")
    first.page.keyboard.press("Space")
    caller.until("ended")
    house.dispose(first)
    assert house.board.ended_call(STRANGER)["hung_up_by"] == "agent"


@pytest.mark.promise("V1", "V4")
def test_the_queues_figures_are_the_facts(house: House) -> None:
    house.boss.post(f"/api/agents/{house.board.ids['agent1']}/state", {"state": "paused", "reason": "meeting"})
    house.first.wait_for("Meeting", "Paused")
    caller = house.calls(IMPATIENT)
    caller.until_hears(MUSIC_HZ).hang_up()
    caller.until("hung_up")
    house.board.ended_call(IMPATIENT)
    house.board.at_rest()
    board = house.board
    queue = board.ids[REPAIRS]
    queued = [f for f in board.facts("call.queued") if f["queue_id"] == queue]
    left = [f for f in board.facts("call.left_queue") if f["queue_id"] == queue]
    answered = [f for f in left if f["how"] == "connected"]
    abandoned = [f for f in left if f["how"] == "abandoned"]
    assert (len(queued), len(answered), len(abandoned)) == (3, 2, 1)
    in_target = sum(f["answered_in_target"] for f in answered)
    live = until(lambda: found if (found := board.queue(REPAIRS))["abandoned"] == 1 else None, "the board knows")
    assert (live["offered"], live["answered"], live["answered_in_target"]) == (3, 2, in_target)
    assert live["service_level"] == pytest.approx(in_target / 3) and live["waiting"] == []
    assert live["asa_s"] == pytest.approx(sum(f["wait_s"] for f in answered) / 2, abs=0.1)
    owner = board.installation.visitor("owner")
    figures = ask(owner, "GET", f"/api/queues/{queue}/figures")["total"]
    assert (figures["offered"], figures["answered"], figures["abandoned"]) == (3, 2, 1)
    assert figures["service_level"] == pytest.approx(in_target / 3)
