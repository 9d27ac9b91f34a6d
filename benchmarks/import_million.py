"""A million leads from a CSV file into a list, against a bare `COPY` of the same rows into a table like it.

Both run one after the other on the PostgreSQL that comes with the product, with its durable settings. The peer does no
parsing, no checks, no duplicates and no row-level security: `COPY` of ready-made rows into an empty table with the
columns of `lead`, then its indexes built in one go. `make bench` asks for a ratio ≤ 3 and a memory ≤ 300 MB.

On a machine that other work shares, the processor seconds (client and server together) are steadier than the wall's.

    python -m benchmarks.import_million [rows]
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.embedded.services import Postgres, free_port
from callcenter.tenancy.models import Enterprise
from crm.fields import Field, Kind
from crm.importing.plan import Column, Plan
from crm.importing.sniff import FileKind
from crm.importing.transfer import load
from crm.models import LeadList

RATIO_GOAL = 3.0
MEMORY_GOAL_MB = 300
_FORMS = ("{}", "{}", "{}", "+86{}", "+86 {}", "86{}")


def write_file(path: Path, rows: int, seed: int = 7) -> None:
    """A list as it comes from customers: names, numbers in several forms, 0.5 % wrong ones, 0.5 % duplicates."""
    rng = random.Random(seed)
    numbers = rng.sample(range(13_000_000_000, 13_999_999_999), rows)
    with path.open("w", encoding="utf-8") as f:
        f.write("姓名,手机,城市,备注,优先级\n")
        for i, number in enumerate(numbers):
            draw = rng.random()
            text = str(number) if draw > 0.01 else ("12345" if draw > 0.005 else str(numbers[i // 2]))
            f.write(f"客户{i},{rng.choice(_FORMS).format(text)},城市{i % 300},note {i},{i % 5}\n")


def _spent_s(server_pid: int) -> float:
    """Processor seconds of this process and of the server process so far (Linux)."""
    words = Path(f"/proc/{server_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return time.process_time() + (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def import_file(path: Path, tenant: int, list_id: int) -> tuple[dict[str, int], float]:
    """(counts, processor seconds) of the product's own import function, in one transaction that is committed."""
    plan = Plan(country="CN", mapping=tuple(
        Column(i, to) for i, to in enumerate(("name", "phone", "field:city", "field:note", "priority"))
    ))  # fmt: skip
    fields = {k: Field(k, k, Kind.TEXT) for k in ("city", "note")}
    with tenant_session(tenant) as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        pid, source = connection.info.backend_pid, (path, FileKind.TEXT)
        before = _spent_s(pid)
        counts = load(connection, tenant, list_id, "bench", source, plan, fields, {}, lambda **_: None)
        return counts, _spent_s(pid) - before


def bare_copy(url: str, ready: Path) -> tuple[float, float, float]:
    """(seconds of the COPY, seconds of the indexes, processor seconds of both) into a table like `lead`, for the rows
    in `ready`."""
    with psycopg.connect(url) as db:
        # One server process builds the indexes, as one does the import.
        db.execute("SET max_parallel_maintenance_workers = 0")
        before = _spent_s(db.info.backend_pid)
        db.execute("CREATE TABLE bare (LIKE lead INCLUDING DEFAULTS INCLUDING IDENTITY)")
        db.commit()
        start = time.perf_counter()
        with ready.open("rb") as f, db.cursor().copy("COPY bare FROM STDIN") as copy:
            while block := f.read(1 << 20):
                copy.write(block)
        db.commit()
        copied = time.perf_counter()
        definitions = db.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'lead'").fetchall()
        for number, (definition,) in enumerate(definitions):
            head, tail = definition.split(" ON public.lead ", 1)
            unique = "UNIQUE " if "UNIQUE" in head else ""
            db.execute(f"CREATE {unique}INDEX bare_{number} ON bare {tail}".encode())
        db.commit()
        return copied - start, time.perf_counter() - copied, _spent_s(db.info.backend_pid) - before


def main(rows: int) -> int:
    """Run both, print the figures, return the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="import_bench_"))
    service = Postgres(folder / "pg", free_port(19432))
    service.prepare()
    log = (folder / "pg.log").open("ab")
    process = subprocess.Popen(service.command(), stdout=log, stderr=log, cwd=folder)
    try:
        service.wait_ready()
        os.environ["DATABASE_URL"] = service.url
        load_all()
        upgrade(service.url)
        with platform_session() as session:
            enterprise = Enterprise(code="bench", name="bench")
            session.add(enterprise)
            session.flush()
            lead_list = LeadList(tenant_id=enterprise.id, name="bench", country="CN")
            session.add(lead_list)
            session.flush()
            tenant, list_id = enterprise.id, lead_list.id
        path = folder / "leads.csv"
        subprocess.run([sys.executable, "-m", "benchmarks.import_million", "write", str(path), str(rows)], check=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        counts, spent_s = import_file(path, tenant, list_id)
        took = time.perf_counter() - start
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ready = folder / "ready"
        with psycopg.connect(service.url) as db, ready.open("wb") as f, db.cursor().copy("COPY lead TO STDOUT") as out:
            for block in out:
                f.write(block)
        with psycopg.connect(service.url, autocommit=True) as db:
            db.execute("CHECKPOINT")
        copy_s, index_s, bare_spent_s = bare_copy(service.url, ready)
        ratio = took / (copy_s + index_s)
        print(json.dumps(counts))
        print(f"file                {path.stat().st_size / 1e6:8.1f} MB, {rows} rows")
        print(f"import              {took:8.2f} s   {counts['total'] / took:10.0f} rows/s")
        print(f"bare COPY           {copy_s:8.2f} s")
        print(f"its indexes         {index_s:8.2f} s")
        print(f"ratio               {ratio:8.2f}     (goal ≤ {RATIO_GOAL})")
        print(f"processor           {spent_s:8.2f} s beside {bare_spent_s:.2f} s: {spent_s / bare_spent_s:.2f}")
        print(f"peak memory         {peak_mb:8.1f} MB  (goal ≤ {MEMORY_GOAL_MB}; {before / 1024:.0f} MB before)")
        return 0 if ratio <= RATIO_GOAL and peak_mb <= MEMORY_GOAL_MB else 1
    finally:
        engine().dispose()
        process.send_signal(service.stop_signal)
        process.wait(30)
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_file(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
