"""Random menus and callers who do anything: the interpreter never raises, and never leaves a caller without a timer."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from callcenter import wire
from callcenter.calls import control as c
from callcenter.calls.facts import NodeLeft
from ivr.control import IvrControl
from ivr.flow import Flow, Node
from ivr.nodes import VERBS
from ivr.nodes.branch import Case
from ivr.simulate import Simulation, call_in
from ivr.validate import Known, validate
from ivr.verb import KEYS, Kind, Severity, form, read
from tests.ivr.menus import START, FakeWorld, document

EXPRESSIONS = ("1", "v1 + 1", "v1 * v2", "length(v1) > 2", "1 / v2", "'a' + caller", "not caller_vip", "v1 ==", "((")


def _value(rng: random.Random, setting: dict[str, Any]) -> Any:
    """A value for a setting, mostly a fitting one."""
    match Kind(setting["kind"]):
        case Kind.TEXT | Kind.TEMPLATE:
            return rng.choice(["", "text", "https://e.example.com/{v1}", "{v1:digits}", "{broken"])
        case Kind.NUMBER:
            return rng.choice(["", "+862155550100", "{v1}", "{caller}"])
        case Kind.TEXTS:
            return rng.choice([{}, {"any": "hi {v1}"}, {"en": "hi", "zh": "你好"}, {"zh": " "}])
        case Kind.PROMPTS:
            return rng.choice(
                [{}, {"any": ["thanks"]}, {"en": ["say::{v1}"], "zh": []}, {"any": ["prompt:3", "say:zh:好"]}]
            )
        case Kind.SECONDS | Kind.INTEGER:
            low, high = setting["low"] or 0, min(setting["high"] or 9, (setting["low"] or 0) + 9)
            return int(rng.uniform(low, high)) if setting["kind"] == "integer" else round(rng.uniform(low, high), 1)
        case Kind.FLAG:
            return rng.random() < 0.5
        case Kind.CHOICE:
            return rng.choice(setting["choices"])
        case Kind.KEYS:
            return {k: rng.choice(["", "label"]) for k in rng.sample(KEYS, rng.randrange(5))}
        case Kind.STOP_KEYS:
            return rng.choice(["", "#", "*#", "12"])
        case Kind.PATTERN:
            return rng.choice(["", "[0-9]+", "1.*", "(1|2)3"])
        case Kind.VARIABLE:
            return rng.choice(["", "v1", "v2"])
        case Kind.ASSIGNMENTS:
            return [{"variable": rng.choice(["v1", "v2", ""]), "expression": rng.choice(EXPRESSIONS)} for _ in range(2)]
        case Kind.CASES:
            return [_case(rng, n) for n in range(rng.randrange(4))]
        case Kind.HEADERS:
            return rng.choice([{}, {"X-A": "{v1}\r\nB: c"}])
        case Kind.FIELDS:
            return rng.choice([{}, {"v1": "a.b"}, {"v2": "0"}])
        case Kind.SKILLS:
            return rng.choice([{}, {"french": 4}])
        case Kind.FLOW:
            return rng.choice([None, 1, 2, 3, 99])
        case _:
            return rng.choice([None, 5, 6])


def _case(rng: random.Random, number: int) -> dict[str, Any]:
    case = {s["name"]: s["default"] for s in form(Case())}
    case |= {"name": rng.choice(["a", "b", f"c{number}", ""]), "kind": rng.choice(VERBS_CASES)}
    case |= {"expression": rng.choice(EXPRESSIONS), "queue": 5, "calendar": 3, "numbers": ["+86"]}
    return case


VERBS_CASES = (
    "expression", "calendar", "time", "weekday", "date", "queue_length", "agents_on", "known", "vip", "repeated",
    "dialed", "nonsense",
)  # fmt: skip


def graph(rng: random.Random, size: int) -> Flow:
    """A menu of any nodes with any settings, mostly connected."""
    names = [f"n{i}" for i in range(size)]
    nodes = []
    for name in names:
        kind = rng.choice(list(VERBS.values()))
        settings = {s["name"]: _value(rng, s) for s in form(kind()) if rng.random() < 0.9}
        verb = read(kind, settings)
        ways = {w.name: rng.choice(names) for w in verb.ways() if rng.random() < 0.95}
        if rng.random() < 0.02:
            settings = {**settings, "tries": "many", "prompts": 3}
        nodes.append(Node(name, kind.name, rng.choice(["", name]), settings, ways))
    return Flow(names[0], tuple(nodes), rng.choice(["en", "zh"]))


def _do_something(rng: random.Random, one: Simulation) -> None:
    roll = rng.random()
    if roll < 0.3:
        one.key(rng.choice(KEYS))
    elif roll < 0.5:
        one.heard()
    elif roll < 0.65:
        one.expire()
    elif roll < 0.75:
        one.http(rng.choice([0, 200, 500]), {"v1": "x", "v2": "7"})
    elif roll < 0.85:
        one.recorded(rng.choice([0.0, 0.3, 5.0]))
    elif roll < 0.9:
        one.feed(rng.choice([
            c.Played("n0#1", True), c.HttpDone("n1#2", 200, {}), c.VoiceRecorded("n2#3", "r", 2.0), c.TimerFired("ivr"),
            c.TimerFired("other"), c.Ringing(early_media=True), c.NobodyFree(),
        ]))  # fmt: skip
    elif roll < 0.93:
        one.call = wire.convert(json.loads(wire.to_json(one.call)), type(one.call))
        one.playing = one.timer = one.asked = None
        one.feed(c.Resumed())
    elif roll < 0.94:
        one.hang_up()
    else:
        one.silence()


@pytest.mark.promise("I2")
@pytest.mark.parametrize("seed", range(8))
def test_random_menus_and_callers_never_raise_never_hang_and_tell_every_node_once(seed: int) -> None:
    rng = random.Random(seed)
    ended = turns = 0
    for _ in range(60):
        flows = {i: graph(rng, rng.randrange(1, 12)) for i in (1, 2, 3)}
        control = IvrControl(FakeWorld(waiting=rng.randrange(3), agents=rng.randrange(3)))
        for flow_id, menu in flows.items():
            control.settle(flow_id, document(menu, flow_id))
            validate(menu, Known(queues={5}, flows={1, 2, 3}, prompts={3}), flow_id)
        one = Simulation(control, call_in(caller={"matches": [{"owner_id": 5}]}), START).start(1)
        for _ in range(80):
            if one.gone is not None:
                break
            turns += 1
            _do_something(rng, one)
            if rng.random() < 0.02:
                control.settle(2, document(graph(rng, 5), 2, version=turns))
            assert one.gone is not None or one.timer is not None
        _drain(one)
        ended += 1
        left = [f for f in one.facts if isinstance(f, NodeLeft)]
        assert all(f.left_at >= f.entered_at for f in left)
        assert one.call.run["done"]
        json.dumps(one.call.run)
    assert ended == 60 and turns > 500


def _drain(one: Simulation) -> None:
    """A caller who does nothing any more: the menu lets go of him by itself."""
    for _ in range(3000):
        if one.gone is not None:
            return
        one.heard()
        one.expire()
    raise AssertionError(f"held for ever in {one.node}")


@pytest.mark.promise("I2")
def test_a_menu_without_errors_needs_no_emergency_goodbye() -> None:
    """What validation lets through never runs into the interpreter's last resort while its callers do something."""
    rng = random.Random(5)
    clean = 0
    for _ in range(1500):
        menu = graph(rng, rng.randrange(1, 5))
        findings = validate(menu, Known(queues={5, 6}, flows=frozenset(), agents={5, 6}, prompts={3}, calendars={3}), 1)
        if any(f.severity is Severity.ERROR for f in findings):
            continue
        clean += 1
        control = IvrControl(FakeWorld())
        control.settle(1, document(menu, 1))
        for _ in range(5):
            one = Simulation(control, call_in(), START).start(1)
            for _ in range(60):
                if one.gone is None:
                    _do_something(rng, one)
                    assert one.call.run["stage"] != "goodbye", (menu, one.lines)
    assert clean >= 20
