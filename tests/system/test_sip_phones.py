"""A desk phone registered with a whole installation: its agent works calls by it, dials on it, and keeps it through the
engine's death. What each side hears is proved by tones: the customer is an echo."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callcenter.recordings.audio import read
from tests.sip.baresip import Baresip, phone
from tests.system.carriers import TONE_HZ, Carriers, numbers
from tests.system.headset import Headset, loudness
from tests.system.heard import channels
from tests.system.installation import PASSWORD, Installation, ask
from tests.system.office import Office, until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(200), pytest.mark.promise("A1")]
PHONE_HZ = 440
LOUD = 700.0


class Desk:
    """A baresip in a loop of its own, registered with what the administrator was shown."""

    def __init__(self, made: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running = phone(
            made["phone"]["username"], registrar=made["server"]["port"], password=made["password"], hz=PHONE_HZ
        )
        self.server: int = made["server"]["port"]
        self.phone: Baresip = self._do(self._running.__aenter__())

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def press(self, command: str, parameters: str = "") -> None:
        """A key of the phone."""
        self._do(self.phone.command(command, parameters))

    def hears(self, hz: float) -> bool:
        """Whether the tone was in the last half second of what its newest call brought."""
        files = self.phone.heard()
        if not files:
            return False
        samples = np.frombuffer(files[-1].read_bytes()[44:], dtype="<i2").astype(float)[-4000:]
        return len(samples) == 4000 and loudness(samples, hz) > LOUD

    def close(self) -> None:
        self._do(self._running.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("phones")
    carriers = Carriers(folder, echo=True)
    installation = Installation(folder / "var", "--no-demo").start()
    try:
        yield Office(installation, carriers, [], agents=1, campaign={"mode": "manual"}).build()
    finally:
        installation.stop()
        carriers.close()


class Watching(Headset):
    """The agent's page without the browser's phone."""

    def phone(self, state: str) -> None:
        self.until(lambda d: d["phone"]["state"] == state, f"phone {state}")

    def call(self, state: str) -> dict[str, Any]:
        return self.until(lambda d: (d["call"] or {}).get("state") == state, state, 30)["call"]  # type: ignore[no-any-return]


def heard_by_customer(office: Office, call_id: str) -> Callable[[], Any]:
    """The customer's channel of the call's recording, once it is stored."""

    def stored() -> Any:
        query = "SELECT path FROM recording WHERE call_id = %s AND state = 'stored'"
        rows = office.installation.rows(query, call_id)
        path = Path(office.installation.var) / "recordings" / rows[0]["path"] if rows else None
        return None if path is None else channels(read(path))

    return stored


def loudest(samples: Any, hz: float) -> float:
    """How loud the tone is in its loudest half second."""
    return max(loudness(samples[i : i + 4000], hz) for i in range(0, max(1, len(samples) - 4000), 2000))


def test_an_agent_works_by_a_registered_desk_phone(office: Office) -> None:
    installation = office.installation
    owner = installation.visitor("owner")
    agent = Watching(installation.address, "acme", "agent1", PASSWORD)
    made = ask(owner, "POST", "/api/sip-phones", {"user_id": agent.me["id"]})
    path = f"/api/sip-phones/{made['phone']['id']}"
    # An enterprise just opened has no engine yet.
    made["server"] = until(lambda: ask(owner, "GET", path)["server"], "where it registers")
    assert made["server"] == {"host": "127.0.0.1", "port": installation.ports["SIP_PORT"]}
    ask(agent.visitor, "PATCH", "/api/phone/device", {"kind": "sip"})
    status, refused = agent.visitor.call("POST", "/api/phone/device/connect", {})
    assert (status, refused["code"]) == (409, "phone_not_registered")
    until(lambda: installation.redis().hexists(f"cfg:{office.tenant}", f"sip_phone:{made['phone']['id']}"), "settings")
    desk = Desk(made)
    try:
        own = until(lambda: ask(agent.visitor, "GET", "/api/sip-phones/own")["phone"], "its page")
        own = until(
            lambda: (p := ask(agent.visitor, "GET", "/api/sip-phones/own")["phone"])["registered"] and p, "registered"
        )
        assert own["device"].startswith("baresip") and own["address"].endswith(f":{desk.phone.port}")

        agent.post("/api/phone/device/connect")
        agent.phone("connected")
        agent.post("/api/agent/state", {"state": "available"})
        agent.post("/api/dial", {"number": numbers("echo", 1)[0]})
        call_id = agent.call("talking")["call_id"]
        until(lambda: desk.hears(PHONE_HZ), "the phone hears its own tone from the echo")
        agent.post("/api/agent/call/hangup")
        agent.until(lambda d: d["state"] in ("wrap_up", "available"), "done", 10)
        assert agent.document["phone"]["state"] == "connected", "the phone stays on the line"
        _, customer = until(heard_by_customer(office, call_id), "the recording is stored", 40)
        assert loudest(customer, PHONE_HZ) > LOUD, "the customer heard it"

        installation.kill("engine")
        agent.until(lambda d: d["phone"]["state"] == "connected" and d["state"] == "available", "taken up", 40)
        answers = lambda: agent.visitor.call("POST", "/api/agent/call/pick-up", {"slot": "99"})[0] == 409  # noqa: E731
        until(answers, "the engine is back", 60)
        desk.press("hangup")
        agent.phone("off")
        assert ask(agent.visitor, "GET", "/api/sip-phones/own")["phone"]["registered"], "kept over the engine's death"
        agent.post("/api/phone/device/connect")
        agent.phone("connected")

        desk.press("dial", f"sip:{numbers('answer', 1)[0].lstrip('+')}@127.0.0.1:{desk.server}")
        call = agent.call("talking")
        assert call["phone_e164"] == numbers("answer", 1)[0]
        until(lambda: desk.hears(TONE_HZ), "the phone hears whom it dialed")
        desk.press("hangup")
        agent.phone("off")
        agent.until(lambda d: d["state"] != "available", "without a phone no calls", 40)
    finally:
        desk.close()
        agent.close()
