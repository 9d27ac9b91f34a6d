"""A running installation with an enterprise, its agents, a list and a campaign over the SIPp carriers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.compliance.models import RuleSet
from callcenter.db.models import load_all
from callcenter.db.outbox import settings_changed
from callcenter.db.session import engine, platform_session, tenant_session
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.actions import open_enterprise
from crm.models import Disposition, Lead, LeadList
from dialer.actions import defaults
from dialer.models import Campaign, CampaignAgent
from tests.system.carriers import PREFIXES, Carriers
from tests.system.headset import Headset
from tests.system.installation import PASSWORD, Installation, ask


@dataclass
class Office:
    """`recycling` and the campaign's other values are for tests: seconds instead of hours."""

    installation: Installation
    carriers: Carriers
    leads: list[str]
    agents: int = 2
    campaign: dict[str, Any] = field(default_factory=dict)
    tenant: int = 0
    campaign_id: int = 0
    final_disposition: int = 0

    def build(self) -> Office:
        """Write it all; returns when the engine knows the agents."""
        load_all()
        assert defaults.DISPOSITIONS
        before = os.environ.get("DATABASE_URL")
        os.environ["DATABASE_URL"] = self.installation.database_url
        try:
            last_user = self._fill()
        finally:
            engine().dispose()
            del os.environ["DATABASE_URL"]
            if before is not None:
                os.environ["DATABASE_URL"] = before
        cfg = f"cfg:{self.tenant}"
        until(lambda: self.installation.redis().hexists(cfg, f"user:{last_user}"), "the relay has written the settings")
        time.sleep(0.5)
        return self

    def _fill(self) -> int:
        """The rows; returns the id of the last user."""
        with platform_session() as session:
            self.tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "owner", PASSWORD)
        with tenant_session(self.tenant) as session:
            agent_role = session.scalars(select(Role).where(Role.key == "agent")).one()
            users = []
            for i in range(1, self.agents + 1):
                password = passwords.hash_password(PASSWORD)
                user = User(username=f"agent{i}", name=f"Agent {i}", password_hash=password, locale="en")
                session.add(user)
                session.flush()
                session.add(UserRole(user_id=user.id, role_id=agent_role.id))
                users.append(user.id)
            session.execute(update(RuleSet).values(is_default=False))
            hours = RuleSet(name="always", windows=[], attempts_24h=50, is_default=True)
            trunks = [
                TrunkRow(
                    name=outcome, host="127.0.0.1", port=self.carriers.port(outcome), prefixes=[prefix], channels=50,
                    calls_per_second=50, caller_ids=["+862155550100"], options_every_s=0,
                )
                for outcome, prefix in PREFIXES.items()
                if outcome in self.carriers.running
            ]  # fmt: skip
            session.add_all([hours, *trunks])
            session.flush()
            values = {
                "name": "test", "mode": "predictive", "rule_set_id": hours.id, "ring_timeout_s": 4, "wrap_up_s": 5,
                "max_lines": 40, "recycling": {}, **self.campaign,
            }  # fmt: skip
            campaign = Campaign(**values)
            session.add(campaign)
            session.flush()
            self.campaign_id = campaign.id
            for user_id in users:
                session.add(CampaignAgent(campaign_id=campaign.id, user_id=user_id))
            lead_list = LeadList(name="list", country="CN", campaign_id=campaign.id)
            session.add(lead_list)
            session.flush()
            for number in self.leads:
                session.add(Lead(list_id=lead_list.id, name=f"Lead {number[-7:]}", phone_e164=number))
            sale = session.scalars(select(Disposition).where(Disposition.sale)).one()
            self.final_disposition = sale.id
            changed = [
                ("rule_set", hours.id),
                ("campaign", campaign.id),
                *(("trunk", t.id) for t in trunks),
                *(("user", u) for u in users),
            ]
            for entity, id_ in changed:
                settings_changed(session, entity, id_)
        return users[-1]

    def headset(self, i: int, hz: float) -> Headset:
        """Agent `i` (from 1), speaking a tone."""
        return Headset(self.installation.address, "acme", f"agent{i}", PASSWORD, hz)

    def press(self, button: str) -> None:
        """start, pause or stop the campaign, as its owner."""
        ask(self.installation.visitor("owner"), "POST", f"/api/campaigns/{self.campaign_id}/{button}", {})

    def lead_statuses(self) -> dict[str, int]:
        """Status → how many leads."""
        rows = self.installation.rows("SELECT status, count(*) AS n FROM lead GROUP BY status")
        return {r["status"]: r["n"] for r in rows}


def until(holds: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Wait until `holds` gives something true, and return it."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s: {what}")
