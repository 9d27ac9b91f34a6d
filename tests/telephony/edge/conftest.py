"""One Chromium and one event loop for all tests of the edge, an edge process for each that asks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.async_api import Browser

from tests.telephony.edge.peers import chromium, compile_softphone, write_microphone

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def run(runner: asyncio.Runner) -> Run[Any]:
    """Runs a coroutine in the loop that the browser lives in, for 60 s at most."""
    return lambda coroutine: runner.run(asyncio.wait_for(coroutine, 60))


@pytest.fixture(scope="session")
def softphone_modules() -> dict[str, str]:
    return compile_softphone()


@pytest.fixture(scope="session")
def browser(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    microphone = tmp_path_factory.mktemp("microphone") / "tone.wav"
    write_microphone(microphone)
    context = chromium(microphone)
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


class EdgeProcess:
    """`callcenter.processes.edge` with its own folder; can be killed and started again."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.socket = var / "run" / "edge.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = {**os.environ, "CALLCENTER_VAR": str(self.var), "EDGE_IP": "127.0.0.1", "LOG_LEVEL": "INFO"}
        with (self.var / "edge.log").open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "callcenter.processes.edge"], env=env, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9


@pytest.fixture
def edge_process(tmp_path: Path) -> Iterator[EdgeProcess]:
    edge = EdgeProcess(tmp_path)
    edge.start()
    yield edge
    if edge.process is not None and edge.process.poll() is None:
        edge.stop()


@asynccontextmanager
async def page_of(browser: Browser) -> AsyncIterator[Any]:
    context = await browser.new_context()
    try:
        yield await context.new_page()
    finally:
        await context.close()
