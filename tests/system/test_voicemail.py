"""A caller leaves a message, another gives up: both are tasks with their agents until somebody has spoken with them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from callcenter.recordings import audio
from tests.system.callers import Caller, Callers
from tests.system.headset import LOUD, Headset, loudness
from tests.system.heard import channels
from tests.system.installation import Installation, ask
from tests.system.office import until
from tests.system.switchboard import REPAIRS, TO_REPAIRS, TO_VOICEMAIL, Switchboard

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]
CALLER_HZ, AGENT_HZ = 620.0, 440.0
WITH_KEY, WITHOUT_KEY, GAVE_UP = "+8613800007001", "+8613800007002", "+8613800007003"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    installation = Installation(tmp_path_factory.mktemp("voicemail") / "var", "--no-demo")
    try:
        yield Switchboard(installation.start(), customers=[WITH_KEY], settings={"wrap_up_s": 1}).build()
        wrong = installation.logs("error", "critical")
        assert not wrong, wrong
    finally:
        installation.stop()


@pytest.fixture
def callers(board: Switchboard) -> Iterator[Callers]:
    found = board.callers()
    yield found
    found.close()


@pytest.fixture
def agent(board: Switchboard) -> Iterator[Headset]:
    headset = board.headset("agent1", AGENT_HZ)
    yield headset
    headset.close()


def tasks(agent: Headset, state: str = "open") -> dict[str, dict[str, Any]]:
    """What the agent sees, by the caller's number."""
    page = ask(agent.visitor, "GET", f"/api/tasks?state={state}")
    return {t["phone"]: t for t in page["items"]}


def is_recorded(board: Switchboard, number: str) -> str:
    """The caller's call, once it records."""

    def found() -> str | None:
        calls = [c["id"] for c in board.calls(number)]
        return next((c for c in calls if board.facts("recording.started", c)), None)

    return str(until(found, f"the message of {number} is recorded", 20))


def speaks(board: Switchboard, caller: Caller) -> None:
    """Wait until the call is recorded, and speak for two seconds and a half."""
    is_recorded(board, caller.number)
    time.sleep(2.5)


@pytest.mark.promise("I6")
def test_messages_and_missed_calls_are_tasks_until_somebody_spoke_with_the_caller(
    board: Switchboard, callers: Callers, agent: Headset
) -> None:
    keyed = callers.call_one(WITH_KEY, TO_VOICEMAIL, CALLER_HZ)
    hangs_up = callers.call_one(WITHOUT_KEY, TO_VOICEMAIL, CALLER_HZ)
    speaks(board, keyed)
    keyed.press("#")
    speaks(board, hangs_up)
    hangs_up.hang_up()
    gave_up = callers.call_one(GAVE_UP, TO_REPAIRS, CALLER_HZ)
    until(lambda: board.queue(REPAIRS).get("waiting"), "he waits", 15)
    gave_up.hang_up()
    board.at_rest(30)

    until(lambda: len(tasks(agent)) == 3, "three tasks", 15)
    found = tasks(agent)
    assert {n: t["kind"] for n, t in found.items()} == {
        WITH_KEY: "voicemail", WITHOUT_KEY: "voicemail", GAVE_UP: "missed_call",
    }  # fmt: skip
    assert found[WITH_KEY]["customer_name"] == "Customer Known"
    assert found[GAVE_UP]["queue_name"] == REPAIRS
    for number in (WITH_KEY, WITHOUT_KEY):
        assert 1.0 < found[number]["seconds"] < 8.0
        recording = found[number]["recording_id"]
        [row] = board.installation.rows("SELECT path FROM recording WHERE id = %s", recording)
        for side in channels(audio.read(board.installation.var / "recordings" / row["path"])):
            assert loudness(side[4000:12000], CALLER_HZ) > LOUD, "both channels carry the caller"
        status, _ = agent.visitor.call("GET", f"/api/recordings/{recording}/peaks")
        assert status == 200, "the agent may hear it"

    agent.available()
    callers.call_one(GAVE_UP, TO_REPAIRS, CALLER_HZ)
    agent.until(lambda d: d["state"] == "ringing", "it rings", 15)
    agent.post("/api/agent/call/answer")
    agent.until(lambda d: d["state"] == "on_call", "they talk", 10)
    until(lambda: GAVE_UP not in tasks(agent), "the conversation has closed the task", 10)
    done = tasks(agent, "done")[GAVE_UP]
    assert done["closed_by_name"] and done["closed_by_call_id"] == agent.document["call"]["call_id"]
    assert set(tasks(agent)) == {WITH_KEY, WITHOUT_KEY}
