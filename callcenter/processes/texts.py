"""`python -m callcenter.processes.texts`: everything that sends texts.

Alone it supervises: `… texts prepare` makes texts of sends and lets those expire that waited too long, and one
`… texts carrier GROUP` for each bind group of enabled carriers keeps its connections and sends over them. A child that
dies is started again; a group whose carriers were changed is drained and begun anew with the new settings.

A carrier's process holds a lock in PostgreSQL on each of its carriers: nobody else sends over them meanwhile, on
whatever machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
import uvloop
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from callcenter import config, ids
from callcenter.db.models import load_all
from callcenter.db.session import platform_session
from callcenter.errors import AppError
from callcenter.log import set_up
from callcenter.processes.figures import Shown
from smsgateway.carriers import orphans, registry, sweeping
from smsgateway.carriers.claim import Claim
from smsgateway.carriers.dispatch import Dispatcher, facts_of
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import Carrier, Health, Listener, Outcome, Outgoing, Returned
from smsgateway.figures import Tables
from smsgateway.inbound import parts
from smsgateway.sending import preparer

log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
GRACE_S: Final = 4.0  # for what is with carriers when a process is to end
KILL_AFTER_S: Final = 8.0
STABLE_S: Final = 10.0
MOST_WAIT_S: Final = 5.0
AGAIN_S: Final = 1.0
TABLES_S: Final = 15.0
_PR_SET_PDEATHSIG: Final = 1


def group_of(row: TextCarrier) -> str:
    """The name of the process that runs a carrier."""
    return row.bind_group or f"carrier-{row.id}"


def carriers_of(group: str | None) -> list[TextCarrier]:
    """Enabled carriers of `group`, or of all."""
    with platform_session() as session:
        rows = session.scalars(select(TextCarrier).where(TextCarrier.enabled).order_by(TextCarrier.id)).all()
        return [r for r in rows if group is None or group_of(r) == group]


# -- the supervisor


@dataclass
class Child:
    """A process to keep running. `stamp`: what it was started for; another stamp needs another process."""

    words: tuple[str, ...]
    stamp: str
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    not_before: float = 0.0
    wait_s: float = 0.0
    ending: asyncio.Task[None] | None = field(default=None)


def _metrics_address() -> tuple[str, int]:
    """Where figures are shown; port 0: nowhere."""
    raw = os.environ.get("TEXTS_METRICS_PORT", "9465")
    if not raw.isdecimal() or int(raw) > 65535:
        raise SystemExit(f"TEXTS_METRICS_PORT={raw!r} is no port; unset it, or give one, or 0 for none")
    return os.environ.get("TEXTS_METRICS_HOST", "127.0.0.1"), int(raw)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Keeps one child for preparing and one for each bind group."""

    def __init__(self) -> None:
        self.children: dict[str, Child] = {}
        self._figures = Shown(config.load().run_dir / "texts-figures")

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then all children are ended."""
        self._figures.serve(*_metrics_address())
        while not stop.is_set():
            try:
                wanted = await asyncio.to_thread(self.wanted)
            except (OperationalError, InterfaceError) as error:
                log.warning("the carriers can't be read: %s", str(error).splitlines()[0])
            else:
                await self.follow(wanted)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_S)
        await asyncio.gather(*(self._end(c) for c in self.children.values()))
        self._figures.close()

    @staticmethod
    def wanted() -> dict[str, tuple[tuple[str, ...], str]]:
        """Name → the words and the stamp of each child that should run."""
        out: dict[str, tuple[tuple[str, ...], str]] = {"prepare": (("prepare",), "")}
        stamps: dict[str, list[str]] = {}
        for row in carriers_of(None):
            stamps.setdefault(group_of(row), []).append(f"{row.id}@{row.updated_at.isoformat()}")
        for group, stamp in stamps.items():
            out[f"carrier {group}"] = (("carrier", group), " ".join(stamp))
        return out

    async def follow(self, wanted: dict[str, tuple[tuple[str, ...], str]]) -> None:
        """Start what is missing, begin anew what has changed or died, end what is not wanted any more."""
        now = time.monotonic()
        for name, child in list(self.children.items()):
            if child.ending is not None:
                if child.ending.done():
                    del self.children[name]
            elif name not in wanted or wanted[name][1] != child.stamp:
                log.info("%s ends: its carriers were changed", name)
                child.ending = asyncio.create_task(self._end(child))
            elif child.process is not None and child.process.returncode is not None:
                lived = now - child.started
                child.wait_s = 0.0 if lived > STABLE_S else min(MOST_WAIT_S, child.wait_s * 2 + 0.2)
                log.warning("%s ended (%s) and is started again", name, child.process.returncode)
                self._figures.forget(child.process.pid)
                child.process, child.not_before = None, now + child.wait_s
        for name, (words, stamp) in wanted.items():
            child = self.children.setdefault(name, Child(words, stamp))
            if child.process is None and child.ending is None and now >= child.not_before:
                child.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "callcenter.processes.texts", *words, stdin=asyncio.subprocess.DEVNULL,
                    cwd=config.ROOT, preexec_fn=_die_with_parent, env={**os.environ, **self._figures.environment},
                )  # fmt: skip
                child.started = now

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), KILL_AFTER_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        self._figures.forget(process.pid)


# -- preparing


def prepare() -> None:
    """The loops that make texts of sends, until a signal."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loops: dict[str, Callable[[threading.Event], None]] = {
        "preparer": preparer.run, "sweeper": sweeping.run, "parts": parts.run, "orphans": orphans.run,
        "figures": _show_tables,
    }  # fmt: skip
    threads = [threading.Thread(target=_keep_running, args=(n, run, stop), name=n) for n, run in loops.items()]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(GRACE_S)


def _show_tables(stop: threading.Event) -> None:
    """What only the database knows of queues, for Prometheus."""
    tables = Tables()
    while True:
        try:
            with platform_session() as session:
                tables.show(session)
        except (OperationalError, InterfaceError) as error:
            log.warning("figures can't be read: %s", str(error).splitlines()[0])
        if stop.wait(TABLES_S):
            return


def _keep_running(name: str, run: Callable[[threading.Event], None], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            run(stop)
        except Exception:
            log.exception("%s failed and begins again", name)
            stop.wait(AGAIN_S)


# -- carriers


class Unusable:
    """A carrier whose settings make no sense: down, with the reason, until they are changed."""

    def __init__(self, listener: Listener, why: str) -> None:
        self.listener, self.why = listener, why

    async def start(self) -> None:
        self.listener.health(Health(False, self.why, 0, 1))

    async def submit(self, text: Outgoing) -> Outcome:
        return Returned("unusable", 60.0)

    async def stop(self, grace_s: float) -> None:
        """There is nothing to end."""


def connect(row: TextCarrier, listener: Listener) -> Carrier:
    """The connection of a carrier, whatever its settings are."""
    try:
        return registry.make(row, listener)
    except AppError as error:
        told = "; ".join(f"{name}: {what}" for name, what in error.fields.items())
        return Unusable(listener, f"{error.message} {told}")
    except Exception as error:
        log.exception("carrier %s can't be made", row.name)
        return Unusable(listener, f"It can't be started: {error}")


async def _hold(claim: Claim, stop: asyncio.Event) -> None:
    """Keep the locks through restarts of the database; end the process if somebody else has got them."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)
        if await asyncio.to_thread(claim.holds):
            continue
        try:
            if not await asyncio.to_thread(claim.take):
                log.error("another process runs these carriers now; this one ends")
                stop.set()
        except psycopg.OperationalError as error:
            log.warning("the locks on the carriers can't be taken: %s", str(error).strip())


async def run_carriers(group: str, stop: asyncio.Event) -> None:
    """Send over the carriers of `group` until `stop` is set."""
    rows = {r.id: r for r in await asyncio.to_thread(carriers_of, group)}
    if not rows:
        return
    claim = Claim(list(rows))
    while not await asyncio.to_thread(claim.take):
        log.info("another process still runs these carriers; waiting for its end")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
        if stop.is_set():
            return

    by = f"{group}/{ids.new_id()}"
    dispatcher = Dispatcher(
        by,
        [facts_of(r) for r in rows.values()],
        lambda i, listener: connect(rows[i], listener),
        parts.take_all,
        config.load().run_dir,
    )
    await dispatcher.start()
    log.info("group %s runs carriers %s", group, ", ".join(r.name for r in rows.values()))
    try:
        await _hold(claim, stop)
    finally:
        await dispatcher.stop(GRACE_S)
        claim.let_go()


async def _until_signal(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(stop)


def main(words: Sequence[str]) -> None:
    """Command line."""
    load_all()
    level = config.load().log_level
    match words:
        case []:
            set_up("texts", level)
            uvloop.run(_until_signal(Supervisor().run))
        case ["prepare"]:
            set_up("texts-prepare", level)
            prepare()
        case ["carrier", group]:
            set_up(f"texts-{group}", level)
            uvloop.run(_until_signal(lambda stop: run_carriers(group, stop)))
        case _:
            raise SystemExit("usage: python -m callcenter.processes.texts [prepare | carrier GROUP]")


if __name__ == "__main__":
    main(sys.argv[1:])
