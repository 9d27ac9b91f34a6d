"""The edge's control socket: takes requests of engines, carries them out by the relay, tells events to all of them.

A client that goes takes nothing with it: sessions belong to the browsers and live on until they are closed, until
their browser is gone for good, or until no client has come for ORPHAN_S seconds.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import msgspec

from callcenter import wire
from callcenter.errors import InvalidInput, Unavailable
from callcenter.ids import new_id
from callcenter.telephony.edge.control import Failure, Message, Reply, Request, SessionInfo
from callcenter.telephony.edge.relay import Relay
from callcenter.telephony.edge.session import Listen
from callcenter.telephony.ports import EdgeEvent

log = logging.getLogger(__name__)
ORPHAN_S = 300.0
MAX_BACKLOG_BYTES = 4 * 1024 * 1024  # a client that does not read is cut off


class EdgeServer:
    """One edge process: `start`, then `stop`. `path` is the unix socket; a stale one is replaced."""

    def __init__(self, path: Path, listen: Listen) -> None:
        self.epoch = new_id()
        self.relay = Relay(self._tell, listen)
        self._path = path
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._orphaned: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen. Raises OSError if the socket cannot be made."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))
        self._path.chmod(0o600)
        self.relay.start()
        log.info("edge listens on %s", self._path.name)

    async def stop(self) -> None:
        """Close every session (browsers see the end at once), then the socket."""
        if self._server is not None:
            self._server.close()
        await self.relay.stop()
        for writer in list(self._clients):
            writer.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        if self._orphaned is not None:
            self._orphaned.cancel()
            self._orphaned = None
        writer.write(wire.frame(Message(hello=self.epoch, sessions=self._list())))
        try:
            while True:
                request = wire.convert(await wire.read_frame(reader), Request)
                task = asyncio.create_task(self._carry_out(request, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (ValueError, msgspec.MsgspecError) as exc:
            log.warning("control client cut off: %s", exc)
        finally:
            self._clients.discard(writer)
            writer.close()
            if not self._clients and self._server is not None and self._server.is_serving():
                self._orphaned = asyncio.get_running_loop().call_later(ORPHAN_S, self._close_orphans)

    def _close_orphans(self) -> None:
        for session_id in list(self.relay.sessions):
            task = asyncio.create_task(self.relay.close(session_id, "no engine came back"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, request: Request, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await self._do(request)
        except InvalidInput as exc:
            reply = Reply(request.number, failure=Failure("invalid", exc.message, exc.fields))
        except Unavailable as exc:
            reply = Reply(request.number, failure=Failure("unavailable", exc.message))
        except Exception as exc:
            log.exception("request %s of session %s failed", request.op, request.session_id)
            reply = Reply(request.number, failure=Failure("unavailable", f"The browser edge failed: {exc}"))
        if request.op != "close":
            self._write(writer, Message(reply=reply))

    async def _do(self, request: Request) -> Reply:
        if request.op == "open" and request.target is not None:
            answer, address = await self.relay.open(request.session_id, request.offer, request.target)
            return Reply(request.number, answer=answer, address=address)
        if request.op == "close":
            await self.relay.close(request.session_id)
            return Reply(request.number)
        if request.op == "list":
            return Reply(request.number, sessions=self._list())
        raise InvalidInput(f"The edge does not know the request {request.op!r}.", fields={"op": "unknown"})

    def _list(self) -> tuple[SessionInfo, ...]:
        return tuple(SessionInfo(s.session_id, s.state, s.address, s.target) for s in self.relay.sessions.values())

    def _tell(self, event: EdgeEvent) -> None:
        for writer in list(self._clients):
            self._write(writer, Message(event=event))

    def _write(self, writer: asyncio.StreamWriter, message: Message) -> None:
        if writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            log.warning("control client does not read; cut off")
            writer.transport.abort()
            return
        writer.write(wire.frame(message))
