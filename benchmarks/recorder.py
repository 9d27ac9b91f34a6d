"""Calls per second that the recorder folds from facts into tables, beside bare inserts of the same rows.

    python -m benchmarks.recorder [--calls 6000]

The facts of a shift (SHARES: how calls end; a connected one has a recording, an outcome and three states of an agent)
lie in the stream; the recorder reads and folds them as it does in the backoffice process. The floor writes the rows of
the facts and of the calls alone, by `COPY` into two tables like them, committed as often. Both on the PostgreSQL and
Valkey that come with the product, with their durable settings.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import insert, select

from callcenter import wire
from callcenter.auth.models import User
from callcenter.calls import facts as f
from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.embedded.services import Postgres, Valkey, free_port
from callcenter.events import streams
from callcenter.events.envelope import FACTS, Envelope
from callcenter.ids import new_id
from callcenter.processes import recorder
from callcenter.tenancy.actions import open_enterprise
from crm.models import Disposition, Lead, LeadList
from dialer.actions import defaults
from dialer.models import Campaign

SHARES = {"busy": 0.35, "no_answer": 0.4, "invalid": 0.15, "connected": 0.1}
NEEDED_CALLS = 150.0  # a second: what one engine places at most


def facts_of(tenant: int, count: int, ids: dict[str, Any], rng: random.Random) -> list[Envelope]:
    """The facts of `count` calls, one of each lead, in the order in which an engine tells them. `ids`: campaign,
    agents, disposition, leads."""
    told: list[tuple[float, Envelope]] = []
    now = time.time() - count / NEEDED_CALLS

    def tell(fact: object, at: float, call: str) -> None:
        told.append((at, FACTS.pack(fact, tenant=tenant, at=at, call=call)))

    for i, (lead, number) in enumerate(ids["leads"][:count]):
        outcome = rng.choices(list(SHARES), list(SHARES.values()))[0]
        start, call, agent = now + i / NEEDED_CALLS, new_id(), rng.choice(ids["agents"])
        campaign = ids["campaign"]
        tell(
            f.CallStarted(call, "power", number, "+862155550100", None, campaign, lead, None, None, start), start, call
        )
        answered, end, agent_id = None, start + 1.0, None
        if outcome == "connected":
            answered, end, agent_id = start + 3.0, start + 33.0, agent
            tell(f.CallConnected(call, agent, answered, 5), answered, call)
            tell(f.RecordingStarted(f"r{call}", call, f"live/{tenant}/r{call}.wav", answered), answered, call)
            for at, state in ((answered, "on_call"), (end, "wrap_up"), (end + 5.0, "available")):
                tell(f.AgentStateChanged(agent, state, "", call, at), at, call)
        ended = f.CallEnded(
            call, "power", number, "+862155550100", None, campaign, lead, None, agent_id, start, start + 0.5, answered,
            answered, end, outcome, "normal" if answered else outcome, 200, "customer", 5 if answered else None, 0.0,
        )  # fmt: skip
        tell(ended, end, call)
        if answered:
            outcome_id = ids["disposition"]
            done = f.CallDispositioned(call, agent, campaign, lead, None, number, outcome_id, "", None, True)
            tell(done, end + 5.0, call)
            tell(f.CallWrappedUp(call, agent, end + 5.0), end + 5.0, call)
    return [envelope for _, envelope in sorted(told, key=lambda t: t[0])]


def shop(count: int) -> tuple[int, dict[str, Any]]:
    """An enterprise with agents, a campaign and `count` leads: its id, and theirs for `facts_of`."""
    assert defaults.DISPOSITIONS  # its import makes a new enterprise have them
    with platform_session() as session:
        tenant = open_enterprise(session, "bench", "Bench", "CN", "Asia/Shanghai", "owner", "Only-for-tests-1")
    with tenant_session(tenant) as session:
        agents = [User(username=f"agent{i}", name=f"Agent {i}", password_hash="", locale="en") for i in range(50)]
        campaign = Campaign(name="bench", recycling={})
        session.add_all([*agents, campaign])
        session.flush()
        leads = LeadList(name="bench", country="CN", campaign_id=campaign.id)
        session.add(leads)
        session.flush()
        rows = [
            {"tenant_id": tenant, "list_id": leads.id, "phone_e164": f"+86139{i:08d}", "status": "in_progress"}
            for i in range(count)
        ]
        session.execute(insert(Lead), rows)
        numbers = session.execute(select(Lead.id, Lead.phone_e164).order_by(Lead.id)).all()
        ids = {
            "campaign": campaign.id,
            "agents": [a.id for a in agents],
            "disposition": session.scalars(select(Disposition.id).where(Disposition.sale)).one(),
            "leads": [tuple(row) for row in numbers],
        }
    return tenant, ids


def fold(envelopes: list[Envelope]) -> float:
    """Seconds that the recorder takes for these facts."""
    connection = streams.client()
    for envelope in envelopes:
        connection.xadd(streams.FACTS_STREAM, {"e": wire.to_json(envelope)})
    stop = threading.Event()
    worker = threading.Thread(target=recorder.run, args=(stop,))
    began = time.monotonic()
    worker.start()
    while True:
        groups = connection.xinfo_groups(streams.FACTS_STREAM)
        if groups and groups[0]["lag"] == 0 and groups[0]["pending"] == 0:
            break
        time.sleep(0.02)
    took = time.monotonic() - began
    stop.set()
    worker.join()
    return took


def bare(url: str, batch: int) -> float:
    """Seconds for writing the facts' and calls' rows into empty tables like theirs."""
    with psycopg.connect(url) as db:
        rows = {t: db.execute(f"SELECT * FROM {t}".encode()).fetchall() for t in ("fact", "call")}
        for table in rows:
            db.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING INDEXES)".encode())
    per_batch = len(rows["call"]) * batch // len(rows["fact"])
    with psycopg.connect(url) as db:
        began = time.monotonic()
        for n in range(len(rows["fact"]) // batch + 1):
            for table, size in (("fact", batch), ("call", per_batch)):
                with db.cursor().copy(f"COPY bare_{table} FROM STDIN".encode()) as copy:
                    for row in rows[table][n * size : (n + 1) * size]:
                        copy.write_row([psycopg.types.json.Json(v) if isinstance(v, dict) else v for v in row])
            db.commit()
        return time.monotonic() - began


def main() -> int:
    """Run and print; 1 if the recorder can't keep up with one engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=6000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="recorder_"))
    services: list[Postgres | Valkey] = [
        Postgres(folder / "pg", free_port(19532)),
        Valkey(folder / "vk", free_port(19632)),
    ]
    running = []
    try:
        for service in services:
            service.prepare()
            log = (folder / "log").open("ab")
            running.append(subprocess.Popen(service.command(), stdout=log, stderr=log, cwd=folder))
        for service in services:
            service.wait_ready()
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = services[0].url, services[1].url
        load_all()
        upgrade(services[0].url)
        tenant, ids = shop(options.calls)
        envelopes = facts_of(tenant, options.calls, ids, random.Random(7))
        before = resource.getrusage(resource.RUSAGE_SELF)
        took = fold(envelopes)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        failed = streams.client().xlen(recorder.FAILED_STREAM)
        floor = bare(services[0].url, recorder.BATCH)
    finally:
        engine().dispose()
        for service, process in zip(services, running, strict=False):
            process.send_signal(service.stop_signal)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    calls_s = options.calls / took
    print(
        f"recorder   {took:7.2f} s  {len(envelopes) / took:7.0f} facts/s  {calls_s:6.0f} calls/s  CPU {cpu / took:4.0%}"
    )
    print(f"bare rows  {floor:7.2f} s  {len(envelopes) / floor:7.0f} facts/s  (facts and calls only, by COPY)")
    print(f"ratio      {took / floor:7.1f}; {failed} facts could not be folded; load average {os.getloadavg()[0]:.1f}")
    print(f"goal: {NEEDED_CALLS:g} calls/s, what one engine places")
    return 0 if calls_s >= NEEDED_CALLS and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
