"""One connection to a CMPP gateway: CONNECT, ACTIVE_TEST both ways, TERMINATE both ways. Window and answers:
`connection.py`. As in `smpp_bind`, nothing that comes over the wire ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from smsgateway.carriers import cmpp_pdu as pdu
from smsgateway.carriers.cmpp_pdu import Command, Version
from smsgateway.carriers.connection import LOST, Connection, Nothing
from smsgateway.carriers.linked import Refused

log = logging.getLogger(__name__)
TESTS: Final = 3  # unanswered in a row, then the connection is dead
Answer = tuple[int, int]  # Msg_Id, result
Result = Answer | Nothing


class ConnectRefused(Refused):
    """The gateway did not let us in. `ours`: address, secret or version is wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"connect refused: {pdu.REFUSALS.get(status, 'other')} ({status})")
        self.ours = status in pdu.REFUSALS


class Bind(Connection[Answer, bytes]):
    """A connection. `on_deliver(self, sequence, message)` gets each DELIVER and answers it by `answer_deliver`."""

    def __init__(
        self,
        version: Version,
        window: int,
        test_s: float,
        answer_s: float,
        on_deliver: Callable[[Bind, int, pdu.Deliver], None],
    ) -> None:
        super().__init__(window, answer_s)
        self.version, self.test_s = version, test_s
        self.on_deliver = on_deliver
        self._splitter = pdu.Splitter()
        self._tested_at = self.heard_at
        self._untested = 0

    async def bind(self, sp_id: str, secret: str, stamp: str) -> None:
        """CONNECT. Raises ConnectRefused, ConnectionError, TimeoutError."""
        body = pdu.connect(sp_id, secret, self.version, stamp)
        try:
            status = pdu.connect_answer(await self.ask(Command.CONNECT, body, self.answer_s), self.version)
        except pdu.Malformed as error:
            raise ConnectionError(str(error)) from None
        if status:
            raise ConnectRefused(status)
        self.begin()

    async def end(self, grace_s: float) -> None:
        """Wait for what is out, say TERMINATE, close."""
        await self.say_goodbye(Command.TERMINATE, grace_s, "terminated")

    def answer_deliver(self, sequence: int, msg_id: int, result: int) -> None:
        """Answer a DELIVER; 0: it is stored."""
        self._write(Command.DELIVER | pdu.RESPONSE, sequence, pdu.deliver_answer(msg_id, result, self.version))

    # -- Connection

    def write_submission(self, sequence: int, body: bytes) -> None:
        self._write(Command.SUBMIT, sequence, body)

    def write_request(self, command: int, sequence: int, body: bytes) -> None:
        self._write(command, sequence, body)

    def tick(self, now: float, late: int) -> None:
        if now - self.heard_at < self.test_s or now - self._tested_at < self.test_s:
            return
        if self._untested >= TESTS:
            self.close("the carrier does not answer ACTIVE_TEST")
            return
        self._untested, self._tested_at = self._untested + 1, now
        self._write(Command.ACTIVE_TEST, self.next_sequence())

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
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
                self.told_goodbye("terminated by the carrier")
            case command if command == Command.SUBMIT | pdu.RESPONSE:
                self._on_answer(received)
            case command if command & pdu.RESPONSE:
                self.replied(received.sequence, received.body)
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
        answer: Result = LOST
        try:
            answer = pdu.submit_answer(received.body)
        except pdu.Malformed as error:
            log.warning("an answer that can't be read: %s", error)
        self.answered(received.sequence, answer)

    def _write(self, command: int, sequence: int, body: bytes = b"") -> None:
        self.write(pdu.pdu(command, sequence, body))
