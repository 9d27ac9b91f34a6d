"""Outcomes and receipts of one process, stored together, a batch at a time, as fast as the database takes them.

Nothing is told to a carrier as received, and no text counts as sent, before it is committed. What the database can't
take now waits here; how much that can be is bounded by what may be out and unacknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from sqlalchemy.exc import InterfaceError, OperationalError

from callcenter.clock import monotonic_s
from callcenter.db.session import platform_session
from smsgateway.carriers import outcomes, receipts
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.handed import Handed
from smsgateway.carriers.outcomes import Done, RefKey
from smsgateway.carriers.policies import Policy
from smsgateway.carriers.port import Accepted, Receipt
from smsgateway.carriers.receipts import Told
from smsgateway.figures import FLUSH, UNSTORED, CarrierFigures

log = logging.getLogger(__name__)
AWAY = (OperationalError, InterfaceError)  # the database's trouble, not the texts': tried again
GATHER_S: Final = 0.01
MOST_GATHER_S: Final = 0.06
MANY: Final = 500  # outcomes and receipts that are stored without waiting for more
MOST_AT_ONCE: Final = 2000
MOST_UNSTORED: Final = 4000
MOST_PARKED: Final = 100_000
AGAIN_S: Final = 0.5
SWEEP_S: Final = 2.0

_Waiting = tuple[Told, asyncio.Future[None]]


class Flusher:
    """`parked`: what is known to be parked for these carriers. `figures` counts by carrier; `moved` gets the
    sends that changed, each with its enterprise. `handed` is to be set before it starts."""

    def __init__(
        self, by: str, policies: Mapping[int, Policy], figures: Mapping[int, CarrierFigures], moved: dict[int, int]
    ) -> None:
        self.by, self.policies, self.figures, self.moved = by, policies, figures, moved
        self.parked: set[RefKey] = set()
        self.misread: set[int] = set()  # carriers whose references seem to be read in the wrong notation
        self.handed: Handed | None = None
        self._dones: list[Done] = []
        self._told: list[_Waiting] = []
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "store")
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to store."""
        self._tasks = [asyncio.create_task(self._store_loop()), asyncio.create_task(self._sweep_loop())]

    async def stop(self, grace_s: float) -> None:
        """Store what is here, for `grace_s` at most, and end. What is left then is in doubt for the next process."""
        self._idle.clear()
        self._something.set()
        try:
            await asyncio.wait_for(self._idle.wait(), grace_s)
        except TimeoutError:
            log.error("%d outcomes could not be stored before the end", len(self._dones))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=True)

    @property
    def behind(self) -> bool:
        """Whether so much waits that nothing more should be sent."""
        return len(self._dones) > MOST_UNSTORED

    def done(self, done: Done) -> None:
        """What became of a text."""
        self._dones.append(done)
        self._something.set()

    async def told(self, carrier_id: int, receipt: Receipt) -> None:
        """A receipt; returns when it is stored."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told.append(((carrier_id, receipt), stored))
        self._something.set()
        await stored

    async def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    async def _store_loop(self) -> None:
        while True:
            await self._something.wait()
            await self._gathered()
            self._something.clear()
            UNSTORED.set(len(self._dones) + len(self._told))
            dones, self._dones = self._dones[:MOST_AT_ONCE], self._dones[MOST_AT_ONCE:]
            told, self._told = self._told[:MOST_AT_ONCE], self._told[MOST_AT_ONCE:]
            if dones or told:
                await self._store_until_it_is(dones, told)
            if self._dones or self._told:
                self._something.set()
            else:
                UNSTORED.set(0)
                self._idle.set()

    async def _gathered(self) -> None:
        """Wait a moment for more, so that a batch is worth its transaction; not where nothing comes, for a carrier may
        be waiting for us to take what it has told."""
        until = asyncio.get_running_loop().time() + MOST_GATHER_S
        before = 0
        while before < (now := len(self._dones) + len(self._told)) < MANY:
            if asyncio.get_running_loop().time() >= until:
                return
            before = now
            await asyncio.sleep(GATHER_S)

    async def _store_until_it_is(self, dones: list[Done], told: list[_Waiting]) -> None:
        """Store a batch, however often it takes. One that can't be stored as a whole is stored in halves, until the
        one that is at fault stands alone; that one is logged, and its text stays as it was."""
        began = monotonic_s()
        while True:
            try:
                sends = await self._run(self._store, dones, [t for t, _ in told])
                break
            except AWAY as error:
                log.warning("can't store %d outcomes: %s", len(dones), str(error).splitlines()[0])
                await asyncio.sleep(AGAIN_S)
            except Exception:
                if len(dones) + len(told) > 1:
                    half_d, half_t = (len(dones) + 1) // 2, len(told) // 2
                    await self._store_until_it_is(dones[:half_d], told[:half_t])
                    await self._store_until_it_is(dones[half_d:], told[half_t:])
                    return
                log.exception("this can't be stored: %s", dones or told[0][0])
                for _, stored in told:
                    stored.set_result(None)  # or the carrier would bring it for ever
                return
        FLUSH.observe(monotonic_s() - began)
        for (carrier_id, receipt), _ in told:
            self.figures[carrier_id].told(receipt)
        assert self.handed is not None
        for done in dones:
            self.handed.wipe(done.text.id)
        for _, stored in told:
            if not stored.done():
                stored.set_result(None)
        self.moved.update(sends)

    def _store(self, dones: list[Done], told: list[Told]) -> dict[int, int]:
        """Store a batch in one transaction; gives the sends that it touched, each with its enterprise."""
        effects = Effects()
        early: dict[RefKey, Receipt] = {}
        rest: list[Told] = []
        refs = {(d.text.carrier_id, r) for d in dones if isinstance(d.outcome, Accepted) for r in d.outcome.refs}
        with platform_session() as session:
            known = [key for key in refs if key in self.parked] if self.parked else []
            for carrier_id, receipt in (*receipts.unpark(session, known), *told):
                key = (carrier_id, receipt.ref)
                if key in refs:
                    early[key] = receipts.better(early.get(key), receipt)
                else:
                    rest.append((carrier_id, receipt))
            if dones:
                outcomes.store(session, dones, self.policies, self.by, early, effects)
            parked = receipts.store(session, rest, self.policies, effects)
            effects.apply(session)
        self.parked.difference_update(known)
        if len(self.parked) > MOST_PARKED:  # the sweep finds them too, only later
            self.parked.clear()
        self.parked |= parked
        return effects.sends

    async def _sweep_loop(self) -> None:
        """Receipts that the web process has parked: those of carriers that post them."""
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                self.moved.update(await self._run(self._sweep))
            except AWAY as error:
                log.warning("parked receipts can't be looked through: %s", str(error).splitlines()[0])
            except Exception:
                log.exception("parked receipts can't be looked through")

    def _sweep(self) -> dict[int, int]:
        effects = Effects()
        with platform_session() as session:
            receipts.sweep(session, list(self.policies), self.policies, effects)
            effects.apply(session)
            if self.parked:
                self.misread = {c for c in self.policies if receipts.misread(session, c)}
        return effects.sends
