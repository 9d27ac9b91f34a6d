"""What connections to carriers have in common, whatever they speak: a window of submissions, requests of our own that
wait for their reply, and an end after which nobody waits any more.

It lives from one connect to its end. Every submission gets exactly one answer: the carrier's, `LOST` when the
connection ended or the answer did not come in time, or `NOT_WRITTEN`.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final, Generic, Literal, TypeVar, cast

CHECK_S: Final = 0.5
GOODBYE_S: Final = 2.0  # how long a farewell may take
LAST_SEQUENCE: Final = 0x7FFFFFFF
LOST: Final = "lost"
NOT_WRITTEN: Final = "not_written"
Nothing = Literal["lost", "not_written"]
Answer = TypeVar("Answer")  # to a submission
Reply = TypeVar("Reply")  # to a request of ours


class Connection(asyncio.Protocol, Generic[Answer, Reply]):
    """The base of a protocol's connection. `window`: submissions that may be out; `answer_s`: how long each may take.

    A protocol gives `write_submission`, `write_request`, `tick` and `end`; it calls `answered` and `replied` with
    what comes, and `begin` when submissions may be written."""

    def __init__(self, window: int, answer_s: float) -> None:
        self.window, self.answer_s = window, answer_s
        self.bound = False  # submissions may be written
        self.closing = False
        self.end_reason = ""
        self.loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[str] = self.loop.create_future()  # why it ended: no more will come
        self.heard_at = self.loop.time()
        self.transport: asyncio.Transport | None = None
        self._sequence = 0
        self._out: dict[int, tuple[asyncio.Future[Answer | Nothing], float]] = {}
        self._waiting: deque[tuple[bytes, asyncio.Future[Answer | Nothing]]] = deque()
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._check: asyncio.TimerHandle | None = None
        self._ended = False

    # -- what a protocol says of itself

    def write_submission(self, sequence: int, body: bytes) -> None:
        """Write a submission."""
        raise NotImplementedError

    def write_request(self, command: int, sequence: int, body: bytes) -> None:
        """Write a request that has a reply."""
        raise NotImplementedError

    def tick(self, now: float, late: int) -> None:
        """Called each CHECK_S; `late` submissions have had no answer in time since the last call."""
        raise NotImplementedError

    async def end(self, grace_s: float) -> None:
        """Wait for what is out, say goodbye, close."""
        raise NotImplementedError

    # -- submissions

    @property
    def out(self) -> int:
        """Submissions without an answer."""
        return len(self._out)

    @property
    def load(self) -> int:
        """Submissions that are out or wait for the window."""
        return len(self._out) + len(self._waiting)

    def submit(self, body: bytes) -> asyncio.Future[Answer | Nothing]:
        """Write a submission, at once or when the window has room."""
        future: asyncio.Future[Answer | Nothing] = self.loop.create_future()
        if not self.bound:
            future.set_result(NOT_WRITTEN)
        else:
            self._waiting.append((body, future))
            self._fill()
        return future

    def is_out(self, sequence: int) -> bool:
        """Whether a submission of that number waits for its answer."""
        return sequence in self._out

    def answered(self, sequence: int, answer: Answer | Nothing) -> bool:
        """A submission has its answer. Whether there was such a one."""
        entry = self._out.pop(sequence, None)
        if entry is not None and not entry[0].done():
            entry[0].set_result(answer)
        self._fill()
        return entry is not None

    def begin(self, *, submissions: bool = True) -> None:
        """The carrier has let us in."""
        self.bound = submissions and not self.closing
        self._check = self.loop.call_later(CHECK_S, self._on_check)

    def shut(self) -> None:
        """Write no more submissions."""
        self.bound = False
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(NOT_WRITTEN)

    def _fill(self) -> None:
        while self._waiting and self.bound and len(self._out) < self.window:
            body, future = self._waiting.popleft()
            sequence = self.next_sequence()
            self._out[sequence] = (future, self.loop.time())
            self.write_submission(sequence, body)

    # -- requests of ours

    def next_sequence(self) -> int:
        """A number for what is written next."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        return self._sequence

    async def ask(self, command: int, body: bytes, wait_s: float) -> Reply:
        """Write a request, and wait for its reply. Raises ConnectionError, TimeoutError."""
        if self.transport is None or self._ended:
            raise ConnectionError(self.end_reason or "not connected")
        sequence = self.next_sequence()
        future = self._asked[sequence] = self.loop.create_future()
        self.write_request(command, sequence, body)
        try:
            return await asyncio.wait_for(future, wait_s)
        finally:
            self._asked.pop(sequence, None)

    def replied(self, sequence: int, reply: Reply) -> bool:
        """A request has its reply. Whether there was such a one."""
        future = self._asked.pop(sequence, None)
        if future is None or future.done():
            return False
        future.set_result(reply)
        return True

    # -- the end

    async def say_goodbye(self, command: int, grace_s: float, reason: str) -> None:
        """Wait for what is out, say `command`, close."""
        self.shut()
        if self._out:
            await asyncio.wait([future for future, _ in self._out.values()], timeout=grace_s)
        if not self._ended:
            try:
                await self.ask(command, b"", GOODBYE_S)
            except (OSError, TimeoutError):
                pass
            self.close(reason)

    def told_goodbye(self, reason: str) -> None:
        """The carrier ends it: take in what it still answers for a moment."""
        self.end_reason = reason
        self.shut()
        self.loop.call_later(GOODBYE_S if self._out else 0.05, self.close, reason)

    def close(self, reason: str, *, at_once: bool = False) -> None:
        """End the connection now; `at_once`: without what is not written yet."""
        self.end_reason = self.end_reason or reason
        self.closing = True
        if self.transport is not None:
            self.transport.abort() if at_once else self.transport.close()
        self._finish()

    def write(self, raw: bytes) -> None:
        """Write bytes, if somebody still reads them."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(raw)

    def _on_check(self) -> None:
        if self._ended:
            return
        now = self.loop.time()
        late = [s for s, (_, at) in self._out.items() if now - at >= self.answer_s]
        for sequence in late:
            self.answered(sequence, LOST)
        self.tick(now, len(late))
        if not self._ended:
            self._check = self.loop.call_later(CHECK_S, self._on_check)

    def _finish(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._check is not None:
            self._check.cancel()
        self.shut()
        out, self._out = self._out, {}
        for future, _ in out.values():
            if not future.done():
                future.set_result(LOST)
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(ConnectionError(self.end_reason))
        if not self.gone.done():
            self.gone.set_result(self.end_reason)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end_reason = self.end_reason or (f"connection lost: {exc}" if exc else "closed by the carrier")
        self.closing = True
        self._finish()
