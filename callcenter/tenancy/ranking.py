"""What an enterprise has decided about rankings: whether agents see their colleagues' names and figures."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.tenancy.models import Enterprise

_KEY = "ranking_names"


def shows_names(session: Session) -> bool:
    """Whether agents see who stands where; they do unless the enterprise decided otherwise."""
    return bool(_own(session).settings.get(_KEY, True))


def show_names(session: Session, actor: Actor, on: bool) -> None:
    """Decide it for the actor's enterprise. Off: an agent sees the own place only."""
    own = _own(session, lock=True)
    before = bool(own.settings.get(_KEY, True))
    if before != on:
        own.settings = {**own.settings, _KEY: on}
        told = {"before": {_KEY: before}, "after": {_KEY: on}}
        record(session, actor, "update", "enterprise", own.id, name=own.name, **told)


def _own(session: Session, *, lock: bool = False) -> Enterprise:
    query = select(Enterprise).where(Enterprise.id == session.info["tenant_id"])
    return session.scalars(query.with_for_update() if lock else query).one()
