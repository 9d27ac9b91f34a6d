"""One connection to a CMPP gateway: CONNECT, window, ACTIVE_TEST both ways, TERMINATE both ways.

It lives from one connect to its end. Every submission gets exactly one answer: (Msg_Id, result), `LOST`, or
`NOT_WRITTEN`. As in `smpp_bind`, nothing that comes over the wire ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from smsgateway.carriers import cmpp_pdu as pdu
from smsgateway.carriers.cmpp_pdu import Command, Version

log = logging.getLogger(__name__)
CHECK_S: Final = 0.5
TERMINATE_S: Final = 2.0
TESTS: Final = 3  # unanswered in a row, then the connection is dead
LOST: Final = "lost"
NOT_WRITTEN: Final = "not_written"
Result = tuple[int, int] | str


class Refused(Exception):
    """The gateway did not let us in. `ours`: address, secret or version is wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"connect refused: {pdu.REFUSALS.get(status, 'other')} ({status})")
        self.ours = status in pdu.REFUSALS


class Bind(asyncio.Protocol):
    """A connection. `on_deliver(self, sequence, message)` gets each DELIVER and answers it by `answer_deliver`;
    `on_end` is called once, when no more will come."""

    def __init__(
        self,
        version: Version,
        window: int,
        test_s: float,
        answer_s: float,
        on_deliver: Callable[[Bind, int, pdu.Deliver], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.version, self.window, self.test_s, self.answer_s = version, window, test_s, answer_s
        self.on_deliver, self.on_end = on_deliver, on_end
        self.bound = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._splitter = pdu.Splitter()
        self._sequence = 0
        self._pending: dict[int, tuple[asyncio.Future[Result], float]] = {}
        self._waiting: deque[tuple[bytes, asyncio.Future[Result]]] = deque()
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._heard_at = self._tested_at = self._loop.time()
        self._untested = 0
        self._check: asyncio.TimerHandle | None = None
        self._reason = ""
        self._ended = False

    @property
    def load(self) -> int:
        """Submissions that are out or wait for the window."""
        return len(self._pending) + len(self._waiting)

    async def bind(self, sp_id: str, secret: str, stamp: str) -> None:
        """CONNECT. Raises Refused, pdu.Malformed, ConnectionError, TimeoutError."""
        body = pdu.connect(sp_id, secret, self.version, stamp)
        status = pdu.connect_answer(await self._ask(Command.CONNECT, body, self.answer_s), self.version)
        if status:
            raise Refused(status)
        self.bound = True
        self._check = self._loop.call_later(CHECK_S, self._on_check)

    def submit(self, body: bytes) -> asyncio.Future[Result]:
        """Write a SUBMIT, at once or when the window has room."""
        future: asyncio.Future[Result] = self._loop.create_future()
        if not self.bound:
            future.set_result(NOT_WRITTEN)
        elif len(self._pending) < self.window:
            self._write_submit(body, future)
        else:
            self._waiting.append((body, future))
        return future

    async def end(self, grace_s: float) -> None:
        """Wait for what is out, say TERMINATE, close."""
        self.bound = False
        self._give_up_waiting()
        if self._pending:
            await asyncio.wait([f for f, _ in self._pending.values()], timeout=grace_s)
        if not self._ended:
            try:
                await self._ask(Command.TERMINATE, b"", TERMINATE_S)
            except (OSError, TimeoutError):
                pass
            self.close("terminated")

    def close(self, reason: str) -> None:
        """End the connection now."""
        self._reason = self._reason or reason
        self.bound = False
        if self._transport is not None:
            self._transport.close()
        self._finish()

    def answer_deliver(self, sequence: int, msg_id: int, result: int) -> None:
        """Answer a DELIVER; 0: it is stored."""
        self._write(Command.DELIVER | pdu.RESPONSE, sequence, pdu.deliver_answer(msg_id, result, self.version))

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reason = self._reason or (f"connection lost: {exc}" if exc else "closed by the carrier")
        self.bound = False
        self._finish()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._untested = 0
        try:
            for received in self._splitter.feed(data):
                self._on_pdu(received)
        except pdu.Malformed as error:
            self.close(f"out of step: {error}")

    # -- within

    def _on_pdu(self, received: pdu.Pdu) -> None:
        match received.command:
            case Command.DELIVER:
                self._on_message(received)
            case Command.ACTIVE_TEST:
                self._write(Command.ACTIVE_TEST | pdu.RESPONSE, received.sequence, b"\x00")
            case Command.TERMINATE:
                self._write(Command.TERMINATE | pdu.RESPONSE, received.sequence)
                self._reason, self.bound = "terminated by the carrier", False
                self._give_up_waiting()
                self._loop.call_later(TERMINATE_S if self._pending else 0.05, self.close, self._reason)
            case command if command == Command.SUBMIT | pdu.RESPONSE:
                self._on_answer(received)
            case command if command & pdu.RESPONSE:
                future = self._asked.pop(received.sequence, None)
                if future is not None and not future.done():
                    future.set_result(received.body)
            case command:
                log.warning("a command %#x that we don't know", command)

    def _on_message(self, received: pdu.Pdu) -> None:
        try:
            message = pdu.deliver(received.body, self.version)
        except pdu.Malformed as error:
            log.warning("a message that can't be read: %s", error)
            self.answer_deliver(received.sequence, int.from_bytes(received.body[:8], "big"), 1)
            return
        self.on_deliver(self, received.sequence, message)

    def _on_answer(self, received: pdu.Pdu) -> None:
        entry = self._pending.pop(received.sequence, None)
        if entry is not None and not entry[0].done():
            try:
                entry[0].set_result(pdu.submit_answer(received.body))
            except pdu.Malformed:
                entry[0].set_result(LOST)
        if self._waiting and self.bound:
            self._write_submit(*self._waiting.popleft())

    def _write_submit(self, body: bytes, future: asyncio.Future[Result]) -> None:
        sequence = self._next()
        self._pending[sequence] = (future, self._loop.time())
        self._write(Command.SUBMIT, sequence, body)

    def _next(self) -> int:
        self._sequence = self._sequence % pdu.MAX_SEQUENCE + 1
        return self._sequence

    def _write(self, command: int, sequence: int, body: bytes = b"") -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pdu.pdu(command, sequence, body))

    async def _ask(self, command: int, body: bytes, wait_s: float) -> bytes:
        if self._transport is None or self._ended:
            raise ConnectionError(self._reason or "not connected")
        sequence = self._next()
        future = self._asked[sequence] = self._loop.create_future()
        self._write(command, sequence, body)
        try:
            return await asyncio.wait_for(future, wait_s)
        finally:
            self._asked.pop(sequence, None)

    def _on_check(self) -> None:
        if self._ended:
            return
        now = self._loop.time()
        for sequence in [s for s, (_, at) in self._pending.items() if now - at >= self.answer_s]:
            future, _ = self._pending.pop(sequence)
            if not future.done():
                future.set_result(LOST)
        while self._waiting and self.bound and len(self._pending) < self.window:
            self._write_submit(*self._waiting.popleft())
        if now - self._heard_at >= self.test_s and now - self._tested_at >= self.test_s:
            if self._untested >= TESTS:
                self.close("the carrier does not answer ACTIVE_TEST")
                return
            self._untested, self._tested_at = self._untested + 1, now
            self._write(Command.ACTIVE_TEST, self._next())
        self._check = self._loop.call_later(CHECK_S, self._on_check)

    def _give_up_waiting(self) -> None:
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(NOT_WRITTEN)

    def _finish(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._check is not None:
            self._check.cancel()
        self._give_up_waiting()
        pending, self._pending = self._pending, {}
        for future, _ in pending.values():
            if not future.done():
                future.set_result(LOST)
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionError(self._reason))
        self.on_end(self._reason)
