"""From the carrier's 200 OK to the agent's voice at the carrier, and to the customer's card on the agent's screen.

    python -m benchmarks.answer_to_audio [--calls 100] [--rate 10] [--seconds 60]

A whole installation with `--calls` recorded calls up and about `--rate` answers a second, while agents hang up and set
outcomes over the API. Audio: from sending the 200 OK to the kernel's receipt of the first packet with the agent's tone.
The floor is measured at the same moments: a bare UDP relay with one agent's stream, asked by a datagram
(`benchmarks.bare_patch`); an agent's next packet is 0 to 20 ms away, so its p50 is near 10 ms. Pop: from the same 200
OK to the agent's document, in conversation and with the card, on his Socket.IO connection. The agents' audio is from a
stand-in for the browser edge; see `benchmarks.stand_in_edge`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.desks import Desks
from benchmarks.tones import socket_on_loopback
from benchmarks.whole import STAND_IN, Shop, Whole
from tests.system.installation import ROOT, ask

AUDIO_P50_MS, AUDIO_P99_MS, POP_P99_MS = 12.0, 40.0, 100.0
RING_S = (0.4, 1.2)
BETWEEN_S = 1.2  # from hang-up to the next answer: outcome, dialing, ringing
WARM_UP_S = 15.0
PREFIX = "+8613900001"
FEWEST = 100  # answers under which percentiles say nothing


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """p50, p90, p99."""
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[89], cuts[98]


def _free_udp_port() -> int:
    with socket_on_loopback() as probe:
        return int(probe.getsockname()[1])


def _start(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *(str(w) for w in words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)


def measure(calls: int, rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    """Run it all; returns `answers` (the carrier's, by number, of the measured time), `pops`, `cpu`, `load`,
    `refused`, `errors`."""
    talk_s = calls / rate
    agents = round(calls + rate * BETWEEN_S)
    sip, patch = _free_udp_port(), _free_udp_port()
    helpers = [
        _start("benchmarks.bare_patch", patch),
        _start("benchmarks.answering_carrier", sip, patch, *RING_S),
    ]
    whole = Whole(folder / "var")
    try:
        whole.start()
        shop = Shop({PREFIX: sip}, agents).open()
        needed = round(rate * (seconds + WARM_UP_S) * 3) + 2 * agents
        numbers = [f"{PREFIX}{i:05d}" for i in range(needed)]
        campaign = shop.campaign("answers", numbers, mode="progressive", ring_timeout_s=20, max_lines=2 * agents)
        desks = Desks(whole.address, shop.disposition, (0.6 * talk_s, 1.4 * talk_s))
        desks.sign_in(agents)
        desks.start()
        ask(whole.visitor("owner"), "POST", f"/api/campaigns/{campaign}/start", {})
        time.sleep(WARM_UP_S + talk_s)
        began, before = time.time(), whole.cpu_s()
        time.sleep(seconds)
        ended, after, load = time.time(), whole.cpu_s(), os.getloadavg()
        ask(whole.visitor("owner"), "POST", f"/api/campaigns/{campaign}/stop", {})
        time.sleep(1.0)
        desks.stop()
        helpers[1].terminate()
        answers = json.loads(helpers[1].communicate(timeout=20)[0])
        errors = [e["message"] for e in whole.logs("error", "critical")]
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
        whole.stop()
    return {
        "answers": {n: a for n, a in answers.items() if began <= a["at"] <= ended},
        "pops": desks.pops,
        "cpu": {name: (after[name] - before[name]) / (ended - began) * 100 for name in sorted(after)},
        "load": load[0],
        "refused": desks.refused,
        "errors": errors,
    }


def report(seen: dict[str, Any], seconds: float) -> int:
    """Print the figures; 1 if a goal is missed."""
    answers = seen["answers"]
    audio = [(a["audio"] - a["at"]) * 1000 for a in answers.values() if a["audio"] is not None]
    floor = [(a["floor"] - a["at"]) * 1000 for a in answers.values() if a["floor"] is not None]
    pops = [(seen["pops"][n] - a["at"]) * 1000 for n, a in answers.items() if n in seen["pops"]]
    silent = sum(a["audio"] is None for a in answers.values())
    unseen = sum(n not in seen["pops"] for n in answers)
    if min(len(audio), len(floor), len(pops)) < FEWEST:
        print(f"only {len(audio)} answers with audio, {len(pops)} pops: nothing to report; {seen['refused'][:3]}")
        return 1
    up = statistics.mean(a["up"] for a in answers.values())
    print(f"{len(answers)} answers in {seconds:.0f} s ({len(answers) / seconds:.1f}/s) with {up:.0f} recorded calls up")
    print(f"{'from the 200 OK, ms':34}{'p50':>8}{'p90':>8}{'p99':>8}{'worst':>8}")
    rows = {"agent's voice at the carrier": audio, "floor: a bare relay": floor, "card on the agent's screen": pops}
    figures = {name: percentiles(values) for name, values in rows.items()}
    for name, values in rows.items():
        p50, p90, p99 = figures[name]
        print(f"{name:34}{p50:8.1f}{p90:8.1f}{p99:8.1f}{max(values):8.1f}")
    ours, bare, pop = figures.values()
    print(f"ratio voice / floor: p50 {ours[0] / bare[0]:.2f}, p99 {ours[2] / bare[2]:.2f}")
    print(f"goals: voice p50 ≤ {AUDIO_P50_MS:g}, p99 ≤ {AUDIO_P99_MS:g}; card p99 ≤ {POP_P99_MS:g}")
    cost = ", ".join(f"{name} {value:.0f}" for name, value in seen["cpu"].items() if value >= 0.5)
    print(f"CPU, % of a core: {cost}; load average {seen['load']:.1f} on {os.cpu_count()} cores")
    print(f"answers without voice {silent}, without card {unseen}")
    print(f"refused by the API {len(seen['refused'])}, errors logged {len(seen['errors'])}; {STAND_IN}")
    for line in [*seen["refused"][:3], *seen["errors"][:3]]:
        print(f"  {line}")
    good = ours[0] <= AUDIO_P50_MS and ours[2] <= AUDIO_P99_MS and pop[2] <= POP_P99_MS
    return 0 if good and not (silent or unseen or seen["errors"]) else 1


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="calls up")
    parser.add_argument("--rate", type=float, default=10.0, help="answers a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="answer_to_audio_"))
    try:
        seen = measure(options.calls, options.rate, options.seconds, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return report(seen, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
