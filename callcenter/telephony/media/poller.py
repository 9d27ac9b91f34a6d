"""Many UDP sockets in one event loop at little cost: an epoll of our own inside the loop's.

The loop watches one descriptor, the inner epoll, however many sockets there are. When there is more than a lone
packet it looks again only a millisecond later (four under high load): one wake-up serves dozens of packets while the
code is in the processor's caches. A lone packet is served at once.
"""

from __future__ import annotations

import asyncio
import logging
import select
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from callcenter.telephony.media.g711 import SAMPLE_RATE

T = TypeVar("T")
log = logging.getLogger(__name__)
GATHER_S = 0.001
GATHER_MORE_S = 0.004
MANY = 24  # packets in one look, from which on the longer pause is worth it: some 300 legs
MAX_EVENTS = 4096
BUSY = 3  # packets in one look: more will come at once
PATIENCE = 8  # looks after that, before the loop watches again: asking it costs as much as a dozen packets
AGAIN = 64  # packets in one look: others came meanwhile, look again at once
ROUNDS = 4  # looks in one wake-up, so that a flood cannot keep the loop for itself


def now_samples() -> int:
    """The process's clock: monotonic time in samples of 8 kHz."""
    return int(time.monotonic() * SAMPLE_RATE)


def _ignore(now: int) -> None:
    """For a descriptor that nobody wants to hear of any more."""


class Poller(Generic[T]):
    """Calls a handler with the time for each readable socket, and `take` once with all members whose sockets are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[list[T], int], object]) -> None:
        self._loop = loop
        self._take = take
        self._members: list[T | None] = []  # by descriptor
        self._epoll = select.epoll()
        self._handlers: list[Callable[[int], object]] = []  # by descriptor: a list is quicker than a dictionary here
        self._patience = 0
        loop.add_reader(self._epoll.fileno(), self._wake)

    def add(self, fd: int, handler: Callable[[int], object]) -> None:
        """Call `handler(now)` once for each time `fd` is seen readable; it takes one packet."""
        missing = fd + 1 - len(self._handlers)
        if missing > 0:
            self._handlers.extend([_ignore] * missing)
            self._members.extend([None] * missing)
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def change(self, fd: int, handler: Callable[[int], object]) -> None:
        """Call another handler for `fd` from now on."""
        self._handlers[fd] = handler
        self._members[fd] = None

    def gather(self, fd: int, member: T) -> None:
        """From now on `member` is given to `take` when `fd` is readable, and no handler called."""
        self._members[fd] = member

    def remove(self, fd: int) -> None:
        """Forget `fd`; to be called before it is closed."""
        self._handlers[fd] = _ignore
        self._members[fd] = None
        self._epoll.unregister(fd)

    def close(self) -> None:
        """Stop looking."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _wake(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._look()

    def _look(self) -> None:
        if self._epoll.closed:
            return
        handlers, members, poll, monotonic = self._handlers, self._members, self._epoll.poll, time.monotonic
        found = 0
        for _ in range(ROUNDS):
            ready = poll(0, MAX_EVENTS)
            found += len(ready)
            now = int(monotonic() * SAMPLE_RATE)
            gathered = [member for fd, _ in ready if (member := members[fd]) is not None]
            if len(gathered) < len(ready):
                for fd in [fd for fd, _ in ready if members[fd] is None]:
                    try:
                        handlers[fd](now)
                    except Exception:
                        log.exception("handling a packet failed")
            if gathered:
                self._take(gathered, now)
            if len(ready) < AGAIN:
                break
        if found >= BUSY:
            self._patience = PATIENCE
        elif self._patience:
            self._patience -= 1
        if self._patience:
            self._loop.call_later(GATHER_S if found < MANY else GATHER_MORE_S, self._look)
        else:
            self._loop.add_reader(self._epoll.fileno(), self._wake)
