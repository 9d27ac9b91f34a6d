"""The demo's softphones: pyVoIP, each in a process of its own, kept running beside the carrier.

pyVoIP is an independent peer, and a fragile one: a phone that dies is started again a few times, then given up. The
carrier works without them; their numbers then act like any other subscriber.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys

from callcenter.config import ROOT
from demo.settings import Settings
from demo.voices import Voices

log = logging.getLogger(__name__)

STARTS = 3
STOP_S = 1.5


class Phones:
    """One process per user of `users`. `start` returns at once; `stop` waits for them, bounded."""

    def __init__(self, settings: Settings, voices: Voices, users: list[str], password: str) -> None:
        self._settings = settings
        self._voices = voices
        self._users = users
        self._password = password
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Start them all in the background."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep(i, user)) for i, user in enumerate(self._users)]

    async def stop(self) -> None:
        """End them: each ends when its standard input closes, or is killed."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, index: int, user: str) -> None:
        for attempt in range(STARTS):
            try:
                status = await self._run(index, user)
            except OSError as error:
                log.warning("softphone %s can't be started: %s", user, error)
                return
            log.warning("softphone %s ended with status %s (start %d of %d)", user, status, attempt + 1, STARTS)
            await asyncio.sleep(1.0 + attempt)
        log.warning("softphone %s is given up; its number acts like any other", user)

    async def _run(self, index: int, user: str) -> int:
        first, last = self._settings.phone_ports(index)
        arguments = {
            "server": self._settings.host,
            "port": self._settings.port,
            "user": user,
            "sip-port": _free_port(self._settings.host, self._settings.port + 1 + 20 * index),
            "rtp-first": first,
            "rtp-last": last,
            "hello": self._voices.path("zh", "f", "hello"),
            "talk": self._voices.path("zh", "f", "say4"),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "demo.pyvoip_phone",
            *(f"--{name}={value}" for name, value in arguments.items()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "DEMO_PHONE_PASSWORD": self._password},
        )
        try:
            if process.stdout:
                async for line in process.stdout:
                    log.info("softphone %s: %s", user, line.decode(errors="replace").strip())
            return await process.wait()
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then kill it if it has not ended by itself."""
    if process.returncode is not None:
        return
    if process.stdin:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _free_port(host: str, first: int) -> int:
    """A UDP port free at this moment, at or after `first`."""
    for port in range(first, first + 20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free UDP port from {first} to {first + 19}")
