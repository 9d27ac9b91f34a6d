"""Rows that campaigns need: a list with leads, an agent, a trunk, calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from callcenter import ids
from callcenter.calls.models import Call, CallTalk
from callcenter.db.session import tenant_session
from callcenter.telephony.models import TrunkRow
from crm.models import Lead, LeadList
from dialer.models import CampaignAgent


def add_list(tenant: int, name: str, campaign_id: int | None = None, statuses: dict[str, int] | None = None) -> int:
    """A list with so many leads of each status."""
    with tenant_session(tenant) as s:
        found = LeadList(name=name, country="CN", campaign_id=campaign_id)
        s.add(found)
        s.flush()
        number = 0
        for status, count in (statuses or {}).items():
            for _ in range(count):
                number += 1
                s.add(Lead(list_id=found.id, phone_e164=f"+8613800{number:06d}", status=status, name=f"Lead {number}"))
        return found.id


def add_trunk(tenant: int, name: str = "North", **more: Any) -> int:
    """An enabled trunk."""
    with tenant_session(tenant) as s:
        found = TrunkRow(name=name, host="127.0.0.1", **more)
        s.add(found)
        s.flush()
        return found.id


def add_agent(tenant: int, campaign_id: int, user_id: int) -> None:
    """`user_id` works the campaign."""
    with tenant_session(tenant) as s:
        s.add(CampaignAgent(campaign_id=campaign_id, user_id=user_id))


def add_call(tenant: int, started_at: datetime, **more: Any) -> str:
    """A CDR; what its agent talked is his."""
    call_id = ids.new_id(started_at.timestamp())
    values: dict[str, Any] = {"phone_e164": "+8613800138000", "outcome": "no_answer", **more}
    with tenant_session(tenant) as s:
        s.add(Call(id=call_id, started_at=started_at, **values))
        if values.get("agent_id") is not None and values.get("talk_s") is not None:
            ended = started_at + timedelta(seconds=values["talk_s"])
            s.add(
                CallTalk(
                    id=call_id, call_id=call_id, user_id=values["agent_id"], role="agent", began_at=started_at,
                    ended_at=ended, talk_s=values["talk_s"],
                )
            )  # fmt: skip
    return call_id
