"""Figures of a queue through the API, from stored stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callcenter.calls.models import Call, CallQueueStay
from callcenter.db.session import tenant_session
from tests.web.conftest import Browser, add_user

DAY = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)  # midnight of the 10th in Shanghai


def stay(tenant: int, queue: int, call_id: str, at: datetime, how: str, wait_s: float, **more: object) -> None:
    left = at + timedelta(seconds=wait_s) if how else None
    with tenant_session(tenant) as s:
        s.add(
            CallQueueStay(
                id=f"{call_id}-{at:%H%M%S}", call_id=call_id, queue_id=queue, since=at, entered_at=at, left_at=left,
                how=how, wait_s=wait_s if how else None, **more,
            )
        )  # fmt: skip


def call(tenant: int, call_id: str, at: datetime, ended_s: float, wrap_s: float | None = None) -> None:
    end = at + timedelta(seconds=ended_s)
    wrapped = None if wrap_s is None else end + timedelta(seconds=wrap_s)
    with tenant_session(tenant) as s:
        s.add(Call(id=call_id, phone_e164="+86138", started_at=at, ended_at=end, wrap_ended_at=wrapped))


@pytest.mark.promise("R3")
def test_a_days_figures_by_hour_in_the_enterprises_zone(owner: Browser, enterprise: int) -> None:
    agent = add_user(enterprise, "lin", "agent")
    queue = owner.post("/api/queues", {"name": "Service"}).get_json()["id"]
    other = owner.post("/api/queues", {"name": "Sales"}).get_json()["id"]
    ten = DAY + timedelta(hours=10)
    call(enterprise, "a", ten, 110, wrap_s=30)
    stay(enterprise, queue, "a", ten, "connected", 10, answered_in_target=True, agent_id=agent)
    # Transferred to another queue after 50 s of talk: what follows is not this queue's.
    call(enterprise, "b", ten, 900, wrap_s=60)
    stay(enterprise, queue, "b", ten + timedelta(minutes=5), "connected", 30, agent_id=agent)
    stay(enterprise, other, "b", ten + timedelta(minutes=5, seconds=80), "connected", 5)
    stay(enterprise, queue, "c", ten + timedelta(minutes=70), "abandoned", 45)
    stay(enterprise, queue, "d", DAY - timedelta(seconds=1), "abandoned", 45)  # yesterday there
    figures = owner.get(f"/api/queues/{queue}/figures?from=2026-03-10").get_json()
    total = figures["total"]
    assert (figures["first"], figures["last"]) == ("2026-03-10", "2026-03-10")
    assert (total["offered"], total["answered"], total["abandoned"]) == (3, 2, 1)
    assert total["service_level"] == pytest.approx(1 / 3)
    assert total["asa_s"] == 20.0
    assert total["aht_s"] == pytest.approx((100 + 30 + 50) / 2)
    assert total["longest_wait_s"] == 45.0
    assert [(h["at"], h["offered"]) for h in figures["hours"]] == [
        ("2026-03-10T02:00:00+00:00", 2),
        ("2026-03-10T03:00:00+00:00", 1),
    ]
    two_days = owner.get(f"/api/queues/{queue}/figures?from=2026-03-09&to=2026-03-10").get_json()
    assert two_days["total"]["offered"] == 4


def test_dates_that_make_no_sense_are_refused_and_today_is_what_is_shown_else(owner: Browser) -> None:
    queue = owner.post("/api/queues", {"name": "Service"}).get_json()["id"]
    today = owner.get(f"/api/queues/{queue}/figures").get_json()
    assert today["total"]["offered"] == 0
    assert today["total"]["service_level"] is None
    assert owner.get(f"/api/queues/{queue}/figures?from=2026-03-10&to=2026-03-09").status_code == 422
    assert owner.get(f"/api/queues/{queue}/figures?from=2020-01-01&to=2026-03-09").status_code == 422
    assert owner.get("/api/queues/999999/figures").status_code == 404
