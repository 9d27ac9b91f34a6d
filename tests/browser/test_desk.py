"""The desk and the console in Chromium, fed with the documents that the engine publishes; what the agent does arrives
as commands. The engine is a double here: the whole path has a test of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, Route, sync_playwright
from sqlalchemy import select

from callcenter.acd.views import AgentView, CallView
from callcenter.auth.models import User
from callcenter.calls.models import Call
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.events.streams import publish
from callcenter.tenancy.actions import open_enterprise
from crm.models import Disposition, Lead, LeadList, Script
from dialer.actions.defaults import give_defaults
from dialer.models import Campaign
from dialer.views import CampaignView
from tests.browser.chromium import faults, launch, sign_in
from tests.web.conftest import PASSWORD, add_user
from tests.web.serving import web_process
from tests.web.test_calls import EngineDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
SIZE = {"width": 1366, "height": 768}
STEPS = [
    {
        "id": "a",
        "title": "Opening",
        "text": "Is this {{name}} from {{city}}?",
        "branches": [{"label": "Yes", "to": "b"}],
    },
    {"id": "b", "title": "Offer", "text": "We have an offer.", "branches": []},
]


@dataclasses.dataclass
class Floor:
    """An enterprise with one agent, one campaign and one lead, and the documents about them."""

    tenant: int
    agent: int
    campaign: int
    lead: int
    script: int
    address: str
    engine: EngineDouble
    seq: int = 0

    def call(self, state: str, **more: Any) -> CallView:
        now = time.time()
        values: dict[str, Any] = {
            "call_id": "01CALL", "state": state, "direction": "out", "mode": "predictive",
            "phone_e164": "+8613800138000", "since": now, "started_at": now - 9, "connected_at": now,
            "campaign_id": self.campaign, "campaign_name": "Autumn", "lead_id": self.lead,
            "card": {"name": "Zhang Wei", "fields": {"city": "Suzhou"}, "lead_id": self.lead, "script_id": self.script},
        }  # fmt: skip
        return CallView(**{**values, **more})

    def show(self, state: str, call: CallView | None = None, **more: Any) -> None:
        self.seq += 1
        view = AgentView(self.agent, "Lin", self.seq, state, time.time(), call=call, campaigns=(self.campaign,), **more)
        publish(self.tenant, f"agent:{self.agent}", view)

    def commands(self, kind: str) -> list[dict[str, Any]]:
        return [e.body for e in self.engine.got if e.type == kind]

    def wait_for(self, kind: str) -> dict[str, Any]:
        end = time.monotonic() + 5
        while not self.commands(kind):
            assert time.monotonic() < end, f"no {kind}; got {[e.type for e in self.engine.got]}"
            time.sleep(0.02)
        return self.commands(kind)[-1]


@pytest.fixture
def floor(
    database: object, redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Floor]:
    """The web process, an engine that says yes, and people."""
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as s:
        tenant = open_enterprise(s, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD, locale="en")
    agent = add_user(tenant, "lin", "agent")
    with tenant_session(tenant) as s:
        s.get_one(User, agent).locale = "en"
        give_defaults(s, tenant)
        script = Script(name="Autumn", steps=STEPS, objections=[{"title": "Too dear", "text": "Less than tea."}])
        s.add(script)
        s.flush()
        campaign = Campaign(name="Autumn", mode="predictive", state="running", script_id=script.id)
        s.add(campaign)
        s.flush()
        leads = LeadList(name="Leads", country="CN", campaign_id=campaign.id)
        s.add(leads)
        s.flush()
        lead = Lead(list_id=leads.id, name="Zhang Wei", phone_e164="+8613800138000", fields={"city": "Suzhou"})
        s.add(lead)
        s.flush()
        found = (tenant, agent, campaign.id, lead.id, script.id)
    engine = EngineDouble(redis_client)
    engine.start()
    with web_process(tmp_path) as address:
        yield Floor(*found, address, engine)
    engine.running = False
    engine.join(5)


@pytest.fixture
def open_page(floor: Floor) -> Iterator[Callable[[str, str], Page]]:
    """Opens an address as a user, in English."""
    with sync_playwright() as playwright:
        chromium = launch(playwright)

        def page(username: str, path: str) -> Page:
            context = chromium.new_context(viewport=SIZE, locale="en-US")
            found = context.new_page()
            found.set_default_timeout(8000)
            sign_in(found, floor.address, "acme", username, PASSWORD)
            found.goto(floor.address + path)
            return found

        yield page
        chromium.close()


@pytest.mark.promise("A3", "I5", "D7", "D11")
def test_the_card_pops_the_script_reads_and_the_outcome_goes_by_keys(
    floor: Floor, open_page: Callable[[str, str], Page]
) -> None:
    floor.show("available", next_call_s=12.0)
    page = open_page("lin", "/desk")
    page.get_by_text("Next call in about 12 s").wait_for()
    assert faults(page) == []

    floor.show("on_call", floor.call("talking"))
    page.locator(".person .title", has_text="Zhang Wei").wait_for()
    page.get_by_text("Is this Zhang Wei from Suzhou?").wait_for()
    page.get_by_role("button", name="Yes").click()
    page.get_by_text("We have an offer.").wait_for()
    assert faults(page) == []
    page.get_by_label("Note").fill("wants the 1 year plan")
    assert page.get_by_role("radio", name="Sale").get_attribute("aria-checked") == "false", "typing chooses nothing"

    page.reload()
    page.get_by_text("We have an offer.").wait_for()
    assert page.get_by_label("Note").input_value() == "wants the 1 year plan"

    floor.show("wrap_up", floor.call("ended", ended_at=time.time()), wrap_up_until=time.time() + 30)
    page.get_by_role("button", name="Save and next").wait_for()
    page.locator("h1").first.focus()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    sent = floor.wait_for("call.disposition")
    with tenant_session(floor.tenant) as s:
        sale = s.scalars(select(Disposition.id).where(Disposition.hot_key == 1)).one()
    assert (sent["disposition_id"], sent["note"], sent["call_id"]) == (sale, "wants the 1 year plan", "01CALL")
    floor.show("available", floor.call("ended", dispositioned=True))
    page.get_by_text("Waiting for the next call").wait_for()


@pytest.mark.promise("A1", "D8")
def test_keys_hold_hang_up_armed_and_promise_a_call_back(floor: Floor, open_page: Callable[[str, str], Page]) -> None:
    floor.show("on_call", floor.call("talking"))
    page = open_page("lin", "/desk")
    page.locator(".callbar .who", has_text="Zhang Wei").wait_for()
    page.keyboard.press("h")
    assert floor.wait_for("call.hold")["on"] is True
    page.keyboard.press("k")
    page.locator(".keypad").wait_for()
    page.keyboard.press("5")
    assert floor.wait_for("call.dtmf")["digits"] == "5"
    page.keyboard.press("k")
    page.locator(".keypad").wait_for(state="hidden")
    page.keyboard.press("Space")
    page.get_by_role("button", name="Space again").wait_for()
    assert floor.commands("call.hangup") == []
    page.keyboard.press("Space")
    floor.wait_for("call.hangup")

    floor.show("wrap_up", floor.call("ended", ended_at=time.time()))
    page.get_by_role("button", name="Save and next").wait_for()
    page.keyboard.press("3")
    page.get_by_role("button", name="in a week").click()
    page.keyboard.press("Control+Enter")
    due = floor.wait_for("call.disposition")["callback_at"]
    assert 6 * 86400 < due - time.time() < 8 * 86400
    assert time.strftime("%H:%M", time.gmtime(due + 8 * 3600)) == "10:00", "ten o'clock by the enterprise's clock"


@pytest.mark.promise("D1")
def test_a_preview_is_dialed_or_skipped(floor: Floor, open_page: Callable[[str, str], Page]) -> None:
    floor.show("on_call", floor.call("preview", connected_at=None, preview_until=time.time() + 25))
    page = open_page("lin", "/desk")
    page.get_by_text("Dials by itself in").wait_for()
    assert page.get_by_text("Zhang Wei").first.is_visible()
    page.get_by_role("button", name="Skip").click()
    assert floor.wait_for("preview.answer")["dial"] is False
    floor.engine.got.clear()
    page.locator("h1").first.focus()
    page.keyboard.press("Space")
    assert floor.wait_for("preview.answer")["dial"] is True


@pytest.mark.promise("D2", "D10")
def test_the_console_says_in_one_sentence_what_limits_the_dialing(
    floor: Floor, open_page: Callable[[str, str], Page]
) -> None:
    counts = {"placed": 100.0, "answered": 40.0, "connected": 38.0, "abandoned": 2.0, "abandoned_rate": 0.05}
    view = CampaignView(
        campaign_id=floor.campaign, seq=1, at=time.time(), state="running", mode="predictive", ratio=1.5,
        abandon_cap=0.03, limit="trunk_channels", limit_params={"trunk": "North"}, agents={"available": 2}, ringing=4,
        waiting=0, talking=3, hopper=12, today=counts, days30=counts, left={"new": 7},
    )  # fmt: skip
    publish(floor.tenant, f"campaign:{floor.campaign}", view)
    page = open_page("boss", f"/campaigns/{floor.campaign}")
    page.get_by_text("As many lines as trunk North has are in use.").wait_for()
    page.get_by_text("5%", exact=True).wait_for()
    assert faults(page) == []
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Not dialing: the campaign is paused.").wait_for()
    with tenant_session(floor.tenant) as s:
        assert s.scalars(select(Campaign.state)).one() == "paused"
    page.get_by_role("button", name="Go on").click()
    page.get_by_text("Nobody works this campaign").wait_for()
    with tenant_session(floor.tenant) as s:
        assert s.scalars(select(Call.id)).all() == []


@pytest.mark.promise("A3")
def test_an_unanswered_call_by_hand_can_be_put_aside_and_the_desk_is_free(
    floor: Floor, open_page: Callable[[str, str], Page]
) -> None:
    failed = floor.call("ended", connected_at=None, ended_at=time.time(), cause="busy", campaign_id=None, card={})
    floor.show("paused", failed)
    page = open_page("lin", "/desk")
    page.get_by_text("Not reached").wait_for()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("textbox", name="Number").wait_for()
    assert floor.commands("call.disposition") == [], "no outcome was asked for"


def test_a_tab_left_open_over_an_upgrade_loads_the_new_pages_by_itself(
    floor: Floor, open_page: Callable[[str, str], Page]
) -> None:
    page = open_page("boss", "/campaigns")
    gone: list[str] = []

    def refuse_once(route: Route) -> None:
        if gone:
            route.continue_()
        else:
            gone.append(route.request.url)
            route.fulfill(status=404, body="")

    page.route("**/assets/Console-*.js", refuse_once)
    page.get_by_text("Autumn").first.click()
    page.get_by_role("button", name="Pause").wait_for()
    assert gone and page.url.endswith(f"/campaigns/{floor.campaign}")
