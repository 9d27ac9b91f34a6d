"""The controller of calls that are in a menu ("ivr")."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.destination import Destination, DestinationKind
from ivr import run
from ivr.state import World

log = logging.getLogger(__name__)
IVR = "ivr"


class IvrControl:
    """Menus of one enterprise. Wiring, for the shell:

    - `IvrControl(world)`; `ivr.world.FloorWorld` is a World over the engine's documents and queues.
    - Documents "flow" come by `settle(id, doc)` and go by `drop(id)`.
    - A call comes in by `HandedOver({"flow_id": id})`; a draft that is tried out by `HandedOver({"flow_id": id, "doc":
      doc})`. A call that was placed under this control (`call.run = {"flow_id": id}`) comes in by `Answered`.
    - `Gone` tells the fact that the caller hung up in his node; `Resumed` asks him again what he was asked.
    - `where(call)` is the live document of a call that is tried out (topic `flow-try:{user}`), after each turn.
    - All state lies in `call.run`, plain, so that it is saved with the call.
    """

    name = IVR

    def __init__(self, world: World) -> None:
        self._world = world
        self._flows = run.Flows()

    def settle(self, flow_id: int, doc: Mapping[str, Any]) -> None:
        """The newest published version of a menu. One that can't be read is logged and left out."""
        try:
            self._flows.settle(run.load({**doc, "id": flow_id}))
        except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            log.error("menu %d can't be read: %s", flow_id, error)

    def drop(self, flow_id: int) -> None:
        """A menu is gone, or is published no more."""
        self._flows.drop(flow_id)

    def knows(self, flow_id: int) -> bool:
        """Whether calls can be sent there."""
        return self._flows.newest(flow_id) is not None

    def decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        """See `CallControl`. A caller whose menu fails is asked for a message: he must not stand in a node that nothing
        leads out of."""
        try:
            return self._decide(turn, call, now)
        except Exception:
            log.exception("menu %s failed in node %s", call.run.get("flow_id"), call.run.get("node"))
            call.run["done"] = True
            return () if isinstance(turn, c.Gone) else [c.HandOver(Destination(DestinationKind.VOICEMAIL))]

    def _decide(self, turn: c.Turn, call: Call, now: float) -> Sequence[c.Answer]:
        match turn:
            case c.HandedOver(data=data):
                return run.begin(call, self._flows, data, self._world, now)
            case c.Answered() if "flow_id" in call.run and "node" not in call.run:
                return run.begin(call, self._flows, call.run, self._world, now)
            case c.Gone():
                fact = run.left(call, now)
                return [c.Tell(fact)] if fact is not None else []
            case c.TimerFired() | c.Played() | c.Key() | c.HttpDone() | c.VoiceRecorded() | c.Resumed():
                return run.go_on(call, self._flows, turn, self._world, now)
        return ()


def where(call: Call) -> dict[str, Any]:
    """Where a call is, for the page that lights up its node. `node` empty: it has left the menu."""
    data = call.run
    return {
        "call_id": call.call_id,
        "flow_id": data.get("flow_id", 0),
        "version": data.get("version", 0),
        "node": "" if data.get("done", True) else data.get("node", ""),
        "entered_at": data.get("entered_at"),
        "language": data.get("language", ""),
        "collected": data.get("collected", ""),
        "variables": dict(data.get("variables", {})),
        "path": list(call.path),
        "ended": call.state.value == "ended",
        "done": bool(data.get("done", False)),
    }
