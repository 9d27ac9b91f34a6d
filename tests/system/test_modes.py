"""Dialing by hand, previews, power dialing and refusals, in a whole installation against SIPp."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.system.carriers import Carriers, numbers
from tests.system.headset import Headset, loudness
from tests.system.installation import Installation, ask
from tests.system.office import Office, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("modes")
    carriers = Carriers(folder)
    installation = Installation(folder / "var", "--no-demo").start()
    leads = numbers("answer", 30)
    try:
        yield Office(installation, carriers, leads, agents=1, campaign={"mode": "manual", "ring_timeout_s": 5}).build()
    finally:
        installation.stop()
        carriers.close()


@pytest.fixture
def agent(office: Office) -> Iterator[Headset]:
    headset = office.headset(1, 440.0)
    headset.available()
    headset.until(lambda d: d["state"] == "available", "available")
    yield headset
    headset.visitor.call("POST", "/api/agent/call/hangup", {})
    document = headset.until(lambda d: d["state"] != "on_call", "off the call", 10)
    if document["state"] == "wrap_up":
        body = {"call_id": document["call"]["call_id"], "disposition_id": office.final_disposition}
        headset.visitor.call("POST", "/api/agent/call/disposition", body)
    headset.post("/api/agent/state", {"state": "offline"})
    headset.close()


def finish(office: Office, agent: Headset) -> None:
    """Hang up and set the outcome."""
    agent.post("/api/agent/call/hangup")
    document = agent.until(lambda d: d["state"] == "wrap_up", "wrap-up", 5)
    body = {"call_id": document["call"]["call_id"], "disposition_id": office.final_disposition}
    agent.post("/api/agent/call/disposition", body)
    agent.until(lambda d: d["state"] == "available", "available again", 5)


def change(office: Office, **pacing: object) -> None:
    """Change the campaign's pacing while it runs."""
    ask(office.installation.visitor("owner"), "PATCH", f"/api/campaigns/{office.campaign_id}/pacing", pacing)


@pytest.mark.promise("D1", "A1")
def test_click_to_call_is_heard_held_and_hung_up(office: Office, agent: Headset) -> None:
    number = numbers("answer", 40)[-1]
    agent.post("/api/dial", {"number": number})
    agent.until(lambda d: (d["call"] or {}).get("state") == "talking", "talking", 10)
    time.sleep(1)

    heard = np.concatenate(agent.heard[-30:]).astype(float)
    assert loudness(heard, 1000.0) > 1000, "the callee's tone arrives"
    agent.post("/api/agent/call/dtmf", {"digits": "12#"})
    agent.post("/api/agent/call/hold", {"on": True})
    agent.until(lambda d: d["call"]["state"] == "held", "held", 3)
    time.sleep(0.8)
    agent.heard.clear()
    time.sleep(0.6)
    silence = np.concatenate(agent.heard).astype(float) if agent.heard else np.zeros(1)
    assert loudness(silence, 1000.0) < 100, "on hold the agent hears nothing of the callee"
    agent.post("/api/agent/call/hold", {"on": False})
    agent.until(lambda d: d["call"]["state"] == "talking", "resumed", 3)
    agent.post("/api/agent/call/hangup")
    agent.until(lambda d: d["state"] in ("wrap_up", "available"), "done", 5)
    row = until(
        lambda: office.installation.rows(
            "SELECT outcome, hold_s, hung_up_by, mode FROM call WHERE phone_e164 = %s AND ended_at IS NOT NULL", number
        ),
        "the CDR",
    )[0]
    assert (row["outcome"], row["hung_up_by"], row["mode"]) == ("connected", "agent", "manual")
    assert 1 < row["hold_s"] < 4
    agent.visitor.call("POST", "/api/agent/state", {"state": "available"})


def test_number_that_is_busy_leaves_the_agent_as_he_was(office: Office, agent: Headset) -> None:
    agent.post("/api/dial", {"number": numbers("busy", 1)[0]})
    document = agent.until(lambda d: (d["call"] or {}).get("cause") == "busy", "told that it is busy", 8)
    assert document["state"] == "available"


@pytest.mark.promise("S4", "D5")
def test_blacklisted_number_is_not_dialed_by_hand(office: Office, agent: Headset) -> None:
    number = numbers("answer", 45)[-1]
    owner = office.installation.visitor("owner")
    ask(owner, "POST", "/api/blacklist", {"numbers": [number], "reason": "asked for it"})
    status, answer = agent.visitor.call("POST", "/api/dial", {"number": number})
    assert status == 409 and answer["code"] == "refused_blacklist", answer
    assert number not in office.carriers.invited()


@pytest.mark.promise("D1")
def test_previewed_lead_is_skipped_then_dialed(office: Office, agent: Headset) -> None:
    change(office, mode="preview")
    office.press("start")
    first = agent.until(lambda d: d["state"] == "ringing" and d["call"]["state"] == "preview", "a preview", 15)
    assert first["call"]["card"]["name"].startswith("Lead")
    agent.post("/api/agent/call/preview", {"dial": False})
    second = agent.until(
        lambda d: d["state"] == "ringing" and d["call"]["lead_id"] != first["call"]["lead_id"], "the next preview", 15
    )
    assert second["call"]["phone_e164"] not in office.carriers.invited()
    agent.post("/api/agent/call/preview", {"dial": True})
    talking = agent.until(lambda d: d["state"] == "on_call" and d["call"]["state"] == "talking", "talking", 10)
    assert talking["call"]["lead_id"] == second["call"]["lead_id"]
    office.press("pause")
    finish(office, agent)
    skipped = until(
        lambda: office.installation.rows(
            "SELECT status, next_at FROM lead WHERE id = %s AND status <> 'in_progress'", first["call"]["lead_id"]
        ),
        "the skipped lead is back in its list",
    )
    assert skipped[0]["status"] == "new" and skipped[0]["next_at"] is not None


@pytest.mark.promise("D2", "D3")
def test_power_dialing_beyond_the_agents_counts_its_abandoned_calls(office: Office, agent: Headset) -> None:
    change(office, mode="power", ratio=4.0)
    office.press("start")
    stop = threading.Event()
    worker = threading.Thread(target=agent.work, args=(office.final_disposition, stop, 4.0), daemon=True)
    worker.start()
    query = "SELECT id, answered_at, ended_at, hung_up_by, wait_ms FROM call WHERE outcome = 'abandoned'"
    rows = until(lambda: office.installation.rows(query), "an abandoned call", 60)
    office.press("pause")
    stop.set()
    worker.join(10)
    for row in rows:
        heard_s = (row["ended_at"] - row["answered_at"]).total_seconds()
        assert row["hung_up_by"] == "system" and heard_s > 4, "2 s of patience, then the whole message"
    day = office.installation.rows("SELECT sum(abandoned) AS n FROM campaign_day")[0]["n"]
    total = office.installation.rows("SELECT count(*) AS n FROM call WHERE outcome = 'abandoned'")[0]["n"]
    assert day == total


@pytest.mark.promise("D5")
def test_outside_the_calling_hours_nothing_is_dialed_and_the_console_says_when(office: Office, agent: Headset) -> None:
    owner = office.installation.visitor("owner")
    rules = ask(owner, "GET", "/api/rules")["items"]
    mine = next(r for r in rules if r["name"] == "always")
    today = time.gmtime(time.time() + 8 * 3600).tm_wday + 1  # in the enterprise's zone, Monday = 1
    shut = [
        {"days": [today], "from": "00:00", "to": "00:01"},
        {"days": [today % 7 + 1], "from": "09:00", "to": "10:00"},
    ]
    ask(owner, "PATCH", f"/api/rules/{mine['id']}", {"windows": shut})
    change(office, mode="progressive")
    office.press("start")
    before = len(office.carriers.invited())
    redis = office.installation.redis()

    def limit() -> str:

        raw = redis.hget(f"live:{office.tenant}", f"campaign:{office.campaign_id}")
        return str(json.loads(raw)["limit"]) if raw else ""

    until(lambda: limit() == "outside_hours", "the console names the hours", 30)
    assert len(office.carriers.invited()) == before
    office.press("stop")
