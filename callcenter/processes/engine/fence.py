"""One engine for each engine id, even if a former one was only paused: a lease with a fencing token.

    engine:epoch:{engine}   the token of whoever took over last; it only grows
    engine:lease:{engine}   who holds it ("host pid"), gone LEASE_S after its last renewal

A process takes over when the lease has lapsed, or at once when its holder is dead on this host; its token is greater
than all before. Every write of facts and saved calls, every lead that is taken and every command carries the token and
is refused by Valkey itself when a greater one is there. Whoever is refused stops on the spot: what he believes is old.
Between writes a process that stood still for GAP_S (SIGSTOP, a suspended machine) asks before it does anything else, so
that no timer of his hangs up calls that are another's by now.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import redis
import redis.asyncio as aioredis
from redis.exceptions import RedisError, ResponseError

from callcenter.clock import monotonic_s

log = logging.getLogger(__name__)
LEASE_S = 3.0
RENEW_S = 1.0
BEAT_S = 0.25
GAP_S = 1.0
ASK_S = 1.0  # a paused process asks at most so long whether it is still the one
EXIT_STALE = 75  # EX_TEMPFAIL: the runner may start another, which waits for its turn
REFUSED = "FENCED"
UNFENCED = 1 << 53  # greater than any epoch

# The last key is that of the epoch, the last argument the epoch of who asks.
GUARD = """
local newest = redis.call('GET', KEYS[#KEYS])
if newest and tonumber(newest) > tonumber(ARGV[#ARGV]) then
  return redis.error_reply('FENCED another engine has taken over')
end
"""
# KEYS lease, epoch; ARGV holder, milliseconds, the holder that is known to be dead or "". The new epoch, or the holder.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[3] then return holder end
local at = redis.call('TIME')
local epoch = at[1] * 1000000 + at[2]
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
if epoch <= before then epoch = before + 1 end
epoch = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], epoch)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {epoch}
"""
# KEYS lease, epoch; ARGV holder, milliseconds, epoch.
_RENEW = (
    GUARD
    + """
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
"""
)
_LET_GO = GUARD + "redis.call('DEL', KEYS[1])"


class Fenced(Exception):
    """Another engine holds what this one held."""


def _stop() -> None:
    logging.shutdown()
    os._exit(EXIT_STALE)


class Fence:
    """The lease of `engine_id`. Not taken (`epoch` 0) it lets everything through: an engine without successors."""

    def __init__(self, connection: aioredis.Redis, engine_id: str, url: str) -> None:
        self._redis, self._url = connection, url
        self.epoch_key, self.lease_key = f"engine:epoch:{engine_id}", f"engine:lease:{engine_id}"
        self.holder = f"{socket.gethostname()} {os.getpid()}"
        self.epoch = 0
        self.on_stale: Callable[[], None] = _stop
        self._seen = monotonic_s()
        self._renew = connection.register_script(_RENEW)

    # ------------------------------------------------------------------------------------------------------- holding

    async def take(self) -> None:
        """Return once the lease is ours. Waits for as long as a living engine holds it."""
        script, dead, told = self._redis.register_script(_TAKE), "", False
        while True:
            try:
                answer: Any = await script(
                    keys=[self.lease_key, self.epoch_key], args=[self.holder, round(LEASE_S * 1000), dead]
                )
            except (RedisError, OSError):
                await asyncio.sleep(BEAT_S)
                continue
            if isinstance(answer, list):
                self.epoch, self._seen = int(answer[0]), monotonic_s()
                return
            holder = answer.decode()
            dead = holder if _is_dead(holder) else ""
            if not dead:
                if not told:
                    log.warning("engine %s is held by %s; waiting for it to end", self.lease_key, holder)
                    told = True
                await asyncio.sleep(BEAT_S)

    async def run(self) -> None:
        """Renew until cancelled."""
        renewed = monotonic_s()
        while True:
            self.check()
            if monotonic_s() - renewed >= RENEW_S:
                try:
                    await self._renew(
                        keys=[self.lease_key, self.epoch_key], args=[self.holder, round(LEASE_S * 1000), self.epoch]
                    )
                    renewed = monotonic_s()
                except ResponseError as error:
                    self.judge(error)
                except (RedisError, OSError):
                    pass  # away: what it refuses it refuses later
            self._seen = monotonic_s()
            await asyncio.sleep(BEAT_S)

    async def let_go(self) -> None:
        """A clean end: the successor need not wait."""
        try:
            await self._redis.eval(_LET_GO, 2, self.lease_key, self.epoch_key, str(self.epoch))  # type: ignore[misc]
        except (RedisError, OSError):
            log.warning("the lease is left to lapse")

    # ------------------------------------------------------------------------------------------------------ checking

    def check(self) -> None:
        """To be called before anything is done. Costs nothing unless this process has stood still; then it asks
        Valkey, and does not return if another engine has taken over."""
        if not self.epoch or monotonic_s() - self._seen < GAP_S:
            return
        log.warning("this engine stood still for %.1f s", monotonic_s() - self._seen)
        try:
            with redis.Redis.from_url(self._url, socket_timeout=ASK_S, socket_connect_timeout=ASK_S) as plain:
                newest: Any = plain.get(self.epoch_key)
        except (RedisError, OSError):
            newest = None  # away: without it nobody takes over, and nothing is dialed either
        self._seen = monotonic_s()
        if newest is not None and int(newest) > self.epoch:
            self.stale()

    def judge(self, error: ResponseError) -> None:
        """Stop if `error` is a fenced script's refusal."""
        if str(error).startswith(REFUSED):
            self.stale()

    def stale(self) -> None:
        """Another engine has taken over: this one ends here, in the middle of whatever it does. Raises Fenced where
        `on_stale` returns."""
        log.critical("another engine has taken over; this one stops")
        self.on_stale()
        raise Fenced(self.lease_key)

    def script(self, text: str) -> Fenceable:
        """A Lua script that is refused once another engine has taken over."""
        return Fenceable(self, self._redis.register_script(GUARD + text))


class Fenceable:
    """A script of a fence's; call it with keys and arguments."""

    def __init__(self, fence: Fence, script: Any) -> None:
        self._fence, self._script = fence, script

    async def __call__(self, *, keys: Sequence[str], args: Sequence[Any]) -> Any:
        fence = self._fence
        try:
            return await self._script(keys=[*keys, fence.epoch_key], args=[*args, fence.epoch or UNFENCED])
        except ResponseError as error:
            fence.judge(error)
            raise


def _is_dead(holder: str) -> bool:
    """Whether the holder was a process of this host that is no more."""
    host, _, pid = holder.rpartition(" ")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid()
