"""The dispatcher of one process: leases texts for its carriers, hands them over, stores what comes back.

One loop leases, one feeds each carrier within its window and rate; what comes back goes to the flusher (`flushing.py`).
With the database away nothing more is leased, and what came back waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from redis import RedisError
from sqlalchemy import select

from callcenter.clock import utc_now, wall_s
from callcenter.db.session import platform_session
from smsgateway import route_table
from smsgateway.carriers import plain, receipts, recovering
from smsgateway.carriers.flushing import AGAIN_S, AWAY, Flusher
from smsgateway.carriers.handed import Handed, file_of
from smsgateway.carriers.lane import Bucket, CarrierFacts, Lane, policy_of
from smsgateway.carriers.leases import Leased, Leases
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.outcomes import Done
from smsgateway.carriers.port import Accepted, Carrier, Health, Inbound, Listener, Lost, Outcome, Receipt, Returned
from smsgateway.figures import CarrierFigures
from smsgateway.sending import progress

log = logging.getLogger(__name__)
POLL_S: Final = 0.15  # how often an idle dispatcher looks for texts
HEALTH_EVERY_S: Final = 3.0
DOWN_AFTER_S: Final = 10.0  # another carrier takes over a carrier's texts when it was down for so long
RETURN_AFTER_S: Final = 1.0
PROGRESS_S: Final = 0.5
LEASE_END_S: Final = 2.0
STORE_END_S: Final = 5.0

MISREAD: Final = (
    "its receipts name no text, but would if their references were read in the other notation: change the setting ids"
)

Take = Callable[[Sequence[Inbound], int], object]


class Dispatcher:
    """`connect` makes a carrier's connection from its id and a listener. `take` stores incoming texts of a carrier.
    `by`: this process's name in `leased_by`, unlike any other's. `folder`: where processes keep their journals."""

    def __init__(
        self,
        by: str,
        carriers: Iterable[CarrierFacts],
        connect: Callable[[int, Listener], Carrier],
        take: Take,
        folder: Path,
    ) -> None:
        self.by = by
        self.lanes = {f.id: Lane(f, Bucket(f.texts_per_second), since=wall_s()) for f in carriers}
        self._figures = {i: CarrierFigures(lane.facts.name) for i, lane in self.lanes.items()}
        self._connect, self._take_inbound = connect, take
        self._policies = {i: lane.facts.policy for i, lane in self.lanes.items()}
        self._folder = folder
        self._handed: Handed | None = None
        self._leases = Leases(by)
        self._came: list[tuple[int, Inbound, asyncio.Future[None]]] = []
        self._moved: dict[int, int] = {}  # sends whose figures changed since they were last shown
        self._db = {n: ThreadPoolExecutor(1, n) for n in ("lease", "inbound", "tell")}
        self._flusher = Flusher(by, self._policies, self._figures, self._moved)
        self._tasks: list[asyncio.Task[None]] = []
        self._submits: set[asyncio.Task[None]] = set()
        self._lease_task: asyncio.Task[None] | None = None
        self._leasing = True
        self._inbound_came = asyncio.Event()
        self._hungry = asyncio.Event()
        self._fed = {i: asyncio.Event() for i in self.lanes}
        self._down: frozenset[int] = frozenset()

    # -- life

    async def start(self) -> None:
        """Take up what a dead predecessor left, connect, begin."""
        await self._run("lease", self._recover)
        self._handed = self._flusher.handed = Handed(file_of(self._folder, self.by), self.by)
        for carrier_id, lane in self.lanes.items():
            lane.connection = self._connect(carrier_id, self._listener(carrier_id, lane))
            await lane.connection.start()
        loops = [self._inbound_loop(), self._health_loop(), self._show_loop()]
        loops += [self._feed(lane) for lane in self.lanes.values()]
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        self._lease_task = asyncio.create_task(self._lease_loop())
        self._flusher.start()

    async def stop(self, grace_s: float) -> None:
        """Lease no more, give back what has not left, wait for what is out, store everything, disconnect."""
        self._leasing = False
        self._hungry.set()
        if self._lease_task is not None:
            await asyncio.wait([self._lease_task], timeout=LEASE_END_S)
            self._lease_task.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for lane in self.lanes.values():
            self._give_back(lane)
        if self._submits:
            await asyncio.wait(self._submits, timeout=grace_s)
        await asyncio.gather(*(c.stop(grace_s) for c in self._connections()))
        if self._submits:
            await asyncio.wait(self._submits, timeout=1.0)
        await self._flusher.stop(STORE_END_S)
        for pool in self._db.values():
            pool.shutdown(wait=True)
        if self._handed is not None:
            self._handed.close()

    def _connections(self) -> list[Carrier]:
        return [lane.connection for lane in self.lanes.values() if lane.connection is not None]

    def _listener(self, carrier_id: int, lane: Lane) -> Listener:
        loop = asyncio.get_running_loop()

        async def receipt(receipt: Receipt) -> None:
            await self._flusher.told(carrier_id, plain.receipt(receipt, wall_s()))

        async def inbound(inbound: Inbound) -> None:
            stored: asyncio.Future[None] = loop.create_future()
            self._came.append((carrier_id, inbound, stored))
            self._inbound_came.set()
            await stored

        def health(health: Health) -> None:
            if health.up != lane.health.up:
                lane.since = wall_s()
                log.info("carrier %s is %s: %s", lane.facts.name, "up" if health.up else "down", health.detail)
            lane.health = health
            self._fed[carrier_id].set()
            self._hungry.set()

        return Listener(receipt, inbound, health)

    async def _run(self, pool: str, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._db[pool], work, *args)

    def _recover(self) -> None:
        with platform_session() as session:
            self._moved.update(recovering.recover(session, self._policies, self._folder).sends)
            self._flusher.parked = receipts.parked(session, self.lanes)

    # -- leasing

    async def _lease_loop(self) -> None:
        looked_at = 0.0
        loop = asyncio.get_running_loop()
        while self._leasing:
            try:
                if loop.time() - looked_at > 1.0:
                    self._down = await self._run("lease", self._others_down)
                    looked_at = loop.time()
                busy = await self._lease()
            except AWAY as error:
                log.warning("can't lease: %s", str(error).splitlines()[0])
                busy = False
                await asyncio.sleep(AGAIN_S)
            except Exception:
                log.exception("a lease failed; it is tried again")
                busy = False
                await asyncio.sleep(AGAIN_S)
            if not busy:
                await self._wait(self._hungry, POLL_S)

    async def _lease(self) -> bool:
        """Lease for each carrier that has room. Whether there may be more."""
        more = False
        for lane in self.lanes.values():
            room = lane.room()
            if not lane.health.up or self._flusher.behind or max(room.values()) <= 0:
                continue
            texts = await self._run("lease", self._lease_one, lane.facts.id, room)
            if texts:
                lane.push(texts)
                self._fed[lane.facts.id].set()
                for text in texts:
                    self._moved[text.send_id] = text.tenant_id
            lane.more = len(texts) * 2 > max(room.values())
            more = more or (lane.more and lane.buffered * 2 < lane.ahead)
        return more

    def _lease_one(self, carrier_id: int, room: dict[int, int]) -> list[Leased]:
        with platform_session() as session:
            return self._leases.take(session, carrier_id, room, utc_now(), self._down)

    def _others_down(self) -> frozenset[int]:
        with platform_session() as session:
            others = set(session.scalars(select(TextCarrier.id))) - set(self.lanes)
        late = wall_s() - DOWN_AFTER_S
        own = {i for i, lane in self.lanes.items() if not lane.health.up and lane.since < late}
        return route_table.down(others, for_s=DOWN_AFTER_S) | own

    # -- handing over

    async def _feed(self, lane: Lane) -> None:
        """Hand texts to one carrier, as many at a time and a second as it may have."""
        loop, fed = asyncio.get_running_loop(), self._fed[lane.facts.id]
        assert self._handed is not None
        while True:
            now = loop.time()
            text = lane.first()
            if text is None or lane.out >= lane.facts.window or not lane.health.up or self._handed.full:
                if text is not None and not lane.health.up and wall_s() - lane.since > RETURN_AFTER_S:
                    self._give_back(lane)
                await self._wait(fed, 0.5)
                continue
            wait_s = lane.paused_until - now
            if wait_s <= 0:
                wait_s = lane.bucket.wait_s(text.segments, now)
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, 1.0))
                continue
            lane.pop()
            if lane.more and lane.buffered * 2 <= lane.ahead:
                self._hungry.set()
            if text.outgoing.expires_at <= wall_s():
                self._done(text, Returned("expired", 0.0))  # its next lease ends it
                continue
            lane.out += 1
            self._handed.put(text.id)
            task = asyncio.create_task(self._submit(lane, text))
            self._submits.add(task)
            task.add_done_callback(self._submits.discard)

    async def _submit(self, lane: Lane, text: Leased) -> None:
        assert lane.connection is not None and self._handed is not None
        try:
            outcome = plain.outcome(await lane.connection.submit(text.outgoing))
        except Exception:
            log.exception("carrier %s failed with a text; nobody knows whether it went", lane.facts.name)
            outcome = Lost()
        lane.out -= 1
        figures = self._figures[lane.facts.id]
        figures.came(outcome)
        if isinstance(outcome, Returned):
            self._handed.wipe(text.id)
            if lane.health.up:
                if lane.throttle(outcome.wait_s, asyncio.get_running_loop().time()):
                    figures.throttled.inc()
                lane.back(text)
            else:
                self._done(text, outcome)
        else:
            self._handed.answered(text.id, outcome)
            if isinstance(outcome, Accepted):
                lane.went()
            self._done(text, outcome)
        self._fed[lane.facts.id].set()

    def _give_back(self, lane: Lane) -> None:
        for text in lane.empty():
            self._done(text, Returned("carrier_down", 0.0))

    def _done(self, text: Leased, outcome: Outcome) -> None:
        self._flusher.done(Done(text, outcome, wall_s()))

    # -- what comes in

    async def _inbound_loop(self) -> None:
        while True:
            await self._inbound_came.wait()
            self._inbound_came.clear()
            came, self._came = self._came, []
            for carrier_id in dict.fromkeys(c for c, _, _ in came):
                group = [(i, f) for c, i, f in came if c == carrier_id]
                try:
                    await self._run("inbound", self._take_inbound, [i for i, _ in group], carrier_id)
                except Exception as error:
                    log.exception("texts that came in can't be stored now")
                    for _, stored in group:
                        if not stored.done():
                            stored.set_exception(error)
                else:
                    self._figures[carrier_id].inbound.inc(len(group))
                    for _, stored in group:
                        if not stored.done():
                            stored.set_result(None)

    # -- telling

    async def _health_loop(self) -> None:
        while True:
            for carrier_id, lane in list(self.lanes.items()):
                try:
                    told = lane.health
                    if carrier_id in self._flusher.misread:
                        told = replace(told, detail=f"{told.detail}; {MISREAD}")
                    await self._run("tell", route_table.tell_health, carrier_id, told, lane.since)
                except (RedisError, OSError) as error:
                    log.warning("the carriers' health can't be told: %s", error)
            seen = {i: lane.health.up for i, lane in self.lanes.items()}
            for _ in range(int(HEALTH_EVERY_S / 0.1)):
                await asyncio.sleep(0.1)
                if any(lane.health.up != seen[i] for i, lane in self.lanes.items()):
                    break

    async def _show_loop(self) -> None:
        """Figures of sends for who looks at them, each twice a second at most; and those of carriers."""
        while True:
            await asyncio.sleep(PROGRESS_S)
            for carrier_id, lane in self.lanes.items():
                self._figures[carrier_id].show(lane.health, lane.out, lane.buffered)
            moved = dict(self._moved)
            self._moved.clear()
            for send_id, tenant_id in moved.items():
                try:
                    await self._run("tell", progress.announce, tenant_id, send_id)
                except (*AWAY, RedisError, OSError) as error:
                    log.warning("a send's progress can't be shown: %s", str(error).splitlines()[0])

    @staticmethod
    async def _wait(event: asyncio.Event, most_s: float) -> None:
        try:
            await asyncio.wait_for(event.wait(), most_s)
        except TimeoutError:
            pass
        event.clear()


def facts_of(row: TextCarrier) -> CarrierFacts:
    """A carrier's row for the dispatcher."""
    policy = policy_of(row.doubt, row.refund, row.receipt_wait_h)
    return CarrierFacts(row.id, row.name, max(1, row.window), max(0, row.texts_per_second), policy)
