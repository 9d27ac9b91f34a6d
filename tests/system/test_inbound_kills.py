"""`kill -9` of the engine with callers in queue and in talk: who talks goes on hearing the other, who waits is in the
queue again in five seconds, in the same order, and the boards are right afterwards."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.system.callers import LOUD, Caller, loudest
from tests.system.headset import Headset
from tests.system.installation import Installation
from tests.system.office import until
from tests.system.switchboard import BILLING, MUSIC_HZ, REPAIRS, SALES, TO_REPAIRS, Switchboard

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]
BACK_S = 5.0
LONGEST_GAP_S = 0.5  # without a packet in a conversation; the machine is busy with the new engine's start
UNREAD_S = 3.0  # packets that the test's own process, which is all telephones at once, may not have read yet


@pytest.mark.promise("P4", "I3", "V1")
def test_talks_and_queues_survive_the_death_of_the_engine(tmp_path: Path) -> None:
    survive(tmp_path, waiting=12, talking=5)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_fifty_waiting_and_twenty_talking_survive_the_death_of_the_engine(tmp_path: Path) -> None:
    survive(tmp_path, waiting=50, talking=20)


def survive(tmp_path: Path, waiting: int, talking: int) -> None:
    """Build it up, kill the engine, and look at everything."""
    installation = Installation(tmp_path / "var", "--no-demo")
    agents: list[Headset] = []
    callers = None
    try:
        queues = {SALES: (), REPAIRS: tuple(range(1, talking + 1)), BILLING: ()}
        board = Switchboard(
            installation.start(), agents=talking, queues=queues,
            settings={"wrap_up_s": 2}, waiting={"announce_every_s": 0, "greeting": ""},
        ).build()  # fmt: skip
        callers = board.callers()
        talkers: list[Caller] = []
        for i in range(talking):
            headset = board.headset(f"agent{i + 1}", 600.0 + 40 * i)
            agents.append(headset)
            headset.available()
            talkers.append(callers.call_one(f"+86138000200{i:02d}", TO_REPAIRS, 620.0 + 40 * i).until("answered"))
            headset.until(lambda d: d["state"] == "ringing", "the pop")
            headset.post("/api/agent/call/answer")
            talkers[-1].until_hears(headset.hz)
        numbers = [f"+86138000300{i:02d}" for i in range(waiting)]
        waiters = callers.call(numbers, TO_REPAIRS, rate=5)
        for caller in waiters:
            caller.muted = True  # the test's own process has enough to do
        in_line = until(lambda: _line(board, waiting), "all wait")
        assert in_line == numbers
        for caller in waiters:
            caller.until_hears(MUSIC_HZ)

        up = {h.me["username"]: h.document["call"]["call_id"] for h in agents}
        killed_at = time.time()
        for headset in agents:
            headset.heard.clear()
        installation.kill("engine")
        until(lambda: _line(board, waiting, since=killed_at), "they are in the queue again", 20)
        back_s = time.time() - killed_at
        print(f"engine killed with {waiting} waiting and {talking} talking: in the queue again after {back_s:.2f} s")
        assert back_s <= BACK_S
        assert _line(board, waiting, since=killed_at) == numbers, "in the same order"
        time.sleep(2.0 + UNREAD_S)
        _check_talks(talkers, agents, killed_at)
        for caller in waiters:
            assert caller.state == "answered"
            caller.until_hears(MUSIC_HZ)
        for headset in agents:
            headset.until(lambda d: d["state"] == "on_call" and d["call"]["state"] == "talking", "as before")
            assert board.agent(headset.me["username"])["call"]["call_id"] == up[headset.me["username"]]
        _check_board(board, waiting, talking)

        for headset, number in zip(agents[:2], numbers[:2], strict=True):
            headset.post("/api/agent/call/hangup")
            headset.until(lambda d, n=number: _rings(d, n), "the first in the queue rings", 10)
            headset.post("/api/agent/call/answer")
            waiters[numbers.index(number)].until_hears(headset.hz)
            waiters[numbers.index(number)].muted = False
        for caller in itertools.chain(talkers[2:], waiters):
            caller.hang_up()
        board.at_rest(40)
        rows = installation.rows("SELECT outcome, count(*) AS n FROM call GROUP BY outcome")
        assert {r["outcome"]: r["n"] for r in rows} == {"connected": talking + 2, "abandoned": waiting - 2}
        assert not installation.logs("error", "critical"), installation.logs("error", "critical")
    finally:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda h: h.close(), agents))
        if callers is not None:
            callers.close()
        installation.stop()


def _line(board: Switchboard, n: int, since: float = 0.0) -> list[str]:
    """The numbers of who waits, if there are `n` of them and the board was written after `since`."""
    document = board.queue(REPAIRS)
    found = [w["phone_e164"] for w in document.get("waiting", [])]
    return found if len(found) == n and document["at"] > since else []


def _rings(document: dict[str, Any], number: str) -> bool:
    return bool(document["state"] == "ringing" and document["call"]["phone_e164"] == number)


def _check_talks(talkers: list[Caller], agents: list[Headset], since: float) -> None:
    """No conversation had a hole, and each heard his own partner all the time."""
    for caller, headset in zip(talkers, agents, strict=True):
        came = [at for at, _ in caller.heard if at > since]
        assert time.time() - came[-1] < UNREAD_S, f"{caller.number} hears nothing any more"
        gaps = [later - earlier for earlier, later in itertools.pairwise([since, *came])]
        assert max(gaps) < LONGEST_GAP_S, f"{caller.number} heard nothing for {max(gaps):.2f} s"
        assert len(came) > 40 * (came[-1] - since), (caller.number, len(came))
        for at in np.arange(since, came[-1] - 1, 1.0):
            heard = caller.between(float(at), float(at) + 1.0)
            assert loudest(heard, headset.hz) > LOUD, f"{caller.number} did not hear his agent"
        assert len(headset.heard) > 40 * (time.time() - since - UNREAD_S), headset.me["username"]
        heard = np.concatenate(headset.heard).astype(float)
        for i in range(0, len(heard) - 8000, 8000):
            assert loudest(heard[i : i + 8000], caller.hz) > LOUD, f"{headset.me['username']} did not hear his caller"


def _check_board(board: Switchboard, waiting: int, talking: int) -> None:
    """The queue's document equals what is so."""
    document = board.queue(REPAIRS)
    told = {k: document[k] for k in ("offered", "answered", "abandoned", "agents", "talking", "available")}
    assert told == {
        "offered": waiting + talking, "answered": talking, "abandoned": 0, "agents": talking, "talking": talking,
        "available": 0,
    }  # fmt: skip
    assert document["longest_wait_since"] == min(w["since"] for w in document["waiting"])
