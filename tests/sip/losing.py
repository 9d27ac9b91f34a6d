"""A path between us and a SIP peer that loses chosen packets: which ones is decided by the test, not by chance."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.sip.sipp import free_port

_CALL_ID = re.compile(rb"^Call-ID:\s*(\S+)", re.MULTILINE | re.IGNORECASE)
_CSEQ = re.compile(rb"^CSeq:\s*\d+\s+(\w+)", re.MULTILINE | re.IGNORECASE)


def kind_of(packet: bytes) -> str:
    """What a SIP packet is: "INVITE", "ACK", or of a response its status and what it answers: "200 INVITE"."""
    first = packet.split(b" ", 2)
    if first[0] != b"SIP/2.0":
        return first[0].decode()
    method = _CSEQ.search(packet)
    return f"{first[1].decode()} {method[1].decode() if method else ''}"


class _Side(asyncio.DatagramProtocol):
    def __init__(self, heard: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._heard(data, addr)


class LosingPath:
    """Carries packets between who calls `port` and the peer at `peer_port`, both on 127.0.0.1. The first copy of each
    packet for which `loses(number of the call in order of appearance, kind_of)` is true goes nowhere; `lost` has
    those."""

    def __init__(self, port: int, loses: Callable[[int, str], bool]) -> None:
        self.port = port
        self.lost: set[tuple[int, str]] = set()
        self._loses = loses
        self._carried: set[tuple[int, str]] = set()
        self._news = asyncio.Event()
        self._calls: dict[bytes, int] = {}
        self._caller: tuple[str, int] | None = None

    def _passes(self, packet: bytes) -> bool:
        found = _CALL_ID.search(packet)
        call = self._calls.setdefault(found[1] if found else b"", len(self._calls))
        this = (call, kind_of(packet))
        if this in self.lost or not self._loses(*this):
            self._carried.add(this)
            self._news.set()
            return True
        self.lost.add(this)
        return False

    async def carried(self, wanted: set[tuple[int, str]], timeout_s: float = 10.0) -> None:
        """Wait until all of these (call, kind) have passed; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not wanted <= self._carried:
                self._news.clear()
                await self._news.wait()

    async def _open(self, peer_port: int) -> tuple[asyncio.DatagramTransport, asyncio.DatagramTransport]:
        loop = asyncio.get_running_loop()

        def from_caller(packet: bytes, source: tuple[str, int]) -> None:
            self._caller = source
            if self._passes(packet):
                to_peer.sendto(packet, ("127.0.0.1", peer_port))

        def from_peer(packet: bytes, _: tuple[str, int]) -> None:
            if self._passes(packet) and self._caller is not None:
                to_caller.sendto(packet, self._caller)

        to_caller, _ = await loop.create_datagram_endpoint(
            lambda: _Side(from_caller), local_addr=("127.0.0.1", self.port)
        )
        to_peer, _ = await loop.create_datagram_endpoint(
            lambda: _Side(from_peer), local_addr=("127.0.0.1", free_port())
        )
        return to_caller, to_peer


@contextlib.asynccontextmanager
async def losing(port: int, peer_port: int, loses: Callable[[int, str], bool]) -> AsyncIterator[LosingPath]:
    """A `LosingPath` at `port` for as long as the context lasts."""
    path = LosingPath(port, loses)
    sides = await path._open(peer_port)
    try:
        yield path
    finally:
        for side in sides:
            side.close()
