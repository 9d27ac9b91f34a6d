"""Campaigns through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from callcenter.audit.models import AuditEntry
from callcenter.clock import utc_now
from callcenter.db.outbox import OutboxRow
from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise
from crm.models import Callback, LeadList
from dialer.actions.running import CAMPAIGN
from dialer.models import CampaignDay
from dialer.modes import CampaignState
from tests.dialer.floor import add_agent, add_list, add_trunk
from tests.web.conftest import Browser, add_user


def make(owner: Browser, name: str = "Autumn", **more: object) -> int:
    answer = owner.post("/api/campaigns", {"name": name, **more})
    assert answer.status_code == 201, answer.get_json()
    return int(answer.get_json()["id"])


def told(tenant: int) -> list[tuple[str, int]]:
    with tenant_session(tenant) as s:
        rows = s.scalars(select(OutboxRow).where(OutboxRow.topic == "settings").order_by(OutboxRow.id))
        return [(r.body["entity"], r.body["id"]) for r in rows]


def ready(owner: Browser, tenant: int, **more: object) -> int:
    """A campaign that lacks nothing."""
    agent = add_user(tenant, "lin", "agent")
    add_trunk(tenant)
    campaign = make(owner, user_ids=[agent], list_ids=[add_list(tenant, "Leads")], **more)
    assert owner.get(f"/api/campaigns/{campaign}").get_json()["missing"] == []
    return campaign


@pytest.mark.promise("D10")
def test_a_campaign_starts_pauses_goes_on_and_stops(owner: Browser, enterprise: int) -> None:
    campaign = ready(owner, enterprise)
    states = []
    for step in ("start", "pause", "start", "stop"):
        answer = owner.post(f"/api/campaigns/{campaign}/{step}")
        assert answer.status_code == 200
        states.append(answer.get_json()["state"])
    assert states == ["running", "paused", "running", "stopped"]
    assert told(enterprise)[-4:] == [("campaign", campaign)] * 4


def test_what_does_not_fit_the_state_is_refused_and_changes_nothing(owner: Browser, enterprise: int) -> None:
    campaign = ready(owner, enterprise)
    answer = owner.post(f"/api/campaigns/{campaign}/pause")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "campaign.wrong_state")
    owner.post(f"/api/campaigns/{campaign}/start")
    assert owner.post(f"/api/campaigns/{campaign}/start").status_code == 409
    assert owner.get(f"/api/campaigns/{campaign}").get_json()["state"] == "running"


def test_every_state_but_running_can_be_started() -> None:
    assert {s for s in CampaignState if CAMPAIGN.accepts(s, "start")} == set(CampaignState) - {CampaignState.RUNNING}


def test_all_that_a_campaign_lacks_is_said_at_once(owner: Browser, enterprise: int) -> None:
    campaign = make(owner)
    with tenant_session(enterprise) as s:
        s.execute(update(Enterprise).values(valid_until=utc_now().date() - timedelta(days=3)))
    answer = owner.post(f"/api/campaigns/{campaign}/start")
    assert answer.status_code == 409
    body = answer.get_json()
    assert body["code"] == "campaign.cannot_start"
    assert body["params"]["reasons"] == ["expired", "no_list", "no_agents", "no_trunk"]
    assert owner.get(f"/api/campaigns/{campaign}").get_json()["state"] == "draft"


def test_a_disabled_trunk_an_expired_list_and_a_disabled_agent_do_not_count(owner: Browser, enterprise: int) -> None:
    agent = add_user(enterprise, "lin", "agent")
    trunk = add_trunk(enterprise, enabled=False)
    add_trunk(enterprise, "South")
    list_id = add_list(enterprise, "Old")
    with tenant_session(enterprise) as s:
        s.execute(update(LeadList).values(expires_at=datetime.now(UTC) - timedelta(hours=1)))
    campaign = make(owner, user_ids=[agent], list_ids=[list_id], trunk_ids=[trunk])
    assert owner.get(f"/api/campaigns/{campaign}").get_json()["missing"] == ["no_list", "no_trunk"]


def test_a_manual_campaign_needs_no_list(owner: Browser, enterprise: int) -> None:
    agent = add_user(enterprise, "lin", "agent")
    add_trunk(enterprise)
    campaign = make(owner, mode="manual", user_ids=[agent])
    assert owner.post(f"/api/campaigns/{campaign}/start").status_code == 200


def test_pacing_changes_while_it_runs_and_the_audit_says_from_what_to_what(owner: Browser, enterprise: int) -> None:
    campaign = ready(owner, enterprise)
    owner.post(f"/api/campaigns/{campaign}/start")
    answer = owner.patch(f"/api/campaigns/{campaign}/pacing", {"mode": "power", "ratio": 2.5})
    assert (answer.get_json()["mode"], answer.get_json()["ratio"]) == ("power", 2.5)
    with tenant_session(enterprise) as s:
        entry = s.scalars(select(AuditEntry).where(AuditEntry.action == "change_pacing")).one()
        assert entry.before == {"mode": "progressive", "ratio": 1.5}
        assert entry.after == {"mode": "power", "ratio": 2.5}
    assert told(enterprise)[-1] == ("campaign", campaign)
    for wrong in ({"abandon_cap": 0.9}, {"ratio": 0}, {"mode": "magic"}, {"max_lines": 0}, {"name": "x"}):
        assert owner.patch(f"/api/campaigns/{campaign}/pacing", wrong).status_code == 422


def test_a_copy_has_the_settings_and_agents_and_no_lists(owner: Browser, enterprise: int) -> None:
    campaign = ready(owner, enterprise, mode="predictive", ring_timeout_s=22)
    answer = owner.post(f"/api/campaigns/{campaign}/clone", {"name": "Winter"})
    assert answer.status_code == 201
    copy = answer.get_json()
    assert (copy["name"], copy["mode"], copy["ring_timeout_s"], copy["state"]) == ("Winter", "predictive", 22, "draft")
    assert len(copy["user_ids"]) == 1 and copy["list_ids"] == []
    again = owner.post(f"/api/campaigns/{campaign}/clone", {"name": "Winter"})
    assert again.status_code == 422 and "name" in again.get_json()["fields"]


def test_a_list_that_moves_leaves_its_former_campaign_and_both_are_told(owner: Browser, enterprise: int) -> None:
    list_id = add_list(enterprise, "Leads")
    first, second = make(owner, "First", list_ids=[list_id]), make(owner, "Second")
    assert owner.call("PUT", f"/api/campaigns/{second}/lists", {"list_ids": [list_id]}).status_code == 200
    assert owner.get(f"/api/campaigns/{first}").get_json()["list_ids"] == []
    assert told(enterprise)[-2:] == [("campaign", second), ("campaign", first)]


def test_a_running_campaign_is_not_deleted_and_a_stopped_one_is(owner: Browser, enterprise: int) -> None:
    campaign = ready(owner, enterprise)
    owner.post(f"/api/campaigns/{campaign}/start")
    assert owner.delete(f"/api/campaigns/{campaign}").get_json()["code"] == "campaign.runs"
    owner.post(f"/api/campaigns/{campaign}/stop")
    assert owner.delete(f"/api/campaigns/{campaign}").status_code == 204
    assert owner.get(f"/api/campaigns/{campaign}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Autumn"}, "name"),
        ({"name": "x", "caller_ids": ["138"]}, "caller_ids"),
        ({"name": "x", "script_id": 4711}, "script_id"),
        ({"name": "x", "trunk_ids": [4711]}, "trunk_ids"),
        ({"name": "x", "user_ids": [4711]}, "user_ids"),
        ({"name": "x", "list_ids": [4711]}, "list_ids"),
        ({"name": "x", "recycling": {"moon": {"after_s": 60, "tries": 1}}}, "recycling"),
        ({}, "name"),
    ],
)
def test_a_wrong_setting_names_its_field(owner: Browser, body: dict[str, object], field: str) -> None:
    make(owner)
    answer = owner.post("/api/campaigns", body)
    assert answer.status_code == 422
    assert field in answer.get_json()["fields"]


def test_agents_see_the_campaigns_that_they_work_and_change_none(
    owner: Browser, enterprise: int, browser: Callable[[], Browser]
) -> None:
    agent = add_user(enterprise, "lin", "agent")
    mine, other = make(owner, "Mine"), make(owner, "Other")
    add_agent(enterprise, mine, agent)
    lin = browser()
    lin.sign_in("acme", "lin")
    assert [c["name"] for c in lin.get("/api/campaigns").get_json()["items"]] == ["Mine"]
    assert lin.get(f"/api/campaigns/{other}").status_code == 404
    assert lin.post(f"/api/campaigns/{mine}/start").status_code == 403
    assert lin.patch(f"/api/campaigns/{mine}", {"name": "x"}).status_code == 403


def test_figures_are_the_days_counts_the_lists_rest_and_the_next_callbacks(owner: Browser, enterprise: int) -> None:
    campaign = make(owner)
    add_list(enterprise, "Leads", campaign, {"new": 3, "retry": 2, "finished": 4})
    add_list(enterprise, "Elsewhere", None, {"new": 9})
    day = date.fromisoformat(owner.get(f"/api/campaigns/{campaign}/figures").get_json()["day"])
    due = datetime.now(UTC) + timedelta(hours=2)
    with tenant_session(enterprise) as s:
        s.add(CampaignDay(campaign_id=campaign, day=day, placed=100, answered=40, connected=37, abandoned=3))
        s.add(CampaignDay(campaign_id=campaign, day=day - timedelta(days=29), placed=10, answered=3, connected=3))
        s.add(CampaignDay(campaign_id=campaign, day=day - timedelta(days=30), placed=9, answered=9, connected=9))
        s.add(Callback(campaign_id=campaign, due_at=due, note="ask for Wang"))
        s.add(Callback(campaign_id=campaign, due_at=due, state="done"))
    found = owner.get(f"/api/campaigns/{campaign}/figures").get_json()
    assert found["today"]["abandoned_rate"] == pytest.approx(3 / 40)
    assert (found["days30"]["placed"], found["days30"]["connected"]) == (110, 40)
    assert found["left"] == {
        "new": 3, "in_progress": 0, "retry": 2, "callback": 0, "finished": 4, "dead": 0, "blocked": 0,
    }  # fmt: skip
    assert [c["note"] for c in found["callbacks"]] == ["ask for Wang"]
    [row] = owner.get("/api/campaigns").get_json()["items"]
    assert (row["lists"], row["agents"], row["today"]["placed"]) == (1, 0, 100)
