"""Whoever ends a call, and whenever: the caller at every stage, the agent's machine at every stage. Nobody is stuck
afterwards, no call is left, the reconciler has nothing to mend, and the CDR says what happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.system.callers import Caller, Callers
from tests.system.headset import Headset
from tests.system.installation import Installation
from tests.system.office import until
from tests.system.switchboard import (
    BILLING,
    MUSIC_HZ,
    REPAIRS,
    SALES,
    TO_AGENT,
    TO_MENU,
    TO_REPAIRS,
    TO_VOICEMAIL,
    WELCOME_HZ,
    Switchboard,
)  # fmt: skip

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]
ONE_HZ, TWO_HZ, CALLER_HZ = 440.0, 620.0, 1000.0
FAINT = 60.0
GRACE_S = 45.0  # a lost browser may come back for 20 s; before that its loss has to be noticed
QUEUES = {SALES: (2,), REPAIRS: (1, 3, 4, 5, 6), BILLING: (2,)}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    installation = Installation(tmp_path_factory.mktemp("ends") / "var", "--no-demo", FAR_END_SILENT_S="3")
    try:
        yield Switchboard(installation.start(), agents=6, queues=QUEUES, settings={"wrap_up_s": 1, "ring_s": 8}).build()
        wrong = installation.logs("error", "critical")
        assert not wrong, wrong
    finally:
        installation.stop()


@pytest.fixture(scope="module")
def callers(board: Switchboard) -> Iterator[Callers]:
    found = board.callers()
    yield found
    found.close()


@pytest.fixture(scope="module")
def agents(board: Switchboard) -> Iterator[tuple[Headset, Headset]]:
    """Agent 1, who answers Repairs, and agent 2."""
    both = board.headset("agent1", ONE_HZ), board.headset("agent2", TWO_HZ)
    for headset in both:
        headset.available()
    yield both
    for headset in both:
        headset.close()


class Scene:
    """What leads a caller to a stage."""

    def __init__(self, callers: Callers, agents: tuple[Headset, Headset], number: str) -> None:
        self.callers, self.number = callers, number
        self.one, self.two = agents

    def calls(self, did: str) -> Caller:
        return self.callers.call_one(self.number, did, CALLER_HZ).until("answered")

    def talks(self) -> Caller:
        caller = self.calls(TO_REPAIRS)
        self.one.until(lambda d: d["state"] == "ringing", "the pop")
        self.one.post("/api/agent/call/answer")
        caller.until_hears(ONE_HZ)
        self.one.until_hears(CALLER_HZ)
        return caller

    def consults(self) -> Caller:
        caller = self.talks()
        colleague = self.two.me["id"]
        self.one.post("/api/agent/call/transfer", {"kind": "agent", "id": colleague, "number": "", "attended": True})
        self.two.until(lambda d: d["state"] == "ringing", "the colleague rings")
        return caller


def menu(scene: Scene) -> Caller:
    return scene.calls(TO_MENU).until_hears(WELCOME_HZ)


def waiting(scene: Scene) -> Caller:
    scene.one.post("/api/agent/state", {"state": "paused", "reason": "break"})
    return scene.calls(TO_REPAIRS).until_hears(MUSIC_HZ)


def offered(scene: Scene) -> Caller:
    caller = scene.calls(TO_REPAIRS)
    scene.one.until(lambda d: d["state"] == "ringing", "the pop")
    return caller


def offered_to_one(scene: Scene) -> Caller:
    caller = scene.calls(TO_AGENT)
    scene.one.until(lambda d: d["state"] == "ringing", "the pop")
    return caller


def talking(scene: Scene) -> Caller:
    return scene.talks()


def held(scene: Scene) -> Caller:
    caller = scene.talks()
    scene.one.post("/api/agent/call/hold", {"on": True})
    return caller.until_hears_speech((ONE_HZ,))  # the music of those who are held


def parked(scene: Scene) -> Caller:
    caller = scene.talks()
    scene.one.post("/api/agent/call/park")
    return caller.until_hears_speech((ONE_HZ,))  # the music of those who are held


def colleague_rings(scene: Scene) -> Caller:
    return scene.consults()


def consulting(scene: Scene) -> Caller:
    caller = scene.consults()
    scene.two.post("/api/agent/call/answer")
    scene.two.until_hears(ONE_HZ)
    return caller


def conference(scene: Scene) -> Caller:
    caller = consulting(scene)
    scene.one.post("/api/agent/call/conference")
    return caller.until_hears(TWO_HZ)


def given_away(scene: Scene) -> Caller:
    caller = scene.talks()
    to = {"kind": "agent", "id": scene.two.me["id"], "number": "", "attended": False}
    scene.one.post("/api/agent/call/transfer", to)
    scene.two.until(lambda d: d["state"] == "ringing", "the colleague rings")
    return caller


def leaving_a_message(scene: Scene) -> Caller:
    caller = scene.calls(TO_VOICEMAIL).until_hears_speech((), timeout_s=10)
    time.sleep(1)
    return caller


STAGES: dict[Callable[[Scene], Caller], tuple[str, str]] = {
    menu: ("menu", ""),
    waiting: ("abandoned", "abandoned"),
    offered: ("abandoned", "abandoned"),
    offered_to_one: ("abandoned", ""),
    talking: ("connected", "connected"),
    held: ("connected", "connected"),
    parked: ("connected", "connected"),
    colleague_rings: ("connected", "connected"),
    consulting: ("connected", "connected"),
    conference: ("connected", "connected"),
    given_away: ("connected", "connected"),
    leaving_a_message: ("", ""),
}


@pytest.mark.promise("I2", "I3", "A1", "P4")
@pytest.mark.parametrize("stage", STAGES, ids=lambda s: s.__name__)
def test_a_caller_who_hangs_up_leaves_nothing_behind(
    board: Switchboard, callers: Callers, agents: tuple[Headset, Headset], stage: Callable[[Scene], Caller]
) -> None:
    number = f"+861380000{list(STAGES).index(stage):04d}"
    for headset in agents:
        if headset.document["state"] != "available":
            headset.post("/api/agent/state", {"state": "available"})
            headset.until(lambda d: d["state"] == "available", "available", 5)
    caller = stage(Scene(callers, agents, number))
    caller.hang_up()
    caller.until("hung_up")
    row = board.ended_call(number)
    board.at_rest()
    outcome, how = STAGES[stage]
    assert row["hung_up_by"] == "customer" and (not outcome or row["outcome"] == outcome), row
    stays = board.installation.rows("SELECT how, left_at FROM call_queue_stay WHERE call_id = %s", row["id"])
    assert [s["how"] for s in stays] == ([how] if how else []), stays
    offers = board.installation.rows("SELECT how FROM call_offer WHERE call_id = %s", row["id"])
    assert all(o["how"] in ("taken", "gone") for o in offers), offers
    for headset in agents:
        headset.until(lambda d: d["state"] in ("available", "paused"), "free again, or paused as before", 6)
        assert headset.hears(CALLER_HZ) < FAINT


@pytest.mark.promise("I1")
def test_a_caller_who_hangs_up_while_it_rings_is_a_missed_call(board: Switchboard, callers: Callers) -> None:
    caller = callers.call_one("+8613800009999", TO_MENU, gives_up_ringing=True).until("cancelled")
    assert caller.answered_at is None
    board.at_rest()
    rows = board.calls("+8613800009999")
    assert all(r["answered_at"] is None and r["outcome"] != "connected" for r in rows), rows


@pytest.mark.promise("A1", "I4", "P4")
def test_callers_whose_cable_is_pulled_hold_neither_an_agent_nor_a_place(
    board: Switchboard, callers: Callers, agents: tuple[Headset, Headset]
) -> None:
    """One talks, one waits; both fall silent and answer nothing, SIP neither. A third one beside them stays."""
    scene = Scene(callers, agents, "+8613800009901")
    scene.one.available()
    talks = scene.talks()
    waits = callers.call_one("+8613800009902", TO_REPAIRS, CALLER_HZ).until("answered")
    stays = callers.call_one("+8613800009903", TO_MENU, CALLER_HZ).until("answered")
    until(lambda: [c["phone_e164"] for c in board.queue(REPAIRS)["waiting"]] == [waits.number], "he waits", 5)
    talks.vanish()
    waits.vanish()
    rows = [board.ended_call(caller.number, 25) for caller in (talks, waits)]
    assert [(r["outcome"], r["cause"], r["hung_up_by"]) for r in rows] == [
        ("connected", "lost", "system"),
        ("abandoned", "lost", "system"),
    ]
    scene.one.until(lambda d: d["state"] in ("available", "paused"), "free again", 6)
    assert stays.state == "answered"
    stays.hang_up()
    board.at_rest()


@pytest.mark.promise("A1", "A2", "I3", "I5", "P4")
def test_a_browser_that_dies_takes_no_call_with_it(
    board: Switchboard, callers: Callers, agents: tuple[Headset, Headset]
) -> None:
    """At the same time: agent 3 while it rings, agent 4 in talk, agent 5 while he consults agent 2, agent 6 while agent
    1 consults him."""
    one, two = agents
    for headset in agents:
        headset.post("/api/agent/state", {"state": "offline"})
    names = {"ringing": "agent3", "talking": "agent4", "asking": "agent5", "asked": "agent6"}
    dying = {stage: board.headset(name, 700.0 + 20 * i) for i, (stage, name) in enumerate(names.items())}
    numbers = {stage: f"+861380001000{i}" for i, stage in enumerate(dying)}
    on_line: dict[str, Caller] = {}

    def talk(stage: str, headset: Headset) -> None:
        headset.available()
        on_line[stage] = callers.call_one(numbers[stage], TO_REPAIRS, CALLER_HZ).until("answered")
        headset.until(lambda d: d["state"] == "ringing", f"the pop of {stage}")
        headset.post("/api/agent/call/answer")
        on_line[stage].until_hears(headset.hz)

    def consult(headset: Headset, colleague: Headset) -> None:
        colleague.available()
        to = {"kind": "agent", "id": colleague.me["id"], "number": "", "attended": True}
        headset.post("/api/agent/call/transfer", to)
        colleague.until(lambda d: d["state"] == "ringing", "the colleague rings")
        colleague.post("/api/agent/call/answer")
        colleague.until_hears(headset.hz)

    talk("talking", dying["talking"])
    talk("asking", dying["asking"])
    consult(dying["asking"], two)
    talk("asked", one)
    consult(one, dying["asked"])
    dying["ringing"].available()
    on_line["ringing"] = callers.call_one(numbers["ringing"], TO_REPAIRS, CALLER_HZ).until("answered")
    dying["ringing"].until(lambda d: d["state"] == "ringing", "the pop")
    for headset in dying.values():
        headset.die()

    on_line["talking"].until("ended", timeout_s=GRACE_S)
    on_line["asking"].until_hears(TWO_HZ, timeout_s=GRACE_S)
    on_line["asked"].until_hears(ONE_HZ, timeout_s=GRACE_S)
    two.until_hears(CALLER_HZ)
    one.until_hears(CALLER_HZ)
    for name in names.values():
        until(lambda n=name: board.agent(n)["state"] == "offline", f"{name} is signed off", GRACE_S)
    assert board.queue(REPAIRS)["waiting"][0]["phone_e164"] == numbers["ringing"], "he keeps his place"
    on_line["asked"].hang_up()
    one.until(lambda d: d["state"] == "ringing" and d["call"]["phone_e164"] == numbers["ringing"], "it goes on to 1")
    one.post("/api/agent/call/answer")
    on_line["ringing"].until_hears(ONE_HZ)
    for stage in ("ringing", "asking"):
        on_line[stage].hang_up()
    rows = {stage: board.ended_call(numbers[stage]) for stage in on_line}
    board.at_rest()
    assert {stage: (r["outcome"], r["hung_up_by"]) for stage, r in rows.items()} == {
        "talking": ("connected", "system"),
        "asking": ("connected", "customer"),
        "asked": ("connected", "customer"),
        "ringing": ("connected", "customer"),
    }
    assert rows["asking"]["agent_id"] == two.me["id"] and rows["asked"]["agent_id"] == one.me["id"]
    offers = "SELECT how FROM call_offer WHERE call_id = %s ORDER BY offered_at"
    hows = [o["how"] for o in board.installation.rows(offers, rows["ringing"]["id"])]
    assert hows[-1] == "taken" and set(hows[:-1]) <= {"gone", "no_answer"} and len(hows) > 1, hows
    for headset in agents:
        headset.until(lambda d: d["state"] in ("available", "paused"), "free again", 6)
    time.sleep(11)  # the reconciler has looked; what it had to mend is in the log
