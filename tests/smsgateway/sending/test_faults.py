"""What dies on the way: the preparer, the database. Every recipient has one text, and figures and money agree."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import text

from callcenter import config
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.events import streams
from crm.models import LeadList
from smsgateway.sending import cancel, preparer
from tests.smsgateway.sending.conftest import PRICE, Gateway


def preparer_process() -> int:
    """A preparer in a process of its own, with connections of its own; its id."""
    pid = os.fork()
    if pid == 0:
        try:
            engine().dispose(close=False)  # they are the parent's
            streams._client = None
            preparer.Preparer(batch=500).run(threading.Event())
        finally:
            os._exit(1)
    return pid


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def list_of(gateway: Gateway, n: int) -> int:
    list_id = gateway.add(LeadList(name=f"List of {n}", country="CN"))[0]
    rows = text(
        "INSERT INTO lead (tenant_id, list_id, name, phone_e164, fields) SELECT :t, :l, 'Name ' || i,"
        " '+86139' || lpad(i::text, 8, '0'), '{}' FROM generate_series(1, :n) i"
    )
    with platform_session() as s:
        s.execute(rows, {"t": gateway.tenant, "l": list_id, "n": n})
    return list_id


def counted(gateway: Gateway, send_id: int) -> tuple[int, int]:
    """(texts, different numbers) of a send."""
    query = text("SELECT count(*), count(DISTINCT phone_e164) FROM text_message WHERE send_id = :i")
    with tenant_session(gateway.tenant) as s:
        row = s.execute(query, {"i": send_id}).one()
        return row[0], row[1]


@pytest.mark.promise("P4")
def test_a_preparer_killed_at_any_time_leaves_one_text_for_each_recipient(gateway: Gateway) -> None:
    rng = random.Random(4)
    send = gateway.ask("Dear {{name}}", by=gateway.boss, audience={"lists": [list_of(gateway, 20_000)]})
    killed = 0
    for _ in range(5):
        before = gateway.send(send.id).asked
        process = preparer_process()
        try:
            until(lambda: gateway.send(send.id).asked > before or gateway.send(send.id).state != "preparing")  # noqa: B023
            time.sleep(rng.random() * 0.4)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        killed += gateway.send(send.id).state == "preparing"
    assert killed >= 2
    gateway.check(send.id)
    gateway.prepare(1000)
    found = gateway.send(send.id)
    assert (found.state, found.asked, found.queued, found.duplicates) == ("sending", 20_000, 20_000, 0)
    assert counted(gateway, send.id) == (20_000, 20_000)
    assert gateway.money() == (1_000_000 - 20_000 * PRICE, 20_000 * PRICE)
    gateway.check(send.id)


def test_a_preparer_goes_on_after_the_database_was_gone(gateway: Gateway) -> None:
    send = gateway.ask("Dear {{name}}", by=gateway.boss, audience={"lists": [list_of(gateway, 3000)]})
    stop = threading.Event()
    loop = threading.Thread(target=preparer.Preparer(batch=100).run, args=(stop,))
    url = psycopg.conninfo.conninfo_to_dict(config.load().database_url)
    name = url["dbname"]
    loop.start()
    try:
        until(lambda: gateway.send(send.id).asked > 0)
        elsewhere = psycopg.conninfo.make_conninfo(config.load().database_url, dbname="template1")
        with psycopg.connect(elsewhere, autocommit=True) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')  # type: ignore[arg-type]
            try:
                other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
                time.sleep(1)
            finally:
                other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')  # type: ignore[arg-type]
        until(lambda: gateway.send(send.id).state == "sending")
    finally:
        stop.set()
        loop.join(10)
    assert counted(gateway, send.id) == (3000, 3000)
    gateway.check(send.id)


def test_what_is_cancelled_is_cancelled_even_if_the_process_dies_halfway(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = gateway.ask("Hi", by=gateway.boss, audience={"lists": [list_of(gateway, 5000)]})
    gateway.prepare(1000)
    # A carrier is just taking ten of them; they go.
    taking = text(
        "UPDATE text_message SET state = 'submitting' WHERE id IN (SELECT id FROM text_message WHERE send_id = :i"
        " ORDER BY id LIMIT 10)"
    )
    with platform_session() as s:
        s.execute(taking, {"i": send.id})
        s.execute(text("UPDATE text_send SET queued = queued - 10, submitting = 10 WHERE id = :i"), {"i": send.id})
    monkeypatch.setattr(cancel, "_AT_ONCE", 1)  # as if it had died behind the first batch
    cancel.cancel(gateway.boss, send.id)
    half = gateway.send(send.id)
    assert 0 < half.cancelled < 4990
    gateway.check(send.id)
    gateway.prepare()
    found = gateway.send(send.id)
    assert (found.state, found.cancelled, found.submitting, found.queued) == ("cancelled", 4990, 10, 0)
    # One of them comes back from its carrier: it is cancelled then.
    with platform_session() as s:
        s.execute(
            text("UPDATE text_message SET state = 'queued' WHERE id = (SELECT min(id) FROM text_message WHERE"
                 " send_id = :i AND state = 'submitting')"), {"i": send.id},
        )  # fmt: skip
        s.execute(text("UPDATE text_send SET queued = 1, submitting = 9 WHERE id = :i"), {"i": send.id})
    gateway.prepare()
    assert gateway.send(send.id).cancelled == 4991
    assert gateway.money() == (1_000_000 - 9 * PRICE, 9 * PRICE)
    gateway.check(send.id)
