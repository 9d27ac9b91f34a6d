"""How fast texts are searched for sensitive words, and how fast they pass checks 1 to 6.

    python -m benchmarks.words [--words 20000] [--texts 40000] [--rounds 3]

The words are random: three quarters Chinese of 2 to 4 characters, the rest Latin. The texts are of ordinary length
(Chinese of about 70 characters, English of about 150), each different, one in fifty with a word in it, half of those
in a disguise. The named peer is `ahocorasick_rs` alone on the texts as they are, without normalisation: it finds fewer.

The checks are asked about random numbers (mainland, and one in twenty abroad, where no route leads), with a blacklist,
opt-outs, caps and hours, once with a body for each and once with the same body for all. Seconds of computing of one
thread; the best of the rounds. Goals: 5 million characters a second, and 50,000 checked texts a second.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from ahocorasick_rs import AhoCorasick, MatchKind

from smsgateway.checks.pipeline import Judge
from smsgateway.checks.verdict import Account, Candidate, NeedsApproval, Refusal, TextRules, World
from smsgateway.segments import count
from smsgateway.words.matcher import Entry, Matcher

GOAL_CHARS = 5e6
GOAL_TEXTS = 50_000.0
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC).timestamp()
WINDOWS = [{"days": [1, 2, 3, 4, 5, 6, 7], "from": "08:00", "to": "21:00"}]
ZH = (
    "【安心保险】尊敬的{name}，您的保单{n}将于本月底到期，点击链接或回复办理续保，可享受老客户优惠，"
    "如有疑问请致电{n}，退订回T"
)
EN = (
    "Dear {name}, your policy {n} ends this month. Renew by the end of next week and keep the price that you have. "
    "Any questions? Call {n}. Reply STOP to opt out."
)
_HAN = [chr(c) for c in range(0x4E00, 0x9000)]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
DISGUISES: tuple[Callable[[str], str], ...] = (
    lambda w: "\u200b".join(w),
    lambda w: " ".join(w),
    lambda w: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in w),
    str.upper,
)


def words(n: int, rng: Random) -> list[str]:
    """`n` different words."""
    made: set[str] = set()
    while len(made) < n * 3 // 4:
        made.add("".join(rng.choices(_HAN, k=rng.choice((2, 3, 3, 4)))))
    while len(made) < n:
        made.add("".join(rng.choices(_LETTERS, k=rng.randint(5, 9))))
    return sorted(made)


def texts(n: int, some: list[str], rng: Random, english: bool) -> list[str]:
    """`n` different texts, one in fifty with one of `some` in it."""
    out = []
    for _ in range(n):
        name = "".join(rng.choices(_LETTERS if english else _HAN, k=5 if english else 3))
        body = (EN if english else ZH).format(name=name, n=rng.randrange(10**7, 10**8))
        if rng.random() < 0.02:
            word = rng.choice(some)
            body += " " + (rng.choice(DISGUISES)(word) if rng.random() < 0.5 else word)
        out.append(body)
    return out


def best(work: Callable[[], int], rounds: int) -> tuple[float, int]:
    """Least seconds of computing over `rounds`, and what the work counted."""
    least, counted = float("inf"), 0
    for _ in range(rounds):
        gc.collect()
        began = time.thread_time()
        counted = work()
        least = min(least, time.thread_time() - began)
    return least, counted


def search(name: str, matcher: Matcher, peer: AhoCorasick, bodies: list[str], rounds: int) -> bool:
    """Time the search of `bodies`; whether the goal was met."""
    chars = sum(map(len, bodies))
    ours, hits = best(lambda: sum(bool(matcher.find(b)) for b in bodies), rounds)
    bare, bare_hits = best(lambda: sum(bool(peer.find_matches_as_indexes(b, overlapping=True)) for b in bodies), rounds)
    found = f"{hits:8,} {bare_hits:8,}"
    print(f"{name:<34}{chars / ours / 1e6:9.1f}{chars / bare / 1e6:12.1f}{bare / ours:8.2f}  {found}", flush=True)
    return chars / ours >= GOAL_CHARS


def candidates(bodies: list[str], rng: Random) -> list[Candidate]:
    """A text to a number of its own for each body, counted as a send counts it."""
    out = []
    for body in bodies:
        abroad = rng.random() < 0.05
        phone = f"+44740012{rng.randrange(10**4):04d}" if abroad else f"+8613{rng.randrange(10**9):09d}"
        out.append(Candidate(phone, body, segments=count(body).parts))
    return out


def checked(name: str, world: World, batch: list[Candidate], rounds: int) -> bool:
    """Time checks 1 to 6 on `batch`; whether the goal was met."""
    verdicts: list[object] = []

    def judge() -> int:
        verdicts[:] = Judge(world).judge_all(batch)
        return len(verdicts)

    took, _ = best(judge, rounds)
    no = sum(isinstance(v, Refusal) for v in verdicts)
    held = sum(isinstance(v, NeedsApproval) for v in verdicts)
    print(f"{name:<34}{len(batch) / took:12,.0f} texts/s   {no:,} refused, {held:,} to approval", flush=True)
    return len(batch) / took >= GOAL_TEXTS


def main() -> int:
    """Print the figures; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description="Time the search for words and the checks of texts.")
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rng = Random(11)
    some = words(args.words, rng)
    began = time.thread_time()
    matcher = Matcher(Entry(w, "any") for w in some)
    matcher.find("warm")
    print(f"{len(matcher):,} words, {args.texts:,} texts; built in {time.thread_time() - began:.2f} s")
    peer = AhoCorasick(some, matchkind=MatchKind.Standard, store_patterns=False)
    zh, en = texts(args.texts, some, rng, english=False), texts(args.texts, some, rng, english=True)
    print(f"{'million characters a second':<34}{'ours':>9}{'bare search':>12}{'ratio':>8}  {'found':>8} {'bare':>8}")
    met = [
        search("Chinese texts", matcher, peer, zh, args.rounds),
        search("English texts", matcher, peer, en, args.rounds),
        search("texts of 10,000 characters", matcher, peer, _long(zh), args.rounds),
    ]
    batch = candidates(zh, rng)
    phones = [c.phone for c in batch]
    world = World(
        now=NOON,
        words=matcher,
        account=Account(valid_until=NOON + 86_400),
        rules=TextRules(windows=WINDOWS, holidays=["2026-10-01"], texts_24h=2, texts_30d=10),
        blacklisted=set(rng.sample(phones, len(phones) // 100)),
        opted_out=set(rng.sample(phones, len(phones) // 50)),
        sent_24h={p: rng.randint(1, 2) for p in rng.sample(phones, len(phones) // 5)},
        sent_30d={p: rng.randint(1, 10) for p in rng.sample(phones, len(phones) // 3)},
        reachable=lambda phone: not phone.startswith("+44"),
    )
    met += [
        checked("checks 1-6, Chinese, all different", world, batch, args.rounds),
        checked("checks 1-6, English, all different", world, candidates(en, rng), args.rounds),
        checked("checks 1-6, the same body", world, candidates([zh[0]] * args.texts, rng), args.rounds),
    ]
    goals = f"{GOAL_CHARS / 1e6:g} M characters/s, {GOAL_TEXTS:,.0f} checked texts/s"
    print(f"goals: {goals}: {'met' if all(met) else 'MISSED'}")
    return 0 if all(met) else 1


def _long(bodies: list[str]) -> list[str]:
    joined = "".join(bodies)
    return [joined[at : at + 10_000] for at in range(0, len(joined) - 10_000, 10_000)]


if __name__ == "__main__":
    sys.exit(main())
