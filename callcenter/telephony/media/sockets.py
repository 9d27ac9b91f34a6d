"""UDP socket pairs (RTP even, RTCP the next) out of a worker's share of the port range."""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections import deque

_libc = ctypes.CDLL(None, use_errno=True)
_NOBODY = socket.AF_UNSPEC.to_bytes(2, sys.byteorder) + bytes(14)


def disconnect(udp: socket.socket) -> None:
    """Undo `connect` on a UDP socket. Raises OSError.

    It keeps its port if it was bound to it by number. Python's own `connect` cannot say AF_UNSPEC. Source: connect(2).
    """
    if _libc.connect(udp.fileno(), _NOBODY, len(_NOBODY)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def share(port_min: int, port_max: int, worker: int, workers: int) -> range:
    """The even ports of worker `worker` of `workers`: equal consecutive shares of [port_min, port_max]."""
    first = port_min + port_min % 2
    pairs = max(0, (port_max - first + 1) // 2)
    size = pairs // max(1, workers)
    start = first + 2 * size * worker
    return range(start, start + 2 * size, 2)


def _bind(ip: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setblocking(False)
        udp.bind((ip, port))
    except OSError:
        udp.close()
        raise
    return udp


class PortRange:
    """The free pairs of a worker. The one given back longest ago is used first, so that stray packets of a call that
    ended meet nobody."""

    def __init__(self, ip: str, even_ports: range) -> None:
        self.ip = ip
        self._all = even_ports
        self._free = deque(even_ports)
        self._used: set[int] = set()

    def open(self, wanted: int = 0) -> tuple[socket.socket, socket.socket]:
        """A bound pair, non-blocking; on port `wanted` unless it is 0. Raises RuntimeError if there is none."""
        if wanted:
            try:
                pair = self._pair(wanted)
            except OSError as error:
                raise RuntimeError(f"UDP port {wanted} cannot be opened again: {error}") from error
            if wanted in self._all:
                self._used.add(wanted)
            return pair
        for _ in range(len(self._free)):
            port = self._free.popleft()
            if port in self._used:
                continue  # taken meanwhile by its number
            try:
                pair = self._pair(port)
            except OSError:
                self._free.append(port)  # another process has it
                continue
            self._used.add(port)
            return pair
        raise RuntimeError(f"no free UDP port on {self.ip} in {self._all.start}-{self._all.stop - 1}")

    def _pair(self, port: int) -> tuple[socket.socket, socket.socket]:
        even = _bind(self.ip, port)
        try:
            return even, _bind(self.ip, port + 1)
        except OSError:
            even.close()
            raise

    def give_back(self, port: int) -> None:
        """The pair was closed."""
        if port in self._used:
            self._used.discard(port)
            self._free.append(port)
