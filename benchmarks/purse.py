"""Texts per second that many processes pay for from one account, beside one bare UPDATE per batch.

    python -m benchmarks.purse [--processes 100] [--batches 20] [--batch 500]

Each process reserves its batches, then settles a part of each, gives some of that back and refunds the rest, in a
second transaction, as a preparer and a carrier's process do. Every key is used by two processes: one of the two books,
the other gets the same reservation and finds it spent, as it is with requests and receipts that come twice. At the end
the account must hold to the cent what was not spent, and the ledger must sum to zero. The floor: as many processes each
add to one row of one table and commit, once for every batch. PostgreSQL is the one that comes with the product, with
its durable settings.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import insert, text

from callcenter.db import session as db_session
from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.embedded.services import Postgres, free_port
from callcenter.tenancy.models import Enterprise
from smsgateway.purse import bookings, proof
from smsgateway.purse.bookings import Line

GOAL_TEXTS_S = 2000.0
PRICE = 5
MOST_S = 300.0
_PROCESSES = multiprocessing.get_context("fork")


@dataclass
class Counts:
    """Texts, of one process or of all: each reservation is counted by the process that could book it."""

    reserved: int = 0
    settled: int = 0
    refunded: int = 0
    given_back: int = 0
    repeated: int = 0  # batches that the other process with the key had booked already
    short: int = 0  # batches for which there was not enough money
    failures: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Put another process's counts to these."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def opened(code: str, texts: int) -> int:
    """An enterprise with money for `texts` texts; its id."""
    with platform_session() as session:
        new = insert(Enterprise).values(code=code, name=code).returning(Enterprise.id)
        tenant = int(session.execute(new).scalar_one())
        bookings.top_up(session, tenant, "sms", texts * PRICE, key="paid")
    return tenant


def spend(tenant: int, key: str, batch: int, rng: random.Random, done: Counts) -> None:
    """One batch: reserved in one transaction, and what became of its texts booked in another."""
    with tenant_session(tenant) as session:
        got = bookings.reserve_up_to(session, tenant, "sms", [PRICE] * batch, key=key, purpose="marketing")
    if got.reservation_id is None:
        done.short += 1
        return
    settled = rng.randint(1, got.count)
    back = rng.randint(0, settled)
    try:
        with tenant_session(tenant) as session:
            # Together all that is reserved, so that the second to come finds too little.
            bookings.settle(session, [_line(got.reservation_id, settled)])
            bookings.refund(session, [_line(got.reservation_id, got.count - settled)])
            bookings.give_back(session, [_line(got.reservation_id, back)])
    except bookings.NotHeld:
        done.repeated += 1
        return
    done.reserved += got.count
    done.settled += settled - back
    done.refunded += got.count - settled
    done.given_back += back


def _line(reservation_id: int, texts: int) -> Line:
    return Line(reservation_id, texts * PRICE, texts, texts)


def _work(tenant: int, number: int, processes: int, batches: int, batch: int, go: Any, out: Any) -> None:
    db_session._engines.clear()  # the parent's connections are the parent's
    done = Counts()
    try:
        rng = random.Random(number)
        with platform_session() as session:
            session.execute(text("SELECT 1"))
        out.put(None)
        go.wait()
        for n in range(batches):
            spend(tenant, f"{number % max(1, processes // 2)}:{n}", batch, rng, done)
    except Exception:
        done.failures.append(traceback.format_exc())
    out.put(done)
    out.close()
    out.join_thread()
    os._exit(0)


def _bare(url: str, batches: int, go: Any, out: Any) -> None:
    with psycopg.connect(url) as db:
        out.put(None)
        go.wait()
        for _ in range(batches):
            db.execute("UPDATE bare SET amount = amount - 1 WHERE id = 1")
            db.commit()
    out.put(Counts())
    out.close()
    out.join_thread()
    os._exit(0)


def together(target: Any, arguments: list[tuple[Any, ...]]) -> tuple[float, Counts]:
    """Run `target` in a process for each of `arguments`, all from one start; the seconds it took and the counts."""
    go, out = _PROCESSES.Event(), _PROCESSES.Queue()
    workers = [_PROCESSES.Process(target=target, args=(*a, go, out), daemon=True) for a in arguments]
    total = Counts()
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            out.get(timeout=MOST_S)
        began = time.monotonic()
        go.set()
        for _ in workers:
            total.add(out.get(timeout=MOST_S))
        took = time.monotonic() - began
    finally:
        for worker in workers:
            worker.join(5)
            if worker.is_alive():
                worker.kill()
    return took, total


def race(tenant: int, processes: int, batches: int, batch: int) -> tuple[float, Counts]:
    """All processes spend from the account of `tenant`."""
    return together(_work, [(tenant, n, processes, batches, batch) for n in range(processes)])


def wrong(tenant: int, texts: int, done: Counts) -> list[str]:
    """What is not as it must be after a race that began with money for `texts` texts."""
    found = list(done.failures)
    with platform_session() as session:
        found += [str(f) for f in proof.faults(session)]
        row = session.execute(
            text("SELECT available_minor, reserved_minor FROM purse_account WHERE tenant_id = :t AND kind = 'sms'"),
            {"t": tenant},
        ).one()
        spent = session.execute(
            text("SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry WHERE tenant_id = :t AND side = 'spent'"),
            {"t": tenant},
        ).scalar_one()
    for what, is_minor, should_texts in (
        ("available", row.available_minor, texts - done.settled),
        ("reserved", row.reserved_minor, 0),
        ("spent", int(spent), done.settled),
    ):
        if is_minor != should_texts * PRICE:
            found.append(f"{what} is {is_minor} and not {should_texts * PRICE}")
    return found


def main() -> int:
    """Run and print; 1 if a cent is wrong or the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=100)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    processes, batches, batch = options.processes, options.batches, options.batch
    folder = Path(tempfile.mkdtemp(prefix="purse_"))
    service = Postgres(folder / "pg", free_port(19732))
    service.prepare()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(service.command(), stdout=log, stderr=log, cwd=folder)
    try:
        service.wait_ready()
        os.environ["DATABASE_URL"] = service.url
        load_all()
        upgrade(service.url)
        # What is refunded and given back is spent again; in the end some batches must find the account empty.
        texts = max(1, processes // 2) * batches * batch // 8
        tenant = opened("bench", texts)
        engine().dispose()
        took, done = race(tenant, processes, batches, batch)
        faults = wrong(tenant, texts, done)
        engine().dispose()
        with psycopg.connect(service.url) as db:
            db.execute("CREATE TABLE bare (id int PRIMARY KEY, amount bigint)")
            db.execute("INSERT INTO bare VALUES (1, 0)")
        floor, _ = together(_bare, [(service.url, batches)] * processes)
    finally:
        engine().dispose()
        process.send_signal(service.stop_signal)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    rate, tried = done.reserved / took, processes * batches
    print(f"{processes} processes, one account, {tried} batches of {batch}, every key twice")
    print(
        f"purse       {took:7.2f} s  {rate:8.0f} texts/s  {tried / took:6.0f} batches/s  "
        f"({done.settled} texts settled, {done.refunded} refunded, {done.given_back} given back; "
        f"{done.repeated} batches were repeated, {done.short} found no money)"
    )
    print(f"one UPDATE  {floor:7.2f} s  {'':8}          {tried / floor:6.0f} batches/s")
    print(f"ratio       {took / floor:7.1f}; load average {os.getloadavg()[0]:.1f}")
    print("wrong: " + ("nothing: no cent lost, none negative, the ledger sums to zero" if not faults else ""))
    for fault in faults:
        print(f"  {fault}")
    print(f"goal: {GOAL_TEXTS_S:.0f} texts/s")
    return 0 if rate >= GOAL_TEXTS_S and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
