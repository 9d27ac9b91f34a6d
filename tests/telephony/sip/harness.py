"""A `SippyPort` with its events, and a session description to call with. Shared by the tests of this folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from callcenter.telephony.ports import LegEnded, MediaAddress, Sdp, SipEvent, TrunkSpec
from callcenter.telephony.sip.adapter import SippyPort
from tests.sip.sipp import free_port

LOCAL = Sdp(MediaAddress("127.0.0.1", 20000))
CALLEE, CALLER = "+8613812345678", "+861080001111"

E = TypeVar("E", bound=SipEvent)


class Engine:
    """Stands for the engine: keeps every event."""

    def __init__(self, port: SippyPort) -> None:
        self.port = port
        self.events: list[SipEvent] = []
        self._news = asyncio.Event()

    def on_event(self, event: SipEvent) -> None:
        self.events.append(event)
        self._news.set()

    def of(self, kind: type[E], leg_id: str = "") -> list[E]:
        """The events of one kind so far (of one leg)."""
        return [e for e in self.events if isinstance(e, kind) and leg_id in ("", e.leg_id)]

    async def wait(self, kind: type[E], leg_id: str = "", count: int = 1, timeout_s: float = 8.0) -> E:
        """The `count`th event of a kind; fails after `timeout_s`."""
        async with asyncio.timeout(timeout_s):
            while len(self.of(kind, leg_id)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(kind, leg_id)[count - 1]

    async def until(self, told: Callable[[], bool], timeout_s: float = 8.0) -> None:
        """Wait until `told` is true of the events so far."""
        async with asyncio.timeout(timeout_s):
            while not told():
                self._news.clear()
                await self._news.wait()

    def call(self, carrier_port: int, leg_id: str = "leg", *, ring_timeout_s: float = 10.0, **spec: Any) -> None:
        """Originate over a trunk to 127.0.0.1:`carrier_port`."""
        self.port.set_trunks({1: trunk(carrier_port, **spec)})
        self.port.originate(leg_id, 1, CALLEE, CALLER, LOCAL, ring_timeout_s)

    async def ended(self, leg_id: str = "leg", timeout_s: float = 8.0) -> LegEnded:
        """The leg's LegEnded."""
        return await self.wait(LegEnded, leg_id, timeout_s=timeout_s)


def trunk(carrier_port: int, **spec: Any) -> TrunkSpec:
    """A trunk to 127.0.0.1:`carrier_port`, without OPTIONS unless asked for."""
    return TrunkSpec(**{"trunk_id": 1, "host": "127.0.0.1", "port": carrier_port, "options_every_s": 0.0, **spec})


@contextlib.asynccontextmanager
async def running(port: int = 0, **options: Any) -> AsyncIterator[Engine]:
    """A started port, stopped afterwards; checks that no leg ended twice and none spoke after its end."""
    engine = Engine(SippyPort("127.0.0.1", port or free_port(), **{"stop_wait_s": 0.4, **options}))
    await engine.port.start(engine.on_event)
    try:
        yield engine
    finally:
        await engine.port.stop()
    over: set[str] = set()
    for event in engine.events:
        assert not event.leg_id or event.leg_id not in over, f"{event} after the end of its leg"
        if isinstance(event, LegEnded):
            over.add(event.leg_id)
    assert engine.port.live_legs() == 0


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine, at most 40 s."""

    async def bounded() -> None:
        async with asyncio.timeout(40):
            await test

    asyncio.run(bounded())
