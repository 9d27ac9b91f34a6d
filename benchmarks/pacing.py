"""Pacing modes side by side on the same simulated shifts: how busy agents are, how many calls are abandoned, CPU time.

    python -m benchmarks.pacing [--hours 2] [--days 3]

The named peer is fixed-ratio dialing, what most dialers fall back to: the last column is our occupancy over the best
of its ratios that keeps the cap on that day.
"""

import argparse
from collections.abc import Callable
from functools import partial

from dialer.pacing import power, predictive, progressive
from dialer.pacing.interface import Pacer
from tests.sim.shift import Day, Outcome, Shift

RATIOS = (1.5, 2.0, 2.5, 3.0, 4.0)


def _step(before: float, after: float, at_s: float) -> Callable[[float], float]:
    return lambda t: before if t < at_s else after


def _days(shift_s: float) -> dict[str, Day]:
    return {
        "5 agents, 30 % live": Day(lambda t: 5, lambda t: 0.30, shift_s),
        "10 agents, 15 then 35 %": Day(lambda t: 10, _step(0.15, 0.35, shift_s / 2), shift_s),
        "25 agents, 25 % live": Day(lambda t: 25, lambda t: 0.25, shift_s),
        "50 agents, no AMD": Day(lambda t: 50, lambda t: 0.20, shift_s, amd=False),
    }


def _run(day: Day, make: Callable[[], Pacer], days: int) -> list[Outcome]:
    return [Shift(day, make(), seed).run() for seed in range(days)]


def _summary(runs: list[Outcome]) -> tuple[float, float, float]:
    """Occupancy and abandoned share (fractions) over all days, microseconds per decision."""
    busy, ready = sum(r.busy_s for r in runs), sum(r.ready_s for r in runs)
    live, ticks = sum(r.live for r in runs), sum(r.ticks for r in runs)
    us = 1e6 * sum(r.decide_s for r in runs) / max(1, ticks)
    return busy / max(1e-9, busy + ready), sum(r.abandoned for r in runs) / max(1, live), us


def main() -> None:
    """Print one table per kind of day."""
    parser = argparse.ArgumentParser(description="Compare pacing modes on simulated shifts.")
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--days", type=int, default=3)
    args = parser.parse_args()
    for name, day in _days(args.hours * 3600).items():
        print(f"\n{name}, {args.days} days of {args.hours:g} h, cap {day.abandon_cap:.1%}")
        print(f"{'mode':<16}{'occupancy':>10}{'abandoned':>10}{'us/decide':>10}")
        rows = {"progressive": _summary(_run(day, progressive.Pacer, args.days))}
        for ratio in RATIOS:
            rows[f"power {ratio:g}"] = _summary(_run(day, partial(power.Pacer, ratio), args.days))
        lawful = max(occupancy for occupancy, abandoned, _ in rows.values() if abandoned <= day.abandon_cap)
        rows["predictive"] = _summary(_run(day, predictive.Pacer, args.days))
        for mode, (occupancy, abandoned, us) in rows.items():
            print(f"{mode:<16}{occupancy:>10.1%}{abandoned:>10.2%}{us:>10.0f}")
        print(f"predictive / best fixed ratio within the cap: {rows['predictive'][0] / lawful:.3f}")


if __name__ == "__main__":
    main()
