"""One Chromium and one event loop for all tests of the edge, and a gateway (our process or rtpengine) for each test."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from playwright.async_api import Browser, BrowserContext

from callcenter.ids import new_id
from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.edge.rtpengine import RtpengineEdge
from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress
from tests.telephony.edge.peers import (
    MediaPeer,
    PhonePage,
    chromium,
    compile_softphone,
    free_udp_port,
    media_peer,
    write_microphone,
)

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]
Edge = AiortcEdge | RtpengineEdge
G = TypeVar("G", bound="OwnEdge | Rtpengine")


@pytest.fixture(scope="package")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def run(runner: asyncio.Runner) -> Run[Any]:
    """Runs a coroutine in the loop that the browser lives in, for 60 s at most."""
    return lambda coroutine: runner.run(asyncio.wait_for(coroutine, 60))


@pytest.fixture(scope="package")
def softphone_modules() -> dict[str, str]:
    return compile_softphone()


@pytest.fixture(scope="package")
def browser(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    microphone = tmp_path_factory.mktemp("microphone") / "tone.wav"
    write_microphone(microphone)
    context = chromium(microphone)
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


class Gateway(Protocol):
    """A running edge that can be killed, held up and started again."""

    process: subprocess.Popen[bytes]

    def start(self) -> None: ...
    def client(self) -> Edge: ...


def _end(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        return process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


class OwnEdge:
    """`callcenter.processes.edge` with a folder of its own."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.socket = var / "run" / "edge.sock"

    def start(self) -> None:
        env = {**os.environ, "CALLCENTER_VAR": str(self.var), "EDGE_IP": "127.0.0.1", "LOG_LEVEL": "INFO"}
        with (self.var / "edge.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "callcenter.processes.edge"], env=env, stderr=log)

    def client(self) -> AiortcEdge:
        return AiortcEdge(self.socket)


class Rtpengine:
    """An rtpengine in user space on free ports."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.ng_port = free_udp_port()
        self.first_port = random.randrange(12000, 31000, 200)

    def start(self) -> None:
        if shutil.which("rtpengine") is None:
            raise AssertionError("rtpengine is missing: apt-get install --no-install-recommends rtpengine-daemon")
        with (self.var / "rtpengine.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    "rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr",
                    "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{self.ng_port}",
                    f"--port-min={self.first_port}", f"--port-max={self.first_port + 199}",
                ],
                stderr=log,
            )  # fmt: skip

    def client(self) -> RtpengineEdge:
        return RtpengineEdge("127.0.0.1", self.ng_port)


@contextmanager
def running(gateway: G) -> Iterator[G]:
    gateway.start()
    try:
        yield gateway
    finally:
        _end(gateway.process)


def _make(kind: str, var: Path) -> OwnEdge | Rtpengine:
    return OwnEdge(var) if kind == "aiortc" else Rtpengine(var)


@pytest.fixture(scope="package")
def own_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEdge]:
    """Our edge process, shared by the tests that do it no harm."""
    with running(OwnEdge(tmp_path_factory.mktemp("edge"))) as gateway:
        yield gateway


@pytest.fixture(scope="package", params=["aiortc", "rtpengine"])
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Either edge, shared by the tests that do it no harm."""
    with running(_make(request.param, tmp_path_factory.mktemp(request.param))) as gateway:
        yield gateway


@pytest.fixture
def mortal_edge(tmp_path: Path) -> Iterator[OwnEdge]:
    """Our edge process, for one test alone."""
    with running(OwnEdge(tmp_path)) as gateway:
        yield gateway


class Desk:
    """An agent's page, the media port it talks to, and the edge between them."""

    def __init__(self, edge: Edge, peer: MediaPeer, page: PhonePage, events: list[EdgeEvent]) -> None:
        self.edge = edge
        self.peer = peer
        self.page = page
        self.events = events
        self.addresses: list[MediaAddress] = []
        self.session_id = new_id()

    async def answer(self, offer: str) -> str:
        """What the engine does with an offer."""
        sdp, address = await self.edge.open(self.session_id, offer, MediaAddress("127.0.0.1", self.peer.port))
        self.addresses.append(address)
        self.peer.remote = (address.ip, address.port)
        return sdp

    def states(self) -> list[EdgeState]:
        """The states that the edge told, repetitions (statistics) left out."""
        told = [e.state for e in self.events]
        return [s for i, s in enumerate(told) if i == 0 or s is not told[i - 1]]


@asynccontextmanager
async def desk(gateway: Gateway, browser: Browser, modules: dict[str, str]) -> AsyncIterator[Desk]:
    """A page that is loaded, its phone not yet started."""
    events: list[EdgeEvent] = []
    edge = gateway.client()
    await edge.start(events.append)
    context: BrowserContext = await browser.new_context()
    try:
        async with media_peer() as peer:
            page = PhonePage(await context.new_page(), modules)
            made = Desk(edge, peer, page, events)
            page.answer = made.answer
            await page.open()
            yield made
    finally:
        await context.close()
        await edge.stop()
