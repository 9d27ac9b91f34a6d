"""The interpreter: takes a call from node to node until one waits, or the call leaves the menu. Pure.

A node's verb is entered, gives the way it is left by (at once, or at a later turn), and the next node is entered. While
a verb waits, a timer is set, so that a lost word never holds a caller. Nodes passed since the caller last did something
are counted: a menu that goes round in a circle without him ends with a goodbye. What can't go on (a way that leads
nowhere, settings that can't be read, a menu that is gone) ends with it too: a caller is never left in silence.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from callcenter import wire
from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.facts import NodeLeft
from ivr.flow import Flow, Node
from ivr.nodes import VERBS
from ivr.state import Run, World, fresh
from ivr.verb import LANGUAGES, Verb, read

MOST_STEPS = 100
MOST_BEFORE = 5  # versions that are kept for the calls in them
ERROR: Final = "error"
HANG_UP: Final = "hang_up"  # the way of a caller who left
GOODBYE: Final = "goodbye"  # stage of a call that is told goodbye because the menu can't go on
GOODBYE_PROMPTS = ("thanks",)
NEXT: Final = "next"


@dataclass(frozen=True)
class Loaded:
    """A menu ready to run. `nodes`: id → node and its verb, None for one that can't be read."""

    flow_id: int
    version: int
    name: str
    language: str
    start: str
    nodes: Mapping[str, tuple[Node, Verb | None]]


def load(doc: Mapping[str, Any]) -> Loaded:
    """A document "flow" ({id, version, name, flow}). Raises msgspec.ValidationError, KeyError."""
    flow = wire.convert(doc["flow"], Flow)
    nodes = {n.id: (n, _verb(n)) for n in flow.nodes}
    return Loaded(
        int(doc["id"]), int(doc.get("version") or 0), str(doc.get("name") or ""), flow.language, flow.start, nodes
    )


def _verb(node: Node) -> Verb | None:
    kind = VERBS.get(node.verb)
    try:
        return read(kind, node.settings) if kind is not None else None
    except msgspec.ValidationError:
        return None


class Flows:
    """The menus that there are. Those before stay for the calls that are in them when a new version is published."""

    def __init__(self) -> None:
        self._newest: dict[int, Loaded] = {}
        self._before: dict[int, deque[Loaded]] = defaultdict(lambda: deque(maxlen=MOST_BEFORE))

    def settle(self, loaded: Loaded) -> None:
        """From now on this version for calls that come in."""
        newest = self._newest.get(loaded.flow_id)
        if newest is not None and newest.version != loaded.version:
            self._before[loaded.flow_id].appendleft(newest)
        self._newest[loaded.flow_id] = loaded

    def drop(self, flow_id: int) -> None:
        """The menu is gone; a call in it goes on in it as long as no newer one comes."""
        gone = self._newest.pop(flow_id, None)
        if gone is not None:
            self._before[flow_id].appendleft(gone)

    def newest(self, flow_id: int) -> Loaded | None:
        """What a call that comes in hears."""
        return self._newest.get(flow_id)

    def of(self, flow_id: int, version: int, node: str) -> Loaded | None:
        """The menu for a call that is in it: its own version, or one that has its node still."""
        newest = self._newest.get(flow_id)
        known = [*([newest] if newest is not None else []), *self._before.get(flow_id, ())]
        same = next((m for m in known if m.version == version), None)
        return same or next((m for m in known if node in m.nodes), None)


def begin(call: Call, flows: Flows, data: Mapping[str, Any], world: World, now: float) -> Sequence[c.Answer]:
    """The call comes into menu `data["flow_id"]`, or into `data["doc"]` (a draft that is tried out). A caller who has
    been in a menu before, and comes back from a queue, is spoken to in the language of then."""
    before = call.run
    call.run = fresh(before.get("variables"))
    call.run["serial"] = int(before.get("serial") or 0)  # late words of then are not taken for ones of now
    flow_id = int(data.get("flow_id") or 0)
    call.run["flow_id"] = flow_id
    if data.get("doc") is not None:
        call.run["doc"], call.run["tried"] = data["doc"], True
    turn = _Turn(call, flows, world, now)
    loaded = turn.loaded()
    call.run["chosen"] = bool(call.path)
    language = call.language[:2] if loaded is None or call.path else loaded.language
    call.run["language"] = language if language in LANGUAGES else LANGUAGES[0]
    turn.run.answers.append(c.SetLanguage(call.run["language"]))
    turn.start(loaded)
    return turn.answers


def go_on(call: Call, flows: Flows, turn: c.Turn, world: World, now: float) -> Sequence[c.Answer]:
    """A turn of a call that is in a menu. One that does not concern it (any more) changes nothing."""
    data = call.run
    if data.get("done", True):
        return _late(call, flows, turn, world, now)
    if isinstance(turn, c.TimerFired):
        if not data["timer"]:
            return ()
        data["timer"] = False
    one = _Turn(call, flows, world, now)
    if isinstance(turn, c.Resumed):
        data["playing"], data["timer"] = "", False
    if data["stage"] == GOODBYE and not data["node"]:
        one.goodbye(turn)
    else:
        one.take(turn)
    return one.answers


def _late(call: Call, flows: Flows, turn: c.Turn, world: World, now: float) -> Sequence[c.Answer]:
    """A caller who hung up while he was recorded has answered all the same."""
    if not isinstance(turn, c.VoiceRecorded) or not call.run.get("stage") or not call.run.get("node"):
        return ()
    one = _Turn(call, flows, world, now)
    one.hear(c.VoiceRecorded(call.run["stage"], turn.recording_id, turn.seconds))
    return [a for a in one.answers if isinstance(a, c.Tell)]


def left(call: Call, now: float) -> NodeLeft | None:
    """The fact that the caller hung up in the node where the call is; None if it is in no node."""
    data = call.run
    was_over, data["done"] = data.get("done", True), True
    if was_over or not data.get("node"):
        return None
    return NodeLeft(
        call.call_id, data["flow_id"], _counted(data), data["node"], data.get("verb", ""), data["entered_at"], now,
        HANG_UP,
    )  # fmt: skip


def _counted(data: Mapping[str, Any]) -> int:
    """The version that a fact names: 0 is a draft, and whatever its trial leads on to."""
    return 0 if data["tried"] else int(data["version"])


class _Turn:
    """One turn: the verb of the present node is asked, and those that follow, until one waits."""

    def __init__(self, call: Call, flows: Flows, world: World, now: float) -> None:
        self.run = Run(call, world, now)
        self.flows = flows
        self.now = now

    @property
    def answers(self) -> Sequence[c.Answer]:
        return self.run.answers

    def loaded(self) -> Loaded | None:
        """The menu that the call is in."""
        data = self.run.data
        if data.get("doc") is not None:
            try:
                return load(data["doc"])
            except (msgspec.ValidationError, KeyError, TypeError, ValueError):
                return None
        if not data["node"]:
            return self.flows.newest(data["flow_id"])
        return self.flows.of(data["flow_id"], data["version"], data["node"])

    def start(self, loaded: Loaded | None) -> None:
        """At the first node of `loaded`."""
        if loaded is None:
            self._give_up()
            return
        self.run.data |= {"version": loaded.version, "name": loaded.name}
        self.run.passed(loaded.name)
        self._walk(loaded, loaded.start)

    def take(self, turn: c.Turn) -> None:
        """The present node takes the turn, and those that follow it."""
        heard = self.hear(turn)
        if heard is not None:
            loaded, node, way = heard
            self._leave(node, way)
            self._follow(loaded, node, way)

    def hear(self, turn: c.Turn) -> tuple[Loaded, Node, str] | None:
        """The present node's verb is asked; the way it wants to be left by."""
        loaded = self.loaded()
        found = loaded.nodes.get(self.run.data["node"]) if loaded is not None else None
        if loaded is None or found is None or found[1] is None:
            self._give_up()  # the menu was changed under the call, by a successor that knows the new one only
            return None
        node, verb = found[0], found[1]
        self.run.node, self.run.title = node.id, node.title
        way = verb.resume(self.run) if isinstance(turn, c.Resumed) else verb.on(self.run, turn)
        return None if way is None else (loaded, node, way)

    def goodbye(self, turn: c.Turn) -> None:
        """The goodbye has been heard."""
        if isinstance(turn, c.Resumed) or self.run.ended(turn):
            self._out(c.HangUp())

    def _walk(self, loaded: Loaded, node_id: str) -> None:
        """Enter nodes from `node_id` on until one waits or the call is out."""
        run, target = self.run, node_id
        while True:
            found = loaded.nodes.get(target)
            run.data["steps"] += 1
            if found is None or found[1] is None or run.data["steps"] > MOST_STEPS:
                self._give_up()
                return
            node, verb = found[0], found[1]
            run.node, run.title = node.id, node.title
            run.data |= {
                "node": node.id, "verb": node.verb, "entered_at": self.now, "tries": 0, "collected": "", "stage": "",
            }  # fmt: skip
            way = verb.enter(run)
            if way is None:
                return
            self._leave(node, way)
            after = self._after(loaded, node, way)
            if after is None:
                return
            loaded, target = after

    def _follow(self, loaded: Loaded, node: Node, way: str) -> None:
        after = self._after(loaded, node, way)
        if after is not None:
            self._walk(*after)

    def _after(self, loaded: Loaded, node: Node, way: str) -> tuple[Loaded, str] | None:
        """Menu and node that `way` leads to; None if the call has left the menu."""
        run = self.run
        if run.final is not None:
            self._out(run.final)
            return None
        if run.jump is not None:
            other = self.flows.newest(run.jump)
            if other is None:
                self._give_up()
                return None
            run.jump = None
            run.data.pop("doc", None)
            run.data |= {"flow_id": other.flow_id, "version": other.version, "name": other.name}
            if not run.data["chosen"] and other.language in LANGUAGES and other.language != run.language:
                run.data["language"] = other.language
                run.answers.append(c.SetLanguage(other.language))
            run.passed(other.name)
            return other, other.start
        target = node.ways.get(way) or node.ways.get(NEXT, "")
        return loaded, target

    def _leave(self, node: Node, way: str) -> None:
        run, data = self.run, self.run.data
        run.hush()
        run.rest()
        run.tell(
            NodeLeft(
                run.call.call_id, data["flow_id"], _counted(data), node.id, node.verb, data["entered_at"], self.now,
                way,
            )
        )  # fmt: skip

    def _out(self, answer: c.Answer) -> None:
        self.run.hush()
        self.run.rest()
        self.run.data |= {"done": True, "node": ""}
        self.run.answers.append(answer)

    def _give_up(self) -> None:
        """Goodbye, and the end."""
        run = self.run
        run.hush()
        run.node = GOODBYE
        run.data |= {"node": "", "stage": GOODBYE}
        if not run.play_all(GOODBYE_PROMPTS):
            self._out(c.HangUp())
