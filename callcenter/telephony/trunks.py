"""Which trunk a call goes out by. Pure: `now` is an argument, nothing is sent.

A trunk may be used if it is enabled and up, one of its prefixes matches, and it has a free channel and a token of its
calls-per-second bucket. Of those that may, the longest prefix wins, then the lowest priority number, then the lowest
cost, then the one with the largest share of its channels free. `TrunkPool.choose` takes channel and token at once; the
channel comes back with `release`. Call `choose` again with the failed trunks in `exclude` to fail over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class TrunkLimit(StrEnum):
    """Why no trunk could take a call: the limit nearest to letting it go."""

    NONE_CONFIGURED = "none_configured"  # no enabled trunk at all
    NO_ROUTE = "no_route"  # no prefix matches the number
    DOWN = "down"  # those that match are down
    CHANNELS = "channels"  # those that are up are full
    CPS = "cps"  # a channel is free, calls per second are used up


@dataclass(frozen=True)
class Trunk:
    """A trunk as routing sees it. `channels` calls at once and `cps` calls per second are its limits (0 of either: no
    call). `prefixes` are E.164 beginnings ("+86", "" for any). Lower `priority` goes first, then lower `cost` (any
    unit, per minute). `caller_ids` may be shown. Of the number without its "+", `strip` digits are cut and `prepend` is
    put in front."""

    trunk_id: int
    name: str
    channels: int
    cps: float
    prefixes: tuple[str, ...] = ("",)
    priority: int = 100
    cost: float = 0.0
    caller_ids: tuple[str, ...] = ()
    enabled: bool = True
    keep_plus: bool = True
    strip: int = 0
    prepend: str = ""

    def dialed(self, callee_e164: str) -> str:
        """The number as this trunk wants it. With `strip` or `prepend` the "+" goes, whatever `keep_plus` says."""
        digits = callee_e164.removeprefix("+")
        if self.strip or self.prepend:
            return self.prepend + digits[self.strip :]
        return callee_e164 if self.keep_plus else digits

    def longest_match(self, callee_e164: str) -> int:
        """Length of the longest prefix that `callee_e164` begins with, -1 if none does."""
        return max((len(p) for p in self.prefixes if callee_e164.startswith(p)), default=-1)


@dataclass(frozen=True)
class Choice:
    """A channel of `trunk_id` is taken; call `dialed`, showing `caller_id` ("" if the trunk has none of its own)."""

    trunk_id: int
    dialed: str
    caller_id: str


@dataclass(frozen=True)
class Refusal:
    """No trunk took the call. `retry_in_s` is when calls per second allow the next, 0 where time does not help."""

    reason: TrunkLimit
    retry_in_s: float = 0.0


@dataclass
class _State:
    trunk: Trunk
    in_use: int = 0
    up: bool = True
    tokens: float = 0.0
    filled_at: float = field(default=float("-inf"))

    def fill(self, now: float) -> None:
        """Bring the bucket to `now`. It holds one second's worth, and at least one call; time never runs backwards."""
        size = max(1.0, self.trunk.cps) if self.trunk.cps > 0 else 0.0
        if self.filled_at == float("-inf"):
            self.tokens = size
        else:
            self.tokens = min(size, self.tokens + max(0.0, now - self.filled_at) * self.trunk.cps)
        self.filled_at = max(now, self.filled_at)

    @property
    def free(self) -> int:
        return max(0, self.trunk.channels - self.in_use)


def pick_caller_id(callee_e164: str, caller_ids: Iterable[str]) -> str:
    """The caller id nearest to the callee: the longest common beginning; the earliest of equals; "" of none."""
    best, best_length = "", -1
    for caller_id in caller_ids:
        length = 0
        for ours, theirs in zip(caller_id, callee_e164, strict=False):
            if ours != theirs:
                break
            length += 1
        if length > best_length:
            best, best_length = caller_id, length
    return best


class TrunkPool:
    """All trunks with what is in use of them. `now` is seconds on any clock that does not go back."""

    def __init__(self, trunks: Iterable[Trunk] = ()) -> None:
        self._states: dict[int, _State] = {}
        self.set_trunks(trunks)

    def set_trunks(self, trunks: Iterable[Trunk]) -> None:
        """The trunks from now on. Channels in use, health and buckets stay; a trunk that is gone is forgotten once its
        last channel is released."""
        wanted = {trunk.trunk_id: trunk for trunk in trunks}
        for trunk_id, state in list(self._states.items()):
            if trunk_id in wanted:
                state.trunk = wanted.pop(trunk_id)
            elif state.in_use:
                state.trunk = Trunk(trunk_id, state.trunk.name, 0, 0.0, (), enabled=False)
            else:
                del self._states[trunk_id]
        self._states.update({trunk_id: _State(trunk) for trunk_id, trunk in wanted.items()})

    def set_health(self, trunk_id: int, up: bool) -> None:
        """A trunk came up or went down. An unknown one is ignored: it may have just been removed."""
        state = self._states.get(trunk_id)
        if state is not None:
            state.up = up

    def choose(
        self, now: float, callee_e164: str, exclude: frozenset[int] = frozenset(), caller_id: str = ""
    ) -> Choice | Refusal:
        """Take a channel and a token of the best trunk for `callee_e164`. `exclude` are trunks that failed this call
        already; `caller_id` is shown in place of the trunk's own choice if it is given."""
        enabled = [s for s in self._states.values() if s.trunk.enabled and s.trunk.trunk_id not in exclude]
        if not enabled:
            return Refusal(TrunkLimit.NONE_CONFIGURED if not exclude else TrunkLimit.DOWN)
        routes = [(s.trunk.longest_match(callee_e164), s) for s in enabled]
        routes = [route for route in routes if route[0] >= 0]
        if not routes:
            return Refusal(TrunkLimit.NO_ROUTE)
        up = [route for route in routes if route[1].up]
        if not up:
            return Refusal(TrunkLimit.DOWN)
        free = [route for route in up if route[1].free > 0]
        if not free:
            return Refusal(TrunkLimit.CHANNELS)
        for _, state in free:
            state.fill(now)
        ready = [route for route in free if route[1].tokens >= 1.0]
        if not ready:
            waits = [(1.0 - s.tokens) / s.trunk.cps for _, s in free if s.trunk.cps > 0]
            return Refusal(TrunkLimit.CPS, min(waits, default=0.0))
        _, state = min(ready, key=_rank)
        state.tokens -= 1.0
        state.in_use += 1
        trunk = state.trunk
        shown = caller_id or pick_caller_id(callee_e164, trunk.caller_ids)
        return Choice(trunk.trunk_id, trunk.dialed(callee_e164), shown)

    def release(self, trunk_id: int) -> None:
        """Give a channel back. Raises ValueError if none was taken: a bug of ours."""
        state = self._states.get(trunk_id)
        if state is None or state.in_use == 0:
            raise ValueError(f"trunk {trunk_id} has no channel in use")
        state.in_use -= 1
        if state.in_use == 0 and not state.trunk.prefixes:
            del self._states[trunk_id]

    def take(self, trunk_id: int) -> None:
        """Count a channel that is in use already: an inbound call, or a leg taken up from a dead engine. The limit is
        not asked, the call is there."""
        state = self._states.setdefault(trunk_id, _State(Trunk(trunk_id, "", 0, 0.0, (), enabled=False)))
        state.in_use += 1

    def in_use(self, trunk_id: int) -> int:
        """Channels in use of one trunk, 0 for an unknown one."""
        state = self._states.get(trunk_id)
        return state.in_use if state is not None else 0

    def shortage(self) -> TrunkLimit:
        """Why no trunk has a free channel, whatever the number: none is set up, all are down, or all are full."""
        enabled = [s for s in self._states.values() if s.trunk.enabled]
        if not enabled:
            return TrunkLimit.NONE_CONFIGURED
        return TrunkLimit.CHANNELS if any(s.up for s in enabled) else TrunkLimit.DOWN

    def free_channels(self, now: float) -> int:
        """Free channels of all trunks that are enabled and up."""
        return sum(s.free for s in self._states.values() if s.trunk.enabled and s.up)

    def free_cps(self, now: float) -> float:
        """Calls that could start at this instant over all trunks that are enabled, up and have a channel free."""
        total = 0.0
        for state in self._states.values():
            if state.trunk.enabled and state.up and state.free:
                state.fill(now)
                total += min(float(state.free), state.tokens)
        return total


def _rank(route: tuple[int, _State]) -> tuple[int, int, float, float, int]:
    length, state = route
    trunk = state.trunk
    return -length, trunk.priority, trunk.cost, state.in_use / max(1, trunk.channels), trunk.trunk_id
