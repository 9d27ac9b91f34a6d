"""The floor of a board: what comes as a datagram is written as a line to every connected socket, by one plain loop.

    python -m benchmarks.bare_fanout PORT

The same port, UDP for what is to be told, TCP for who listens.
"""

from __future__ import annotations

import select
import socket
import sys


def main(port: int) -> None:
    """Serve until killed."""
    told = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    told.bind(("127.0.0.1", port))
    door = socket.create_server(("127.0.0.1", port), backlog=1024)
    listening: list[socket.socket] = []
    while True:
        ready, _, _ = select.select([told, door], [], [])
        if door in ready:
            listening.append(door.accept()[0])
        if told in ready:
            line = told.recv(65536) + b"\n"
            for tcp in list(listening):
                try:
                    tcp.send(line)
                except OSError:
                    listening.remove(tcp)


if __name__ == "__main__":
    main(int(sys.argv[1]))
