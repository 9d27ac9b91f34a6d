"""A carrier over connections that are kept up: each connects, is let in, and begins again with growing waits.

What the carrier tells is acknowledged once it is stored, and put off when too much waits for that.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, TypeVar

from smsgateway.carriers.connection import Connection
from smsgateway.carriers.port import Health, Listener

log = logging.getLogger(__name__)
MOST_WAIT_S: Final = 60.0
REFUSED_WAIT_S: Final = 60.0  # a wrong password stays wrong
STABLE_S: Final = 30.0  # a connection that lived so long is made again at once
MOST_UNSTORED: Final = 4000  # receipts and texts that are not stored yet; more are put off


class Refused(Exception):
    """The carrier did not let us in. `ours`: what we are set to say is wrong."""

    ours = False


Bind = TypeVar("Bind", bound=Connection[Any, Any])


class Link(Generic[Bind]):
    """One place in the set of connections. `connect` makes one that is let in: it raises Refused, OSError,
    TimeoutError. `able`: texts can leave over it. `again_s`: the first wait."""

    def __init__(
        self, carrier: Linked[Bind], connect: Callable[[], Coroutine[Any, Any, Bind]], again_s: float, able: bool
    ) -> None:
        self.carrier, self.connect, self.again_s, self.able = carrier, connect, again_s, able
        self.bind: Bind | None = None  # while it is up
        self.detail = "connecting"

    async def run(self) -> None:
        """Connect until the carrier stops."""
        loop = asyncio.get_running_loop()
        wait_s = self.again_s
        while not self.carrier.stopping:
            began, refused = loop.time(), False
            try:
                await self._once()
            except Refused as error:
                self.detail, refused = str(error), error.ours
            except ssl.SSLCertVerificationError as error:
                self.detail = f"its certificate is not good: {error.verify_message}"
            except (OSError, TimeoutError) as error:
                self.detail = f"can't connect: {str(error) or 'no answer in time'}"
            except Exception as error:
                log.exception("carrier %s: a connection failed", self.carrier.name)
                self.detail = f"failed: {error}"
            if loop.time() - began > STABLE_S:
                wait_s = self.again_s
            if self.carrier.stopping:
                return
            log.warning("carrier %s: %s; connecting again", self.carrier.name, self.detail)
            self.carrier.tell_health()
            least = min(REFUSED_WAIT_S, self.again_s * 30) if refused else wait_s
            await asyncio.sleep(least * random.uniform(0.8, 1.2))
            wait_s = min(MOST_WAIT_S, wait_s * 2)

    async def _once(self) -> None:
        """One connection from its beginning to its end."""
        bind = await self.connect()
        self.bind, self.detail = bind, ""
        self.carrier.tell_health()
        try:
            self.detail = await bind.gone
        finally:
            self.bind = None
            bind.close("ended")


class Linked(Generic[Bind]):
    """The base of a carrier. `up`: the word for a connection that is up."""

    def __init__(self, listener: Listener, name: str, up: str) -> None:
        self.listener, self.name, self._up = listener, name, up
        self.links: Sequence[Link[Bind]] = ()
        self.stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._unstored = 0

    async def start(self) -> None:
        """Connect all links, and keep them connected."""
        for link in self.links:
            self._spawn(link.run())
        self.tell_health()

    async def stop(self, grace_s: float) -> None:
        """Say goodbye and close."""
        self.stopping = True
        await asyncio.gather(*(link.bind.end(grace_s) for link in self.links if link.bind is not None))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.tell_health()

    def least_busy(self) -> Bind | None:
        """The connection that has least to do; None if no text can leave."""
        binds = [link.bind for link in self.links if link.bind is not None and link.bind.bound]
        return min(binds, key=lambda b: b.load, default=None)

    def tell_health(self) -> None:
        """Tell how many links are up, and what keeps the others."""
        up = sum(1 for link in self.links if link.bind is not None)
        sending = any(link.able and link.bind is not None and link.bind.bound for link in self.links)
        why = next((link.detail for link in self.links if link.bind is None and link.detail), "")
        detail = f"{up} of {len(self.links)} {self._up}" + (f"; {why}" if why else "")
        if self.stopping:
            detail = "stopped"
        self.listener.health(Health(sending and not self.stopping, detail, up, len(self.links)))

    @property
    def full(self) -> bool:
        """Whether so much waits to be stored that nothing more is taken."""
        return self._unstored >= MOST_UNSTORED

    def store(self, storing: Awaitable[None], answer: Callable[[bool], None]) -> None:
        """Answer the carrier when what it told is stored; False asks it to come again."""
        self._unstored += 1
        self._spawn(self._stored(storing, answer))

    async def _stored(self, storing: Awaitable[None], answer: Callable[[bool], None]) -> None:
        stored = False
        try:
            await storing
            stored = True
        except Exception:
            log.exception("carrier %s: what it told could not be stored; it is asked to tell it again", self.name)
        finally:
            self._unstored -= 1
            answer(stored)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
