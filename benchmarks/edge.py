"""CPU and delay of a browser session in our edge process, beside rtpengine on the same work in the same run.

`python -m benchmarks.edge [--sessions 20] [--seconds 10]`. Each session carries 50 packets a second both ways between a
WebRTC peer and a plain RTP socket, all on this machine; the load runs in this process, only the edge is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from benchmarks.webrtc_peer import WebrtcPeer
from callcenter.telephony.edge.client import AiortcEdge
from callcenter.telephony.edge.rtpengine import RtpengineEdge
from callcenter.telephony.ports import MediaAddress

FRAME_S = 0.02
RELATIVE_TARGET = 3.0  # times rtpengine's CPU that a relay in Python may cost


@dataclass(frozen=True)
class Figures:
    """What one edge needed. CPU in % of one core a session, delays one way in ms, `lost` packets of `sent`."""

    name: str
    cpu: float
    set_up_ms: float
    p50_ms: float
    p99_ms: float
    sent: int
    lost: int


class _Session:
    """A WebRTC peer and a plain socket that send to each other; every packet carries when it left."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.peer = WebrtcPeer(self._arrived)
        self.remote: tuple[str, int] | None = None
        self.sent = 0
        self.delays_ms: list[float] = []
        self.since_s = float("inf")
        self._seq = 0
        self._plain: asyncio.DatagramTransport | None = None

    async def open(self, edge: AiortcEdge | RtpengineEdge) -> float:
        """Connect; how long that took, ms."""
        loop = asyncio.get_running_loop()
        session = self

        class Plain(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                session._arrived(data)

        self._plain, _ = await loop.create_datagram_endpoint(Plain, local_addr=("127.0.0.1", 0))
        port = self._plain.get_extra_info("sockname")[1]

        async def exchange(offer: str) -> str:
            answer, address = await edge.open(f"bench-{self.number}", offer, MediaAddress("127.0.0.1", port))
            self.remote = (address.ip, address.port)
            return answer

        start = time.perf_counter()
        await self.peer.call(exchange)
        return (time.perf_counter() - start) * 1000

    def _arrived(self, packet: bytes) -> None:
        (left,) = struct.unpack_from(">d", packet, 12)
        if left >= self.since_s:
            self.delays_ms.append((time.perf_counter() - left) * 1000)

    def frame(self) -> None:
        """Send one packet each way."""
        assert self._plain is not None
        self._seq += 1
        for ssrc in (1, 2):
            header = struct.pack(">BBHII", 0x80, 0, self._seq & 0xFFFF, self._seq * 160 & 0xFFFFFFFF, ssrc)
            left = time.perf_counter()
            packet = header + struct.pack(">d", left) + b"\xff" * 152
            if ssrc == 1:
                self.peer.send(packet)
            else:
                self._plain.sendto(packet, self.remote)
            self.sent += left >= self.since_s

    async def close(self) -> None:
        await self.peer.close()
        if self._plain is not None:
            self._plain.close()


async def _talk(sessions: list[_Session], seconds: float) -> None:
    """50 packets a second each way in every session, the sessions spread over the 20 ms."""
    loop = asyncio.get_running_loop()

    async def one(session: _Session) -> None:
        due = loop.time() + FRAME_S * session.number / len(sessions)
        for _ in range(int(seconds / FRAME_S)):
            await asyncio.sleep(max(0.0, due - loop.time()))
            session.frame()
            due += FRAME_S

    await asyncio.gather(*(one(s) for s in sessions))


async def measure(name: str, edge: AiortcEdge | RtpengineEdge, pid: int, count: int, seconds: float) -> Figures:
    """Carry `count` sessions through the edge for `seconds`."""
    await edge.start(lambda event: None)
    sessions = [_Session(n) for n in range(count)]
    set_up = [await s.open(edge) for s in sessions]
    await _talk(sessions, 1.0)
    process = psutil.Process(pid)
    for s in sessions:
        s.since_s = time.perf_counter()
    before, start = process.cpu_times(), time.perf_counter()
    await _talk(sessions, seconds)
    after, took = process.cpu_times(), time.perf_counter() - start
    await asyncio.sleep(0.2)
    busy = after.user + after.system - before.user - before.system
    delays = [d for s in sessions for d in s.delays_ms]
    sent = sum(s.sent for s in sessions)
    for s in sessions:
        await s.close()
    await edge.stop()
    return Figures(
        name=name, cpu=100 * busy / took / count, set_up_ms=statistics.median(set_up),
        p50_ms=statistics.median(delays), p99_ms=statistics.quantiles(delays, n=100)[98],
        sent=sent, lost=sent - len(delays),
    )  # fmt: skip


def _free_port() -> int:
    while True:
        port = random.randrange(10000, 28000, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextlib.contextmanager
def _running(command: list[str], env: Mapping[str, str] | None = None) -> Iterator[int]:
    """The pid of `command` while it runs."""
    process = subprocess.Popen(command, env=env)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(5)


async def _ours(folder: Path, count: int, seconds: float) -> Figures:
    env = {**os.environ, "CALLCENTER_VAR": str(folder), "EDGE_IP": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    with _running([sys.executable, "-m", "callcenter.processes.edge"], env) as pid:
        return await measure("edge", AiortcEdge(folder / "run" / "edge.sock"), pid, count, seconds)


async def _rtpengine(count: int, seconds: float) -> Figures:
    ng, first = _free_port(), random.randrange(12000, 28000, 1000)
    command = [
        "rtpengine", "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=3",
        "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{ng}", f"--port-min={first}", f"--port-max={first + 3000}",
    ]  # fmt: skip
    with _running(command) as pid:
        return await measure("rtpengine", RtpengineEdge("127.0.0.1", ng), pid, count, seconds)


async def run(count: int, seconds: float) -> int:
    """Measure both and print; 1 if ours is out of bounds."""
    with tempfile.TemporaryDirectory() as folder:
        ours = await _ours(Path(folder), count, seconds)
    theirs = await _rtpengine(count, seconds)
    print(f"browser edge, {count} sessions, {seconds:.0f} s, 50 packets/s each way")
    print(f"{'':10} {'CPU %/session':>14} {'a core':>7} {'set-up ms':>10} {'p50 ms':>7} {'p99 ms':>7} {'lost':>12}")
    for f in (ours, theirs):
        print(
            f"{f.name:10} {f.cpu:14.3f} {100 / f.cpu:7.0f} {f.set_up_ms:10.0f} {f.p50_ms:7.2f} {f.p99_ms:7.2f}"
            f" {f.lost:6}/{f.sent}"
        )
    ratio = ours.cpu / theirs.cpu
    print(f"ratio edge / rtpengine: CPU {ratio:.2f} (at most {RELATIVE_TARGET:.1f})")
    return 1 if ratio > RELATIVE_TARGET or ours.lost > ours.sent / 1000 else 0


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    if shutil.which("rtpengine") is None:
        raise SystemExit("rtpengine is missing: apt-get install --no-install-recommends rtpengine-daemon")
    raise SystemExit(uvloop.run(run(options.sessions, options.seconds)))


if __name__ == "__main__":
    main()
