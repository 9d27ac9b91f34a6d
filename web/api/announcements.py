"""What the operator tells the enterprises: written on the platform's page, read on everybody's home page."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from callcenter.clock import utc_now
from callcenter.db.session import platform_session
from callcenter.tenancy import platform
from callcenter.tenancy.models import Announcement
from web.http import PageQuery, current_actor, paged, requires, tenant_id
from web.schemas.platform import (
    AnnouncementPage,
    AnnouncementQuery,
    AnnouncementSchema,
    ChangeAnnouncementSchema,
    NewAnnouncementSchema,
)

blueprint = Blueprint("announcements", __name__, url_prefix="/api", description="Announcements and promotions")


@blueprint.get("/announcements")
@requires()
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, AnnouncementPage)
def list_shown(args: dict[str, Any]) -> dict[str, Any]:
    """What is shown to this enterprise now, the newest first."""
    with platform_session() as db:
        rows = platform.shown_to(db, tenant_id(), utc_now())
    begin = (args["page"] - 1) * args["per_page"]
    return {
        "items": rows[begin : begin + args["per_page"]],
        "total": len(rows),
        "page": args["page"],
        "per_page": args["per_page"],
    }


@blueprint.get("/platform/announcements")
@requires("platform.announcements")
@blueprint.arguments(AnnouncementQuery, location="query")
@blueprint.response(200, AnnouncementPage)
def list_announcements(args: dict[str, Any]) -> dict[str, Any]:
    """All announcements, past and future ones too."""
    with platform_session() as db:
        return paged(db, platform.announcements_query(), args)


@blueprint.post("/platform/announcements")
@requires("platform.announcements")
@blueprint.arguments(NewAnnouncementSchema)
@blueprint.response(201, AnnouncementSchema)
def post_announcement(given: dict[str, Any]) -> Announcement:
    """Tell all enterprises, or one."""
    return platform.announce(current_actor(), given)


@blueprint.patch("/platform/announcements/<int:announcement_id>")
@requires("platform.announcements")
@blueprint.arguments(ChangeAnnouncementSchema)
@blueprint.response(200, AnnouncementSchema)
def patch_announcement(given: dict[str, Any], announcement_id: int) -> Announcement:
    """Change one."""
    return platform.change_announcement(current_actor(), announcement_id, given)


@blueprint.delete("/platform/announcements/<int:announcement_id>")
@requires("platform.announcements")
@blueprint.response(204)
def delete_announcement(announcement_id: int) -> None:
    """Withdraw one."""
    platform.withdraw(current_actor(), announcement_id)
