"""A hundred thousand texts while everything that works on them is killed, PostgreSQL included."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from callcenter.audit.models import Actor
from callcenter.auth.permissions import PERMISSIONS
from callcenter.db.migrate import upgrade
from callcenter.db.models import load_all
from callcenter.db.session import engine, platform_session
from callcenter.embedded.services import Postgres, ServiceError
from smsgateway.sending.actions import ask
from smsgateway.sending.new import NewSend
from tests.peers.smsc_npm import NpmSmsc
from tests.smsgateway.carriers import gateway

ROOT = Path(__file__).resolve().parents[3]
TEXTS = int(os.environ.get("SOAK_TEXTS", "100000"))
KILLS = 12


class Killable:
    """A PostgreSQL with its durable settings that can be killed as a whole, and begins again."""

    def __init__(self, folder: Path) -> None:
        self.service = Postgres(folder, gateway.a_port())
        self.service.prepare()
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        end = time.monotonic() + 60
        while True:
            log = (self.service.folder / "log").open("ab")
            process = subprocess.Popen(self.service.command(), stdout=log, stderr=log, cwd=self.service.folder)
            try:
                self.service.wait_ready()
                return process
            except ServiceError:
                process.kill()
                process.wait()
                assert time.monotonic() < end

    def kill(self) -> None:
        """SIGKILL to all of it, then begin again."""
        everyone = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for one in everyone:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(everyone, 10)
        self.process.wait()
        self.process = self._started()

    def close(self) -> None:
        self.process.send_signal(self.service.stop_signal)
        self.process.wait(30)


@pytest.fixture
def database_to_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Killable]:
    killable = Killable(tmp_path / "pg")
    monkeypatch.setenv("DATABASE_URL", killable.service.url)
    load_all()
    upgrade(killable.service.url)
    yield killable
    engine().dispose()
    killable.close()


@pytest.mark.soak
@pytest.mark.interop
@pytest.mark.promise("P4")
@pytest.mark.timeout(3000)
@pytest.mark.usefixtures("redis_client")
def test_whatever_is_killed_every_text_and_cent_is_accounted_for(
    tmp_path: Path, smsc: Callable[..., NpmSmsc], database_to_kill: Killable
) -> None:
    peer = smsc(rules={"7": {"status": 0x0B}, "3": {"stat": "UNDELIV"}, "11": {"twice": True}})
    settings = {"host": "127.0.0.1", "port": peer.port, "system_id": "test", "password": "secret", "again_s": 0.2}
    gateway.carrier("npm", settings=settings, bind_group="g")
    tenant = gateway.enterprise(TEXTS * gateway.PRICE - 500 * gateway.PRICE)  # the last 500 can't be paid
    with platform_session() as session:
        list_id = session.execute(
            text("INSERT INTO lead_list (tenant_id, name, country) VALUES (:t, 'all', 'CN') RETURNING id"),
            {"t": tenant},
        ).scalar_one()
        session.execute(
            text(
                "INSERT INTO lead (tenant_id, list_id, name, phone_e164) SELECT :t, :l, 'Lead',"
                " '+86138' || lpad(n::text, 8, '0') FROM generate_series(0, :n - 1) AS n"
            ),
            {"t": tenant, "l": list_id, "n": TEXTS},
        )
    actor = Actor(tenant, None, "soak", permissions=frozenset(PERMISSIONS))
    send = ask(actor, NewSend(body="Hello", audience={"lists": [list_id]}, purpose="service"), "soak")
    rng = random.Random(5)
    environment = {**os.environ, "CALLCENTER_VAR": str(tmp_path / "var")}
    with (tmp_path / "texts.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "callcenter.processes.texts"], cwd=ROOT, stdout=log, stderr=log, env=environment
        )
    try:
        watched, kills, next_at = psutil.Process(supervisor.pid), 0, 0.05
        end = time.monotonic() + 2700
        while True:
            assert time.monotonic() < end and supervisor.poll() is None
            share = progress(send.id)
            if kills < KILLS and share >= next_at:
                kills += 1
                next_at += 0.9 / KILLS
                children = [c for c in watched.children() if c.is_running()]
                if kills % 3 == 0:
                    database_to_kill.kill()
                elif children:
                    rng.choice(children).send_signal(signal.SIGKILL)
            if share >= 1.0:
                break
            time.sleep(0.2)
        while gateway.states(send.id).get("submitted"):  # the last receipts; those that nobody took come again
            assert time.monotonic() < end
            time.sleep(0.2)
    finally:
        supervisor.terminate()
        supervisor.wait(20)
    assert kills == KILLS
    found, now = gateway.texts(send.id), gateway.states(send.id)
    taken = peer.ask("taken")["taken"]
    print(now)
    assert sum(now.values()) == len(found) == TEXTS
    assert now.get("refused", 0) <= 500  # what failed gave its money back meanwhile
    assert max(taken.values()) == 1
    for phone, row in found.items():
        had = taken.get(phone[1:], 0)
        if row.state == "delivered":
            assert had == 1
        elif row.state == "failed":
            assert had == 1 or phone.endswith("7")
        elif row.state == "refused":
            assert had == 0 and row.check_name == "balance"
        else:
            assert row.state == "doubtful", row.state
    gateway.adds_up()


def progress(send_id: int) -> float:
    """The share of texts on which nothing is to be done any more; 0 while nobody can be asked."""
    try:
        row = gateway.send(send_id)
    except DBAPIError:
        return 0.0
    if row.state == "preparing":
        return min(0.99, (row.asked - row.queued - row.submitting) / TEXTS)
    return (row.asked - row.queued - row.submitting) / TEXTS
