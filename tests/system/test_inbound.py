"""Calls that come in, in a whole installation: SIPp calls our number, waits in the queue, an agent has the pop,
answers, talks and hangs up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.system.callers import Callers
from tests.system.carriers import TONE_HZ, Carriers
from tests.system.headset import Headset, loudness
from tests.system.installation import Installation
from tests.system.office import Office, until
from tests.system.reception import NUMBER, Reception

pytestmark = [pytest.mark.interop, pytest.mark.timeout(200)]
CALLER = "+8613912345678"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inbound")


@pytest.fixture(scope="module")
def reception(folder: Path) -> Iterator[Reception]:
    carriers = Carriers(folder)
    installation = Installation(folder / "var", "--no-demo").start()
    try:
        office = Office(installation, carriers, [], agents=2, campaign={"mode": "manual"}).build()
        yield Reception(office).build()
    finally:
        installation.stop()
        carriers.close()


@pytest.fixture
def callers(folder: Path, reception: Reception) -> Iterator[Callers]:
    found = Callers(folder, reception.office.installation)
    yield found
    found.close()
    until(lambda: not reception.office.installation.redis().hlen(f"calls:{reception.office.tenant}"), "no call is left")


@pytest.fixture
def agent(reception: Reception) -> Iterator[Headset]:
    headset = reception.office.headset(1, 440.0)
    headset.available()
    headset.until(lambda d: d["state"] == "available", "available")
    yield headset
    headset.visitor.call("POST", "/api/agent/call/hangup", {})
    headset.until(lambda d: d["state"] != "on_call", "off the call", 10)
    headset.visitor.call("POST", "/api/agent/state", {"state": "offline"})
    headset.close()


@pytest.mark.promise("I3", "I5", "A1")
def test_a_caller_waits_with_music_is_popped_answered_heard_and_hung_up(
    reception: Reception, callers: Callers, agent: Headset
) -> None:
    began = time.time()
    peer = callers.call(NUMBER, CALLER)
    offered = agent.until(lambda d: (d["call"] or {}).get("state") == "offered", "the pop", 8)
    assert offered["state"] == "ringing"
    call = offered["call"]
    assert (call["direction"], call["phone_e164"], call["did"]) == ("in", CALLER, NUMBER)
    assert call["queue_name"] == "Sales" and call["answer_until"] > began
    board = until(lambda: reception.board() if reception.board().get("waiting") else None, "the board shows him", 5)
    assert board["waiting"][0]["offered_to"] == offered["user_id"]
    agent.heard.clear()
    agent.post("/api/agent/call/answer")
    agent.until(lambda d: (d["call"] or {}).get("state") == "talking", "talking", 5)
    time.sleep(1.2)
    heard = np.concatenate(agent.heard[-30:]).astype(float)
    assert loudness(heard, TONE_HZ) > 1000, "the caller's tone arrives"
    agent.post("/api/agent/call/hangup")
    result = callers.finish(peer)
    assert (result.successful, result.failed) == (1, 0), result.errors
    row = until(
        lambda: reception.office.installation.rows(
            "SELECT * FROM call WHERE phone_e164 = %s AND ended_at IS NOT NULL ORDER BY started_at DESC", CALLER
        ),
        "the CDR",
    )[0]
    assert (row["direction"], row["outcome"], row["did"]) == ("in", "connected", NUMBER)
    assert row["queue_id"] == reception.queue_id and row["hung_up_by"] == "agent"
    stay = reception.office.installation.rows("SELECT * FROM call_queue_stay WHERE call_id = %s", row["id"])[0]
    assert stay["how"] == "connected" and stay["answered_in_target"]
    offer = reception.office.installation.rows("SELECT * FROM call_offer WHERE call_id = %s", row["id"])[0]
    assert offer["how"] == "taken"
