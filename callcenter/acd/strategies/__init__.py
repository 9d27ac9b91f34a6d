"""Which of the free agents gets a call: one rule a file.

A strategy gives an agent's rank for a call (`ask.Rank`). What holds under every strategy (skills, rings of penalty, the
cap of utilisation, the caller's own agent, the longest idle of equals) is in `acd/routing.py`.
"""

from __future__ import annotations

from callcenter.acd.settings import Strategy
from callcenter.acd.strategies import fewest_calls, longest_idle, percentage, round_robin, skill_best, sticky
from callcenter.acd.strategies.ask import Ask, Rank

RANKS: dict[Strategy, Rank] = {
    Strategy.LONGEST_IDLE: longest_idle.rank,
    Strategy.FEWEST_CALLS: fewest_calls.rank,
    Strategy.ROUND_ROBIN: round_robin.rank,
    Strategy.SKILL_BEST: skill_best.rank,
    Strategy.STICKY: sticky.rank,
    Strategy.PERCENTAGE: percentage.rank,
}

__all__ = ["RANKS", "Ask", "Rank"]
