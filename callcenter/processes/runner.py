"""`python -m callcenter.processes.runner`: the whole product on one machine, with nothing set up.

Finds free ports, starts the embedded PostgreSQL and Valkey (unless DATABASE_URL and REDIS_URL name others), brings the
schema up to date, loads the demo into an empty installation, then starts the processes of the Procfile and restarts any
that ends. SIGINT or SIGTERM stops all of it in reverse order; a stopped or killed runner takes its children with it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import fcntl
import json
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from callcenter import config
from callcenter.embedded.services import Postgres, ServiceError, Valkey, free_port

STOP_S = 10.0
STABLE_S = 10.0  # a process that lived so long starts again at once
MOST_WAIT_S = 5.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Program:
    """A process to keep running: `name` for logs, `command` its words, `stop_signal` what ends it cleanly."""

    name: str
    command: list[str]
    stop_signal: signal.Signals = signal.SIGTERM
    process: asyncio.subprocess.Process | None = None
    starts: int = 0


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Runner:
    """Starts, watches, restarts and stops programs. Each one's output goes to `var/log/{name}.log`."""

    def __init__(self, var: Path, environment: Mapping[str, str]) -> None:
        self.var = var
        self.environment = dict(environment)
        self.programs: list[Program] = []
        self.stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        (var / "log").mkdir(parents=True, exist_ok=True)
        (var / "run").mkdir(parents=True, exist_ok=True)
        (var / "pids").mkdir(parents=True, exist_ok=True)

    async def start(self, program: Program) -> None:
        """Start `program` and keep it running."""
        self.programs.append(program)
        await self._spawn(program)
        self._tasks.append(asyncio.create_task(self._watch(program)))

    async def _spawn(self, program: Program) -> None:
        with (self.var / "log" / f"{program.name}.log").open("ab") as log:
            program.process = await asyncio.create_subprocess_exec(
                *program.command, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL, env=self.environment,
                cwd=config.ROOT, start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip
        program.starts += 1
        (self.var / "pids" / program.name).write_text(str(program.process.pid))

    async def _watch(self, program: Program) -> None:
        wait_s = 0.0
        while True:
            assert program.process is not None
            began = time.monotonic()
            code = await program.process.wait()
            if self.stopping:
                return
            lived = time.monotonic() - began
            wait_s = 0.0 if lived > STABLE_S else min(MOST_WAIT_S, wait_s * 2 + 0.2)
            print(f"{program.name} ended ({code}); starting it again", file=sys.stderr, flush=True)
            await asyncio.sleep(wait_s)
            if self.stopping:
                return
            await self._spawn(program)

    async def stop(self) -> None:
        """End all programs, the last started first; a program that does not end in STOP_S is killed."""
        self.stopping = True
        services = [p for p in self.programs if p.name in ("postgres", "valkey")]
        others = [p for p in self.programs if p not in services]
        await asyncio.gather(*(self._end(p) for p in others))
        await asyncio.gather(*(self._end(p) for p in services))
        for task in self._tasks:
            task.cancel()

    async def _end(self, program: Program) -> None:
        process = program.process
        if process is None or process.returncode is not None:
            return
        try:
            process.send_signal(program.stop_signal)
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        except ProcessLookupError:
            pass


def find_ports(var: Path, wanted: Mapping[str, int]) -> dict[str, int]:
    """Ports by name: the ones of the last run if they are still free, else free ones from `wanted` on."""
    path = var / "ports.json"
    before: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    ports: dict[str, int] = {}
    for name, preferred in wanted.items():
        preferred = int(os.environ.get(name, before.get(name, preferred)))
        ports[name] = free_port(preferred, frozenset(ports.values()))
    path.write_text(json.dumps(ports, indent=1))
    return ports


def hold(var: Path) -> IO[str]:
    """The claim on `var`, kept as long as the file is open. Ends with a plain sentence if another runner has it."""
    file = (var / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SystemExit(f"a call centre runs in {var} already; stop it first, or set CALLCENTER_VAR") from None
    return file


def secret_key(var: Path) -> str:
    """The key that signs sessions; made once."""
    path = var / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def procfile(media_workers: int, *, carrier: bool) -> list[Program]:
    """The programs of the Procfile."""
    out: list[Program] = []
    for line in (config.ROOT / "Procfile").read_text().splitlines():
        if line.startswith("#") or ":" not in line:
            continue
        name, _, command = line.partition(":")
        if name == "democarrier" and not carrier:
            continue
        words = [sys.executable if w == "python" else w for w in shlex.split(command)]
        if "{n}" in words:
            for n in range(media_workers):
                out.append(Program(f"{name}-{n}", [w.replace("{n}", str(n)) for w in words]))
        else:
            out.append(Program(name, words))
    return out


async def run(*, demo: bool) -> None:
    """Everything, until a signal."""
    base = config.load()
    var = base.var
    var.mkdir(parents=True, exist_ok=True)
    claim = hold(var)
    ports = find_ports(
        var,
        {
            "WEB_PORT": 8080, "SIP_PORT": 5060, "POSTGRES_PORT": 5433, "VALKEY_PORT": 6380, "DEMO_CARRIER_PORT": 5090,
            "TEXTS_METRICS_PORT": 9465,
        },
    )  # fmt: skip
    os.environ.update({k: str(v) for k, v in ports.items()})
    os.environ.setdefault("SECRET_KEY", secret_key(var))
    os.environ.setdefault("PYTHONPATH", str(config.ROOT))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = Runner(var, os.environ)
    try:
        await _services(runner, ports)
        runner.environment.update(os.environ)
        signs = await asyncio.to_thread(_prepare, demo)
        os.environ["DEMO"] = runner.environment["DEMO"] = "1" if signs is not None else "0"
        for program in procfile(base.media_workers, carrier=signs is not None):
            await runner.start(program)
        await _until_ready(ports["WEB_PORT"], stop)
        if not stop.is_set():
            _greet(ports["WEB_PORT"], signs)
        await stop.wait()
    finally:
        print("stopping", file=sys.stderr, flush=True)
        await runner.stop()
        claim.close()


async def _services(runner: Runner, ports: Mapping[str, int]) -> None:
    services: list[Postgres | Valkey] = []
    if not os.environ.get("DATABASE_URL"):
        services.append(Postgres(runner.var / "postgres", ports["POSTGRES_PORT"]))
    if not os.environ.get("REDIS_URL"):
        services.append(Valkey(runner.var / "valkey", ports["VALKEY_PORT"]))
    for service in services:
        await asyncio.to_thread(service.prepare)
        await runner.start(Program(service.name, service.command(), service.stop_signal))
    for service in services:
        await asyncio.to_thread(service.wait_ready)
        os.environ["DATABASE_URL" if service.name == "postgres" else "REDIS_URL"] = service.url


def _prepare(demo: bool) -> list[tuple[str, str, str, str]] | None:
    """Schema, and the demo enterprise if wanted and nothing is there. Returns the demo's sign-ins or None."""
    from callcenter.db.migrate import upgrade
    from callcenter.processes.demo import load_if_empty, sign_ins

    upgrade(os.environ["DATABASE_URL"])
    if demo:
        load_if_empty(int(os.environ["DEMO_CARRIER_PORT"]))
    return sign_ins()


async def _until_ready(port: int, stop: asyncio.Event) -> None:
    """Wait until the web process says that it is ready, 60 s at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end and not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            head = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
            if b" 200 " in head:
                return
        except (OSError, TimeoutError):
            pass
        await asyncio.sleep(0.1)


def _greet(port: int, signs: list[tuple[str, str, str, str]] | None) -> None:
    print(f"\n  The call centre is up: http://127.0.0.1:{port}\n")
    if signs:
        print("  Demo sign-ins (enterprise, user, password):")
        for role, enterprise, user, password in signs:
            print(f"    {role:<12} {enterprise:<8} {user:<10} {password}")
    print("\n  Ctrl-C stops it. Logs are in var/log/.\n", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Runs the whole call centre on this machine.")
    parser.add_argument("--no-demo", action="store_true", help="do not load the demo enterprise and carrier")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(demo=not arguments.no_demo))
    except ServiceError as error:
        raise SystemExit(f"can't start: {error}") from None


if __name__ == "__main__":
    main()
