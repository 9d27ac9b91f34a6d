"""Who has opted out: for the checks of a batch, and for the page."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from smsgateway.models import OptOut


def opted_out(session: Session, phones: Iterable[str]) -> set[str]:
    """Those of `phones` (E.164) that want no marketing now."""
    wanted = list(set(phones))
    if not wanted:
        return set()
    return set(
        session.scalars(select(OptOut.phone_e164).where(OptOut.phone_e164.in_(wanted), OptOut.ended_at.is_(None)))
    )


def found(*, search: str = "", source: str = "", ended: bool | None = None) -> Select[OptOut]:
    """Opt-outs, the newest first. `search`: digits of the number, or what the note or the keyword contains."""
    query = select(OptOut).order_by(OptOut.id.desc())
    search = search.strip()
    digits = "".join(c for c in search if c.isdigit())
    if digits:
        query = query.where(OptOut.phone_e164.contains(digits))
    elif search:
        query = query.where(
            OptOut.note.icontains(search, autoescape=True) | OptOut.keyword.icontains(search, autoescape=True)
        )
    if source:
        query = query.where(OptOut.source == source)
    if ended is not None:
        query = query.where(OptOut.ended_at.is_not(None) if ended else OptOut.ended_at.is_(None))
    return query
