"""One bound connection to an SMSC: bind, window, enquire_link both ways, unbind both ways, and who waits for what.

It lives from one connect to its end. Every submission gets exactly one answer: the SMSC's, `LOST` when the connection
ended or the answer did not come in time, or `NOT_WRITTEN`. A PDU that makes no sense is answered with an error and
never ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from smpplib import consts  # type: ignore[import-untyped]

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.smpp_settings import Settings

log = logging.getLogger(__name__)
CHECK_S = 0.5
ENQUIRE_ANSWER_S = 10.0
UNBIND_S = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The SMSC's answer to a submission."""

    status: int
    message_id: str


LOST: Final = "lost"
NOT_WRITTEN: Final = "not_written"
Result = Answer | str


class BindRefused(Exception):
    """The SMSC did not let us in. `status`: its command_status; `ours`: name, password or system type is wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: {pdu.status_text(status)} ({pdu.status_code(status)})")
        self.status = status
        self.ours = status in (consts.SMPP_ESME_RINVPASWD, consts.SMPP_ESME_RINVSYSID, consts.SMPP_ESME_RINVSYSTYP)


class Bind(asyncio.Protocol):
    """A connection. `on_message` gets each deliver_sm and data_sm, and answers it by `answer_message`; `on_end` is
    called once, when no more will come."""

    def __init__(
        self,
        settings: Settings,
        window: int,
        on_message: Callable[[Bind, pdu.Pdu], None],
        on_end: Callable[[Bind, str], None],
    ) -> None:
        self.settings = settings
        self.window = window
        self.on_message, self.on_end = on_message, on_end
        self.bound = False  # submissions may be written
        self.closing = False
        self.end_reason = ""
        self.strange = 0  # PDUs that answered nothing of ours, or made no sense
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._splitter = pdu.Splitter()
        self._sequence = 0
        self._pending: dict[int, tuple[asyncio.Future[Result], float]] = {}
        self._waiting: deque[tuple[bytes, asyncio.Future[Result]]] = deque()
        self._asked: dict[int, asyncio.Future[pdu.Pdu]] = {}  # bind, unbind
        self._enquired: int | None = None
        self._enquired_at = 0.0
        self._heard_at = self._loop.time()
        self._check: asyncio.TimerHandle | None = None
        self._ended = False

    # -- what the carrier does with it

    @property
    def load(self) -> int:
        """Submissions that are out or wait for the window."""
        return len(self._pending) + len(self._waiting)

    async def bind(self, command: int) -> None:
        """Bind. Raises BindRefused, ConnectionError, TimeoutError."""
        s = self.settings
        body = pdu.bind_body(s.system_id, s.password, s.system_type, s.address_range)
        answer = await self._ask(command, body, s.connect_s)
        if answer.status != pdu.OK:
            raise BindRefused(answer.status)
        self.bound = command != pdu.BIND_RECEIVER and not self.closing
        self._check = self._loop.call_later(CHECK_S, self._on_check)

    def submit(self, body: bytes) -> asyncio.Future[Result]:
        """Write a submit_sm, at once or when the window has room."""
        future: asyncio.Future[Result] = self._loop.create_future()
        if not self.bound:
            future.set_result(NOT_WRITTEN)
        elif len(self._pending) < self.window:
            self._write_submit(body, future)
        else:
            self._waiting.append((body, future))
        return future

    async def end(self, grace_s: float) -> None:
        """Wait for what is out, unbind, close."""
        self.bound = False
        self._give_up_waiting()
        if self._pending:
            await asyncio.wait([future for future, _ in self._pending.values()], timeout=grace_s)
        if not self._ended:
            try:
                await self._ask(pdu.UNBIND, b"", UNBIND_S)
            except (OSError, TimeoutError):
                pass
            self.close("unbound")

    def close(self, reason: str) -> None:
        """End the connection now."""
        self.end_reason = self.end_reason or reason
        self.closing, self.bound = True, False
        if self._transport is not None:
            self._transport.abort() if self._splitter.broken else self._transport.close()
        self._finish()

    def answer_message(self, message: pdu.Pdu, status: int) -> None:
        """Answer a deliver_sm or data_sm."""
        self._write(message.command | pdu.RESPONSE, status, message.sequence, b"\x00")

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end_reason = self.end_reason or (f"connection lost: {exc}" if exc else "closed by the carrier")
        self.closing, self.bound = True, False
        self._finish()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        for received in self._splitter.feed(data):
            self._on_pdu(received)
        if self._splitter.broken and not self.closing:
            self._write(pdu.GENERIC_NACK, self._splitter.broken.status, 0)
            self.close(f"out of step: {self._splitter.broken}")

    # -- within

    def _on_pdu(self, received: pdu.Pdu) -> None:
        command = received.command
        if command == pdu.SUBMIT_SM | pdu.RESPONSE:
            self._on_answer(received)
        elif command in (pdu.DELIVER_SM, pdu.DATA_SM):
            self.on_message(self, received)
        elif command == pdu.ENQUIRE_LINK:
            self._write(command | pdu.RESPONSE, pdu.OK, received.sequence)
        elif command == pdu.ENQUIRE_LINK | pdu.RESPONSE:
            self._enquired = None
        elif command == pdu.UNBIND:
            self._on_unbind(received)
        elif command == pdu.GENERIC_NACK:
            if received.sequence in self._pending:
                self._on_answer(received)
            elif received.sequence == self._enquired:
                self._enquired = None  # it knows no enquire_link, but it is there
            else:
                self._on_reply(received)
        elif command & pdu.RESPONSE:
            self._on_reply(received)
        elif command != pdu.ALERT_NOTIFICATION:
            self.strange += 1
            self._write(pdu.GENERIC_NACK, consts.SMPP_ESME_RINVCMDID, received.sequence)

    def _on_answer(self, received: pdu.Pdu) -> None:
        entry = self._pending.pop(received.sequence, None)
        if entry is None:
            self._strange(f"an answer to submission {received.sequence}, which is not out")
            return
        if not entry[0].done():
            entry[0].set_result(Answer(received.status, pdu.message_id(received.body)))
        if self._waiting and self.bound:
            self._write_submit(*self._waiting.popleft())

    def _on_reply(self, received: pdu.Pdu) -> None:
        future = self._asked.pop(received.sequence, None)
        if future is None or future.done():
            self._strange(f"an answer ({received.command:#010x}) to nothing")
        else:
            future.set_result(received)

    def _on_unbind(self, received: pdu.Pdu) -> None:
        """The SMSC ends it: answer what it asked, and take in what it still answers for a moment."""
        self._write(pdu.UNBIND | pdu.RESPONSE, pdu.OK, received.sequence)
        self.end_reason = "unbound by the carrier"
        self.bound = False
        self._give_up_waiting()
        self._loop.call_later(UNBIND_S if self._pending else 0.05, self.close, self.end_reason)

    def _strange(self, what: str) -> None:
        self.strange += 1
        if self.strange in (1, 10, 100, 1000) or self.strange % 10_000 == 0:
            log.warning("the carrier sent %s (%d such so far)", what, self.strange)

    def _next(self) -> int:
        self._sequence = self._sequence % pdu.MAX_SEQUENCE + 1
        return self._sequence

    def _write(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(pdu.pdu(command, status, sequence, body))

    def _write_submit(self, body: bytes, future: asyncio.Future[Result]) -> None:
        sequence = self._next()
        self._pending[sequence] = (future, self._loop.time())
        self._write(pdu.SUBMIT_SM, 0, sequence, body)

    async def _ask(self, command: int, body: bytes, wait_s: float) -> pdu.Pdu:
        if self._transport is None or self._ended:
            raise ConnectionError(self.end_reason or "not connected")
        sequence = self._next()
        future = self._asked[sequence] = self._loop.create_future()
        self._write(command, 0, sequence, body)
        try:
            return await asyncio.wait_for(future, wait_s)
        finally:
            self._asked.pop(sequence, None)

    def _on_check(self) -> None:
        if self._ended:
            return
        now = self._loop.time()
        if self._enquired is not None and now - self._enquired_at > min(ENQUIRE_ANSWER_S, self.settings.answer_s):
            self.close("the carrier does not answer enquire_link")
            return
        quiet = now - self._heard_at >= self.settings.enquire_link_s
        late = [s for s, (_, at) in self._pending.items() if now - at >= self.settings.answer_s]
        for sequence in late:
            future, _ = self._pending.pop(sequence)
            if not future.done():
                future.set_result(LOST)
        while self._waiting and self.bound and len(self._pending) < self.window:
            self._write_submit(*self._waiting.popleft())
        if (quiet or late) and self._enquired is None:
            self._enquired, self._enquired_at = self._next(), now
            self._write(pdu.ENQUIRE_LINK, 0, self._enquired)
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
                asked.set_exception(ConnectionError(self.end_reason))
        self.on_end(self, self.end_reason)
