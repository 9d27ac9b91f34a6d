"""The one UDP socket of the SIP side, with the methods that Sippy asks of a server and of its map of servers."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

Address = tuple[str, int]
_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}\Z")
_MAX_QUEUED_LOOKUPS = 256


def is_ipv4(host: str) -> bool:
    """Whether `host` is an IPv4 address in dotted form and not a name (or an impossible address)."""
    return _IPV4.match(host) is not None and all(int(part) <= 255 for part in host.split("."))


def own_address() -> str:
    """The IPv4 address that this host uses towards others (nothing is sent), 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, only to have a route chosen
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class UdpSocket(asyncio.DatagramProtocol):
    """One datagram endpoint, with the methods that Sippy asks of its UDP server."""

    transport = "udp"

    def __init__(self, advertised: Address, on_datagram: Callable[[bytes, Address], None]) -> None:
        self.advertised = advertised
        self._on_datagram = on_datagram
        self._endpoint: asyncio.DatagramTransport | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self.uopts = self

    def isWildCard(self) -> bool:
        return False

    def getSIPaddr(self) -> tuple[Address, str]:
        return self.advertised, self.transport

    def connection_made(self, transport: Any) -> None:
        self._endpoint = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._on_datagram(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        log.debug("datagram refused: %s", exc)  # ICMP; the timers of the transaction deal with it

    def send_to(self, data: str | bytes, address: Address, delayed: bool = False) -> None:
        """Send to `address`; a host name is looked up first without blocking, and the packet lost if it is unknown.
        An address that can't be one (far ends write what they like into Via and Contact) loses the packet too."""
        if self._endpoint is None or self._endpoint.is_closing():
            return
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "replace")
        host, port = address[0], int(address[1] or 5060)
        if not 0 < port < 65536:
            log.warning("no SIP is sent to port %s", port)
        elif is_ipv4(host):
            self._endpoint.sendto(raw, (host, port))
        elif len(self._lookups) < _MAX_QUEUED_LOOKUPS:
            task = asyncio.get_running_loop().create_task(self._look_up_and_send(raw, host, port))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    async def _look_up_and_send(self, raw: bytes, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            log.warning("SIP host %r is unknown: %s", host, error)
            return
        if found and self._endpoint is not None and not self._endpoint.is_closing():
            self._endpoint.sendto(raw, (str(found[0][4][0]), port))

    def shutdown(self) -> None:
        for task in self._lookups:
            task.cancel()
        if self._endpoint is not None:
            self._endpoint.close()


class OneSocket:
    """Sippy's map from remote to local addresses, for the case of one socket."""

    def __init__(self, server: UdpSocket) -> None:
        self._server = server

    def getServer(self, *_: object, **__: object) -> UdpSocket:
        return self._server

    def rotateCache(self) -> None:
        return

    def shutdown(self) -> None:
        self._server.shutdown()
