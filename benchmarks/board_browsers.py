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


def main(port: int, count: int, cookies: list[str]) -> None:
    """Look until SIGTERM."""
    peers: dict[int, tuple[socket.socket, WSConnection | None]] = {}
    for i in range(count):
        peer: tuple[socket.socket, WSConnection | None]
        if cookies:
            peer = follow(port, cookies[i % len(cookies)])
        else:
            peer = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S), None
        peers[peer[0].fileno()] = peer
    looking = True

    def stop(*_: object) -> None:
        nonlocal looking
        looking = False

    signal.signal(signal.SIGTERM, stop)
    waiting = select.epoll()
    for fileno, (tcp, _) in peers.items():
        tcp.setblocking(False)
        waiting.register(fileno, select.EPOLLIN)
    print("ready", flush=True)
    took: list[float] = []
    had: Counter[float] = Counter()
    closed = 0
    while looking:
        for fileno, _ in waiting.poll(0.2):
            tcp, ws = peers[fileno]
            data = tcp.recv(READ_BYTES)
            now = time.time()
            if not data:
                closed += 1
                waiting.unregister(fileno)
                continue
            for found in _AT.findall(data):
                at = float(found)
                took.append((now - at) * 1000)
                had[at] += 1
            if ws is not None and _PING in data:
                tcp.sendall(ws.send(TextMessage(data="3")))
    missed = sum(n < count for n in had.values())
    print(json.dumps({"took": took, "documents": len(had), "missed": missed, "closed": closed}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
