"""Queues in simulated shifts beside Erlang's formulas: mean waits, callers who give up, promised waits, shared work.

    python -m benchmarks.acd [--calls 200000] [--seed 1]

Callers come by Poisson, talk times and patience are exponential; `Queues` itself decides who is taken by whom. The
peers are Erlang C (nobody gives up) and Palm's Erlang A, computed apart from the simulation. Beside each ratio stands
how far such a shift lies off by chance (95 %, from 20 batches of callers); the seed makes every run the same. Goals:
every mean wait and every share of those who give up within 3 % of the formula; promised waits at most 5 % worse than by
one who knows all rates; nobody left waiting.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from callcenter.acd.settings import QueueSettings, Strategy
from tests.sim.acd import SILENT, Callers, Floor, Ride, Shift, one_queue, promises
from tests.sim.erlang import erlang_a, erlang_c_wait_s

SERVICE_S = 120.0
BATCHES = 20
T95 = 2.093  # Student's t for 19 degrees of freedom
WITHIN = 0.03


def ratio(rides: Sequence[Ride], value: Callable[[Ride], float], expected: float) -> tuple[float, float]:
    """Mean of `value` ÷ expected, and half the width of its 95 % interval."""
    size = len(rides) // BATCHES
    means = [sum(map(value, rides[n * size : (n + 1) * size])) / size / expected for n in range(BATCHES)]
    return statistics.fmean(means), T95 * statistics.stdev(means) / BATCHES**0.5


def line(name: str, formula: str, seen: tuple[float, float], us: float) -> bool:
    """Print one comparison; whether it is within the goal."""
    good = abs(seen[0] - 1.0) <= WITHIN
    print(
        f"{name:<34}{formula:>22}{seen[0]:>10.4f}  ±{seen[1]:.4f}{us:>10.0f}{'' if good else '   MISSED'}", flush=True
    )
    return good


def run(floor: Floor, calls: int, seed: int) -> tuple[list[Ride], float]:
    """The callers of one shift, and microseconds of all deciding and simulating a call."""
    began = time.perf_counter()
    rides = Shift(floor, calls, seed).run()
    return rides, (time.perf_counter() - began) / calls * 1e6


def main() -> int:
    """Print the tables; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description="Hold simulated queues against Erlang's formulas.")
    parser.add_argument("--calls", type=int, default=200_000, help="callers of each shift")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    met = []
    print(f"{'floor':<34}{'formula':>22}{'simulated / formula':>21}{'us/call':>10}")
    for agents, load in ((5, 0.6), (10, 0.7), (30, 0.8), (50, 0.85)):
        per_s = load * agents / SERVICE_S
        rides, us = run(one_queue(agents, per_s, SERVICE_S), args.calls, args.seed)
        wait_s = erlang_c_wait_s(agents, per_s, SERVICE_S)
        seen = ratio(rides, lambda r: r.waited_s, wait_s)
        met.append(line(f"{agents} agents, load {load:.0%}, patient", f"C: wait {wait_s:.2f} s", seen, us))
    for agents, load, patience_s in ((5, 0.8, 60.0), (10, 1.0, 120.0), (30, 1.1, 180.0)):
        per_s = load * agents / SERVICE_S
        rides, us = run(one_queue(agents, per_s, SERVICE_S, patience_s), args.calls // 2, args.seed)
        gave_up, wait_s = erlang_a(agents, per_s, SERVICE_S, patience_s)
        name = f"{agents} agents, load {load:.0%}, {patience_s:.0f} s"
        met.append(line(name, f"A: wait {wait_s:.2f} s", ratio(rides, lambda r: r.waited_s, wait_s), us))
        met.append(line(name, f"A: {gave_up:.2%} give up", ratio(rides, lambda r: r.agent is None, gave_up), us))
    met += [_promised(args.calls // 8, args.seed), _forgotten(args.calls // 8, args.seed)]
    _shared(args.calls // 20, args.seed)
    print(f"goals: {'met' if all(met) else 'MISSED'}")
    return 0 if all(met) else 1


def _promised(calls: int, seed: int) -> bool:
    print("\npromised waits, errors ÷ mean wait    told     ours  knowing all rates    ratio     bias")
    good = True
    for agents, load, patience_s in ((5, 0.7, None), (20, 0.9, None), (20, 1.1, 120.0)):
        floor = one_queue(agents, load * agents / SERVICE_S, SERVICE_S, patience_s)
        stream = None
        if patience_s is not None:  # a few who wait to the end tell how long it takes
            patient = Callers(1, 0.02 * agents / SERVICE_S)
            floor, stream = Floor(floor.queues, floor.agents, [*floor.callers, patient], SERVICE_S), 1
        told = promises(run(floor, calls, seed)[0], agents, SERVICE_S, patience_s, stream)
        off = told.error / told.least_error
        name = f"{agents} agents, load {load:.0%}" + (f", {patience_s:.0f} s" if patience_s else ", patient")
        print(f"{name:<36}{told.told:>6}{told.error:>9.1%}{told.least_error:>19.1%}{off:>9.3f}{told.bias:>+9.1%}")
        good &= off <= 1.05
    return good


def _forgotten(calls: int, seed: int) -> bool:
    """High and low priorities at 97 % load: the low ones wait longer, and are taken."""
    agents = 10
    per_s = 0.97 * agents / SERVICE_S
    floor = one_queue(agents, per_s, SERVICE_S)
    streams = [Callers(1, 0.6 * per_s, priority=5), Callers(1, 0.4 * per_s)]
    rides, _ = run(Floor(floor.queues, floor.agents, streams, SERVICE_S), calls, seed)
    print("\npriorities at 97 % load, one level grows in a minute")
    longest = []
    for n, name in enumerate(("priority 5", "priority 0")):
        waits = [r.waited_s for r in rides if r.stream == n]
        longest.append(max(waits))
        print(f"  {name}: mean wait {statistics.fmean(waits):7.1f} s, longest {max(waits):7.1f} s")
    taken = all(r.agent is not None for r in rides)
    behind = longest[1] - longest[0]
    print(f"  everybody taken: {taken}; the longest waits lie {behind:.0f} s apart (5 levels: 300 s)")
    return taken and behind <= 300 + SERVICE_S


def _shared(calls: int, seed: int) -> None:
    print("\nwork shared by 10 agents at 60 % load: calls of the busiest ÷ of the idlest")
    for strategy in Strategy:
        floor = one_queue(10, 0.6 * 10 / SERVICE_S, SERVICE_S)
        queue = QueueSettings(1, "Service", waiting=SILENT, strategy=strategy)
        rides, us = run(Floor([queue], floor.agents, floor.callers, SERVICE_S), calls, seed)
        taken = [sum(r.agent == a.user_id for r in rides) for a in floor.agents]
        print(f"  {strategy.value:<14}{max(taken) / max(1, min(taken)):6.2f}{us:10.0f} us/call")


if __name__ == "__main__":
    sys.exit(main())
