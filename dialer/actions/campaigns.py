"""Campaigns: made, changed, copied, removed; who works them and what they dial."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import insert, select
from sqlalchemy import update as sql_update
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.compliance.models import RuleSet
from callcenter.errors import Conflict, InvalidInput
from callcenter.telephony.models import TrunkRow
from crm.models import LeadList, Script
from dialer.models import Campaign, CampaignAgent
from dialer.modes import CampaignState

ENTITY = "campaign"
SETTABLE = frozenset(
    {
        "name", "mode", "ratio", "abandon_cap", "patience_s", "ring_timeout_s", "wrap_up_s", "preview_s", "max_lines",
        "max_attempts", "caller_ids", "trunk_ids", "record", "language", "prompt_abandoned", "script_id",
        "rule_set_id", "disposition_required", "recycling",
    }
)  # fmt: skip
_TAKEN = {"uq_campaign_tenant_id_name": ("name", "campaign.name_taken")}
_E164 = re.compile(r"\+[1-9]\d{4,14}")
_RECYCLED = frozenset({"busy", "no_answer", "congestion", "declined", "unreachable", "abandoned"})


class CampaignRuns(Conflict):
    """It can't be removed while it dials."""

    code = "campaign.runs"


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Campaign:
    """A new campaign as a draft. Raises InvalidInput on a name that is taken or a choice that does not exist."""
    campaign = Campaign(state=CampaignState.DRAFT.value)
    _check(session, values)
    records.put(campaign, values, SETTABLE)
    session.add(campaign)
    records.flush(session, _TAKEN)
    session.refresh(campaign)
    records.trace(session, actor, "create", ENTITY, campaign.id, name=campaign.name, after=records.content(campaign))
    return campaign


def update(session: Session, actor: Actor, campaign_id: int, changes: Mapping[str, Any]) -> Campaign:
    """Change settings; a running campaign goes on with them from the next second."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    before = records.content(campaign)
    _check(session, changes)
    records.put(campaign, changes, SETTABLE)
    records.flush(session, _TAKEN)
    session.refresh(campaign)
    records.trace(
        session, actor, "update", ENTITY, campaign.id, name=campaign.name, before=before,
        after=records.content(campaign),
    )  # fmt: skip
    return campaign


def clone(session: Session, actor: Actor, campaign_id: int, name: str) -> Campaign:
    """A draft with the same settings and agents, and no lists: a list feeds one campaign at a time."""
    original = records.find(session, Campaign, campaign_id)
    values = {k: v for k, v in records.content(original).items() if k in SETTABLE}
    copy = create(session, actor, {**values, "name": name})
    assign_agents(session, actor, copy.id, agent_ids(session, campaign_id))
    return copy


def delete(session: Session, actor: Actor, campaign_id: int) -> None:
    """Remove it. Its calls and lists stay. Raises CampaignRuns while it dials."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    if campaign.state in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise CampaignRuns("Stop the campaign first, then delete it.")
    before = records.content(campaign)
    session.delete(campaign)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, campaign_id, name=campaign.name, before=before)


def agent_ids(session: Session, campaign_id: int) -> list[int]:
    """Who works the campaign."""
    query = select(CampaignAgent.user_id).where(CampaignAgent.campaign_id == campaign_id)
    return sorted(session.scalars(query))


def list_ids(session: Session, campaign_id: int) -> list[int]:
    """The lists that feed the campaign."""
    return sorted(session.scalars(select(LeadList.id).where(LeadList.campaign_id == campaign_id)))


def assign_agents(session: Session, actor: Actor, campaign_id: int, user_ids: Iterable[int]) -> list[int]:
    """From now on exactly these work the campaign. Returns them."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    wanted = set(user_ids)
    records.require_ids(session, User, wanted, "user_ids")
    present = set(agent_ids(session, campaign_id))
    if gone := present - wanted:
        session.execute(
            sql_delete(CampaignAgent).where(CampaignAgent.campaign_id == campaign_id, CampaignAgent.user_id.in_(gone))
        )
    if new := sorted(wanted - present):
        session.execute(
            insert(CampaignAgent),
            [{"tenant_id": actor.tenant_id, "campaign_id": campaign_id, "user_id": u} for u in new],
        )
    records.trace(
        session, actor, "assign_agents", ENTITY, campaign_id, name=campaign.name,
        before={"agents": sorted(present)}, after={"agents": sorted(wanted)},
    )  # fmt: skip
    return sorted(wanted)


def assign_lists(session: Session, actor: Actor, campaign_id: int, wanted_ids: Iterable[int]) -> list[int]:
    """From now on exactly these lists feed the campaign. One that fed another campaign leaves it; that one is told."""
    campaign = records.find(session, Campaign, campaign_id, lock=True)
    wanted = set(wanted_ids)
    records.require_ids(session, LeadList, wanted, "list_ids")
    present = set(list_ids(session, campaign_id))
    robbed = set(
        session.scalars(
            select(LeadList.campaign_id).where(
                LeadList.id.in_(wanted), LeadList.campaign_id.is_not(None), LeadList.campaign_id != campaign_id
            )
        )
    )
    session.execute(sql_update(LeadList).where(LeadList.id.in_(present - wanted)).values(campaign_id=None))
    session.execute(sql_update(LeadList).where(LeadList.id.in_(wanted)).values(campaign_id=campaign_id))
    records.trace(
        session, actor, "assign_lists", ENTITY, campaign_id, name=campaign.name,
        before={"lists": sorted(present)}, after={"lists": sorted(wanted)},
    )  # fmt: skip
    for other_id in sorted(i for i in robbed if i is not None):
        other = records.find(session, Campaign, other_id)
        records.trace(
            session, actor, "lists_moved", ENTITY, other_id, name=other.name,
            after={"lists": list_ids(session, other_id)},
        )  # fmt: skip
    return sorted(wanted)


def _check(session: Session, values: Mapping[str, Any]) -> None:
    records.require_ids(session, Script, [values.get("script_id")], "script_id")
    records.require_ids(session, RuleSet, [values.get("rule_set_id")], "rule_set_id")
    records.require_ids(session, TrunkRow, values.get("trunk_ids") or (), "trunk_ids")
    wrong = [n for n in values.get("caller_ids") or () if not _E164.fullmatch(n)]
    if wrong:
        sentence = "Write caller IDs with country code, like +8613800001234."
        raise InvalidInput(sentence, code="number_not_e164", fields={"caller_ids": sentence}, params={"wrong": wrong})
    unknown = set(values.get("recycling") or ()) - _RECYCLED
    if unknown:
        known = ", ".join(sorted(_RECYCLED))
        raise InvalidInput("This outcome can't be recycled.", fields={"recycling": f"One of {known}."})
