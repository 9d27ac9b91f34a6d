"""A menu that fails in a way nobody thought of."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from callcenter.calls import control as c
from callcenter.calls.call import Call
from callcenter.calls.destination import DestinationKind
from ivr.control import IvrControl


class BrokenWorld:
    """Knows no hours."""

    def local(self, now: float) -> datetime:
        return datetime.fromtimestamp(now, UTC)

    def hours(self, calendar_id: int, now: float) -> str:
        raise LookupError("no such time zone")

    def queue_length(self, queue_id: int) -> int:
        return 0

    def agents_on(self, queue_id: int) -> int:
        return 0


@pytest.mark.promise("I2")
def test_the_caller_of_a_menu_that_fails_is_asked_for_a_message(caplog: pytest.LogCaptureFixture) -> None:
    control = IvrControl(BrokenWorld())
    cases = [{"name": "open", "kind": "calendar", "calendar": 4}]
    nodes = [{"id": "hours", "verb": "branch", "settings": {"cases": cases}, "ways": {}}]
    control.settle(3, {"id": 3, "version": 1, "name": "Main", "flow": {"start": "hours", "nodes": nodes}})
    call = Call(
        call_id="c1", control="ivr", mode="inbound", number="+8613900000077", caller_id="", trunk_id=1, dialed="",
        started_at=1.0, ring_timeout_s=0,
    )  # fmt: skip
    with caplog.at_level(logging.ERROR):
        answers = control.decide(c.HandedOver({"flow_id": 3}), call, 2.0)
    assert [a.to.kind for a in answers if isinstance(a, c.HandOver)] == [DestinationKind.VOICEMAIL]
    assert "failed in node" in caplog.text
    assert control.decide(c.Gone(), call, 3.0) == []
