"""Which carrier takes a text. Pure.

The longest matching prefix wins, then priority (less first). Carriers that are down are passed over as long as another
route of the same number is up; with none up the best one has it, and the text waits there. Among equals the number
itself decides by weight (rendezvous hashing): a number keeps its carrier from send to send, and when one carrier goes
down only its own numbers move.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from smsgateway.texts import Kind, Purpose

NONE: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """A row of `text_route` of an enabled carrier, `price_minor` as the enterprise pays it per segment."""

    id: int
    carrier_id: int
    kind: Kind
    prefixes: tuple[str, ...]  # E.164 beginnings; none: every number
    purposes: frozenset[Purpose]
    priority: int
    weight: int
    price_minor: int
    sender: str
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The route of one text. `sender` is for who has no service number."""

    route_id: int
    carrier_id: int
    price_minor: int
    sender: str
    currency: str = "CNY"


_Tier = tuple[Route, ...]  # equals: same prefix length, same priority


class RouteTable:
    """All routes of one enterprise, made once and asked for each text (about a microsecond).

    `down`: carriers that can't send at present.
    """

    def __init__(self, routes: Iterable[Route], down: Collection[int] = NONE) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)
        self.down: AbstractSet[int] = frozenset(down)
        self._tiers: dict[tuple[Kind, Purpose], _Prefixes] = {
            (kind, purpose): _Prefixes([r for r in self.routes if r.kind == kind and purpose in r.purposes])
            for kind in Kind
            for purpose in Purpose
        }

    def choose(self, phone: str, kind: Kind, purpose: Purpose) -> Chosen | None:
        """The route of a text to `phone` (E.164), or None if no route leads there."""
        tiers = self._tiers[(kind, purpose)].of(phone)
        if not tiers:
            return None
        down = self.down
        for tier in tiers:
            able = tier if not down else tuple(r for r in tier if r.carrier_id not in down)
            if able:
                return _chosen(_by_weight(able, phone))
        return _chosen(_by_weight(tiers[0], phone))

    def others(self, phone: str, kind: Kind, purpose: Purpose, carrier_id: int) -> Chosen | None:
        """The route that takes over a text of `carrier_id`, which is down: of another carrier that is up, or None."""
        for tier in self._tiers[(kind, purpose)].of(phone):
            able = tuple(r for r in tier if r.carrier_id != carrier_id and r.carrier_id not in self.down)
            if able:
                return _chosen(_by_weight(able, phone))
        return None

    def reaches(self, phone: str, kind: Kind, purpose: Purpose) -> bool:
        """Whether some route leads to `phone`."""
        return bool(self._tiers[(kind, purpose)].of(phone))


class _Prefixes:
    """The tiers of a number by the longest prefix it has here."""

    def __init__(self, routes: Sequence[Route]) -> None:
        by_prefix: dict[str, list[Route]] = {}
        for route in routes:
            for prefix in set(route.prefixes) or {""}:
                by_prefix.setdefault(prefix, []).append(route)
        self._lengths = sorted({len(p) for p in by_prefix}, reverse=True)
        self._tiers = {p: _tiers(p, by_prefix) for p in by_prefix}

    def of(self, phone: str) -> tuple[_Tier, ...]:
        for length in self._lengths:
            found = self._tiers.get(phone[:length])
            if found is not None:
                return found
        return ()


def _tiers(prefix: str, by_prefix: Mapping[str, Sequence[Route]]) -> tuple[_Tier, ...]:
    out: list[_Tier] = []
    for length in range(len(prefix), -1, -1):
        same = by_prefix.get(prefix[:length], ())
        for priority in sorted({r.priority for r in same}):
            out.append(tuple(sorted((r for r in same if r.priority == priority), key=lambda r: r.id)))
    return tuple(out)


def _by_weight(tier: Sequence[Route], phone: str) -> Route:
    if len(tier) == 1:
        return tier[0]
    weighed = [r for r in tier if r.weight > 0] or tier  # weight 0: only where nothing else is left
    return max(weighed, key=lambda r: _score(r, phone))


def _score(route: Route, phone: str) -> float:
    digest = blake2b(f"{route.id}:{phone}".encode(), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)  # in (0, 1)
    return -max(1, route.weight) / math.log(share)


def _chosen(route: Route) -> Chosen:
    return Chosen(route.id, route.carrier_id, route.price_minor, route.sender, route.currency)
