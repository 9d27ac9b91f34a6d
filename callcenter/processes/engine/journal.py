"""What the engine must not forget: facts, saved agents and calls, leads in flight, live documents and answers.

Everything is queued in order and written in steps by one task, so that a fact and the release of its lead are one; a
step of an engine whose place another has taken is refused (`fence.py`). While Redis is away the queue grows and the
engine goes on; `durable()` waits until all that was queued before it is written, which is how an INVITE never goes out
before its call is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from redis.exceptions import RedisError

from callcenter import wire
from callcenter.events import streams
from callcenter.events.envelope import Envelope
from callcenter.processes.engine.fence import Fence
from dialer import hopper

log = logging.getLogger(__name__)
BATCH = 500
RETRY_S = 0.2
DRAIN_S = 5.0
FACTS_LENGTH = 20_000_000  # the recorder lets go of what it has folded; more than this, and Redis itself would end

Operation = tuple[Any, ...]

# ARGV (number of words, words …) of each command, then the fence's epoch. Returns what was refused.
_ALL = """
local refused, i = {}, 1
while i < #ARGV do
  local n = tonumber(ARGV[i])
  local answer = redis.pcall(unpack(ARGV, i + 1, i + n))
  if type(answer) == 'table' and answer.err then refused[#refused + 1] = answer.err end
  i = i + n + 1
end
return refused
"""


def agents_key(tenant: int) -> str:
    """Hash of the tenant's agents as saved by its engine."""
    return f"agents:{tenant}"


def taken_key(engine_id: str) -> str:
    """Id of the newest command of `commands:{engine}` that is carried out."""
    return f"commands:{engine_id}:taken"


def calls_key(tenant: int) -> str:
    """Hash of the tenant's live calls as saved by its engine."""
    return f"calls:{tenant}"


def today_key(tenant: int) -> str:
    """Hash of the queues' figures of today."""
    return f"today:{tenant}"


def tickets_key(tenant: int) -> str:
    """Hash of the places that are kept for callers who are called back."""
    return f"tickets:{tenant}"


def newest(batch: Sequence[Operation]) -> list[Operation]:
    """The batch without hash fields that are written again in it: a call is saved half a dozen times in a second."""
    out: list[Operation] = []
    written: set[tuple[str, str]] = set()
    for operation in reversed(batch):
        if operation[0] in ("hset", "hdel"):
            field = (operation[1], operation[2])
            if field in written:
                continue
            written.add(field)
        out.append(operation)
    out.reverse()
    return out


class Journal:
    """Ordered writes to Redis; see the module's text."""

    def __init__(self, fence: Fence) -> None:
        self._all = fence.script(_ALL)
        self._queue: list[Operation] = []
        self._newest_live: dict[tuple[int, str], bytes] = {}  # what waits for Redis to come back
        self._taken = (0, 0)
        self._wake = asyncio.Event()
        self.up = True

    # Each operation is (method of a pipeline, arguments …).

    def fact(self, envelope: Envelope) -> None:
        """Append a fact to the stream of facts."""
        self._add("xadd", streams.FACTS_STREAM, {"e": wire.to_json(envelope)}, "*", FACTS_LENGTH, True)

    def live(self, tenant: int, topic: str, document: object) -> None:
        """Replace a live document and push it."""
        raw = wire.to_json(document)
        if self.up:
            self._live(tenant, topic, raw)
        else:
            self._newest_live[tenant, topic] = raw  # browsers want the newest only; an outage may be long

    def _live(self, tenant: int, topic: str, raw: bytes) -> None:
        self._add("hset", streams.live_key(tenant), topic, raw)
        fields = {"t": str(tenant), "k": topic, "d": raw}
        self._add("xadd", streams.LIVE_STREAM, fields, "*", streams.LIVE_LENGTH, True)

    def agent(self, tenant: int, user_id: int, saved: object) -> None:
        """Save an agent."""
        self._add("hset", agents_key(tenant), str(user_id), wire.to_json(saved))

    def agent_gone(self, tenant: int, user_id: int) -> None:
        """Forget an agent who is one no more."""
        self._add("hdel", agents_key(tenant), str(user_id))

    def call(self, tenant: int, call_id: str, saved: object) -> None:
        """Save a live call."""
        self._add("hset", calls_key(tenant), call_id, wire.to_json(saved))

    def call_gone(self, tenant: int, call_id: str) -> None:
        """Forget an ended call."""
        self._add("hdel", calls_key(tenant), call_id)

    def save(self, key: str, field: str, saved: object | None) -> None:
        """Save something under `field` of hash `key`; None: forget it."""
        if saved is None:
            self._add("hdel", key, field)
        else:
            self._add("hset", key, field, wire.to_json(saved))

    def live_gone(self, tenant: int, topic: str) -> None:
        """A live document that is no more."""
        self._add("hdel", streams.live_key(tenant), topic)

    def placed(self, tenant: int, lead_id: int | None, call_id: str, phone: str, raw_entry: str, now: float) -> None:
        """A lead's INVITE is about to go out, and the number counts as tried."""
        if lead_id is not None:
            flight = {"entry": raw_entry, "call_id": call_id, "state": "placed", "at": now}
            self._add("hset", hopper.flight_key(tenant), str(lead_id), wire.to_json(flight))
        tries = hopper.tries_key(tenant, phone)
        self._add("zadd", tries, {call_id: now})
        self._add("zremrangebyscore", tries, 0, now - hopper.KEEP_TRIES_S)
        self._add("expire", tries, hopper.KEEP_TRIES_S)

    def landed(self, tenant: int, lead_id: int) -> None:
        """A lead is no longer in flight: its outcome is in the facts."""
        self._add("hdel", hopper.flight_key(tenant), str(lead_id))

    def answer(self, command_id: str, reply: object) -> None:
        """Answer a command."""
        key = streams.reply_key(command_id)
        self._add("rpush", key, wire.to_json(reply))
        self._add("expire", key, streams.REPLY_EXPIRES_S)

    def taken(self, engine_id: str, entry_id: str) -> None:
        """The command at `entry_id` of the stream is carried out: a successor begins after it."""
        at, _, number = entry_id.partition("-")
        if (int(at), int(number)) > self._taken:
            self._taken = (int(at), int(number))
            self._add("set", taken_key(engine_id), entry_id)

    def _add(self, *operation: Any) -> None:
        self._queue.append(operation)
        self._wake.set()

    async def durable(self) -> None:
        """Return when everything queued so far is written."""
        if not self._queue:
            return
        future = asyncio.get_running_loop().create_future()
        self._queue.append(("__mark__", future))
        self._wake.set()
        await future

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = self._queue[:BATCH]
                await self._write(batch)
                del self._queue[: len(batch)]
                for operation in batch:
                    if operation[0] == "__mark__" and not operation[1].done():
                        operation[1].set_result(None)

    async def drain(self) -> None:
        """Write what is left, for a clean stop. Redis may be gone for good: after DRAIN_S the rest is given up, and
        what the engine saved before stands."""
        batch, self._queue = self._queue, []
        if batch:
            try:
                await asyncio.wait_for(self._write(batch), DRAIN_S)
            except TimeoutError:
                log.error("redis is away; %d writes are lost", len(batch))

    async def _write(self, batch: list[Operation]) -> None:
        while True:
            try:
                # All of it is one step, of which one command's refusal leaves the others done: told, and not tried for
                # ever. A stale engine's is refused as a whole.
                refused = await self._all(keys=[], args=_words(newest(batch)))
                for error in refused or ():
                    log.error("redis refused a write: %s", error.decode())
                if not self.up:
                    log.info("redis is back; %d writes were kept", len(self._queue))
                self.up = True
                while self._newest_live:
                    (tenant, topic), raw = self._newest_live.popitem()
                    self._live(tenant, topic, raw)
                return
            except (RedisError, OSError) as error:
                if self.up:
                    log.warning("redis is away, writes are kept: %s", error)
                self.up = False
                await asyncio.sleep(RETRY_S)


def _words(batch: Sequence[Operation]) -> list[Any]:
    """The batch as arguments of `_ALL`: of each command the number of its words, then the words."""
    out: list[Any] = []
    for method, *arguments in batch:
        if method == "__mark__":
            continue
        if method == "xadd":
            key, fields, id_, most, _ = arguments
            words = ["XADD", key, "MAXLEN", "~", most, id_, *(w for pair in fields.items() for w in pair)]
        elif method == "zadd":
            key, scores = arguments
            words = ["ZADD", key, *(w for member, score in scores.items() for w in (score, member))]
        else:
            words = [method.upper(), *arguments]
        out += [len(words), *words]
    return out
