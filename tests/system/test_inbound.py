"""Calls that come in, in a whole installation: SIPp calls our number, waits in the queue, an agent has the pop,
answers, talks and hangs up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.callers import TONE_HZ, Callers
from tests.system.carriers import Carriers
from tests.system.headset import Headset, loudness
from tests.system.installation import Installation
from tests.system.office import Office, until
from tests.system.reception import NUMBER, Reception

pytestmark = [pytest.mark.interop, pytest.mark.timeout(200)]
CALLER, OTHER = "+8613912345678", "+8613912345679"
AGENT_HZ = 440.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inbound")


@pytest.fixture(scope="module")
def reception(folder: Path) -> Iterator[Reception]:
    carriers = Carriers(folder)
    installation = Installation(folder / "var", "--no-demo").start()
    try:
        office = Office(installation, carriers, [], agents=2, campaign={"mode": "manual"}).build()
        yield Reception(office, {"ring_s": 3}).build()
    finally:
        installation.stop()
        carriers.close()


@pytest.fixture
def callers(reception: Reception) -> Iterator[Callers]:
    found = Callers(("127.0.0.1", reception.office.installation.ports["SIP_PORT"]))
    yield found
    for group in found.groups:
        for caller in group.callers:
            if not caller.over:
                caller.hang_up()
    until(lambda: not reception.office.installation.redis().hlen(f"calls:{reception.office.tenant}"), "no call is left")
    found.close()


@pytest.fixture
def agent(reception: Reception) -> Iterator[Headset]:
    headset = reception.office.headset(1, AGENT_HZ)
    headset.available()
    headset.until(lambda d: d["state"] == "available", "available")
    yield headset
    headset.visitor.call("POST", "/api/agent/call/hangup", {})
    headset.until(lambda d: d["state"] != "on_call", "off the call", 10)
    headset.visitor.call("POST", "/api/agent/state", {"state": "offline"})
    headset.close()


def cdr(reception: Reception, number: str) -> dict[str, Any]:
    """The newest CDR of a caller."""
    query = "SELECT * FROM call WHERE phone_e164 = %s AND ended_at IS NOT NULL ORDER BY started_at DESC"
    found: dict[str, Any] = until(lambda: reception.office.installation.rows(query, number), "the CDR")[0]
    return found


def ringing(agent: Headset) -> dict[str, Any]:
    """Wait for the pop."""
    document = agent.until(lambda d: (d["call"] or {}).get("state") == "offered", "the pop", 8)
    assert document["state"] == "ringing"
    return document


@pytest.mark.promise("I3", "I5", "A1")
def test_a_caller_is_popped_answered_heard_and_hung_up(reception: Reception, callers: Callers, agent: Headset) -> None:
    began = time.time()
    caller = callers.call_one(CALLER, NUMBER)
    offered = ringing(agent)
    call = offered["call"]
    assert (call["direction"], call["phone_e164"], call["did"]) == ("in", CALLER, NUMBER)
    assert call["queue_name"] == "Sales" and call["answer_until"] > began
    board = until(lambda: reception.board() if reception.board().get("waiting") else None, "the board shows him", 5)
    assert board["waiting"][0]["offered_to"] == offered["user_id"]
    caller.until_hears_speech(AGENT_HZ, 5)  # the music
    agent.post("/api/agent/call/answer")
    agent.until(lambda d: (d["call"] or {}).get("state") == "talking", "talking", 5)
    caller.until_hears(AGENT_HZ, 3)
    agent.heard.clear()
    time.sleep(0.7)
    assert loudness(np.concatenate(agent.heard[-30:]).astype(float), TONE_HZ) > 1000, "the caller's tone arrives"
    agent.post("/api/agent/call/hangup")
    caller.until("ended", timeout_s=5)
    row = cdr(reception, CALLER)
    assert (row["direction"], row["outcome"], row["did"]) == ("in", "connected", NUMBER)
    assert row["queue_id"] == reception.queue_id and row["hung_up_by"] == "agent"
    stay = reception.office.installation.rows("SELECT * FROM call_queue_stay WHERE call_id = %s", row["id"])[0]
    assert stay["how"] == "connected" and stay["answered_in_target"]
    offer = reception.office.installation.rows("SELECT * FROM call_offer WHERE call_id = %s", row["id"])[0]
    assert offer["how"] == "taken"


@pytest.mark.promise("I3")
def test_an_agent_who_does_not_answer_is_paused_and_the_caller_keeps_waiting(
    reception: Reception, callers: Callers, agent: Headset
) -> None:
    caller = callers.call_one(OTHER, NUMBER)
    ringing(agent)
    agent.until(lambda d: (d["state"], d["reason"]) == ("paused", "no_answer"), "paused", 6)
    assert caller.state == "answered"
    until(lambda: reception.board()["waiting"][0]["offered_to"] is None, "the board says that it rings nowhere", 3)
    agent.post("/api/agent/state", {"state": "available"})
    ringing(agent)
    caller.hang_up()
    agent.until(lambda d: d["state"] == "available", "free again", 5)
    assert cdr(reception, OTHER)["outcome"] == "abandoned"


@pytest.mark.promise("I1")
def test_a_number_that_is_not_ours_is_refused(reception: Reception, callers: Callers) -> None:
    callers.call_one(CALLER, "+862155559999").until("refused", timeout_s=5)


@pytest.mark.promise("P4")
def test_waiting_callers_keep_their_order_over_the_death_of_the_engine(reception: Reception, callers: Callers) -> None:
    numbers = [f"+86139123460{i:02d}" for i in range(5)]
    for number in numbers:
        callers.call_one(number, NUMBER).until("answered", timeout_s=5)
    until(lambda: len(reception.board().get("waiting", [])) == 5, "all wait", 5)
    before = [w["phone_e164"] for w in reception.board()["waiting"]]
    at = reception.board()["at"]
    reception.office.installation.kill("engine")
    until(lambda: reception.board()["at"] > at and len(reception.board()["waiting"]) == 5, "they wait again", 20)
    assert [w["phone_e164"] for w in reception.board()["waiting"]] == before == numbers
    headset = reception.office.headset(2, AGENT_HZ)
    try:
        headset.available()
        assert ringing(headset)["call"]["phone_e164"] == numbers[0]
        headset.post("/api/agent/call/answer")
        caller = callers.groups[0].callers[0]
        caller.until_hears(AGENT_HZ, 3)
        caller.hang_up()
        headset.until(lambda d: d["state"] in ("wrap_up", "available", "ringing"), "over", 5)
        headset.visitor.call("POST", "/api/agent/state", {"state": "offline"})
    finally:
        headset.close()
