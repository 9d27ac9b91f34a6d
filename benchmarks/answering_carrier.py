"""A carrier whose subscribers all ring, answer and talk, and that notes when it first hears the agent.

    python -m benchmarks.answering_carrier SIP_PORT PATCH_PORT RING_MIN_S RING_MAX_S

Each answered call sends a tone and listens until the first packet that carries the agent's tone and nothing else; its
time is the kernel's receive time, so this process's own delays do not count. At the same moment as each 200 OK a
datagram asks `benchmarks.bare_patch` (at PATCH_PORT) for the agent stream that it has: the floor. On SIGTERM it
prints one JSON object: number → {at, audio, floor, up}, times in seconds since the epoch, `up` calls at that moment.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks.tones import AGENT, CALLEE, Stream, Streams, socket_on_loopback
from demo.sip.call import Call, Ended, Event, Invited, Reoffered
from demo.sip.endpoint import Endpoint
from demo.sip.message import Address
from demo.sip.registrar import Registrar
from demo.sip.sdp import Audio, read

SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_TOKEN = struct.Struct("!I")
RTP_HEADER_BYTES = 12


def receive_stamped(sock: socket.socket) -> tuple[bytes, float]:
    """A datagram and when the kernel received it, seconds since the epoch. Raises BlockingIOError."""
    data, extra, _, _ = sock.recvmsg(2048, socket.CMSG_SPACE(_TIMESPEC.size))
    for level, kind, value in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
            return data, seconds + nanoseconds / 1e9
    return data, time.time()


@dataclass
class Answer:
    """What became of one answered call."""

    at: float
    up: int
    audio: float | None = None
    floor: float | None = None


@dataclass
class Line:
    """One call's audio."""

    number: str
    stream: Stream
    listening: bool = field(default=False)


class AnsweringCarrier(asyncio.DatagramProtocol):
    """The SIP socket, its calls and their audio."""

    def __init__(self, local: Address, patch: Address, ring_s: tuple[float, float]) -> None:
        rng = random.SystemRandom()
        self.endpoint = Endpoint(local, Registrar({}, rng), rng)
        self.answers: dict[str, Answer] = {}
        self._ring_s, self._patch = ring_s, patch
        self._lines: dict[Call, Line] = {}
        self._streams = Streams()
        self._streams.start()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._tokens: dict[int, str] = {}
        self._floor = socket_on_loopback()
        self._floor.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._loop.add_reader(self._floor, self._floor_heard)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.endpoint.receive(data, addr, self._loop.time())
        self._settle()

    def _settle(self) -> None:
        """Carry out what the endpoint wants."""
        while self.endpoint.outbox or self.endpoint.events:
            outbox, self.endpoint.outbox = self.endpoint.outbox, []
            for datagram, to in outbox:
                if self._transport is not None:
                    self._transport.sendto(datagram, to)
            events, self.endpoint.events = self.endpoint.events, []
            for event in events:
                self._act(event)
        if self._timer is not None:
            self._timer.cancel()
        due = self.endpoint.next_timer()
        self._timer = self._loop.call_at(due, self._run_timers) if due is not None else None

    def _run_timers(self) -> None:
        self.endpoint.run_timers(self._loop.time())
        self._settle()

    def _act(self, event: Event) -> None:
        if isinstance(event, Invited):
            self.endpoint.ring(event.call, self._loop.time())
            self._loop.call_later(random.uniform(*self._ring_s), self._answer, event.call, read(event.sdp))
        elif isinstance(event, Reoffered):
            self.endpoint.refuse_offer(event.call, self._loop.time())
        elif isinstance(event, Ended) and event.call in self._lines:
            self._hang_up(event.call)

    def _answer(self, call: Call, offer: Audio) -> None:
        if call.server is None or call.server.final:
            return  # given up while it rang
        sock = socket_on_loopback()
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        line = self._lines[call] = Line(call.number, Stream(sock, CALLEE, offer.address), True)
        self._loop.add_reader(sock, self._heard, line)
        answer = self.answers[call.number] = Answer(time.time(), len(self._lines))
        self.endpoint.answer(call, offer.answered_from(sock.getsockname()).write(), self._loop.time())
        token = random.getrandbits(32)
        self._tokens[token] = call.number
        answer.at = time.time()
        self._settle()
        self._floor.sendto(_TOKEN.pack(token), self._patch)
        self._streams.add(line.stream)

    def _heard(self, line: Line) -> None:
        try:
            data, at = receive_stamped(line.stream.sock)
        except (BlockingIOError, ConnectionError):
            return
        if data[RTP_HEADER_BYTES:] == AGENT:
            self.answers[line.number].audio = at
            self._deaf(line)

    def _deaf(self, line: Line) -> None:
        """Leave the rest unread: the kernel drops it at no cost to the figures."""
        if line.listening:
            line.listening = False
            self._loop.remove_reader(line.stream.sock)

    def _floor_heard(self) -> None:
        try:
            data, at = receive_stamped(self._floor)
        except (BlockingIOError, ConnectionError):
            return
        number = self._tokens.pop(_TOKEN.unpack(data[:4])[0], None)
        if number is not None:
            self.answers[number].floor = at

    def _hang_up(self, call: Call) -> None:
        line = self._lines.pop(call)
        self._deaf(line)
        self._streams.remove(line.stream)
        line.stream.sock.close()


async def main(sip_port: int, patch_port: int, ring_s: tuple[float, float]) -> None:
    """Answer calls until SIGTERM, then print what was seen."""
    loop = asyncio.get_running_loop()
    local, patch = ("127.0.0.1", sip_port), ("127.0.0.1", patch_port)
    _, carrier = await loop.create_datagram_endpoint(lambda: AnsweringCarrier(local, patch, ring_s), local_addr=local)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    print(json.dumps({n: vars(a) for n, a in carrier.answers.items()}))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), (float(sys.argv[3]), float(sys.argv[4]))))
