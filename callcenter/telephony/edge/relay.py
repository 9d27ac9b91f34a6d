"""All sessions of one edge process, and the clock that drives them.

`session.py` is one browser; here they are opened, found again, ended, and looked after twice a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from callcenter.clock import wall_s
from callcenter.errors import Unavailable
from callcenter.telephony.edge.sdp import parse_offer
from callcenter.telephony.edge.session import Listen, Session
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress

log = logging.getLogger(__name__)
TICK_S = 0.5


class Relay:
    """All sessions of one edge process, reached as `listen` says."""

    def __init__(self, on_event: Callable[[EdgeEvent], None], listen: Listen) -> None:
        self.sessions: dict[str, Session] = {}
        self._on_event = on_event
        self._listen = listen
        self._ticker: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin the timers, in the running loop."""
        self._ticker = asyncio.create_task(self._tick())

    async def open(self, session_id: str, offer_sdp: str, target: MediaAddress) -> tuple[str, MediaAddress]:
        """As EdgePort.open. Raises InvalidInput on the offer, Unavailable if no socket can be had."""
        offer = parse_offer(offer_sdp)
        session = self.sessions.get(session_id)
        if session is None:
            session = self.sessions[session_id] = Session(session_id, self._on_event)
        async with session.lock:
            try:
                answer = await session.offer(offer, target, self._listen)
            except OSError as exc:
                log.warning("session %s: %s", session_id, exc)
                if session.address.port == 0:
                    self.sessions.pop(session_id, None)
                raise Unavailable(f"The browser edge cannot open a socket: {exc}") from exc
        if self.sessions.get(session_id) is not session:  # closed meanwhile
            await session.close()
            raise Unavailable("The session was closed while it was being opened.")
        return answer, session.address

    async def close(self, session_id: str, detail: str = "closed") -> None:
        """End a session and tell CLOSED. Harmless if unknown."""
        session = self.sessions.pop(session_id, None)
        if session is not None:
            session.state = EdgeState.CLOSED
            self._on_event(EdgeEvent(wall_s(), session_id, EdgeState.CLOSED, detail))
            await session.close()

    async def stop(self) -> None:
        """End everything."""
        if self._ticker is not None:
            self._ticker.cancel()
        await asyncio.gather(*(self.close(s, "the edge stops") for s in list(self.sessions)))

    async def _tick(self) -> None:
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            judge = now_s - last_s < 4 * TICK_S
            last_s = now_s
            for session in list(self.sessions.values()):
                session.tick(now_s, judge)
                if session.state is EdgeState.CLOSED:
                    self.sessions.pop(session.session_id, None)
                    self._ending.add(task := asyncio.create_task(session.close()))
                    task.add_done_callback(self._ending.discard)
