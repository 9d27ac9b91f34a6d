"""Many UDP sockets in one event loop at little cost: an epoll of our own inside the loop's.

The loop watches one descriptor, the inner epoll, however many sockets there are. After packets were handled it looks
again only a millisecond later: under load one wake-up serves dozens of packets, and a lone packet is served at once.
"""

from __future__ import annotations

import asyncio
import logging
import select
import time
from collections.abc import Callable

from callcenter.telephony.media.g711 import SAMPLE_RATE

log = logging.getLogger(__name__)
GATHER_S = 0.001
MAX_EVENTS = 4096
ROUNDS = 4  # looks in one wake-up, so that a flood cannot keep the loop for itself


def now_samples() -> int:
    """The process's clock: monotonic time in samples of 8 kHz."""
    return int(time.monotonic() * SAMPLE_RATE)


class Poller:
    """Calls a handler with the time for each readable socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._wake)

    def add(self, fd: int, handler: Callable[[int], None]) -> None:
        """Call `handler(now)` once for each time `fd` is seen readable; it takes one packet."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def remove(self, fd: int) -> None:
        """Forget `fd`; to be called before it is closed."""
        del self._handlers[fd]
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
        found = False
        try:
            for _ in range(ROUNDS):
                ready = self._epoll.poll(0, MAX_EVENTS)
                if not ready:
                    break
                found = True
                now = int(time.monotonic() * SAMPLE_RATE)
                handlers = self._handlers
                for fd, _ in ready:
                    handler = handlers.get(fd)
                    if handler is not None:
                        handler(now)
        except Exception:
            log.exception("handling packets failed")
        if found:
            self._loop.call_later(GATHER_S, self._look)
        else:
            self._loop.add_reader(self._epoll.fileno(), self._wake)
