"""The client's connection to one media worker: connecting for ever, numbering commands, sorting replies from events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from callcenter.telephony.media import protocol as p
from callcenter.wire import convert, frame, plain, read_frame

log = logging.getLogger(__name__)
RETRY_S = 0.1
REPLY_S = 5.0


class WorkerLost(ConnectionError):
    """The connection to the worker broke before it replied."""


class CommandRefused(RuntimeError):
    """The worker's reply was an error; the text says which."""


class Link:
    """`came_up(link, hello)` runs before `up` is set, `went_down(link)` after a connection that was up, and
    `told(link, name, data)` for every event."""

    def __init__(
        self,
        number: int,
        path: Path,
        came_up: Callable[[Link, p.Hello], Awaitable[None]],
        went_down: Callable[[Link], None],
        told: Callable[[Link, str, Any], None],
    ) -> None:
        self.number = number
        self._path = path
        self._came_up, self._went_down, self._told = came_up, went_down, told
        self._writer: asyncio.StreamWriter | None = None
        self._unsent: list[bytes] = []
        self._numbers = 0
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self.up = asyncio.Event()
        self.answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether commands can be sent now (also while the state is being replayed)."""
        return self._writer is not None

    def start(self) -> None:
        """Connect, and again whenever the connection breaks."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"media-link-{self.number}")

    async def stop(self) -> None:
        """Close the connection and stop connecting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def send(self, command: p.AnyCommand) -> bool:
        """Send a command that wants no reply, at the end of this turn of the loop or with the next that cannot wait.
        False if there is no connection."""
        if self._writer is None:
            return False
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(frame(plain(command)))
        if isinstance(command, p.SetRoom) and command.hears:
            self._flush()  # two people wait to hear each other
        return True

    def _flush(self) -> None:
        """All in one write: each wakes the worker, which goes before us and would run between two of our commands."""
        unsent, self._unsent = self._unsent, []
        if unsent and self._writer is not None:
            self._writer.write(b"".join(unsent))

    async def ask(self, command: p.AnyCommand) -> Any:
        """Send and wait for the reply's value. Raises WorkerLost, CommandRefused, TimeoutError."""
        return await asyncio.wait_for(self.asking(command), REPLY_S)

    def asking(self, command: p.AnyCommand) -> asyncio.Future[Any]:
        """Send now; the future is the reply's value. Raises WorkerLost without a connection."""
        if self._writer is None:
            raise WorkerLost(f"media worker {self.number} is not connected")
        self._numbers += 1
        command.n = self._numbers
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[command.n] = reply
        self._unsent.append(frame(plain(command)))
        self._flush()
        return reply

    async def _run(self) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._serve(reader)
            except (asyncio.IncompleteReadError, OSError):
                pass
            except (ValueError, msgspec.DecodeError):
                log.exception("media worker %d sent what it should not", self.number)
            finally:
                self._down()
            await asyncio.sleep(RETRY_S)

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        hello = convert(await read_frame(reader), p.Hello)
        replaying = asyncio.get_running_loop().create_task(self._come_up(hello))
        try:
            while True:
                self._take(await read_frame(reader))
        finally:
            replaying.cancel()
            await asyncio.gather(replaying, return_exceptions=True)

    async def _come_up(self, hello: p.Hello) -> None:
        try:
            await self._came_up(self, hello)
        except (WorkerLost, TimeoutError):
            if self._writer is not None:
                self._writer.transport.abort()
            return
        except Exception:
            log.exception("replaying to media worker %d failed", self.number)
            if self._writer is not None:
                self._writer.transport.abort()
            return
        self.up.set()
        self.answered.set()

    def _take(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise ValueError("not a frame of the media protocol")
        if "event" in raw:
            try:
                self._told(self, raw["event"], raw["data"])
            except Exception:
                log.exception("handling %s failed", raw["event"])
            return
        reply = self._replies.pop(raw.get("reply", 0), None)
        if reply is None or reply.done():
            return
        if "error" in raw:
            reply.set_exception(CommandRefused(raw["error"]))
        else:
            reply.set_result(raw.get("value"))

    def _down(self) -> None:
        was_up = self.up.is_set()
        self.up.clear()
        if self._writer is not None:
            self._flush()
            self._writer.close()
            self._writer = None
        replies, self._replies = self._replies, {}
        for reply in replies.values():
            if not reply.done():
                reply.set_exception(WorkerLost(f"media worker {self.number} went away"))
                reply.exception()  # seen: nobody may be waiting any more
        if was_up:
            self._went_down(self)
