"""Texts a second through everything: list → checks → purse → queue → SMPP → an SMSC of npm → receipts → tables.

    python -m benchmarks.texts [--texts 60000] [--window 50] [--delay-ms 0] [--floor 20000]

One send to a list of leads, asked for as a page asks for it; `callcenter.processes.texts` does the rest, with a
PostgreSQL and a Valkey that come with the product and their durable settings. Counted from the request until the last
text is delivered in the tables; the SMSC must have taken every text once, and the ledger must sum to zero. The floor:
our SMPP alone, in this process, against the same SMSC, with the same window, receipts read and thrown away.

Beside the wall's clock, which other work on the machine moves, stand processor seconds per 1,000 texts of each part,
and the most memory that the carrier's process had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop
from sqlalchemy import text

from callcenter.audit.models import Actor
from callcenter.auth.permissions import PERMISSIONS
from callcenter.db import session as db_session
from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.db.session import platform_session, tenant_session
from callcenter.embedded.services import Postgres, Valkey, free_port
from callcenter.tenancy.actions import open_enterprise
from smsgateway.carriers import smpp_settings
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.carriers.port import Accepted, Health, Inbound, Listener, Outgoing, Receipt
from smsgateway.carriers.smpp import Smpp
from smsgateway.purse import bookings
from smsgateway.sending.actions import ask
from smsgateway.sending.new import NewSend
from smsgateway.texts import Kind
from tools import npm

GOAL_TEXTS_S = 3000.0
MEMORY_GOAL_MB = 60.0  # that the carrier's process may grow from a tenth of the texts to the last
BODY = "Your order is on its way and will be with you tomorrow between 9 and 12."
SMSC = Path(__file__).resolve().parents[1] / "tests" / "peers" / "smsc"
MOST_S = 1800.0


@dataclass
class Spent:
    """Processor seconds by part, and the memory of the carrier's process over time (share of texts, MB)."""

    cpu: dict[str, float] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)


class Watch:
    """Looks at a process and its children while the benchmark runs."""

    def __init__(self, parts: dict[str, psutil.Process]) -> None:
        self.parts = parts
        self._last: dict[str, dict[int, float]] = {name: {} for name in parts}
        self._before = self.cpu()

    def cpu(self) -> dict[str, float]:
        """Processor seconds of each part so far; what ended children used stays counted."""
        for name, process in self.parts.items():
            for one in (process, *process.children(recursive=True)):
                try:
                    times = one.cpu_times()
                    self._last[name][one.pid] = times.user + times.system
                except psutil.NoSuchProcess:
                    pass
        return {name: sum(by.values()) for name, by in self._last.items()}

    def spent(self) -> dict[str, float]:
        """Since this watch began."""
        now = self.cpu()
        return {name: now[name] - self._before[name] for name in now}


def child(supervisor: psutil.Process, word: str) -> psutil.Process | None:
    """The child of the supervisor that was started with `word`."""
    for one in supervisor.children():
        try:
            if word in one.cmdline():
                return one
        except psutil.Error:
            pass
    return None


def smsc(port: int, delay_ms: int) -> subprocess.Popen[bytes]:
    """The SMSC, ready."""
    given = {"port": port, "track": False, "receipts": "after", "receipt_delay_ms": delay_ms}
    process = subprocess.Popen(
        [str(npm.HOME / "bin" / "node"), "smsc.js", json.dumps(given)],
        cwd=SMSC, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    return process


def figures(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the SMSC counted."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b'{"figures": null}\n')
    process.stdin.flush()
    while True:
        found: dict[str, Any] = json.loads(process.stdout.readline())
        if found["event"] == "figures":
            return found


def settings(port: int) -> dict[str, Any]:
    """Of the carrier."""
    return {"host": "127.0.0.1", "port": port, "system_id": "test", "password": "secret"}


def prepared(count: int, port: int, window: int) -> tuple[Actor, int]:
    """An enterprise with money, a list of `count` leads, a carrier and a route; who asks, and the list's id."""
    with platform_session() as session:
        tenant = open_enterprise(session, "bench", "Bench", "CN", "Asia/Shanghai", "boss", "correct horse 7")
        bookings.top_up(session, tenant, "sms", count * 10, key="paid")
        carrier = TextCarrier(name="npm", protocol="smpp", settings=settings(port), window=window)
        session.add(carrier)
        session.flush()
        session.add(TextRoute(name="all", carrier_id=carrier.id, price_minor=5))
        user = int(
            session.execute(text("SELECT id FROM user_account WHERE tenant_id = :t"), {"t": tenant}).scalar_one()
        )
        list_id = int(
            session.execute(
                text("INSERT INTO lead_list (tenant_id, name, country) VALUES (:t, 'all', 'CN') RETURNING id"),
                {"t": tenant},
            ).scalar_one()
        )
        session.execute(
            text(
                "INSERT INTO lead (tenant_id, list_id, name, phone_e164) SELECT :t, :l, 'Lead ' || n,"
                " '+86138' || lpad(n::text, 8, '0') FROM generate_series(0, :n - 1) AS n"
            ),
            {"t": tenant, "l": list_id, "n": count},
        )
    return Actor(tenant, user, "boss", permissions=frozenset(PERMISSIONS)), list_id


def wait_until_delivered(actor: Actor, send_id: int, count: int, supervisor: psutil.Process, spent: Spent) -> float:
    """Wall seconds until all are delivered, watching memory."""
    began = time.monotonic()
    while True:
        with tenant_session(actor.tenant_id) as session:
            row = session.execute(
                text("SELECT delivered, asked, state, refused, failed FROM text_send WHERE id = :s"), {"s": send_id}
            ).one()
        carrier = child(supervisor, "carrier")
        if carrier is not None:
            spent.memory.append((row.delivered / count, carrier.memory_info().rss / 1e6))
        if row.delivered == count:
            return time.monotonic() - began
        if row.refused or row.failed or time.monotonic() - began > MOST_S:
            raise SystemExit(f"it did not go through: {row}")
        time.sleep(0.1)


async def floor(port: int, window: int, count: int) -> float:
    """Texts a second of our SMPP with nothing behind it."""
    up, all_told = asyncio.Event(), asyncio.Event()
    receipts = 0

    async def receipt(_: Receipt) -> None:
        nonlocal receipts
        receipts += 1
        if receipts == count:
            all_told.set()

    async def inbound(_: Inbound) -> None:
        raise AssertionError("nobody answers here")

    def health(health: Health) -> None:
        if health.up:
            up.set()

    carrier = Smpp(smpp_settings.read(settings(port)), window, Listener(receipt, inbound, health))
    await carrier.start()
    await asyncio.wait_for(up.wait(), 20)
    numbers = iter(range(count))
    until = time.time() + 3600
    began = time.monotonic()

    async def work() -> None:
        for n in numbers:
            outcome = await carrier.submit(Outgoing(n, f"+86139{n:08d}", "", Kind.SMS, BODY, "gsm7", 1, until))
            assert isinstance(outcome, Accepted), outcome

    await asyncio.gather(*(work() for _ in range(window)))
    await asyncio.wait_for(all_told.wait(), 60)
    took = time.monotonic() - began
    await carrier.stop(1.0)
    return count / took


def main() -> int:
    """Run; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--texts", type=int, default=60_000)
    parser.add_argument("--window", type=int, default=50)
    parser.add_argument("--delay-ms", type=int, default=0, help="from the SMSC's answer to its receipt")
    parser.add_argument("--floor", type=int, default=20_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="texts-"))
    spent = Spent()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        services: list[Postgres | Valkey] = [
            Postgres(folder / "pg", free_port(15_900)), Valkey(folder / "vk", free_port(16_900))
        ]  # fmt: skip
        parts: dict[str, psutil.Process] = {}
        for service in services:
            service.prepare()
            log = stack.enter_context((folder / f"{service.name}.log").open("ab"))
            process = subprocess.Popen(service.command(), stdout=log, stderr=log, cwd=service.folder)
            stack.callback(process.wait, 20)
            stack.callback(process.send_signal, service.stop_signal)
            service.wait_ready()
            parts[service.name] = psutil.Process(process.pid)
            os.environ["DATABASE_URL" if service.name == "postgres" else "REDIS_URL"] = service.url
        os.environ["CALLCENTER_VAR"] = str(folder / "var")
        load_all()
        upgrade(os.environ["DATABASE_URL"])
        stack.callback(lambda: db_session.engine().dispose())
        port = free_port(17_900)
        peer = smsc(port, asked.delay_ms)
        stack.callback(peer.kill)
        parts["SMSC"] = psutil.Process(peer.pid)
        bare = uvloop.run(floor(port, asked.window, asked.floor)) if asked.floor else 0.0
        actor, list_id = prepared(asked.texts, port, asked.window)
        log = stack.enter_context((folder / "texts.log").open("ab"))
        process = subprocess.Popen([sys.executable, "-m", "callcenter.processes.texts"], stdout=log, stderr=log)
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        supervisor = psutil.Process(process.pid)
        while child(supervisor, "carrier") is None or child(supervisor, "prepare") is None:
            time.sleep(0.1)
        time.sleep(3.0)  # until they have started
        for word in ("carrier", "prepare"):
            found = child(supervisor, word)
            if found is None:
                raise SystemExit((folder / "texts.log").read_text()[-2000:])
            parts[word] = found
        before = figures(peer)["accepted"]
        watch = Watch(parts)
        ticking = threading.Event()
        threading.Thread(target=lambda: [watch.cpu() for _ in iter(lambda: ticking.wait(0.5), True)]).start()
        stack.callback(ticking.set)
        send = ask(actor, NewSend(body=BODY, audience={"lists": [list_id]}, purpose="marketing"), "bench")
        took = wait_until_delivered(actor, send.id, asked.texts, supervisor, spent)
        spent.cpu = watch.spent()
        told = figures(peer)
        with platform_session() as session:
            ledger = session.scalar(text("SELECT sum(amount_minor) FROM ledger_entry"))
            charged = session.scalar(text("SELECT charged_minor FROM text_send WHERE id = :s"), {"s": send.id})
        return report(asked, took, bare, spent, told["accepted"] - before, ledger, charged)


def report(
    asked: argparse.Namespace, took: float, bare: float, spent: Spent, accepted: int, ledger: Any, charged: Any
) -> int:
    """Print the figures; 1 if a goal was missed."""
    rate = asked.texts / took
    print(
        f"{asked.texts} texts in {took:.1f} s: {rate:,.0f} texts/s from the request to the last receipt in the tables"
    )
    if bare:
        print(f"floor, SMPP alone against the same SMSC: {bare:,.0f} texts/s; ratio {rate / bare:.2f}")
    total = sum(spent.cpu.values())
    by = ", ".join(f"{name} {seconds / asked.texts * 1e6:.0f}" for name, seconds in spent.cpu.items())
    print(f"processor microseconds a text: {by}; {total / asked.texts * 1e6:.0f} in all")
    cores = os.cpu_count() or 1
    print(f"so at most {cores / (total / asked.texts):,.0f} texts/s on the {cores} cores of this machine")
    early = max((mb for share, mb in spent.memory if share <= 0.1), default=0.0)
    late = max(mb for _, mb in spent.memory)
    print(f"the carrier's process: {early:.0f} MB after a tenth, {late:.0f} MB at most")
    whole = accepted == asked.texts and ledger == 0 and charged == asked.texts * 5
    print(f"the SMSC took {accepted}; charged {charged}; the ledger sums to {ledger}")
    good = rate >= GOAL_TEXTS_S and whole and late - early <= MEMORY_GOAL_MB
    print(
        f"goals ({GOAL_TEXTS_S:,.0f} texts/s, memory +{MEMORY_GOAL_MB:.0f} MB at most): {'met' if good else 'missed'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
