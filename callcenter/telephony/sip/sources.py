"""Where a call comes from: addresses, networks, and which of the trunks there it belongs to. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from callcenter.telephony.ports import InboundAuth, TrunkSpec


def by_number(specs: Sequence[TrunkSpec], dialed: str) -> TrunkSpec:
    """Of several trunks that fit, the one whose enterprise has the dialed number; else the first."""
    digits = "".join(c for c in dialed if c.isdigit()).lstrip("0")
    if len(specs) > 1 and digits:
        whole = [s for s in specs if f"+{digits}" in s.numbers]
        ending = [s for s in specs if any(number.endswith(digits) for number in s.numbers)]
        return (whole or ending or specs)[0]
    return specs[0]


def is_among(host: str, sources: Iterable[str]) -> bool:
    """Whether IP address `host` is one of `sources`, or in one of their networks. What is no address is passed over."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(network is not None and address in network for network in map(network_of, sources))


@lru_cache(maxsize=4096)
def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """An address or network as written ("192.0.2.1", "192.0.2.0/24"), None if it is neither."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def known_by_address(spec: TrunkSpec) -> bool:
    """Whether calls of this trunk are let in by their address alone."""
    return spec.inbound and spec.inbound_auth is InboundAuth.IP


def known_by_password(spec: TrunkSpec) -> bool:
    """Whether calls of this trunk are let in by a password. One without a password lets nobody in."""
    wants = spec.inbound and spec.inbound_auth is InboundAuth.DIGEST
    return wants and bool(spec.inbound_username and spec.inbound_password)
