"""Live boards: what stands on them, what they alerted to, and the figures' last hour."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy import select

from callcenter.db.session import tenant_session
from callcenter.metrics import boards as actions
from callcenter.metrics import past
from callcenter.metrics.figures import FIGURES
from callcenter.metrics.models import Board, BoardAlert
from web.http import PageQuery, current_actor, identity, paged, requires, tenant_id
from web.schemas.boards import (
    BoardAlertPageSchema,
    BoardChangesSchema,
    BoardFiguresSchema,
    LiveBoardPageSchema,
    LiveBoardSchema,
    NewBoardSchema,
    PastQuery,
    PastSchema,
)

blueprint = Blueprint("boards", __name__, url_prefix="/api/boards", description="Live boards")


def _shown(row: Board) -> dict[str, Any]:
    """The secret is its owner's."""
    names = ("id", "name", "owner_id", "shared", "pages", "rotate_s", "webhook_url", "webhook_secret", "updated_at")
    out = {n: getattr(row, n) for n in names}
    if row.owner_id != identity().user.id:
        out["webhook_secret"] = ""
    return out


@blueprint.get("")
@requires("board.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, LiveBoardPageSchema)
def list_boards(args: dict[str, Any]) -> dict[str, Any]:
    """The user's own boards and the shared ones, by name."""
    with tenant_session(tenant_id()) as db:
        page = paged(db, select(Board).where(actions.visible(current_actor())).order_by(Board.name, Board.id), args)
        page["items"] = [_shown(row) for row in page["items"]]
        return page


@blueprint.get("/figures")
@requires("board.read")
@blueprint.response(200, BoardFiguresSchema)
def list_figures() -> dict[str, Any]:
    """What a tile can show."""
    return {"figures": {subject: list(metrics) for subject, metrics in FIGURES.items()}}


@blueprint.get("/past")
@requires("board.read")
@blueprint.arguments(PastQuery, location="query")
@blueprint.response(200, PastSchema)
def get_past(args: dict[str, Any]) -> dict[str, Any]:
    """The last hour of a topic's figures, one sample a minute."""
    return past.read(tenant_id(), args["topic"])


@blueprint.get("/alerts")
@requires("board.read")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, BoardAlertPageSchema)
def list_alerts(args: dict[str, Any]) -> dict[str, Any]:
    """What thresholds have told, newest first."""
    with tenant_session(tenant_id()) as db:
        seen = select(Board.id).where(actions.visible(current_actor()))
        query = select(BoardAlert).where(BoardAlert.board_id.in_(seen)).order_by(BoardAlert.id.desc())
        return paged(db, query, args)


@blueprint.post("")
@requires("board.read")
@blueprint.arguments(NewBoardSchema)
@blueprint.response(201, LiveBoardSchema)
def create_board(given: dict[str, Any]) -> dict[str, Any]:
    """A new board of the user's own."""
    with tenant_session(tenant_id()) as db:
        return _shown(actions.create(db, current_actor(), given))


@blueprint.get("/<int:board_id>")
@requires("board.read")
@blueprint.response(200, LiveBoardSchema)
def get_board(board_id: int) -> dict[str, Any]:
    """One board."""
    with tenant_session(tenant_id()) as db:
        return _shown(actions.find(db, current_actor(), board_id))


@blueprint.patch("/<int:board_id>")
@requires("board.read")
@blueprint.arguments(BoardChangesSchema)
@blueprint.response(200, LiveBoardSchema)
def change_board(given: dict[str, Any], board_id: int) -> dict[str, Any]:
    """Change it, its tiles and thresholds."""
    with tenant_session(tenant_id()) as db:
        return _shown(actions.update(db, current_actor(), board_id, given))


@blueprint.delete("/<int:board_id>")
@requires("board.read")
@blueprint.response(204)
def delete_board(board_id: int) -> None:
    """Delete it."""
    with tenant_session(tenant_id()) as db:
        actions.delete(db, current_actor(), board_id)
