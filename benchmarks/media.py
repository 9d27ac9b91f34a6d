"""Media: two-leg calls with recording through one media worker, and through rtpengine beside it, in one run.

    python -m benchmarks.media [--calls 400] [--seconds 20] [--rounds 2]

Both get the same load one after the other, pinned to the same core, the generator to another one if there is one.
Printed: lateness of forwarded packets (from sending to receiving, and the floor that loopback and the generator add
without anything between), CPU of one core per call, and the ratio. rtpengine relays in userspace and records pcap.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rtpengine_peer import Rtpengine
from callcenter.telephony.media import recording
from callcenter.telephony.media.client import MediaClient
from callcenter.telephony.media.g711 import SAMPLE_RATE, SILENCE
from callcenter.telephony.ports import MediaAddress, MediaEvent, RecordingEnded

WARM_UP_S = 3.0
GOAL_P99_MS = 10.0


@dataclass(frozen=True)
class Figures:
    """Of one round: what the generator saw, and the CPU in fractions of a core."""

    load: dict[str, Any]
    cpu: float
    recorded_mb: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_block(pairs: int) -> int:
    """First of 2 × `pairs` UDP ports on loopback, below the ephemeral ports, all free just now."""
    for _ in range(500):
        first = random.randrange(10000, 32000 - 2 * pairs, 2)
        held: list[socket.socket] = []
        try:
            for port in range(first, first + 2 * pairs):
                held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                held[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise SystemExit("no free block of UDP ports below 32000")


def on_core(core: int) -> Callable[[], None]:
    """What a new process does first: stay on `core`, and go before what else the machine does if that is allowed."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except OSError:
            pass  # the same for all three

    return prepare


def drive(
    targets: list[tuple[str, int]], port: int, seconds: float, pid: int, core: int
) -> tuple[dict[str, Any], float]:
    """Run the generator against `targets`; its results and the CPU that process `pid` took meanwhile."""
    order = {"targets": targets, "port": port, "warm_up_s": WARM_UP_S, "seconds": seconds}
    generator = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.media_load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=on_core(core),
    )
    assert generator.stdin is not None and generator.stdout is not None
    generator.stdin.write(json.dumps(order))
    generator.stdin.close()
    generator.stdout.readline()  # "measuring"
    before, start = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    cpu = (cpu_seconds(pid) - before) / (time.monotonic() - start)
    results = json.loads(generator.stdout.readline())
    generator.wait(10)
    return results, cpu


def our_round(calls: int, seconds: float, cores: tuple[int, int]) -> Figures:
    """One media worker."""
    with tempfile.TemporaryDirectory() as directory:
        first = free_block(2 * calls + 1)
        environment = {
            **os.environ,
            "CALLCENTER_VAR": directory,
            "MEDIA_WORKERS": "1",
            "MEDIA_IP": "127.0.0.1",
            "MEDIA_PORT_MIN": str(first + 2),
            "MEDIA_PORT_MAX": str(first + 4 * calls + 1),
            "LOG_LEVEL": "WARNING",
        }
        worker = subprocess.Popen(
            [sys.executable, "-m", "callcenter.processes.media", "0"], env=environment, preexec_fn=on_core(cores[0])
        )
        try:
            return asyncio.run(talk(calls, seconds, cores[1], first, worker.pid, Path(directory)))
        finally:
            worker.terminate()
            worker.wait(20)


async def talk(calls: int, seconds: float, core: int, far_port: int, pid: int, directory: Path) -> Figures:
    """The calls of `our_round`: set up as the engine does it, driven, recordings checked."""
    ended: list[RecordingEnded] = []
    all_ended = asyncio.Event()

    def note(event: MediaEvent) -> None:
        if isinstance(event, RecordingEnded):
            ended.append(event)
            if len(ended) == calls:
                all_ended.set()

    client = MediaClient([directory / "run" / "media-0.sock"])
    await client.start(note)
    try:
        far = MediaAddress("127.0.0.1", far_port)
        targets = []
        for n in range(calls):
            for leg in (f"a{n}", f"b{n}"):
                address = await client.create_port(leg)
                client.update_port(leg, remote=far, sending=True)
                targets.append((address.ip, address.port))
            client.set_room(f"call{n}", {f"a{n}": (f"b{n}",), f"b{n}": (f"a{n}",)})
            client.start_recording(f"r{n}", f"{directory}/rec/{n}.wav", f"a{n}", f"b{n}")
        load, cpu = await asyncio.to_thread(drive, targets, far_port, seconds, pid, core)
        for n in range(calls):
            client.stop_recording(f"r{n}")
        await asyncio.wait_for(all_ended.wait(), 30)
        audio = min(await asyncio.to_thread(lambda: [audible_seconds(event.path) for event in ended]))
        if audio < seconds:
            print(f"!! a recording holds {audio:.1f} s of audio in a channel; {seconds:.1f} s were spoken")
        return Figures(load, cpu, sum(event.size_bytes for event in ended) / 1e6)
    finally:
        await client.stop()


def audible_seconds(path: str) -> float:
    """Seconds that are not silence, in the emptier channel of a recording."""
    audio = Path(path).read_bytes()[recording.HEADER_BYTES :]
    return min(len(side) - side.count(SILENCE) for side in (audio[0::2], audio[1::2])) / SAMPLE_RATE


def peer_round(calls: int, seconds: float, cores: tuple[int, int]) -> Figures:
    """rtpengine."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        first = free_block(2 * calls + 40)
        peer = Rtpengine(directory, first + 1, first + 2, first + 4 * calls + 70, on_core(cores[0]))
        try:
            targets = []
            for n in range(calls):
                targets += [("127.0.0.1", port) for port in peer.call(n, first)]
            load, cpu = drive(targets, first, seconds, peer.process.pid, cores[1])
            return Figures(load, cpu, peer.recorded_bytes(directory) / 1e6)
        finally:
            peer.close()


def show(name: str, calls: int, figures: Figures) -> None:
    """One round in plain lines."""
    load, cpu = figures.load, figures.cpu
    print(f"{name}: CPU {cpu:6.1%} of a core = {cpu / calls:.4%} a call; recorded {figures.recorded_mb:.0f} MB")
    for what, name_of in (("lateness", "relayed_ms"), ("floor", "floor_ms"), ("generator behind", "generator_late_ms")):
        times = load[name_of]
        if times:
            print(f"    {what:16} p50 {times['p50']:7.2f}   p99 {times['p99']:7.2f}   max {times['max']:7.2f} ms")
    lost, busy = load["sent"] - load["received"], load["generator_cpu"]
    print(f"    forwarded {load['received']} of {load['sent']} packets ({lost} not); generator {busy:.0%} of a core")
    if load["generator_late_ms"]["p99"] > 5:
        print("    !! the generator could not keep its pace: something else uses this machine; the lateness is its too")


def middle(figures: list[Figures], value: Callable[[Figures], float]) -> float:
    """The median round."""
    values = sorted(map(value, figures))
    return values[len(values) // 2] if len(values) % 2 else sum(values[len(values) // 2 - 1 :][:2]) / 2


def main() -> None:
    """Run and print. Ends with 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=20.0, help="measured in each round")
    parser.add_argument("--rounds", type=int, default=2, help="of each, alternating")
    parser.add_argument("--alone", action="store_true", help="without rtpengine")
    arguments = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[-1])
    rate, busy = arguments.calls * 100, os.getloadavg()[0]
    print(f"{arguments.calls} two-leg calls, {rate} packets/s, stereo recording; load of the machine {busy:.1f}")
    ours, peers = [], []
    for _ in range(arguments.rounds):
        ours.append(our_round(arguments.calls, arguments.seconds, cores))
        show("media worker", arguments.calls, ours[-1])
        if not arguments.alone:
            peers.append(peer_round(arguments.calls, arguments.seconds, cores))
            show("rtpengine   ", arguments.calls, peers[-1])
    p99 = middle(ours, lambda f: f.load["relayed_ms"].get("p99", float("inf")))
    cpu = middle(ours, lambda f: f.cpu)
    print(f"p99 lateness {p99:.2f} ms, goal {GOAL_P99_MS:.0f} ms: {'reached' if p99 <= GOAL_P99_MS else 'MISSED'}")
    missed = p99 > GOAL_P99_MS
    if peers:
        ratio = cpu / middle(peers, lambda f: f.cpu)
        print(f"CPU per call: {ratio:.2f} × rtpengine's, goal 1.00: {'reached' if ratio <= 1 else 'MISSED'}")
        missed = missed or ratio > 1
    sys.exit(missed)


if __name__ == "__main__":
    main()
