"""A thousand browsers on a board: from publishing a queue's document to its arrival in each of them.

    python -m benchmarks.boards [--browsers 1000] [--updates 5] [--seconds 30]

The real web process (gunicorn, gevent, one worker) in a whole installation; the browsers are WebSockets in a few
processes on the same machine, following all queues; documents are published as the engine does it, `--updates` a second
with 20 waiting callers each. The floor, in the same run with the same readers and the same documents: one plain loop
that writes to as many sockets (`benchmarks.bare_fanout`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.answer_to_audio import percentiles
from benchmarks.tones import socket_on_loopback
from benchmarks.whole import Shop, Whole
from callcenter import wire
from callcenter.acd.views import QueueView, WaitingView
from callcenter.events import streams
from tests.system.installation import PASSWORD, ROOT
from tests.web.serving import Visitor

P99_MS = 150.0
READERS = 4  # processes
SESSIONS = 20  # different sign-ins among the browsers
CALLERS = 20  # in each document
FLOOR_S = 10.0


def document(n: int) -> QueueView:
    """A queue's document, published now."""
    now = time.time()
    waiting = tuple(
        WaitingView(f"01CALL{n:08d}{i:04d}", f"+86139{n % 10000:04d}{i:04d}", f"Customer {i}", 1e9 + i, 0)
        for i in range(CALLERS)
    )
    return QueueView(1, "Calls", now, waiting=waiting, longest_wait_since=1e9, agents=50, talking=50, offered=n)


def _readers(port: int, browsers: int, cookies: list[str]) -> list[subprocess.Popen[bytes]]:
    """Processes with all browsers, connected."""
    shares = [browsers // READERS + (i < browsers % READERS) for i in range(READERS)]
    words = [sys.executable, "-m", "benchmarks.board_browsers", str(port)]
    readers = [
        subprocess.Popen([*words, str(share), *cookies], stdout=subprocess.PIPE, cwd=ROOT) for share in shares if share
    ]
    for reader in readers:
        assert reader.stdout is not None
        if reader.stdout.readline().strip() != b"ready":
            raise RuntimeError("the browsers did not get connected")
    return readers


def _look(
    readers: list[subprocess.Popen[bytes]], publish: Callable[[QueueView], object], updates: float, seconds: float
) -> dict[str, Any]:
    """Publish at an even pace, then ask the readers what they saw."""
    count = round(updates * seconds)
    began = time.monotonic()
    for n in range(count):
        time.sleep(max(0.0, began + n / updates - time.monotonic()))
        publish(document(n))
    time.sleep(1.0)
    out: dict[str, Any] = {"took": [], "missed": 0, "closed": 0, "documents": count}
    for reader in readers:
        reader.send_signal(signal.SIGTERM)
    for reader in readers:
        said = json.loads(reader.communicate(timeout=30)[0])
        out["took"] += said["took"]
        out["missed"] += said["missed"] + max(0, count - said["documents"])
        out["closed"] += said["closed"]
    return out


def measure(browsers: int, updates: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Both phases."""
    whole = Whole(folder / "var")
    helpers: list[subprocess.Popen[bytes]] = []
    try:
        whole.start()
        shop = Shop({}, 0).open()
        cookies = []
        for _ in range(SESSIONS):
            visitor = Visitor(whole.address)
            visitor.sign_in("acme", "owner", PASSWORD)
            cookies.append("; ".join(f"{c.name}={c.value}" for c in visitor.jar))
        connection = whole.redis()
        helpers = _readers(whole.ports["WEB_PORT"], browsers, cookies)
        before = whole.cpu_s()
        seen = _look(
            helpers, lambda doc: streams.publish(shop.tenant, f"queue:{doc.id}", doc, connection), updates, seconds
        )
        after = whole.cpu_s()
        seen["cpu"] = {name: (after[name] - before[name]) / (seconds + 1) * 100 for name in after}
        seen["load"] = os.getloadavg()[0]
        with socket_on_loopback() as probe:
            port = probe.getsockname()[1]
        bare = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_fanout", str(port)], cwd=ROOT)
        helpers.append(bare)
        _wait_for(port)
        readers = _readers(port, browsers, [])
        helpers += readers
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            to = ("127.0.0.1", port)
            seen["floor"] = _look(readers, lambda doc: out.sendto(wire.to_json(doc), to), updates, FLOOR_S)["took"]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
        whole.stop()
    return seen


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def report(seen: dict[str, Any], browsers: int, updates: float) -> int:
    """Print the figures; 1 if the goal is missed."""
    wanted = seen["documents"] * browsers
    print(f"{browsers} browsers, {updates:g} updates a second: {len(seen['took'])} of {wanted} documents came")
    print(f"{'ms from publishing to arrival':34}{'p50':>8}{'p90':>8}{'p99':>8}{'worst':>8}")
    ours, bare = percentiles(seen["took"]), percentiles(seen["floor"])
    for name, cuts, values in (("board", ours, seen["took"]), ("floor: a plain loop", bare, seen["floor"])):
        print(f"{name:34}{cuts[0]:8.1f}{cuts[1]:8.1f}{cuts[2]:8.1f}{max(values):8.1f}")
    print(f"ratio to the floor: p50 {ours[0] / bare[0]:.1f}, p99 {ours[2] / bare[2]:.1f}; goal: p99 ≤ {P99_MS:g}")
    cost = ", ".join(f"{name} {value:.0f}" for name, value in sorted(seen["cpu"].items()) if value >= 0.5)
    print(f"CPU, % of a core: {cost}; load average {seen['load']:.1f} on {os.cpu_count()} cores")
    print(f"sockets closed {seen['closed']}")
    return 0 if ours[2] <= P99_MS and len(seen["took"]) == wanted and not seen["closed"] else 1


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", type=int, default=1000)
    parser.add_argument("--updates", type=float, default=5.0, help="documents a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured time")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="boards_"))
    try:
        seen = measure(options.browsers, options.updates, options.seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report(seen, options.browsers, options.updates)


if __name__ == "__main__":
    sys.exit(main())
