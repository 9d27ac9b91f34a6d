"""All benchmarks one after the other, each in a process of its own, with a table at the end.

    python -m benchmarks            every one, with these short settings: about a quarter of an hour
    python -m benchmarks NAME …     only these, with their own default settings
    python -m benchmarks NAME -- …  one with settings of yours

Each prints its figures beside a floor or peer that ran on the same machine at the same time, and ends with 0 if its
goals were met. One at a time: they would measure each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_S = 600.0


@dataclass(frozen=True)
class Benchmark:
    """`asks`: what it measures; `short`: its settings in a run of all."""

    asks: str
    short: tuple[str, ...] = ()


BENCHMARKS = {
    "media": Benchmark("cost and delay of recorded calls in a media worker, beside rtpengine"),
    "edge": Benchmark("cost of a browser's audio, beside rtpengine"),
    "sip": Benchmark("calls a second of the SIP adapter, beside SIPp", ("--seconds", "20")),
    "acd": Benchmark("waits of simulated queues, beside Erlang C and Erlang A"),
    "routing": Benchmark("a routing decision with 1,000 callers and 500 agents, beside a full scan"),
    "pacing": Benchmark("agents' occupancy and abandoned calls, predictive beside fixed ratios", ("--days", "2")),
    "import_million": Benchmark("an import of leads, beside bare COPY", ("300000",)),
    "recorder": Benchmark("calls folded into tables, beside bare COPY", ("--calls", "3000")),
    "attempts": Benchmark("call attempts a second of a whole installation, beside SIPp", ("--seconds", "30")),
    "answer_to_audio": Benchmark(
        "from the 200 OK to the agent's voice and the card, beside a bare relay", ("--seconds", "40")
    ),
    "inbound": Benchmark("from an INVITE to the card, from the answer to audio both ways, beside a bare relay"),
    "words": Benchmark("the search for sensitive words and the checks of texts, beside ahocorasick_rs alone"),
    "purse": Benchmark(
        "texts a second that many processes pay for from one account, beside bare UPDATEs", ("--batches", "8")
    ),
    "texts": Benchmark(
        "texts a second through checks, purse and SMPP, receipts included, beside SMPP alone", ("--texts", "40000")
    ),
    "boards": Benchmark("documents to a thousand browsers on a board, beside a plain loop", ("--seconds", "20")),
}


def run(name: str, settings: tuple[str, ...]) -> tuple[str, float]:
    """Run one, its output passed on; returns how it ended and the seconds it took."""
    words = [sys.executable, "-m", f"benchmarks.{name}", *settings]
    print(f"\n=== {name} {' '.join(settings)}: {BENCHMARKS[name].asks}", flush=True)
    began = time.monotonic()
    try:
        code = subprocess.run(words, cwd=ROOT, timeout=MOST_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"not done within {MOST_S:.0f} s", MOST_S
    ended = {0: "goals met", 1: "a goal was missed", 2: "not run, see above"}.get(code, f"failed ({code})")
    return ended, time.monotonic() - began


def main(words: list[str]) -> int:
    """Run all or the named ones; 1 if any missed a goal."""
    settings: tuple[str, ...] | None = None
    if "--" in words:
        at = words.index("--")
        words, settings = words[:at], tuple(words[at + 1 :])
    unknown = [w for w in words if w not in BENCHMARKS]
    if unknown or (settings is not None and len(words) != 1):
        print((__doc__ or "").strip() + "\n")
        for name, benchmark in BENCHMARKS.items():
            print(f"  {name:<16} {benchmark.asks}")
        return 2
    results = {}
    for name in words or BENCHMARKS:
        chosen = settings if settings is not None else () if words else BENCHMARKS[name].short
        load = os.getloadavg()[0]
        results[name] = (*run(name, chosen), load)
    print(f"\n{'benchmark':<18}{'seconds':>8}{'load before':>13}  result")
    for name, (ended, took, load) in results.items():
        print(f"{name:<18}{took:8.0f}{load:13.1f}  {ended}")
    return 0 if all(ended == "goals met" for ended, _, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
