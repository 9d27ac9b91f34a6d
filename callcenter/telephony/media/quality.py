"""How good a leg sounds: the E-model's rating R and the mean opinion score from loss, jitter and delay.

Source: ITU-T G.107 (2015) with its default values (R0 − Is = 93.2), G.113 Appendix I for G.711 with concealment of lost
packets (Ie = 0, Bpl = 25.1), and Annex B for R → MOS.
"""

from __future__ import annotations

BASE_R = 93.2
BPL = 25.1
PACKET_MS = 20.0


def delay_impairment(one_way_ms: float) -> float:
    """Id of the E-model for a one-way mouth-to-ear delay, in its usual linear form (Cole and Rosenbluth, 2001)."""
    impairment = 0.024 * one_way_ms
    if one_way_ms > 177.3:
        impairment += 0.11 * (one_way_ms - 177.3)
    return impairment


def mos(loss: float, jitter_ms: float, round_trip_ms: float | None) -> float:
    """Mean opinion score, 1.0 to 4.5, two decimals. `loss` is a fraction; an unknown round trip counts as none.

    The far end's jitter buffer is taken as twice the jitter.
    """
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    one_way_ms = (round_trip_ms or 0.0) / 2 + 2 * jitter_ms + PACKET_MS
    rating = BASE_R - delay_impairment(one_way_ms) - 95.0 * percent / (percent + BPL)
    if rating <= 0:
        return 1.0
    rating = min(rating, 100.0)
    score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return round(min(max(score, 1.0), 4.5), 2)
