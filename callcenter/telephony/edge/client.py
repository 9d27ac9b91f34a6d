"""The engine's hold on the aiortc edge process: `AiortcEdge` behind `ports.EdgePort`.

Reconnects for ever. The sessions that this client opened or took up are its own: when the edge process comes back
without them, each is told as CLOSED, so that its browser can be asked to offer again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from callcenter import wire
from callcenter.clock import wall_s
from callcenter.errors import InvalidInput, Unavailable
from callcenter.telephony.edge.control import Message, Reply, Request, SessionInfo
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress

log = logging.getLogger(__name__)
OPEN_TIMEOUT_S = 5.0
RETRY_S = 0.2
GONE_AFTER_S = 3.0  # the edge cannot be reached for so long: its sessions are told as interrupted


class AiortcEdge:
    """EdgePort over the control socket of `callcenter.processes.edge`."""

    def __init__(self, socket_path: Path) -> None:
        self._path = Path(socket_path)
        self._on_event: Callable[[EdgeEvent], None] = lambda event: None
        self._states: dict[str, EdgeState] = {}
        self._opening: dict[str, int] = {}
        self._to_close: set[str] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._task: asyncio.Task[None] | None = None
        self.epoch = ""

    async def start(self, on_event: Callable[[EdgeEvent], None]) -> None:
        """As EdgePort.start; returns at once, the connection comes up in the background."""
        self._on_event = on_event
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close all sessions of this client, then the connection."""
        for session_id in list(self._states):
            self.close(session_id)
        await self.detach()

    async def detach(self) -> None:
        """Leave without closing the sessions: browsers keep their audio until another client takes them up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._states.clear()
        if self._writer is not None:
            try:
                await asyncio.wait_for(self._writer.drain(), 1.0)
            except (TimeoutError, ConnectionError):
                pass
            self._writer.close()
            self._writer = None

    async def open(self, session_id: str, offer_sdp: str, rtp_target: MediaAddress) -> tuple[str, MediaAddress]:
        """As EdgePort.open."""
        fresh, epoch = session_id not in self._states, self.epoch
        self._states.setdefault(session_id, EdgeState.CONNECTING)
        self._to_close.discard(session_id)
        self._opening[session_id] = self._opening.get(session_id, 0) + 1
        try:
            reply = await self._ask(
                Request(next(self._numbers), "open", session_id, offer_sdp, rtp_target), OPEN_TIMEOUT_S
            )
            if reply.address is None:
                raise Unavailable("The browser edge answered without an address.")
        except BaseException:
            if fresh:
                self._states.pop(session_id, None)
            elif self.epoch != epoch and session_id in self._states:
                self._take(EdgeEvent(wall_s(), session_id, EdgeState.CLOSED, "the edge was restarted"))
            raise
        finally:
            self._opening[session_id] -= 1
            if not self._opening[session_id]:
                del self._opening[session_id]
        return reply.answer, reply.address

    def close(self, session_id: str) -> None:
        """As EdgePort.close. No event follows."""
        self._states.pop(session_id, None)
        if self._writer is not None and self._ready.is_set():
            self._writer.write(wire.frame(Request(next(self._numbers), "close", session_id)))
        else:
            self._to_close.add(session_id)  # done as soon as the edge is reached

    async def sessions(self) -> tuple[SessionInfo, ...]:
        """Every session that the edge holds, whoever opened it. Raises Unavailable after 5 s."""
        return (await self._ask(Request(next(self._numbers), "list"), OPEN_TIMEOUT_S)).sessions

    async def take_up(self, session_id: str) -> MediaAddress:
        """The address of a session that a dead engine opened; from now on its events are told here. KeyError if it
        is gone."""
        for info in await self.sessions():
            if info.session_id == session_id:
                self._states[session_id] = info.state
                return info.address
        raise KeyError(session_id)

    async def _ask(self, request: Request, timeout_s: float) -> Reply:
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
                if self._writer is None:
                    raise Unavailable("The browser edge is not connected.")
                future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
                self._waiting[request.number] = future
                self._writer.write(wire.frame(request))
                reply = await future
        except TimeoutError:
            raise Unavailable(f"The browser edge did not answer within {timeout_s:.0f} s.") from None
        finally:
            self._waiting.pop(request.number, None)
        if reply.failure is not None:
            if reply.failure.kind == "invalid":
                raise InvalidInput(reply.failure.message, fields=reply.failure.fields)
            raise Unavailable(reply.failure.message)
        return reply

    async def _run(self) -> None:
        lost_at_s = asyncio.get_running_loop().time()
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(str(self._path))
                await self._listen(reader)
            except (OSError, asyncio.IncompleteReadError, ValueError, msgspec.MsgspecError) as exc:
                log.debug("edge: %s", exc)
            if self._ready.is_set():
                log.warning("the browser edge is gone; trying again")
                lost_at_s = asyncio.get_running_loop().time()
            self._drop_connection()
            if asyncio.get_running_loop().time() - lost_at_s > GONE_AFTER_S:
                for session_id, state in list(self._states.items()):
                    if state is not EdgeState.INTERRUPTED:
                        self._take(EdgeEvent(wall_s(), session_id, EdgeState.INTERRUPTED, "the edge does not answer"))
            await asyncio.sleep(RETRY_S)

    def _drop_connection(self) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unavailable("The browser edge went away."))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = wire.convert(await wire.read_frame(reader), Message)
            if message.hello:
                self._greet(message)
            elif message.reply is not None:
                future = self._waiting.get(message.reply.number)
                if future is not None and not future.done():
                    future.set_result(message.reply)
            elif message.event is not None and message.event.session_id in self._states:
                self._take(message.event)

    def _greet(self, message: Message) -> None:
        """Compare what the edge holds with what we believe, and tell the difference."""
        self.epoch = message.hello
        held = {info.session_id: info for info in message.sessions}
        for session_id, state in list(self._states.items()):
            info = held.get(session_id)
            if info is None and session_id in self._opening:
                continue  # its open is told by what comes of it
            if info is None:
                self._take(EdgeEvent(wall_s(), session_id, EdgeState.CLOSED, "the edge was restarted"))
            elif info.state is not state:
                self._take(EdgeEvent(wall_s(), session_id, info.state, "the edge is reached again"))
        self._ready.set()
        for session_id in self._to_close & held.keys():
            self.close(session_id)
        self._to_close.clear()

    def _take(self, event: EdgeEvent) -> None:
        if event.state is EdgeState.CLOSED:
            self._states.pop(event.session_id, None)
        else:
            self._states[event.session_id] = event.state
        try:
            self._on_event(event)
        except Exception:
            log.exception("the receiver of edge events failed on session %s", event.session_id)
