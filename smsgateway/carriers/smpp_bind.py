"""One bound connection to an SMSC: bind, enquire_link both ways, unbind both ways. Window and answers: `connection.py`.

A PDU that makes no sense is answered with an error and never ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from smpplib import consts  # type: ignore[import-untyped]

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.connection import Connection, Nothing
from smsgateway.carriers.linked import Refused
from smsgateway.carriers.smpp_settings import Settings

log = logging.getLogger(__name__)
ENQUIRE_ANSWER_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The SMSC's answer to a submission."""

    status: int
    message_id: str


Result = Answer | Nothing


class BindRefused(Refused):
    """The SMSC did not let us in. `status`: its command_status; `ours`: name, password or system type is wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: {pdu.status_text(status)} ({pdu.status_code(status)})")
        self.status = status
        self.ours = status in (consts.SMPP_ESME_RINVPASWD, consts.SMPP_ESME_RINVSYSID, consts.SMPP_ESME_RINVSYSTYP)


class Bind(Connection[Answer, pdu.Pdu]):
    """A connection. `on_message` gets each deliver_sm and data_sm, and answers it by `answer_message`."""

    def __init__(
        self,
        settings: Settings,
        window: int,
        on_message: Callable[[Bind, pdu.Pdu], None],
    ) -> None:
        super().__init__(window, settings.answer_s)
        self.settings = settings
        self.on_message = on_message
        self.strange = 0  # PDUs that answered nothing of ours, or made no sense
        self._splitter = pdu.Splitter()
        self._enquired: int | None = None
        self._enquired_at = 0.0

    # -- what the carrier does with it

    async def bind(self, command: int) -> None:
        """Bind. Raises BindRefused, ConnectionError, TimeoutError."""
        s = self.settings
        body = pdu.bind_body(s.system_id, s.password, s.system_type, s.address_range)
        answer = await self.ask(command, body, s.connect_s)
        if answer.status != pdu.OK:
            raise BindRefused(answer.status)
        self.begin(submissions=command != pdu.BIND_RECEIVER)

    async def end(self, grace_s: float) -> None:
        """Wait for what is out, unbind, close."""
        await self.say_goodbye(pdu.UNBIND, grace_s, "unbound")

    def answer_message(self, message: pdu.Pdu, status: int) -> None:
        """Answer a deliver_sm or data_sm."""
        self._write(message.command | pdu.RESPONSE, status, message.sequence, b"\x00")

    # -- Connection

    def write_submission(self, sequence: int, body: bytes) -> None:
        self._write(pdu.SUBMIT_SM, 0, sequence, body)

    def write_request(self, command: int, sequence: int, body: bytes) -> None:
        self._write(command, 0, sequence, body)

    def tick(self, now: float, late: int) -> None:
        if self._enquired is not None and now - self._enquired_at > min(ENQUIRE_ANSWER_S, self.settings.answer_s):
            self.close("the carrier does not answer enquire_link")
            return
        quiet = now - self.heard_at >= self.settings.enquire_link_s
        if (quiet or late) and self._enquired is None:
            self._enquired, self._enquired_at = self.next_sequence(), now
            self._write(pdu.ENQUIRE_LINK, 0, self._enquired)

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        for received in self._splitter.feed(data):
            self._on_pdu(received)
        if self._splitter.broken and not self.closing:
            self._write(pdu.GENERIC_NACK, self._splitter.broken.status, 0)
            self.close(f"out of step: {self._splitter.broken}", at_once=True)

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
            self._write(command | pdu.RESPONSE, pdu.OK, received.sequence)
            self.told_goodbye("unbound by the carrier")
        elif command == pdu.GENERIC_NACK:
            if self.is_out(received.sequence):
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
        if not self.answered(received.sequence, Answer(received.status, pdu.message_id(received.body))):
            self._strange(f"an answer to submission {received.sequence}, which is not out")

    def _on_reply(self, received: pdu.Pdu) -> None:
        if not self.replied(received.sequence, received):
            self._strange(f"an answer ({received.command:#010x}) to nothing")

    def _strange(self, what: str) -> None:
        self.strange += 1
        if self.strange in (1, 10, 100, 1000) or self.strange % 10_000 == 0:
            log.warning("the carrier sent %s (%d such so far)", what, self.strange)

    def _write(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        self.write(pdu.pdu(command, status, sequence, body))
