"""Coroutines as tests, and SMSCs that end with their test."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.peers.smsc_npm import NpmSmsc
from tests.smsgateway.carriers import gateway


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{n: pyfuncitem.funcargs[n] for n in names}))
    return True


@pytest.fixture
def clean(postgres: object) -> None:
    """A database without texts, carriers and money."""
    gateway.clean()


@pytest.fixture
def smsc() -> Iterator[Callable[..., NpmSmsc]]:
    """Starts SMSCs of npm; all of them end with the test."""
    started: list[NpmSmsc] = []

    def start(**settings: Any) -> NpmSmsc:
        started.append(NpmSmsc(**settings))
        return started[-1]

    yield start
    for one in started:
        one.close()
