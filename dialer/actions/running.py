"""Start, pause and stop a campaign, and change its pace while it runs.

The states are the table below; `why_not_start` says everything that stands in the way at once, so that nobody mends one
thing only to hear of the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.clock import utc_now
from callcenter.errors import Conflict
from callcenter.fsm import IllegalEvent, Machine
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.models import Enterprise
from crm.models import LeadList
from dialer.actions.campaigns import ENTITY
from dialer.models import Campaign, CampaignAgent
from dialer.modes import CampaignState, Mode

PACING = frozenset({"mode", "ratio", "abandon_cap", "max_lines"})


class CampaignEvent(StrEnum):
    START = "start"
    PAUSE = "pause"
    STOP = "stop"


CAMPAIGN: Machine[CampaignState, CampaignEvent] = Machine(
    name="campaign",
    initial=CampaignState.DRAFT,
    table={
        (CampaignState.DRAFT, CampaignEvent.START): CampaignState.RUNNING,
        (CampaignState.RUNNING, CampaignEvent.PAUSE): CampaignState.PAUSED,
        (CampaignState.RUNNING, CampaignEvent.STOP): CampaignState.STOPPED,
        (CampaignState.PAUSED, CampaignEvent.START): CampaignState.RUNNING,
        (CampaignState.PAUSED, CampaignEvent.STOP): CampaignState.STOPPED,
        (CampaignState.STOPPED, CampaignEvent.START): CampaignState.RUNNING,
    },
)

_SENTENCES = {
    "expired": "The enterprise's account has expired.",
    "no_list": "No list feeds this campaign. Assign one.",
    "no_agents": "Nobody works this campaign. Assign agents.",
    "no_trunk": "There is no trunk to dial over. Add or enable one.",
}


class CannotStart(Conflict):
    """Something is missing; `params["reasons"]` lists expired, no_list, no_agents, no_trunk."""

    code = "campaign.cannot_start"


class WrongState(Conflict):
    """The campaign is in a state that does not allow this; `params` has state and event."""

    code = "campaign.wrong_state"


def start(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """Begin or go on dialing. Raises CannotStart, or WrongState if it runs already."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    _next(campaign, CampaignEvent.START)
    reasons = why_not_start(session, campaign, utc_now())
    if reasons:
        raise CannotStart(" ".join(_SENTENCES[r] for r in reasons), params={"reasons": reasons})
    return _change(session, actor, campaign, CampaignEvent.START)


def pause(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """No new calls; those that are up go on. Raises WrongState unless it runs."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    return _change(session, actor, campaign, CampaignEvent.PAUSE)


def stop(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """No new calls, and the leads that were ready go back to their list. Raises WrongState unless running or paused."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    return _change(session, actor, campaign, CampaignEvent.STOP)


def change_pacing(session: Session, actor: Actor, campaign_id: int, changes: Mapping[str, Any]) -> Campaign:
    """Another mode, ratio, abandon cap or line limit, in force from the next second."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    before = {k: getattr(campaign, k) for k in PACING}
    records.put(campaign, changes, PACING)
    session.flush()
    after = {k: getattr(campaign, k) for k in PACING}
    records.trace(session, actor, "change_pacing", ENTITY, campaign.id, name=campaign.name, before=before, after=after)
    return campaign


def why_not_start(session: Session, campaign: Campaign, now: datetime) -> list[str]:
    """What stands in the way of dialing: expired, no_list, no_agents, no_trunk. Empty if nothing does."""
    reasons: list[str] = []
    enterprise = session.get(Enterprise, campaign.tenant_id)
    if enterprise is not None and enterprise.valid_until is not None:
        today = now.astimezone(ZoneInfo(enterprise.time_zone)).date()
        if today > enterprise.valid_until:
            reasons.append("expired")
    lists = select(func.count(LeadList.id)).where(
        LeadList.campaign_id == campaign.id,
        LeadList.enabled,
        or_(LeadList.expires_at.is_(None), LeadList.expires_at > now),
    )
    if campaign.mode != Mode.MANUAL and not session.scalar(lists):
        reasons.append("no_list")
    agents = (
        select(func.count(CampaignAgent.user_id))
        .join(User, User.id == CampaignAgent.user_id)
        .where(CampaignAgent.campaign_id == campaign.id, User.enabled)
    )
    if not session.scalar(agents):
        reasons.append("no_agents")
    trunks = select(func.count(TrunkRow.id)).where(TrunkRow.enabled)
    if campaign.trunk_ids:
        trunks = trunks.where(TrunkRow.id.in_(campaign.trunk_ids))
    if not session.scalar(trunks):
        reasons.append("no_trunk")
    return reasons


def _next(campaign: Campaign, event: CampaignEvent) -> CampaignState:
    try:
        return CAMPAIGN.next(CampaignState(campaign.state), event)
    except IllegalEvent as error:
        raise WrongState(
            f"The campaign is {campaign.state}; that does not fit.", params={"state": campaign.state, "event": event}
        ) from error


def _change(session: Session, actor: Actor, campaign: Campaign, event: CampaignEvent) -> Campaign:
    before = campaign.state
    campaign.state = _next(campaign, event).value
    session.flush()
    records.trace(
        session, actor, event.value, ENTITY, campaign.id, name=campaign.name, before={"state": before},
        after={"state": campaign.state},
    )  # fmt: skip
    return campaign
