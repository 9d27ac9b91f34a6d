"""The trunks as the SIP side needs them: which one an address belongs to, where one is reached, and its agent."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import fields, replace
from typing import Any

from callcenter.clock import monotonic_s
from callcenter.telephony.ports import Transport, TrunkSpec
from callcenter.telephony.sip.line import Line
from callcenter.telephony.sip.sources import by_number, is_among, known_by_address, known_by_password
from callcenter.telephony.sip.trunk_agent import TrunkAgent
from callcenter.telephony.sip.udp import Address, is_ipv4

log = logging.getLogger(__name__)

LOOK_UP_EVERY_S = 60.0
_INBOUND = tuple(f.name for f in fields(TrunkSpec) if f.name.startswith("inbound") or f.name == "numbers")


class TrunkBook:
    """Trunks by id, each with its agent. Host names are looked up in the background and kept fresh."""

    def __init__(self, line: Line, patience_s: float) -> None:
        self._line = line
        self._patience_s = patience_s
        self._specs: dict[int, TrunkSpec] = {}
        self._agents: dict[int, TrunkAgent] = {}
        self._ips: dict[str, tuple[float, tuple[str, ...]]] = {}  # name → (when, addresses)
        self._addresses: frozenset[str] | set[str] = frozenset()
        self._networks: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._refresh_names())

    def set(self, trunks: Mapping[int, TrunkSpec]) -> None:
        """The trunks from now on. One that did not change keeps its registration."""
        for trunk_id, agent in list(self._agents.items()):
            kept = trunks.get(trunk_id)
            if kept is None or _outbound(kept) != _outbound(agent.spec):
                del self._agents[trunk_id]
                self._spawn(agent.stop())
        self._specs = dict(trunks)
        for trunk_id, spec in self._specs.items():
            if trunk_id not in self._agents:
                agent = TrunkAgent(self._line, spec, self.reach, self._patience_s, self.unusable(spec))
                self._agents[trunk_id] = agent
            host = _next_hop(spec)[0]
            if not is_ipv4(host) and host not in self._ips:
                self._spawn(self._look_up(host))
        self._know()

    async def stop(self) -> None:
        """End the agents; registrations are withdrawn."""
        agents, self._agents = list(self._agents.values()), {}
        await asyncio.gather(*(agent.stop() for agent in agents))
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

    # ----------------------------------------------------------------------------------------------------- addresses

    def when_known(self, spec: TrunkSpec, then: Callable[[Address | None], None]) -> None:
        """Call `then` with the address to send to, at once or after a look-up; with None if there is none."""
        host, port = _next_hop(spec)
        if is_ipv4(host):
            then((host, port))
        elif host in self._ips:
            then((self._ips[host][1][0], port))
        else:
            self._spawn(self._then(spec, then))

    async def _then(self, spec: TrunkSpec, then: Callable[[Address | None], None]) -> None:
        then(await self.reach(spec))

    async def reach(self, spec: TrunkSpec) -> Address | None:
        """The address that requests to this trunk go to, or None if its name is unknown."""
        host, port = _next_hop(spec)
        if is_ipv4(host):
            return host, port
        if host not in self._ips:
            await self._look_up(host)
        return (self._ips[host][1][0], port) if host in self._ips else None

    async def _look_up(self, host: str) -> None:
        try:
            found = await self._line.loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            log.warning("trunk host %r is unknown: %s", host, error)
            return
        if found:
            known = self._ips.get(host)
            self._ips[host] = (monotonic_s(), tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
            if known is None or known[1] != self._ips[host][1]:
                self._know()

    async def _refresh_names(self) -> None:
        while True:
            await asyncio.sleep(LOOK_UP_EVERY_S)
            for host in {_next_hop(spec)[0] for spec in self._specs.values()}:
                if not is_ipv4(host):
                    await self._look_up(host)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._line.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -------------------------------------------------------------------------------------------------------- inbound

    def trunk_at(self, req: Any) -> TrunkSpec | None:
        """The trunk that is known by the address which sent `req`, or None. By address and port, else by address alone.
        Of several trunks behind one proxy it is the one whose host stands in the second Via or in the From, of several
        at one address the one whose enterprise has the dialed number."""
        host, port = req.getSource()
        known = [s for s in self._specs.values() if known_by_address(s) and self._is_from(s, host)]
        found = [s for s in known if _next_hop(s)[1] == port] or known
        if len(found) > 1 and found[0].outbound_proxy is not None:
            names = {str(req.getHFBody("from").getUrl().host)}
            names |= set(re.findall(r"[\w.-]+", " ".join(str(via) for via in req.getHFBodys("via")[1:])))
            found = [s for s in found if {s.host, s.from_domain} & names]
        return by_number(found, str(req.getRURI().username or "")) if found else None

    def with_password(self) -> list[TrunkSpec]:
        """The trunks whose calls are let in by a password."""
        return [s for s in self._specs.values() if known_by_password(s)]

    def is_known(self, address: str) -> bool:
        """Whether some trunk is reached at IP `address`, or may call from there."""
        return address in self._addresses or is_among(address, self._networks)

    def _is_from(self, spec: TrunkSpec, host: str) -> bool:
        return self._is_at(_next_hop(spec)[0], host) or is_among(host, spec.inbound_sources)

    def _know(self) -> None:
        """Gather the addresses of all trunks, so that a flood of packets is judged quickly."""
        hosts = {_next_hop(spec)[0] for spec in self._specs.values()}
        sources = {source for spec in self._specs.values() for source in spec.inbound_sources}
        self._networks = frozenset(source for source in sources if "/" in source)
        self._addresses = (sources - self._networks) | hosts.union(*(self._ips[h][1] for h in hosts & self._ips.keys()))

    def _is_at(self, host: str, address: str) -> bool:
        return host == address or (host in self._ips and address in self._ips[host][1])


def _next_hop(spec: TrunkSpec) -> Address:
    return spec.outbound_proxy or (spec.host, spec.port)


def _outbound(spec: TrunkSpec) -> TrunkSpec:
    """What registration and health check work by: a change of the rest disturbs neither."""
    plain = TrunkSpec(spec.trunk_id, spec.host)
    inbound = {name: getattr(plain, name) for name in _INBOUND}
    return replace(spec, **inbound)
