"""The trunks as the SIP side needs them: which one an address belongs to, where one is reached, and its health."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from callcenter.telephony.ports import Transport, TrunkSpec
from callcenter.telephony.sip.calls import Line
from callcenter.telephony.sip.transactions import Address, is_ipv4

log = logging.getLogger(__name__)

LOOK_UP_EVERY_S = 60.0


class TrunkBook:
    """Trunks by id; names are looked up in the background and kept fresh."""

    def __init__(self, line: Line, options_timeout_s: float) -> None:
        self._line = line
        self._options_timeout_s = options_timeout_s
        self._specs: dict[int, TrunkSpec] = {}
        self._ips: dict[str, tuple[str, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def set(self, trunks: Mapping[int, TrunkSpec]) -> None:
        self._specs = dict(trunks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def spec(self, trunk_id: int) -> TrunkSpec:
        """Raises KeyError for an unknown trunk."""
        return self._specs[trunk_id]

    def spec_or_none(self, trunk_id: int) -> TrunkSpec | None:
        return self._specs.get(trunk_id)

    def unusable(self, spec: TrunkSpec) -> str:
        """Why no call can go over this trunk as it is set up, or ""."""
        if spec.transport is not Transport.UDP and spec.outbound_proxy is None:
            return f"the trunk wants {spec.transport.upper()}, which needs an outbound proxy; set one or choose UDP"
        return ""

    def when_known(self, spec: TrunkSpec, then: Callable[[Address | None], None]) -> None:
        """Call `then` with the address to send to, at once or after a look-up; with None if there is none."""
        host, port = spec.outbound_proxy or (spec.host, spec.port)
        if is_ipv4(host):
            then((host, port))
        elif host in self._ips:
            then((self._ips[host][0], port))
        else:
            self._spawn(self._look_up_then(host, port, then))

    async def _look_up_then(self, host: str, port: int, then: Callable[[Address | None], None]) -> None:
        await self._look_up(host)
        found = self._ips.get(host)
        then((found[0], port) if found else None)

    async def _look_up(self, host: str) -> None:
        try:
            found = await self._line.loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            log.warning("trunk host %r is unknown: %s", host, error)
            return
        self._ips[host] = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    def _spawn(self, work: Any) -> None:
        task = self._line.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def trunk_of(self, req: Any) -> tuple[int, TrunkSpec] | None:
        """The trunk that sent `req`: by address and port, else by address alone."""
        host, port = req.getSource()
        by_host: tuple[int, TrunkSpec] | None = None
        for trunk_id, spec in self._specs.items():
            target, target_port = spec.outbound_proxy or (spec.host, spec.port)
            if host == target or host in self._ips.get(target, ()):
                if port == target_port:
                    return trunk_id, spec
                by_host = by_host or (trunk_id, spec)
        return by_host
