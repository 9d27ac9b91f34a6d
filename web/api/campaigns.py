"""Campaigns: settings, who works them, start, pause, stop, pace, figures."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from dialer.actions import campaigns as actions
from dialer.actions import running
from dialer.models import Campaign
from dialer.queries import campaigns as queries
from web.http import current_actor, paged, requires, tenant_id
from web.schemas.campaigns import (
    AgentsOfCampaignSchema,
    CampaignChangesSchema,
    CampaignDetailSchema,
    CampaignOptionsSchema,
    CampaignPageSchema,
    CampaignQuery,
    CloneSchema,
    FiguresSchema,
    ListsOfCampaignSchema,
    NewCampaignSchema,
    PacingSchema,
)

blueprint = Blueprint("campaigns", __name__, url_prefix="/api/campaigns", description="Campaigns")


def _detail(db: Session, campaign: Campaign) -> dict[str, Any]:
    return {
        **queries.settings(campaign),
        "user_ids": actions.agent_ids(db, campaign.id),
        "list_ids": actions.list_ids(db, campaign.id),
        "missing": running.why_not_start(db, campaign, utc_now()),
    }


@blueprint.get("")
@requires("campaigns.read")
@blueprint.arguments(CampaignQuery, location="query")
@blueprint.response(200, CampaignPageSchema)
def list_campaigns(args: dict[str, Any]) -> dict[str, Any]:
    """The campaigns that the user sees; agents see those that they work."""
    with tenant_session(tenant_id()) as db:
        query = queries.visible(db, current_actor())
        if args["search"]:
            query = query.where(Campaign.name.icontains(args["search"], autoescape=True))
        if "state" in args:
            query = query.where(Campaign.state == args["state"])
        page = paged(db, query, args)
        page["items"] = queries.rows(db, page["items"])
        return page


@blueprint.post("")
@requires("campaigns.write")
@blueprint.arguments(NewCampaignSchema)
@blueprint.response(201, CampaignDetailSchema)
def create_campaign(given: dict[str, Any]) -> dict[str, Any]:
    """A new campaign, as a draft."""
    user_ids, list_ids = given.pop("user_ids", None), given.pop("list_ids", None)
    with tenant_session(tenant_id()) as db:
        campaign = actions.create(db, current_actor(), given)
        if user_ids:
            actions.assign_agents(db, current_actor(), campaign.id, user_ids)
        if list_ids:
            actions.assign_lists(db, current_actor(), campaign.id, list_ids)
        return _detail(db, campaign)


@blueprint.get("/options")
@requires("campaigns.write")
@blueprint.response(200, CampaignOptionsSchema)
def campaign_options() -> dict[str, Any]:
    """Agents, lists, trunks, scripts and rule sets that a campaign can have."""
    with tenant_session(tenant_id()) as db:
        return queries.options(db)


@blueprint.get("/<int:campaign_id>")
@requires("campaigns.read")
@blueprint.response(200, CampaignDetailSchema)
def get_campaign(campaign_id: int) -> dict[str, Any]:
    """One campaign with its agents and lists, and what it lacks to start."""
    with tenant_session(tenant_id()) as db:
        return _detail(db, queries.find(db, current_actor(), campaign_id))


@blueprint.patch("/<int:campaign_id>")
@requires("campaigns.write")
@blueprint.arguments(CampaignChangesSchema)
@blueprint.response(200, CampaignDetailSchema)
def change_campaign(given: dict[str, Any], campaign_id: int) -> dict[str, Any]:
    """Change settings."""
    with tenant_session(tenant_id()) as db:
        return _detail(db, actions.update(db, current_actor(), campaign_id, given))


@blueprint.delete("/<int:campaign_id>")
@requires("campaigns.write")
@blueprint.response(204)
def delete_campaign(campaign_id: int) -> None:
    """Delete a campaign that is not running. Its calls and lists stay."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), campaign_id)


@blueprint.post("/<int:campaign_id>/clone")
@requires("campaigns.write")
@blueprint.arguments(CloneSchema)
@blueprint.response(201, CampaignDetailSchema)
def clone_campaign(given: dict[str, Any], campaign_id: int) -> dict[str, Any]:
    """A draft with the same settings and agents, without lists."""
    with tenant_session(tenant_id()) as db:
        return _detail(db, actions.clone(db, current_actor(), campaign_id, given["name"]))


@blueprint.post("/<int:campaign_id>/start")
@requires("campaigns.run")
@blueprint.response(200, CampaignDetailSchema)
def start_campaign(campaign_id: int) -> dict[str, Any]:
    """Begin or go on dialing. 409 `campaign.cannot_start` with all `params.reasons`."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), campaign_id)
        return _detail(db, running.start(db, current_actor(), campaign_id))


@blueprint.post("/<int:campaign_id>/pause")
@requires("campaigns.run")
@blueprint.response(200, CampaignDetailSchema)
def pause_campaign(campaign_id: int) -> dict[str, Any]:
    """No new calls for now."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), campaign_id)
        return _detail(db, running.pause(db, current_actor(), campaign_id))


@blueprint.post("/<int:campaign_id>/stop")
@requires("campaigns.run")
@blueprint.response(200, CampaignDetailSchema)
def stop_campaign(campaign_id: int) -> dict[str, Any]:
    """No new calls; leads that were ready go back to their list."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), campaign_id)
        return _detail(db, running.stop(db, current_actor(), campaign_id))


@blueprint.patch("/<int:campaign_id>/pacing")
@requires("campaigns.run")
@blueprint.arguments(PacingSchema)
@blueprint.response(200, CampaignDetailSchema)
def change_pacing(given: dict[str, Any], campaign_id: int) -> dict[str, Any]:
    """Change mode, ratio, abandon cap or lines; in force from the next second, also while it runs."""
    with tenant_session(tenant_id()) as db:
        queries.find(db, current_actor(), campaign_id)
        return _detail(db, running.change_pacing(db, current_actor(), campaign_id, given))


@blueprint.put("/<int:campaign_id>/agents")
@requires("campaigns.write")
@blueprint.arguments(AgentsOfCampaignSchema)
@blueprint.response(200, AgentsOfCampaignSchema)
def put_agents(given: dict[str, Any], campaign_id: int) -> dict[str, Any]:
    """From now on exactly these work it."""
    with tenant_session(tenant_id()) as db:
        return {"user_ids": actions.assign_agents(db, current_actor(), campaign_id, given["user_ids"])}


@blueprint.put("/<int:campaign_id>/lists")
@requires("campaigns.write")
@blueprint.arguments(ListsOfCampaignSchema)
@blueprint.response(200, ListsOfCampaignSchema)
def put_lists(given: dict[str, Any], campaign_id: int) -> dict[str, Any]:
    """From now on exactly these lists feed it; a list leaves the campaign that it fed before."""
    with tenant_session(tenant_id()) as db:
        return {"list_ids": actions.assign_lists(db, current_actor(), campaign_id, given["list_ids"])}


@blueprint.get("/<int:campaign_id>/figures")
@requires("campaigns.read")
@blueprint.response(200, FiguresSchema)
def campaign_figures(campaign_id: int) -> dict[str, Any]:
    """Today and 30 days, what is left of the lists, the next call-backs."""
    with tenant_session(tenant_id()) as db:
        return queries.figures(db, current_actor(), campaign_id)
