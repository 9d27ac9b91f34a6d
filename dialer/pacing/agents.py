"""When agents who are busy now will be free: by how long they have been talking, in wrap-up or on a pause.

Answers one question for the forecast: the probability that an agent cannot take a call at each of the instants ahead.
Talk and wrap-up are learned as hazards; an agent who finishes may go on a pause or sign out instead.
"""

import numpy as np

from dialer.pacing.hazards import DurationHazard, Floats, ages, ends_within, lognormal_hazard, spread
from dialer.pacing.interface import Snapshot

TALK_AGES = 600
WRAP_AGES = 240
TALK_SMOOTH = spread(1.5, 0.12, TALK_AGES)
WRAP_SMOOTH = spread(1.0, 0.10, WRAP_AGES)
# Wide priors for the cold start only: a dozen calls outweigh them.
TALK_PRIOR = np.full(TALK_AGES, 1 / 100.0)
WRAP_PRIOR = lognormal_hazard(20.0, 0.8, WRAP_AGES)
PRIOR_CALLS = 6.0
MEMORY_CALLS = 500.0
MEAN_PAUSE_S = 300.0


class BusyAgents:
    """Learns talk, wrap-up and pause lengths; tells who will still be busy.

    `instants_s` are the times ahead at which the forecast looks, ascending, shape (J,).
    """

    def __init__(self, instants_s: Floats, tick_s: float) -> None:
        self._at = instants_s
        self._tick_s = tick_s
        self._span = int(np.ceil(instants_s[-1])) + 1
        self._talk = DurationHazard(TALK_PRIOR, PRIOR_CALLS, MEMORY_CALLS, TALK_SMOOTH)
        self._wrap = DurationHazard(WRAP_PRIOR, PRIOR_CALLS, MEMORY_CALLS, WRAP_SMOOTH)
        self._leaves, self._wraps = 0.4, 10.0
        self._pause_s, self._pause_ends = 3 * MEAN_PAUSE_S, 3.0
        self.rebuild()

    def observe(self, s: Snapshot) -> None:
        """Take in one tick."""
        self._talk_age = ages(s.now, s.talk_since, TALK_AGES - 1)
        self._wrap_age = ages(s.now, s.wrap_since, WRAP_AGES - 1)
        self._talk.observe(self._talk_age, self._tick_s)
        self._wrap.observe(self._wrap_age, self._tick_s)
        self._pause_s += len(s.paused_since) * self._tick_s
        for kind, t, value in s.events:
            if kind == "talk_end":
                self._talk.end(value)
            elif kind == "wrap_end":
                self._wrap.end(value)
                self._wraps += 1.0
                self._last_wrap_end = t
            elif kind == "unpause":
                self._pause_ends += 1.0
            elif kind in ("pause", "logout") and t == self._last_wrap_end:
                # At the same instant as the end of a wrap-up: this agent did not come free.
                self._leaves += 1.0

    _last_wrap_end = -1.0

    def rebuild(self) -> None:
        """Work the tables out anew from what was learned. About a millisecond, so not needed every tick."""
        talk_rate, wrap_rate = self._talk.rate(), self._wrap.rate()
        talk = ends_within(talk_rate, self._span)
        wrap = ends_within(wrap_rate, self._span)
        stays = 1.0 - self._leaves / self._wraps
        mid = np.arange(self._span) + 0.5
        fresh = np.concatenate(([0.0], np.cumsum(wrap[0])))
        wrap_done = _at(fresh, self._at[None, :] - mid[:, None])
        self._talk_busy = 1.0 - stays * (talk @ wrap_done)
        whole = np.concatenate((np.zeros((WRAP_AGES, 1)), np.cumsum(wrap, axis=1)), axis=1)
        self._wrap_busy = 1.0 - stays * _rows_at(whole, self._at)
        # A call connected now, from its first second to the end of its wrap-up: cumulative per second.
        self.handled = np.concatenate(([0.0], np.cumsum(np.convolve(talk[0], wrap[0])[: self._span])))

    def busy(self, s: Snapshot) -> Floats:
        """P(not free at each instant) of every agent now talking, in wrap-up or paused. Shape (agents, J)."""
        back = self._pause_ends / self._pause_s
        paused = np.repeat(np.exp(-back * self._at)[None, :], len(s.paused_since), axis=0)
        return np.concatenate((self._talk_busy[self._talk_age], self._wrap_busy[self._wrap_age], paused))


def _at(cumulative: Floats, x: Floats) -> Floats:
    """A cumulative distribution given per whole second, read at any times (0 before its start)."""
    return np.asarray(np.interp(x, np.arange(len(cumulative)), cumulative))


def _rows_at(cumulative: Floats, x: Floats) -> Floats:
    """The same for each row. Shape (rows, len(x))."""
    low = np.minimum(x.astype(np.int64), cumulative.shape[1] - 2)
    part = x - low
    return np.asarray(cumulative[:, low] * (1 - part) + cumulative[:, low + 1] * part)
