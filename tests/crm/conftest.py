"""An enterprise with a list, and files to import into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callcenter import config
from callcenter.audit.models import Actor
from callcenter.auth.models import User
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.ids import new_id
from callcenter.tenancy.models import Enterprise
from crm.actions import imports as actions
from crm.jobs import imports as jobs
from crm.models import Import, Lead, LeadList


@dataclass
class Floor:
    """Ids of what a test works with."""

    tenant: int
    user: int
    list_id: int
    var: Path

    @property
    def actor(self) -> Actor:
        return Actor(self.tenant, self.user, "Admin")

    def upload(self, content: bytes, name: str = "leads.csv", list_id: int | None = None) -> str:
        """Put a file where an upload would be; returns the import's id."""
        import_id = new_id()
        path = self.var / actions.stored_name(self.tenant, import_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        with tenant_session(self.tenant) as s:
            actions.register(s, self.actor, import_id, list_id or self.list_id, name, len(content))
        return import_id

    def start(self, import_id: str, columns: tuple[str, ...] = ("name", "phone"), **settings: Any) -> None:
        mapping = [{"column": i, "to": to} for i, to in enumerate(columns) if to]
        with tenant_session(self.tenant) as s:
            actions.start(s, self.actor, import_id, {"country": "CN", "mapping": mapping, **settings})

    def import_(self, content: bytes, columns: tuple[str, ...] = ("name", "phone"), **settings: Any) -> Import:
        """Upload, start and run; the job as it ended."""
        import_id = self.upload(content)
        self.start(import_id, columns, **settings)
        jobs.run(self.tenant, import_id)
        return self.job(import_id)

    def job(self, import_id: str) -> Import:
        with tenant_session(self.tenant) as s:
            return s.get_one(Import, import_id)

    def leads(self, list_id: int | None = None) -> dict[str, Lead]:
        with tenant_session(self.tenant) as s:
            return {x.phone_e164: x for x in s.query(Lead).filter(Lead.list_id == (list_id or self.list_id))}

    def rejected(self, job: Import) -> str:
        return (self.var / job.rejected_path).read_text("utf-8-sig")

    def new_list(self, name: str) -> int:
        with tenant_session(self.tenant) as s:
            row = LeadList(name=name, country="CN")
            s.add(row)
            s.flush()
            return row.id


@pytest.fixture
def floor(database: object, redis_client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Floor]:
    """An enterprise `acme` with a user and an empty list `Autumn`."""
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    monkeypatch.setattr(streams, "_client", None)
    with platform_session() as s:
        enterprise = Enterprise(code="acme", name="Acme")
        s.add(enterprise)
        s.flush()
        tenant = enterprise.id
    with tenant_session(tenant) as s:
        user = User(username="admin", name="Admin", password_hash="", locale="en")
        row = LeadList(name="Autumn", country="CN")
        s.add_all([user, row])
        s.flush()
        ids = user.id, row.id
    yield Floor(tenant, ids[0], ids[1], config.load().var)


def counts(job: Import, *names: str) -> Mapping[str, int]:
    """Those of the job's counts."""
    return {n: job.counts[n] for n in names}
