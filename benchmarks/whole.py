"""A whole installation under load: every process of the Procfile, with the browser edge's stand-in in its place.

`python -m benchmarks.whole --no-demo` is the runner with that one process replaced. `Whole` starts it in a folder of
its own and reads what each process costs; `Shop` fills it with an enterprise, agents, trunks and campaigns.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import insert, select

from callcenter.auth.models import Role, User, UserRole
from callcenter.compliance.models import RuleSet
from callcenter.db.models import load_all
from callcenter.db.outbox import settings_changed
from callcenter.db.session import platform_session, tenant_session
from callcenter.processes import runner
from callcenter.telephony.models import TrunkRow
from callcenter.tenancy.actions import open_enterprise
from crm.models import Disposition, Lead, LeadList
from dialer.actions import defaults
from dialer.models import Campaign, CampaignAgent
from tests.system.installation import PASSWORD, ROOT, Installation

STAND_IN = (
    "the browser edge is a stand-in that sends each agent's audio as plain RTP; all else is the real installation"
)
UP_S = 90.0


class Whole(Installation):
    """An installation whose edge is the stand-in."""

    def start(self) -> Whole:
        """Start everything; returns when the web process is ready. Raises RuntimeError with the runner's words."""
        self.var.mkdir(parents=True, exist_ok=True)
        self._out = (self.var / "runner.out").open("wb")
        self._runner = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.whole", "--no-demo"],
            env=self.environment, stdout=self._out, stderr=self._out, cwd=ROOT,
        )  # fmt: skip
        end = time.monotonic() + UP_S
        while b"is up" not in (self.var / "runner.out").read_bytes():
            if self._runner.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.var / "runner.out").read_text()[-3000:])
            time.sleep(0.1)
        os.environ["DATABASE_URL"] = self.database_url
        load_all()
        assert defaults.DISPOSITIONS  # its import makes a new enterprise have them
        return self

    def cpu_s(self) -> dict[str, float]:
        """Process → user and system seconds so far, of it and its children."""
        names = {int(path.read_text()): path.name for path in (self.var / "pids").iterdir()}
        parents, spent = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                values = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            parents[int(path.parent.name)] = int(values[1])
            spent[int(path.parent.name)] = (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")
        out = dict.fromkeys(names.values(), 0.0)
        for pid, seconds in spent.items():
            above: int | None = pid
            while above is not None and above not in names:
                above = parents.get(above)
            if above is not None:
                out[names[above]] += seconds
        return out

    def unrecorded(self) -> int:
        """Facts that the recorder has not folded yet."""
        for group in self.redis().xinfo_groups("facts"):
            return int(group["lag"] or 0) + int(group["pending"])
        return 0


@dataclass
class Shop:
    """One enterprise. `trunks`: number prefix → port on 127.0.0.1; `shares`: number prefix → fraction of all calls."""

    trunks: dict[str, int]
    agents: int
    shares: dict[str, float] = field(default_factory=dict)
    tenant: int = 0
    users: list[int] = field(default_factory=list)
    rule_set: int = 0
    disposition: int = 0

    def open(self) -> Shop:
        """Write enterprise, agents ("agent1" …) and trunks."""
        # Sign-in is not measured: a hash of least cost lets a hundred agents in within seconds.
        hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        with platform_session() as session:
            self.tenant = open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "owner", PASSWORD)
        with tenant_session(self.tenant) as session:
            role = session.scalars(select(Role).where(Role.key == "agent")).one()
            for i in range(1, self.agents + 1):
                user = User(username=f"agent{i}", name=f"Agent {i}", password_hash=hashed, locale="en")
                session.add(user)
                session.flush()
                session.add(UserRole(user_id=user.id, role_id=role.id))
                self.users.append(user.id)
            rows = [
                TrunkRow(
                    name=prefix, host="127.0.0.1", port=port, prefixes=[prefix], channels=5000, calls_per_second=1000,
                    caller_ids=["+862155550100"], options_every_s=0,
                )
                for prefix, port in self.trunks.items()
            ]  # fmt: skip
            hours = RuleSet(name="always", windows=[], attempts_24h=50)
            session.add_all([hours, *rows])
            session.flush()
            self.rule_set = hours.id
            self.disposition = session.scalars(select(Disposition).where(Disposition.sale)).one().id
            for entity, ids in (("trunk", [t.id for t in rows]), ("user", self.users)):
                for id_ in ids:
                    settings_changed(session, entity, id_)
        return self

    def campaign(self, name: str, numbers: list[str], **values: Any) -> int:
        """A campaign worked by all agents with a list of these numbers; a lead's name is its number. Returns its id."""
        with tenant_session(self.tenant) as session:
            campaign = Campaign(
                name=name, rule_set_id=self.rule_set, wrap_up_s=5, recycling={}, max_attempts=1, **values
            )
            session.add(campaign)
            session.flush()
            session.add_all([CampaignAgent(campaign_id=campaign.id, user_id=u) for u in self.users])
            leads = LeadList(name=name, country="CN", campaign_id=campaign.id)
            session.add(leads)
            session.flush()
            rows = [{"tenant_id": self.tenant, "list_id": leads.id, "name": n, "phone_e164": n} for n in numbers]
            session.execute(insert(Lead), rows)
            settings_changed(session, "campaign", campaign.id)
        return campaign.id

    def limit(self, rate: float) -> None:
        """Let all trunks together place `rate` calls a second: each its share of `shares`."""
        with tenant_session(self.tenant) as session:
            for trunk in session.scalars(select(TrunkRow)):
                trunk.calls_per_second = rate * self.shares[trunk.name]
                settings_changed(session, "trunk", trunk.id)


def with_stand_in() -> None:
    """Make the runner start the stand-in where it would start the edge."""
    genuine = runner.procfile

    def procfile(media_workers: int, *, carrier: bool) -> list[runner.Program]:
        programs = genuine(media_workers, carrier=carrier)
        for program in programs:
            if program.name == "edge":
                program.command = [sys.executable, "-m", "benchmarks.stand_in_edge"]
        return programs

    runner.procfile = procfile


if __name__ == "__main__":
    with_stand_in()
    runner.main()
