"""Boards: made, changed, shared, deleted. A tile's figure must exist; a webhook's address is judged when it is used."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from callcenter.audit import records
from callcenter.audit.models import Actor
from callcenter.errors import Forbidden, InvalidInput
from callcenter.metrics.figures import FIGURES
from callcenter.metrics.models import Board

ENTITY = "board"
SETTABLE = frozenset({"name", "shared", "pages", "rotate_s", "webhook_url"})
SHARE = "boards.write"  # the permission to share boards and to change shared ones
TABLES = ("queue", "agents", "campaign", "trunks", "waiting")  # tiles that show a table instead of one figure


def visible(actor: Actor) -> Any:
    """Condition: the actor's own boards and the shared ones."""
    return or_(Board.owner_id == actor.user_id, Board.shared)


def find(session: Session, actor: Actor, board_id: int) -> Board:
    """A board the actor may see. Raises NotFound, Forbidden."""
    row = records.find(session, Board, board_id)
    if row.owner_id != actor.user_id and not row.shared:
        raise Forbidden("This board is another user's.", code="not_yours")
    return row


def create(session: Session, actor: Actor, values: Mapping[str, Any]) -> Board:
    """A board of the actor's own. Raises InvalidInput naming the tile that does not fit, Forbidden to share."""
    check(values.get("pages", ()))
    row = Board(owner_id=actor.user_id, webhook_secret=secrets.token_hex(16))
    records.put(row, values, SETTABLE)
    _may(actor, row, bool(values.get("shared")))
    session.add(row)
    session.flush()
    session.refresh(row)
    records.trace(session, actor, "create", ENTITY, row.id, name=row.name, after=_content(row))
    return row


def update(session: Session, actor: Actor, board_id: int, changes: Mapping[str, Any]) -> Board:
    """Change it. Raises as `create`."""
    find(session, actor, board_id)
    row = records.find(session, Board, board_id, lock=True)
    check(changes.get("pages", ()))
    _may(actor, row, row.shared or bool(changes.get("shared")))
    before = _content(row)
    records.put(row, changes, SETTABLE)
    session.flush()
    session.refresh(row)
    records.trace(session, actor, "update", ENTITY, row.id, name=row.name, before=before, after=_content(row))
    return row


def delete(session: Session, actor: Actor, board_id: int) -> None:
    """Remove it."""
    row = find(session, actor, board_id)
    _may(actor, row, row.shared)
    before = _content(row)
    session.delete(row)
    session.flush()
    records.trace(session, actor, "delete", ENTITY, board_id, name=row.name, before=before)


def all_with_alerts(session: Session) -> list[Board]:
    """The enterprise's boards, for the loop that watches their thresholds."""
    return list(session.scalars(select(Board).order_by(Board.id)))


def check(pages: Sequence[Mapping[str, Any]]) -> None:
    """Every tile shows something that exists. Raises InvalidInput; the field is `pages.<i>.tiles.<j>.…`."""
    for i, page in enumerate(pages):
        for j, tile in enumerate(page.get("tiles", ())):
            where = f"pages.{i}.tiles.{j}"
            if tile["kind"] != "figure":
                continue
            if tile.get("metric") not in FIGURES.get(tile.get("subject", ""), {}):
                raise InvalidInput(
                    "A tile shows a figure that does not exist.",
                    code="board.unknown_figure",
                    fields={f"{where}.metric": "Choose a figure from the list."},
                )


def _may(actor: Actor, row: Board, shared: bool) -> None:
    if shared and SHARE not in actor.permissions:
        raise Forbidden("Your role may not share boards or change shared ones.", code="forbidden")
    if row.owner_id != actor.user_id and SHARE not in actor.permissions:
        raise Forbidden("This board is another user's.", code="not_yours")


def _content(row: Board) -> dict[str, Any]:
    return {k: v for k, v in records.content(row).items() if k != "webhook_secret"}
