"""A flood ends before it is parsed, and harms neither known peers nor their calls."""

from __future__ import annotations

import random

from callcenter.telephony.sip.gate import KNOWN_FOR_S, MOST_SOURCES, Bucket, Gate

INVITE = b"INVITE sip:4000@127.0.0.1 SIP/2.0\r\nTo: <sip:4000@127.0.0.1>\r\n\r\n"
BYE = b"BYE sip:4000@127.0.0.1 SIP/2.0\r\nTo: <sip:4000@127.0.0.1>;tag=a1\r\n\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nTo: <sip:4000@127.0.0.1>;tag=a1\r\n\r\n"
TRUNK, STRANGER = "192.0.2.1", "198.51.100.7"


def gate() -> Gate:
    return Gate(lambda host: host == TRUNK)


def admitted(g: Gate, packet: bytes, host: str, count: int, now: float, over_s: float = 0.0) -> int:
    return sum(g.admits(packet, host, now + over_s * i / count) for i in range(count))


def test_a_strangers_flood_is_cut_to_a_few_calls_a_second() -> None:
    g = gate()
    assert admitted(g, INVITE, STRANGER, 10_000, 0.0, over_s=10.0) <= 20 + 10 * 10
    assert admitted(g, BYE, STRANGER, 10_000, 60.0, over_s=10.0) <= 100 + 10 * 50
    assert g.dropped > 19_000


def test_many_forged_strangers_have_one_allowance_together() -> None:
    g = gate()
    rng = random.Random(4)
    hosts = [f"203.0.{rng.randrange(256)}.{rng.randrange(256)}" for _ in range(20_000)]
    assert sum(g.admits(INVITE, host, i / 20_000) for i, host in enumerate(hosts)) <= 200 + 100


def test_a_trunk_and_its_calls_are_untouched_by_the_flood_of_others() -> None:
    g = gate()
    for i in range(5000):
        g.admits(INVITE, STRANGER, i / 1000)
        if i % 100 == 0:
            assert g.admits(INVITE, TRUNK, i / 1000)
        assert g.admits(BYE, TRUNK, i / 1000)
        assert g.admits(RINGING, TRUNK, i / 1000)


def test_a_trunk_that_goes_mad_is_held_back_at_new_calls_only() -> None:
    g = gate()
    assert admitted(g, INVITE, TRUNK, 10_000, 0.0, over_s=1.0) <= 400 + 200
    assert g.admits(BYE, TRUNK, 1.0)


def test_who_proved_to_be_a_peer_is_no_stranger_for_an_hour() -> None:
    g = gate()
    g.learn(STRANGER, 0.0)
    assert admitted(g, BYE, STRANGER, 5000, 1.0) == 5000
    assert admitted(g, BYE, STRANGER, 5000, KNOWN_FOR_S + 1) <= 100


def test_a_retransmission_storm_of_answers_from_strangers_does_not_use_up_their_calls() -> None:
    g = gate()
    for i in range(20_000):
        g.admits(RINGING, f"203.0.113.{i % 250}", i / 20_000)
    assert g.admits(INVITE, "198.51.100.9", 1.0)


def test_the_gate_remembers_a_bounded_number_of_sources() -> None:
    g = Gate(lambda host: False, strangers_all=1e9)
    for i in range(MOST_SOURCES + 500):
        host = f"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}"
        g.admits(INVITE, host, 0.0)
        g.learn(host, 0.0)
    assert len(g._until) == MOST_SOURCES
    assert len(g._each._by_key) == MOST_SOURCES


def test_a_bucket_never_gives_more_than_its_rate_and_burst_and_no_clock_setback_harms_it() -> None:
    rng = random.Random(12)
    bucket = Bucket.full(5.0, 10.0, 0.0)
    now, given = 0.0, 0
    for _ in range(5000):
        now = max(0.0, now + rng.uniform(-0.05, 0.1))
        given += bucket.take(1.0, now)
    assert given <= 10 + 5 * (bucket.at) + 1
    assert given >= 5 * bucket.at * 0.9
