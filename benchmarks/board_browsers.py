"""Many browsers that look at a board, in one process: each a live socket that only notes when documents come.

    python -m benchmarks.board_browsers PORT COUNT [COOKIES …]

With cookies (each browser takes one in turn) they speak Socket.IO to the web process and follow TOPIC; without, they
read lines of `benchmarks.bare_fanout`. A document says when it was published (`"at"`). Prints "ready", and on SIGTERM
one JSON object: `took` (milliseconds, all browsers), `missed` (documents that not every browser had), `closed`.
"""

from __future__ import annotations

import json
import re
import select
import signal
import socket
import sys
import time
from collections import Counter

from wsproto import ConnectionType, WSConnection
from wsproto.events import Request, TextMessage

TOPIC = "queues"
READ_BYTES = 65536
_AT = re.compile(rb'"at": ?([0-9.]+)')
_PING = b"\x81\x012"  # a server's frame with the text "2"
CLOSE = 0x88  # first byte of a server's frame that ends the connection
CONNECT_S = 10.0


def follow(port: int, cookie: str) -> tuple[socket.socket, WSConnection]:
    """A Socket.IO connection that has been answered its subscription."""
    tcp = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S)
    ws = WSConnection(ConnectionType.CLIENT)
    target = "/socket.io/?EIO=4&transport=websocket"
    headers = [(b"Cookie", cookie.encode())]
    tcp.sendall(ws.send(Request(host=f"127.0.0.1:{port}", target=target, extra_headers=headers)))
    subscribe = "421" + json.dumps(["subscribe", {"topics": [TOPIC]}])
    answers = {"0": "40", "40": subscribe}
    while True:
        data = tcp.recv(READ_BYTES)
        if not data:
            raise ConnectionError("refused")
        ws.receive_data(data)
        for event in ws.events():
            if isinstance(event, TextMessage):
                if event.data.startswith("431"):
                    return tcp, ws
                key = "40" if event.data.startswith("40") else event.data[:1]
                if key in answers:
                    tcp.sendall(ws.send(TextMessage(data=answers.pop(key))))


class Browsers:
    """All of this process. `took` in milliseconds, `had`: when a document was published → browsers that have it."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.had: Counter[float] = Counter()
        self.closed = 0
        self._peers: dict[int, tuple[socket.socket, WSConnection | None]] = {}
        self._waiting = select.epoll()

    def add(self, tcp: socket.socket, ws: WSConnection | None) -> None:
        """One more."""
        tcp.setblocking(False)
        self._peers[tcp.fileno()] = tcp, ws
        self._waiting.register(tcp.fileno(), select.EPOLLIN)

    def look(self, wait_s: float) -> None:
        """Take what has come, and answer pings."""
        for fileno, _ in self._waiting.poll(wait_s):
            tcp, ws = self._peers[fileno]
            data = tcp.recv(READ_BYTES)
            now = time.time()
            if not data or data[0] == CLOSE:
                self.closed += 1
                self._waiting.unregister(fileno)
                continue
            for found in _AT.findall(data):
                at = float(found)
                self.took.append((now - at) * 1000)
                self.had[at] += 1
            if ws is not None and _PING in data:
                tcp.sendall(ws.send(TextMessage(data="3")))


def main(port: int, count: int, cookies: list[str]) -> None:
    """Look until SIGTERM."""
    looking = True

    def stop(*_: object) -> None:
        nonlocal looking
        looking = False

    signal.signal(signal.SIGTERM, stop)
    browsers = Browsers()
    for i in range(count):
        if cookies:
            browsers.add(*follow(port, cookies[i % len(cookies)]))
        else:
            browsers.add(socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S), None)
        browsers.look(0.0)
    print("ready", flush=True)
    while looking:
        browsers.look(0.2)
    missed = sum(n < count for n in browsers.had.values())
    print(
        json.dumps({"took": browsers.took, "documents": len(browsers.had), "missed": missed, "closed": browsers.closed})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
