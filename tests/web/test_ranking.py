"""An agent's own figures and place among colleagues, from the stored calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from callcenter.db.session import tenant_session
from crm.models import Disposition
from dialer.queries import agents as queries
from tests.dialer.floor import add_call
from tests.web.conftest import Browser, add_user

pytestmark = pytest.mark.promise("A4")
NOW = datetime(2026, 5, 6, 4, 0, tzinfo=UTC)  # a Wednesday, noon in Shanghai


def calls(tenant: int, agent: int, at: datetime, *, connected: int = 0, missed: int = 0, sales: int = 0) -> None:
    with tenant_session(tenant) as s:
        won = s.query(Disposition).filter(Disposition.code == "won").one_or_none()
        if won is None:
            won = Disposition(code="won", name="Won", name_zh="赢", sale=True)
            s.add(won)
            s.flush()
        sale = won.id
    for i in range(connected):
        add_call(
            tenant, at, agent_id=agent, connected_at=at, talk_s=60, disposition_id=sale if i < sales else None
        )  # fmt: skip
    for _ in range(missed):
        add_call(tenant, at, agent_id=agent)


def test_a_place_is_given_by_sales_and_then_by_connected_calls_and_the_same_merit_shares_it(enterprise: int) -> None:
    people = {name: add_user(enterprise, name, "agent") for name in ("lin", "mei", "bao", "tao", "wen", "yan", "zoe")}
    for name, connected, sales in [
        ("lin", 1, 0), ("mei", 3, 2), ("bao", 5, 1), ("tao", 5, 1), ("wen", 4, 1), ("yan", 2, 0),
    ]:  # fmt: skip
        calls(enterprise, people[name], NOW, connected=connected, sales=sales)
    with tenant_session(enterprise) as s:
        found = queries.ranking(s, people["lin"], queries.Period.TODAY, NOW, names=True)
        assert [(r["place"], r["name"], r["own"]) for r in found["rows"]] == [
            (1, "Mei", False), (2, "Bao", False), (2, "Tao", False), (4, "Wen", False), (5, "Yan", False),
            (6, "Lin", True),
        ]  # fmt: skip
        assert (found["place"], found["of"]) == (6, 6)
        second = queries.ranking(s, people["tao"], queries.Period.TODAY, NOW, names=True)
        assert [r["name"] for r in second["rows"]] == ["Mei", "Tao", "Bao", "Wen", "Yan"]
        idle = queries.ranking(s, people["zoe"], queries.Period.TODAY, NOW, names=True)
        assert (idle["place"], idle["calls"], idle["average_talk_s"], len(idle["rows"])) == (None, 0, None, 5)


def test_a_week_begins_on_monday_in_the_enterprises_zone(enterprise: int) -> None:
    lin, mei = add_user(enterprise, "lin", "agent"), add_user(enterprise, "mei", "agent")
    monday = datetime(2026, 5, 3, 16, 0, tzinfo=UTC)  # midnight in Shanghai
    calls(enterprise, lin, monday, connected=1)
    calls(enterprise, lin, NOW, connected=1, missed=2, sales=1)
    calls(enterprise, mei, monday - timedelta(seconds=1), connected=9, sales=9)
    with tenant_session(enterprise) as s:
        day = queries.ranking(s, lin, queries.Period.TODAY, NOW, names=True)
        week = queries.ranking(s, lin, queries.Period.WEEK, NOW, names=True)
    assert (day["calls"], day["connected"], day["talk_s"], day["sales"]) == (3, 1, 60.0, 1)
    assert (week["calls"], week["connected"], week["talk_s"], week["average_talk_s"]) == (4, 2, 120.0, 60.0)
    assert (week["since"], week["place"], week["of"]) == (monday, 1, 1)


def test_an_enterprise_can_keep_colleagues_names_out_and_only_the_own_place_stays(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    now = datetime.now(UTC)
    lin, mei = add_user(enterprise, "lin", "agent"), add_user(enterprise, "mei", "agent")
    calls(enterprise, lin, now, connected=1)
    calls(enterprise, mei, now, connected=2, sales=1)
    agent = browser()
    agent.sign_in("acme", "lin")
    seen = agent.get("/api/agents/ranking").get_json()
    assert [(r["name"], r["own"]) for r in seen["rows"]] == [("Mei", False), ("Lin", True)]
    assert agent.patch("/api/agents/ranking/settings", {"names": False}).status_code == 403
    assert owner.get("/api/agents/ranking/settings").get_json() == {"names": True}
    assert owner.patch("/api/agents/ranking/settings", {"names": False}).status_code == 200
    answer = agent.get("/api/agents/ranking?period=week")
    seen = answer.get_json()
    assert (seen["names"], seen["rows"], seen["place"], seen["of"]) == (False, [], 2, 2)
    assert "Mei" not in answer.get_data(as_text=True)
    assert agent.get("/api/agents/ranking?period=year").status_code == 422
    assert owner.get("/api/audit?entity=enterprise").get_json()["items"][0]["after"] == {"ranking_names": False}
