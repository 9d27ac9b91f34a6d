"""Names of groups, as an enterprise may see them: routes, never carriers."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.db.session import platform_session
from smsgateway.carriers.models import TextRoute
from smsgateway.models import TextSend
from smsgateway.reports.definitions import Group

SHOWN = 60  # characters of a send's text


def names(session: Session, by: Group, keys: Iterable[str]) -> dict[str, str]:
    """Key → name, for groups whose keys are ids; what is gone has none. Others name themselves."""
    ids = [int(k) for k in keys if k.isdigit()]
    if not ids:
        return {}
    if by is Group.ROUTE:
        return routes(ids)
    if by is Group.USER:
        rows = session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    elif by is Group.SEND:
        rows = session.execute(select(TextSend.id, TextSend.body).where(TextSend.id.in_(ids)))
    elif by is Group.CAMPAIGN:
        # By name: campaigns are the dialer's, which stands beside this package.
        rows = session.execute(text("SELECT id, name FROM campaign WHERE id = ANY(:ids)"), {"ids": ids})
    else:
        return {}
    return {str(i): name[:SHOWN] for i, name in rows}


def routes(ids: Iterable[int] | None = None) -> dict[str, str]:
    """Names of routes by id; None: of all."""
    query = select(TextRoute.id, TextRoute.name).order_by(TextRoute.name)
    if ids is not None:
        query = query.where(TextRoute.id.in_(list(ids)))
    with platform_session() as platform:
        return {str(i): name for i, name in platform.execute(query)}
