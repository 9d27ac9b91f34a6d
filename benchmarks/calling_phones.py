"""Callers' telephones: sockets that speak as soon as they are spoken to, and note when they first hear the agent.

    python -m benchmarks.calling_phones COUNT

Prints one line, the JSON list of their ports; SIPp, or whoever signals their calls, puts them into its offers. Each
sends a tone to where its first packet came from, and listens until the first packet with the agent's tone and nothing
else; the time is the kernel's. On SIGTERM it prints one JSON object: port → seconds since the epoch.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys

import uvloop

from benchmarks.answering_carrier import RTP_HEADER_BYTES, SO_TIMESTAMPNS, receive_stamped
from benchmarks.tones import AGENT, CALLEE, Stream, Streams, socket_on_loopback

SILENT_S = 2.0  # a call that sends nothing for so long is over
LOOK_EVERY_S = 1.0


class Phones:
    """`heard`: port → when."""

    def __init__(self, count: int) -> None:
        self.heard: dict[int, float] = {}
        self._loop = asyncio.get_running_loop()
        self._streams = Streams()
        self._streams.start()
        self._talking: dict[int, tuple[Stream, float]] = {}  # port → (its stream, when it last received)
        self.sockets = [socket_on_loopback() for _ in range(count)]
        for sock in self.sockets:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._loop.add_reader(sock, self._ring, sock)
        self._loop.call_later(LOOK_EVERY_S, self._look)

    def _ring(self, sock: socket.socket) -> None:
        """The first packet: speak to where it came from."""
        try:
            _, source = sock.recvfrom(2048)
        except (BlockingIOError, ConnectionError):
            return
        stream = Stream(sock, CALLEE, source)
        self._talking[sock.getsockname()[1]] = (stream, self._loop.time())
        self._streams.add(stream)
        self._loop.add_reader(sock, self._hear, sock)

    def _hear(self, sock: socket.socket) -> None:
        try:
            data, at = receive_stamped(sock)
        except (BlockingIOError, ConnectionError):
            return
        if data[RTP_HEADER_BYTES:] == AGENT:
            self.heard[sock.getsockname()[1]] = at
            self._loop.remove_reader(sock)

    def _look(self) -> None:
        """Who has been hung up on speaks no more: its unread packets have ended."""
        for port, (stream, last) in list(self._talking.items()):
            if port in self.heard:
                try:
                    while True:
                        stream.sock.recv(2048)
                        last = self._loop.time()
                except (BlockingIOError, ConnectionError):
                    pass
                self._talking[port] = (stream, last)
                if self._loop.time() - last > SILENT_S:
                    self._streams.remove(stream)
                    del self._talking[port]
        self._loop.call_later(LOOK_EVERY_S, self._look)


async def main(count: int) -> None:
    """Serve until SIGTERM, then print what was heard."""
    phones = Phones(count)
    print(json.dumps([sock.getsockname()[1] for sock in phones.sockets]), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    print(json.dumps(phones.heard))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
