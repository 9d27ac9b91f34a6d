"""Call attempts per second of one engine in a whole installation, against SIPp carriers.

    python -m benchmarks.attempts [--rates 150 50] [--seconds 60]

A power campaign at ten calls a free agent dials a list whose numbers end in 486, 404, a ring time-out or an answer
(SIPp talks for a second and hangs up; agents set outcomes over the API). Feeder, hopper, engine, media, recorder and
web all run; nothing is dialed past them. Failed by us is: a call that SIPp counts as gone wrong, a call that SIPp saw
and no CDR tells, a CDR with another outcome than SIPp gave, a lead that was not dialed exactly once. Printed besides:
the rate that was held, answers that found no agent, CPU of each process, the facts that the recorder still had to fold
at the end and how long that took. The floor is SIPp itself as the caller at the same rate, in the same run. The agents'
audio comes from a stand-in for the browser edge; see `benchmarks.stand_in_edge`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.desks import Desks
from benchmarks.sip import sipp_figures
from benchmarks.sipp_carriers import SippCarrier
from benchmarks.whole import STAND_IN, Shop, Whole
from tests.system.installation import ask

PREFIXES = {"busy": "+8613900002", "invalid": "+8613900004", "no_answer": "+8613900003", "answer": "+8613900001"}
SHARES = {"busy": 13, "invalid": 5, "no_answer": 1, "answer": 1}  # of twenty calls
RATIO = 10.0
RING_TIMEOUT_S = 4
AGENTS_A_RATE = 0.25  # agents for each attempt a second: most are free, so that the trunks' rate is the only limit
MOST_CPU_AT_50 = 30.0  # % of a core that the engine may need at 50 attempts a second
FLOOR_S = 20.0
LEAD_IN_S = 3.0  # the trunks' first second is a burst
FINISH_S = 60.0


@dataclass(frozen=True)
class Figures:
    """Of one rate. `held` attempts a second over the measured time, `least` in its slowest second; `wrong` how many
    calls we failed at, and what is said of them; `cpu` % of a core by process; `lag` facts not folded when the last
    call ended, `drain_s` until they were."""

    rate: float
    attempts: int
    held: float
    least: int
    wrong: tuple[int, list[str]]
    abandoned: int
    cpu: dict[str, float]
    load: float
    lag: int
    drain_s: float


def _numbers(campaign: int, count: int) -> dict[str, list[str]]:
    """Numbers by outcome, `count` in all; the digits after the prefix differ between campaigns."""
    order = [o for o, share in SHARES.items() for _ in range(share)]
    order = [order[i * 7 % len(order)] for i in range(len(order))]  # well mixed: 7 and 20 have no common factor
    out: dict[str, list[str]] = {o: [] for o in SHARES}
    for i, outcome in zip(range(count), itertools.cycle(order), strict=False):
        out[outcome].append(f"{PREFIXES[outcome]}{campaign % 10}{i:06d}")
    return out


def _until(holds: Callable[[], Any], timeout_s: float) -> float:
    """Seconds until `holds` was true, `timeout_s` if it never was."""
    began = time.monotonic()
    while not holds() and time.monotonic() - began < timeout_s:
        time.sleep(0.1)
    return time.monotonic() - began


def run_rate(
    whole: Whole, shop: Shop, carriers: dict[str, SippCarrier], rate: float, seconds: float, nth: int
) -> Figures:
    """One campaign at `rate`."""
    by_outcome = _numbers(nth, round(rate * 1.03 * (seconds + LEAD_IN_S + 1)))
    numbers = [n for group in by_outcome.values() for n in group]
    numbers.sort(key=lambda n: n[-6:])
    before = {o: c.counted() for o, c in carriers.items()}
    campaign = shop.campaign(
        f"{rate:g} a second", numbers, mode="power", ratio=RATIO, max_lines=2000, ring_timeout_s=RING_TIMEOUT_S
    )
    shop.limit(rate * 1.02)
    time.sleep(2.0)
    left = f"SELECT 1 FROM call WHERE campaign_id = {campaign} AND ended_at IS NULL LIMIT 1"
    begun = "SELECT count(*) AS n FROM call WHERE campaign_id = %s"
    owner = whole.visitor("owner")
    ask(owner, "POST", f"/api/campaigns/{campaign}/start", {})
    time.sleep(LEAD_IN_S)
    cpu, began = whole.cpu_s(), time.monotonic()
    time.sleep(max(1.0, seconds - 1.0))
    after, took, load = whole.cpu_s(), time.monotonic() - began, os.getloadavg()[0]
    redis = whole.redis()
    _until(
        lambda: not redis.zcard(f"hopper:{shop.tenant}:{campaign}") and not redis.hlen(f"calls:{shop.tenant}"), FINISH_S
    )
    lag = whole.unrecorded()
    drain_s = _until(lambda: not whole.unrecorded(), FINISH_S)
    _until(lambda: whole.rows(begun, campaign)[0]["n"] >= len(numbers) and not whole.rows(left), FINISH_S)
    ask(owner, "POST", f"/api/campaigns/{campaign}/stop", {})

    rows = whole.rows("SELECT phone_e164, outcome, started_at FROM call WHERE campaign_id = %s", campaign)
    starts = sorted(r["started_at"].timestamp() for r in rows)
    first = starts[0] + LEAD_IN_S
    last = first + seconds
    middle = [s for s in starts if first <= s < last]
    per_second = [sum(first + i <= s < first + i + 1 for s in middle) for i in range(int(last - first))]
    return Figures(
        rate=rate,
        attempts=len(rows),
        held=len(middle) / max(1e-9, last - first),
        least=min(per_second, default=0),
        wrong=_wrong(rows, by_outcome, carriers, before),
        abandoned=sum(r["outcome"] == "abandoned" for r in rows),
        cpu={name: (after[name] - cpu[name]) / took * 100 for name in sorted(after)},
        load=load,
        lag=lag,
        drain_s=drain_s,
    )


def _wrong(
    rows: list[dict[str, Any]],
    by_outcome: dict[str, list[str]],
    carriers: dict[str, SippCarrier],
    before: dict[str, Any],
) -> tuple[int, list[str]]:
    """How many calls are not as SIPp has them, and what is said of them."""
    count, out = 0, []
    calls: dict[str, list[str]] = {}
    for row in rows:
        calls.setdefault(row["phone_e164"], []).append(str(row["outcome"]))
    for outcome, group in by_outcome.items():
        told = {"answer": {"connected", "abandoned"}}.get(outcome, {outcome})
        for number in group:
            mine = calls.pop(number, [])
            if len(mine) != 1 or mine[0] not in told:
                out.append(f"{number} ({outcome}) has the CDRs {mine}")
        counted = carriers[outcome].settle(before[outcome].came + len(group))
        came, failed = counted.came - before[outcome].came, counted.failed - before[outcome].failed
        if came != len(group) or failed:
            out.append(f"SIPp ({outcome}): {came} calls for {len(group)} leads, {failed} of them gone wrong")
            out[-1] += f"; its first complaint: {carriers[outcome].complaint()}"
            count += failed + abs(came - len(group)) - 1
    out += [f"{number} was not in the list" for number in calls]
    return count + len(out), out


def report(figures: Figures, seconds: float) -> None:
    """Print one rate, with SIPp as the caller beside it."""
    f = figures
    floor = asyncio.run(sipp_figures(f.rate, min(seconds, FLOOR_S)))
    print(
        f"{f.rate:g} call attempts/s, {seconds:g} s: {f.attempts} attempts, {f.held:.0f}/s held, {f.least} in the",
        end="",
    )
    print(f" slowest second; {f.wrong[0]} failed by us; {f.abandoned} answers found no agent")
    cost = ", ".join(f"{name} {value:.0f}" for name, value in f.cpu.items() if value >= 0.5)
    print(f"  CPU, % of a core: {cost}; load average {f.load:.1f} on {os.cpu_count()} cores")
    print(f"  recorder: {f.lag} facts to fold at the end, {f.drain_s:.1f} s until none was left")
    ratio = f.cpu["engine"] / max(floor.cpu_percent, 0.1)
    print(f"  CPU of the engine / SIPp's as the caller ({floor.cpu_percent:.1f} %): {ratio:.1f}", flush=True)
    for line in f.wrong[1][:8]:
        print(f"    {line}")


def main() -> int:
    """Run and print; 1 if a call failed by us or a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[150.0, 50.0], help="call attempts per second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each is held")
    options = parser.parse_args()
    if shutil.which("sipp") is None:
        print("SIPp is missing: apt-get install sip-tester", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="attempts_"))
    carriers = {outcome: SippCarrier(outcome, folder) for outcome in SHARES}
    whole = Whole(folder / "var")
    good = True
    try:
        whole.start()
        agents = round(max(options.rates) * AGENTS_A_RATE)
        trunks = {PREFIXES[o]: c.port for o, c in carriers.items()}
        shares = {PREFIXES[o]: share / sum(SHARES.values()) for o, share in SHARES.items()}
        shop = Shop(trunks, agents, shares).open()
        desks = Desks(whole.address, shop.disposition, None)
        desks.sign_in(agents)
        desks.start()
        print(f"{agents} agents signed in; {STAND_IN}")
        for nth, rate in enumerate(options.rates):
            figures = run_rate(whole, shop, carriers, rate, options.seconds, nth)
            report(figures, options.seconds)
            good &= not figures.wrong[0] and figures.held >= 0.95 * rate
            good &= rate != 50 or figures.cpu["engine"] <= MOST_CPU_AT_50
        desks.stop()
        errors = [e["message"] for e in whole.logs("error", "critical")]
        print(f"refused by the API {len(desks.refused)}, errors logged {len(errors)}")
        for line in [*desks.refused[:3], *errors[:3]]:
            print(f"  {line}")
    finally:
        whole.stop()
        for carrier in carriers.values():
            carrier.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
