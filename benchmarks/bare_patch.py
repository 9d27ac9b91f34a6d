"""The floor of connecting a caller: one agent's stream, patched on a datagram, with no signalling and no decision.

    python -m benchmarks.bare_patch PORT

A datagram with a token at PORT is answered with that token when the agent's next packet arrives, 0 to 20 ms later. It
is a process with a socket for each side, so that what the machine's load does to a relay happens here too.
"""

from __future__ import annotations

import select
import socket
import sys

from benchmarks.tones import AGENT, Stream, Streams, socket_on_loopback


def main(port: int) -> None:
    """Serve until killed."""
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("127.0.0.1", port))
    heard = socket_on_loopback()
    streams = Streams()
    streams.add(Stream(socket_on_loopback(), AGENT, heard.getsockname()))
    streams.start()
    waiting: list[tuple[bytes, tuple[str, int]]] = []
    while True:
        ready, _, _ = select.select([asked, heard], [], [])
        if asked in ready:
            waiting.append(asked.recvfrom(64))
        if heard in ready:
            heard.recv(2048)
            for token, address in waiting:
                asked.sendto(token + AGENT, address)
            waiting.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]))
