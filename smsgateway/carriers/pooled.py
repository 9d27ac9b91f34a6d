"""A carrier over a pool of HTTP connections: up until it fails some times in a row."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp

from smsgateway.carriers.port import Health, Listener


class Pooled:
    """The base of such a carrier. `settings` with `timeout_s`; `most`: failures in a row, then it is down."""

    def __init__(self, settings: Mapping[str, Any], listener: Listener, window: int, most: int) -> None:
        self.settings, self.listener, self._window, self._most = settings, listener, window, most
        self.client: aiohttp.ClientSession | None = None
        self._failures = 0
        self._out = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Open the pool."""
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._window),
            timeout=aiohttp.ClientTimeout(total=float(self.settings["timeout_s"])),
        )
        self.listener.health(Health(True, "ready", 1, 1))

    async def stop(self, grace_s: float) -> None:
        """Wait for what is out, and close."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_s)
        if self.client is not None:
            await self.client.close()

    @contextlib.contextmanager
    def out(self) -> Iterator[None]:
        """A text is on its way."""
        self._out += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._out -= 1
            if not self._out:
                self._idle.set()

    @property
    def down(self) -> bool:
        """Whether it failed too often in a row."""
        return self._failures >= self._most

    def failed(self, detail: str) -> bool:
        """There was no answer, or none of use. Whether this made it go down."""
        self._failures += 1
        if self._failures != self._most:
            return False
        self.listener.health(Health(False, detail, 0, 1))
        return True

    def well(self) -> None:
        """It answered."""
        if self.down:
            self.listener.health(Health(True, "ready", 1, 1))
        self._failures = 0

    def hope(self, detail: str) -> None:
        """It may be back: up, until it fails once more."""
        if self.down:
            self._failures = self._most - 1
            self.listener.health(Health(True, detail, 1, 1))
