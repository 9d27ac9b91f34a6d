"""What an enterprise has decided about supervising: whether agents see that somebody listens."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise

_KEY = "supervision_tells_agent"


def tells_agent(session: Session) -> bool:
    """Whether agents see supervisors in their calls; they do unless the enterprise decided otherwise."""
    return bool(_own(session).settings.get(_KEY, True))


def tell_agent(actor: Actor, on: bool) -> None:
    """Decide it for the actor's enterprise."""
    with tenant_session(actor.tenant_id) as session:
        own = _own(session)
        before = bool(own.settings.get(_KEY, True))
        if before != on:
            own.settings = {**own.settings, _KEY: on}
            told = {"before": {"tell_agent": before}, "after": {"tell_agent": on}}
            record(session, actor, "update", "enterprise", own.id, name=own.name, **told)


def _own(session: Session) -> Enterprise:
    return session.scalars(select(Enterprise).where(Enterprise.id == session.info["tenant_id"])).one()
