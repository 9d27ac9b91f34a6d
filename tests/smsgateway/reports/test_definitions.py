"""The figures' definitions hold together."""

from __future__ import annotations

from smsgateway.reports.definitions import FIGURES, KEYS, NAMES, STATES, Group, merged, rates
from smsgateway.texts import TextState


def test_every_state_of_a_text_is_a_figure_and_every_group_has_a_key() -> None:
    assert set(STATES) == {s.value for s in TextState} <= set(FIGURES)
    assert set(KEYS) == set(Group)


def test_nothing_is_divided_by_nothing() -> None:
    none = rates(merged([]))
    assert (none.delivered, none.opt_outs, none.replies, none.failed) == (None, None, None, None)


def test_rates_are_fractions_of_what_was_sent() -> None:
    some = {**dict.fromkeys(NAMES, 0), "asked": 20, "sent": 10, "delivered": 6, "submitted": 2, "marketing": 4,
            "opt_outs": 1, "replies": 5}  # fmt: skip
    found = rates(some)
    assert (found.delivered, found.failed, found.opt_outs, found.replies) == (0.6, 0.2, 0.25, 0.5)
