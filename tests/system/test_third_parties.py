"""Others in a call, in a whole installation: what each side hears is proved by tones. The customer is an echo: what he
hears comes back on his channel of the recording, so that what he did not hear is not there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from callcenter.recordings.audio import read
from tests.system.carriers import BRIEF_S, TONE_HZ, Carriers, numbers
from tests.system.headset import Headset, loudness
from tests.system.heard import channels
from tests.system.installation import PASSWORD, Installation
from tests.system.office import Office, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]
FIRST_HZ, SECOND_HZ, SUPERVISOR_HZ = 440.0, 620.0, 780.0
LOUD, SILENT = 700.0, 90.0


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("parties")
    carriers = Carriers(folder, echo=True)
    installation = Installation(folder / "var", "--no-demo").start()
    try:
        yield Office(installation, carriers, [], agents=2, campaign={"mode": "manual"}).build()
    finally:
        installation.stop()
        carriers.close()


@pytest.fixture
def people(office: Office) -> Iterator[tuple[Headset, Headset, Headset]]:
    """Two agents who are available, and the owner, who supervises."""
    owner = Headset(office.installation.address, "acme", "owner", PASSWORD, SUPERVISOR_HZ)
    agents = office.headset(1, FIRST_HZ), office.headset(2, SECOND_HZ)
    for one in (*agents, owner):
        one.available()
        one.until(lambda d: d["state"] == "available", "available")
    yield *agents, owner
    for one in (*agents, owner):
        one.visitor.call("POST", "/api/agent/call/hangup", {})
    for one in (*agents, owner):
        one.until(lambda d: d["state"] != "on_call", "off the call", 15)
        one.visitor.call("POST", "/api/agent/state", {"state": "offline"})
        one.close()


def hears(one: Headset, seconds: float = 0.8) -> dict[float, bool]:
    """Which tones arrive in the next moment: True loud, False silent; anything between fails."""
    time.sleep(0.6)
    one.heard.clear()
    time.sleep(seconds)
    samples = np.concatenate(one.heard).astype(float) if one.heard else np.zeros(1)
    found = {}
    for hz in (FIRST_HZ, SECOND_HZ, SUPERVISOR_HZ, TONE_HZ):
        level = loudness(samples, hz)
        assert level > LOUD or level < SILENT, (hz, level)
        found[hz] = level > LOUD
    return found


def only(*tones: float) -> dict[float, bool]:
    """What `hears` gives when exactly these are heard."""
    return {hz: hz in tones for hz in (FIRST_HZ, SECOND_HZ, SUPERVISOR_HZ, TONE_HZ)}


def dial(one: Headset, number: str) -> str:
    """Talk with a number; returns the call's id."""
    one.post("/api/dial", {"number": number})
    document = one.until(lambda d: (d["call"] or {}).get("state") == "talking", "talking", 30)
    return str(document["call"]["call_id"])


def in_state(one: Headset, state: str) -> dict[str, Any]:
    """Wait for the state of the agent's call."""
    return one.until(lambda d: (d["call"] or {}).get("state") == state, state, 20)


def recording(office: Office, call_id: str) -> tuple[Any, Any]:
    """Agent's and customer's channel of a call that has ended."""
    query = "SELECT path FROM recording WHERE call_id = %s AND state = 'stored' ORDER BY started_at"
    row = until(lambda: office.installation.rows(query, call_id), "the recording is stored", 40)[0]
    return channels(read(office.installation.var / "recordings" / row["path"]))


def tones(samples: Any, since_s: float, until_s: float) -> set[float]:
    """Tones heard in a stretch of a channel."""
    part = samples[int(since_s * 8000) : int(until_s * 8000)]
    return {hz for hz in (FIRST_HZ, SECOND_HZ, SUPERVISOR_HZ, TONE_HZ) if loudness(part, hz) > LOUD}


def kill_engine(office: Office, one: Headset) -> None:
    """`kill -9`, and wait for its successor's answer to somebody who asks for nothing that can be done."""
    office.installation.kill("engine")

    def answers() -> bool:
        return bool(one.visitor.call("POST", "/api/agent/call/pick-up", {"slot": "99"})[0] == 409)

    until(answers, "the engine is back", 60)


def end(one: Headset) -> None:
    """Hang up; the wrap-up is over at once."""
    one.post("/api/agent/call/hangup")
    one.until(lambda d: d["state"] in ("wrap_up", "available"), "done", 8)


@pytest.mark.promise("V2", "V3", "E8")
def test_a_whisper_is_heard_by_the_agent_and_not_by_the_caller(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    agent, _, supervisor = people
    call_id = dial(agent, numbers("echo", 1)[0])
    began = time.monotonic()
    path = f"/api/supervision/{agent.me['id']}"
    supervisor.post(path, {"how": "listen"})
    agent.until(lambda d: [q["role"] for q in d["call"]["parties"]] == ["listen"], "told that somebody listens", 5)
    assert hears(supervisor) == only(FIRST_HZ), "agent and (echoing) customer"
    assert hears(agent) == only(FIRST_HZ), "nothing of who listens"
    whispered = time.monotonic() - began
    supervisor.post(path, {"how": "whisper"})
    assert hears(agent)[SUPERVISOR_HZ]
    barged = time.monotonic() - began
    supervisor.post(path, {"how": "barge"})
    assert hears(agent)[SUPERVISOR_HZ]
    time.sleep(0.5)
    stopped = time.monotonic() - began
    supervisor.post(path, {"how": "stop"})
    supervisor.until(lambda d: d["state"] == "available", "as before", 20)
    end(agent)
    left, right = recording(office, call_id)
    assert SUPERVISOR_HZ not in tones(left, 0, stopped)
    assert tones(right, whispered + 0.3, barged - 0.2) == {FIRST_HZ}, "the caller heard no whisper"
    assert tones(right, barged + 0.6, stopped - 0.1) == {FIRST_HZ, SUPERVISOR_HZ}, "and he heard who joined"
    audited = office.installation.rows("SELECT action FROM audit_entry WHERE entity = 'agent' ORDER BY id")
    assert [row["action"] for row in audited] == ["listen", "whisper", "barge", "stop_listening"]
    agent.visitor.call("POST", "/api/agent/state", {"state": "available"})


@pytest.mark.promise("A1", "V3")
def test_attended_transfer_and_the_recording_follows_the_agent(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    first, second, _ = people
    call_id = dial(first, numbers("echo", 1)[0])
    began = time.monotonic()
    time.sleep(1.5)
    to_second = {"kind": "agent", "id": second.me["id"], "attended": True}
    held = time.monotonic() - began
    first.post("/api/agent/call/transfer", to_second)
    in_state(second, "offered")
    assert second.document["call"]["call_id"] == call_id
    second.post("/api/agent/call/answer")
    in_state(first, "consulting")
    assert hears(first) == only(SECOND_HZ) and hears(second) == only(FIRST_HZ)
    handed = time.monotonic() - began
    first.post("/api/agent/call/transfer/complete")
    first.until(lambda d: d["state"] in ("wrap_up", "available"), "the first is out of it", 20)
    in_state(second, "talking")
    assert hears(second) == only(SECOND_HZ), "the echo of his own voice: the customer hears him"
    assert hears(first) == only()
    time.sleep(0.5)
    ended = time.monotonic() - began
    end(second)
    left, right = recording(office, call_id)
    assert tones(left, 0.3, held - 0.2) == {FIRST_HZ} and tones(left, handed + 0.6, ended - 0.2) == {SECOND_HZ}
    assert tones(right, 0.5, held - 0.2) == {FIRST_HZ} and tones(right, handed + 0.8, ended - 0.2) == {SECOND_HZ}
    query = "SELECT party_key, role, outcome, left_at FROM call_party WHERE call_id = %s ORDER BY called_at, role"
    rows = office.installation.rows(query, call_id)
    assert {(r["role"], r["outcome"]) for r in rows} == {("talk", "agent"), ("transfer", "attended")}, rows
    cdr = office.installation.rows("SELECT agent_id, outcome FROM call WHERE id = %s", call_id)[0]
    assert (cdr["agent_id"], cdr["outcome"]) == (second.me["id"], "connected")
    for one in (first, second):
        one.visitor.call("POST", "/api/agent/state", {"state": "available"})


@pytest.mark.promise("A1", "D6")
def test_conference_with_a_colleague_and_with_a_number_which_goes_on_without_the_agent(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    first, second, _ = people
    call_id = dial(first, numbers("echo", 1)[0])
    began = time.monotonic()
    first.post("/api/agent/call/transfer", {"kind": "agent", "id": second.me["id"], "attended": True})
    in_state(second, "offered")
    second.post("/api/agent/call/answer")
    in_state(first, "consulting")
    first.post("/api/agent/call/conference")
    in_state(first, "talking")
    both = time.monotonic() - began
    assert hears(first) == only(FIRST_HZ, SECOND_HZ), "the colleague, and the echo of both"
    assert hears(second) == only(FIRST_HZ, SECOND_HZ)
    alone = time.monotonic() - began
    second.post("/api/agent/call/leave")
    second.until(lambda d: d["state"] in ("wrap_up", "available"), "the colleague has left", 20)
    first.post("/api/agent/call/transfer", {"kind": "number", "number": numbers("busy", 1)[0], "attended": True})
    first.until(lambda d: (d["call"].get("notice") or {}).get("code") == "party_busy", "told that it is busy", 20)
    in_state(first, "talking")
    first.post("/api/agent/call/transfer", {"kind": "number", "number": numbers("brief", 1)[0], "attended": True})
    first.until(lambda d: any(q["state"] == "talking" for q in d["call"]["parties"]), "the number answers", 20)
    assert hears(first) == only(TONE_HZ)
    first.post("/api/agent/call/conference")
    in_state(first, "talking")
    assert hears(first)[TONE_HZ] and hears(first)[FIRST_HZ]
    first.post("/api/agent/call/leave")
    first.until(lambda d: d["state"] in ("wrap_up", "available"), "the first has left", 20)
    left_alone = time.monotonic() - began
    time.sleep(3)
    redis = office.installation.redis()
    live = redis.hgetall(f"calls:{office.tenant}")
    assert [k.decode() for k in live] == [call_id]
    ended = time.monotonic() - began
    kill_engine(office, first)
    assert redis.hlen(f"calls:{office.tenant}") == 1, "the conversation of customer and number goes on"
    until(lambda: redis.hlen(f"calls:{office.tenant}") == 0, "it ends when the number hangs up", BRIEF_S + 10)
    left, right = recording(office, call_id)
    assert tones(right, both + 0.8, alone - 0.2) == {FIRST_HZ, SECOND_HZ}, "the customer heard both"
    assert tones(right, left_alone + 1.0, ended - 0.4) == {TONE_HZ}, "and at last the number alone"
    assert TONE_HZ in tones(left, left_alone + 1.0, ended - 0.4), "whoever has the agent's place is on the left"
    used = office.installation.rows("SELECT role, number, outcome FROM call_party WHERE call_id = %s", call_id)
    assert ("consult", numbers("busy", 1)[0], "busy") in {(r["role"], r["number"], r["outcome"]) for r in used}


@pytest.mark.promise("A1")
def test_a_telephone_is_the_agents_phone_and_the_browser_again_afterwards(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    agent, second, _ = people
    number = numbers("answer", 7)[-1]
    status, chosen = agent.visitor.call("PATCH", "/api/phone/device", {"kind": "number", "number": number})
    assert (status, chosen["number"]) == (200, number)
    agent.post("/api/phone/device/connect")
    agent.until(lambda d: d["device"] == "number" and d["phone"]["state"] == "connected", "the telephone answers", 30)
    status, refused = agent.visitor.call("POST", "/api/phone/offer", {"sdp": "v=0"})
    assert (status, refused["code"]) == (409, "phone_elsewhere"), "an open page does not take the phone away"
    agent.until(lambda d: d["phone"]["state"] == "connected", "still connected", 5)
    call_id = dial(agent, numbers("echo", 1)[0])
    time.sleep(2)
    agent.post("/api/agent/call/transfer", {"kind": "agent", "id": second.me["id"], "attended": True})
    in_state(second, "offered")
    second.post("/api/agent/call/answer")
    in_state(agent, "consulting")
    assert hears(second) == only(TONE_HZ), "the telephone speaks like any agent"
    agent.post("/api/agent/call/drop-party", {"party_key": f"agent:{second.me['id']}"})
    in_state(agent, "talking")
    time.sleep(0.5)
    kill_engine(office, agent)
    agent.until(lambda d: d["phone"]["state"] == "connected", "taken up", 20)
    end(agent)
    left, right = recording(office, call_id)
    assert tones(left, 0.4, 1.8) == tones(right, 0.6, 1.8) == {TONE_HZ}
    agent.until(lambda d: d["state"] in ("wrap_up", "available"), "done", 8)
    status, chosen = agent.visitor.call("PATCH", "/api/phone/device", {"kind": "browser"})
    assert (status, chosen["kind"], chosen["number"]) == (200, "browser", number)
    agent.until(lambda d: d["device"] == "browser" and d["phone"]["state"] == "off", "hung up", 20)
    agent.connect()
    agent.until(lambda d: d["phone"]["state"] == "connected", "the browser again", 20)
    used = "SELECT 1 FROM call WHERE ended_at IS NULL"
    until(lambda: not office.installation.rows(used), "all calls have ended", 10)

    def in_use() -> int:
        raw = office.installation.redis().hget(f"live:{office.tenant}", "trunks")
        return sum(t["in_use"] for t in json.loads(raw).values()) if raw else -1

    until(lambda: in_use() == 0, "every channel is given back", 10)


@pytest.mark.promise("A1")
def test_a_parked_call_is_seen_and_picked_up_by_a_colleague(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    first, second, _ = people
    call_id = dial(first, numbers("echo", 1)[0])
    slot = first.post("/api/agent/call/park")["result"]["slot"]
    page = second.visitor.call("GET", "/api/parked")[1]
    assert [(c["slot"], c["call_id"]) for c in page["items"]] == [(slot, call_id)]
    second.post("/api/agent/call/pick-up", {"slot": slot})
    in_state(second, "talking")
    assert hears(second) == only(SECOND_HZ)
    assert second.visitor.call("GET", "/api/parked")[1]["total"] == 0
    targets = second.visitor.call("GET", "/api/agent/transfer-targets?q=&per_page=50")[1]["items"]
    kinds = {(t["kind"], t["name"], t["state"]) for t in targets if t["kind"] == "agent"}
    assert ("agent", "Agent 1", first.document["state"]) in kinds and ("agent", "Agent 2", "on_call") not in kinds
    end(second)


@pytest.mark.promise("V2")
def test_a_supervisors_message_is_on_the_agents_screen(
    office: Office, people: tuple[Headset, Headset, Headset]
) -> None:
    agent, _, supervisor = people
    socket = agent.visitor.socket()
    socket.subscribe(f"user:{agent.me['id']}")
    supervisor.post("/api/supervision/messages", {"all": True, "text": "Please take your break now."})
    told = socket.doc(5.0)["doc"]
    assert (told["kind"], told["text"], told["from_id"]) == (
        "message", "Please take your break now.", supervisor.me["id"]
    )  # fmt: skip
    status, _ = agent.visitor.call("POST", "/api/supervision/messages", {"all": True, "text": "Hello"})
    assert status == 403
    status, _ = agent.visitor.call("POST", f"/api/supervision/{supervisor.me['id']}", {"how": "listen"})
    assert status == 403
