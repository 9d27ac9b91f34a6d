"""The home page (product row E2, first form): what the user's role makes of it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_smorest import Blueprint
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.calls.models import Call
from callcenter.clock import utc_now
from callcenter.db.session import tenant_session
from callcenter.telephony.models import TrunkRow
from crm.models import Callback, LeadList
from dialer.models import Campaign
from web.http import identity, requires, tenant_id
from web.schemas.home import HomeSchema

blueprint = Blueprint("home", __name__, url_prefix="/api/home", description="The home page")

# Step → permission to take it, and what exists once it is done.
_STEPS: tuple[tuple[str, str, Any], ...] = (
    ("trunk", "trunks.write", select(exists().where(TrunkRow.enabled))),
    ("people", "users.write", select(func.count(User.id) > 1)),
    ("list", "lists.import", select(exists().where(LeadList.id.is_not(None)))),
    ("campaign", "campaigns.write", select(exists().where(Campaign.id.is_not(None)))),
    ("call", "campaigns.run", select(exists().where(Call.connected_at.is_not(None)))),
)


@blueprint.get("")
@requires()
@blueprint.response(200, HomeSchema)
def get_home() -> dict[str, Any]:
    """Account validity, the steps to the first call that one may take, and one's own call-backs due today."""
    who = identity()
    zone = ZoneInfo(who.enterprise.time_zone)
    today = utc_now().astimezone(zone).date()
    valid_until = who.enterprise.valid_until
    tonight = datetime.combine(today + timedelta(days=1), time(), zone)
    with tenant_session(tenant_id()) as db:
        return {
            "valid_until": valid_until,
            "days_left": (valid_until - today).days if valid_until else None,
            "steps": [
                {"key": key, "done": bool(db.scalar(query))}
                for key, needed, query in _STEPS
                if needed in who.permissions and not who.enterprise.is_platform
            ],
            "callbacks_due": _callbacks(db, who.user.id, tonight) if "desk.use" in who.permissions else None,
        }


def _callbacks(db: Session, user_id: int, until: datetime) -> int:
    own = (Callback.user_id == user_id) & (Callback.state == "open") & (Callback.due_at < until)
    return db.scalar(select(func.count(Callback.id)).where(own)) or 0
