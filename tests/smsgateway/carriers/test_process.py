"""The process itself, with an SMSC that is not ours: killed in the middle, drained, supervised."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from callcenter.db.session import platform_session
from smsgateway import route_table
from smsgateway.carriers import orphans
from tests.peers.smsc_npm import NpmSmsc
from tests.smsgateway.carriers import gateway
from tests.smsgateway.carriers.gateway import adds_up, queue, states, texts

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("clean", "redis_client"), pytest.mark.timeout(300)]
Smsc = Callable[..., NpmSmsc]


@contextmanager
def process(var: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """`callcenter.processes.texts`, ended by SIGTERM if it still runs."""
    with (var / "texts.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "callcenter.processes.texts", *words], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, "TEXTS_METRICS_PORT": "0", "CALLCENTER_VAR": str(var), **settings},
        )  # fmt: skip
    try:
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
            started.wait(15)


def until(true: Callable[[], Any], timeout_s: float = 90.0) -> Any:
    end = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < end, f"not within {timeout_s} s; texts are {states()}"
        time.sleep(0.02)
    return found


def figures(port: int) -> dict[tuple[str, ...], float]:
    """What is shown to Prometheus: name and labels → value."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            said = answer.read().decode()
    except urllib.error.URLError:
        return {}
    families = text_string_to_metric_families(said)
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def over(peer: NpmSmsc, **more: Any) -> int:
    settings = {"host": "127.0.0.1", "port": peer.port, "system_id": "test", "password": "secret", "again_s": 0.1}
    return gateway.carrier(f"npm {peer.port}", settings=settings, bind_group="g", **more)


def settled(send: int) -> bool:
    now = states(send)
    return not any(now.get(state) for state in ("queued", "submitting", "submitted"))


def nothing_lost_nothing_doubled(peer: NpmSmsc, send: int, asked: int) -> dict[str, int]:
    """Every text is in one state; the SMSC has each that counts as sent, once; what it never had is in doubt."""
    found, now = texts(send), states(send)
    taken = peer.ask("taken")["taken"]
    assert sum(now.values()) == len(found) == asked
    assert max(taken.values()) == 1, "a text was sent twice"
    for phone, row in found.items():
        if row.state in ("submitted", "delivered"):
            assert taken.get(phone[1:]) == 1
        elif row.state == "doubtful":
            assert row.doubt
    unaccounted = {p for p in taken if found[f"+{p}"].state not in ("submitted", "delivered", "doubtful")}
    assert not unaccounted
    adds_up()
    return now


@pytest.mark.promise("P4")
def test_a_carriers_process_killed_in_the_middle_loses_and_doubles_nothing(tmp_path: Path, smsc: Smsc) -> None:
    peer, asked, window = smsc(), 3000, 20
    carrier = over(peer, window=window, texts_per_second=1500)
    send = queue(gateway.enterprise(), carrier, gateway.phones(asked))
    kills = 0
    for at in (400, 1300):
        with process(tmp_path, "carrier", "g") as first:
            until(lambda at=at: peer.figures()["accepted"] >= at + random.randrange(200))
            first.send_signal(signal.SIGKILL)
            first.wait()
            kills += 1
    with process(tmp_path, "carrier", "g") as last:
        until(lambda: settled(send))
        last.terminate()
        assert last.wait(15) == 0
    now = nothing_lost_nothing_doubled(peer, send, asked)
    assert now.get("doubtful", 0) <= kills * window, now
    assert gateway.send(send).state == "done"


@pytest.mark.promise("P4")
async def test_texts_of_a_killed_process_whose_carrier_was_disabled_leave_by_another_route(
    tmp_path: Path, smsc: Smsc, redis_client: redis.Redis
) -> None:
    peer, other, asked, window = smsc(answer_delay_ms=500), smsc(), 300, 10
    carrier = over(peer, window=window)
    second = over(other, priority=2)
    send = queue(gateway.enterprise(), carrier, gateway.phones(asked))
    with process(tmp_path, "carrier", "g") as first:
        until(lambda: peer.figures()["accepted"] >= window)
        first.send_signal(signal.SIGKILL)
        first.wait()
    with platform_session() as session:
        session.execute(text("UPDATE text_carrier SET enabled = false WHERE id = :c"), {"c": carrier})
    assert states(send).get("submitting", 0) > window
    redis_client.delete(route_table.health_key(carrier))  # it would expire by itself
    route_table.forget()
    with process(tmp_path, "prepare"):
        until(lambda: not states(send).get("submitting"))
    now = states(send)
    assert 0 < now["doubtful"] <= window and now["queued"] >= asked - 3 * window, now
    async with gateway.Running([second], tmp_path):
        await gateway.until(lambda: settled(send))
    left, right = peer.ask("taken")["taken"], other.ask("taken")["taken"]
    assert not left.keys() & right.keys(), "a text was sent twice"
    assert states(send) == {"delivered": asked - states(send)["doubtful"], "doubtful": now["doubtful"]}
    adds_up()
    assert not list((tmp_path / "run").glob("*.handed")) or orphans.tidy(tmp_path / "run") == 1


def long_texts_taken() -> list[str]:
    with platform_session() as session:
        return list(session.scalars(text("SELECT body FROM unclaimed_text ORDER BY body")))


@pytest.mark.promise("P4")
def test_parts_of_incoming_texts_outlive_the_process_that_got_them(tmp_path: Path, smsc: Smsc) -> None:
    peer = smsc()
    over(peer)
    asked = [[f"text {n}, ", "its middle, ", "and its end"] for n in range(60)]

    def deliver(*numbers: int) -> None:
        for n, parts in enumerate(asked):
            peer.tell("deliver", {"from": f"86139{n:08d}", "to": "1069", "parts": parts, "ref": n, "only": numbers,
                                  "keep": True})  # fmt: skip

    with process(tmp_path, "carrier", "g") as first:
        until(lambda: peer.figures()["binds"])
        deliver(3)
        until(lambda: peer.figures()["inbound_stored"] == len(asked))
        deliver(1)
        until(lambda: peer.figures()["inbound_stored"] >= len(asked) + 5)
        first.send_signal(signal.SIGKILL)
        first.wait()
    with process(tmp_path, "carrier", "g"):
        until(lambda: peer.figures()["binds"] == 2)
        deliver(2)
        deliver(1)  # again
        until(lambda: peer.figures()["inbound_stored"] >= 4 * len(asked))
        assert long_texts_taken() == sorted("".join(parts) for parts in asked)
    with platform_session() as session:
        assert not session.scalar(text("SELECT count(*) FROM parted_text WHERE taken_at IS NULL"))


@pytest.mark.promise("P3")
def test_a_process_that_is_told_to_end_leaves_no_doubt(tmp_path: Path, smsc: Smsc) -> None:
    peer, asked = smsc(answer_delay_ms=50), 2000
    carrier = over(peer, window=20)
    send = queue(gateway.enterprise(), carrier, gateway.phones(asked))
    with process(tmp_path, "carrier", "g") as first:
        until(lambda: peer.figures()["accepted"] >= 60)
        first.terminate()
        assert first.wait(15) == 0
    now = nothing_lost_nothing_doubled(peer, send, asked)
    assert now.keys() <= {"queued", "submitted", "delivered"}
    assert now["queued"] > 0
    assert peer.figures()["unbinds"] == 1


def test_two_processes_never_run_the_same_carrier(tmp_path: Path, smsc: Smsc) -> None:
    peer = smsc()
    carrier = over(peer)
    with process(tmp_path, "carrier", "g"):
        until(lambda: (h := route_table.health([carrier])[carrier]) is not None and h.up)
        with process(tmp_path, "carrier", "g"):
            until(lambda: b"another process still runs" in (tmp_path / "texts.log").read_bytes())
            assert peer.figures()["binds"] == 1


@pytest.mark.promise("P4")
def test_the_supervisor_keeps_a_process_for_each_group_and_follows_changes(tmp_path: Path, smsc: Smsc) -> None:
    peer = smsc()
    carrier, name = over(peer), f"npm {peer.port}"
    broken = gateway.carrier("broken", settings={"host": "nowhere"})
    metrics = gateway.a_port()
    with process(tmp_path, TEXTS_METRICS_PORT=str(metrics)) as supervisor:
        watched = psutil.Process(supervisor.pid)

        def pid_of(*words: str) -> int | None:
            for child in watched.children():
                try:
                    if child.cmdline()[-len(words) :] == list(words):
                        return child.pid
                except psutil.Error:
                    pass
            return None

        first = until(lambda: pid_of("carrier", "g"))
        assert until(lambda: pid_of("prepare"))
        until(lambda: (h := route_table.health([carrier])[carrier]) is not None and h.up)
        send = queue(gateway.enterprise(), carrier, gateway.phones(5))
        until(lambda: states(send) == {"delivered": 5})
        until(lambda: figures(metrics).get(("texts_receipts_total", name, "delivered")) == 5)
        shown = until(lambda: (f := figures(metrics)).get(("texts_carrier_up", name)) and f)
        assert shown["texts_submitted_total", name, "accepted"] == 5
        assert shown["texts_submitted_total", name, "lost"] == 0
        assert shown["texts_binds", name] == shown["texts_binds_wanted", name] == 1
        assert shown["texts_flush_seconds_count",] >= 1
        assert shown["texts_carrier_up", "broken"] == 0
        assert ("texts_queued", name) in shown and ("texts_parked_receipts", name) in shown
        os.kill(first, signal.SIGKILL)
        second = until(lambda: (pid := pid_of("carrier", "g")) != first and pid)
        until(lambda: not figures(metrics).get(("texts_submitted_total", name, "accepted")))
        with platform_session() as session:
            session.execute(
                text('UPDATE text_carrier SET "window" = 3, updated_at = now() WHERE id = :c'), {"c": carrier}
            )
        third = until(lambda: (pid := pid_of("carrier", "g")) not in (second, None) and pid)
        health = until(lambda: route_table.health([broken])[broken])
        assert not health.up and "port: This is needed." in health.detail
        with platform_session() as session:
            session.execute(
                text("UPDATE text_carrier SET enabled = false, updated_at = now() WHERE id = :c"), {"c": carrier}
            )
        until(lambda: pid_of("carrier", "g") is None)
        until(lambda: not psutil.pid_exists(third))
        supervisor.terminate()
        assert supervisor.wait(15) == 0
