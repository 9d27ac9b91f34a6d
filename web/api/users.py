"""Users (product row E4). Who is seen and changed follows the departments (E5)."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from sqlalchemy.orm import Session

from callcenter.auth import actions, passwords, second_factor
from callcenter.auth.queries import UserView, users_query
from callcenter.db.session import tenant_session
from web.http import current_actor, off_loop, paged, requires, tenant_id
from web.schemas.people import (
    ChangeUserSchema,
    NewPasswordSchema,
    NewUserSchema,
    UserPageSchema,
    UserQuerySchema,
    UserSchema,
)

blueprint = Blueprint("users", __name__, url_prefix="/api/users", description="Users")


def _view(db: Session, user_id: int) -> dict[str, Any]:
    actor = current_actor()
    return UserView(db, actor)(actions.find_user(db, actor, user_id))


@blueprint.get("")
@requires("users.read")
@blueprint.arguments(UserQuerySchema, location="query")
@blueprint.response(200, UserPageSchema)
def list_users(args: dict[str, Any]) -> dict[str, Any]:
    """The users one sees: all, enabled or disabled; searched by name, user name or service number."""
    with tenant_session(tenant_id()) as db:
        actor = current_actor()
        return paged(db, users_query(db, actor, args), args, UserView(db, actor))


@blueprint.post("")
@requires("users.write")
@blueprint.arguments(NewUserSchema)
@blueprint.response(201, UserSchema)
def post_user(given: dict[str, Any]) -> dict[str, Any]:
    """Add a user."""
    password = given.pop("password")
    passwords.check_new(password, username=given["username"].strip())
    hashed = off_loop(passwords.hash_password, password)
    details = actions.UserDetails(**{**given, "role_ids": tuple(given.get("role_ids", ()))})
    user_id = actions.add_user(current_actor(), details, password=password, password_hash=hashed)
    with tenant_session(tenant_id()) as db:
        return _view(db, user_id)


@blueprint.get("/<int:user_id>")
@requires("users.read")
@blueprint.response(200, UserSchema)
def get_user(user_id: int) -> dict[str, Any]:
    """One user."""
    with tenant_session(tenant_id()) as db:
        return _view(db, user_id)


@blueprint.patch("/<int:user_id>")
@requires("users.write")
@blueprint.arguments(ChangeUserSchema)
@blueprint.response(200, UserSchema)
def patch_user(given: dict[str, Any], user_id: int) -> dict[str, Any]:
    """Change a user; disabling ends the user's sessions at once."""
    if "role_ids" in given:
        given["role_ids"] = tuple(given["role_ids"])
    actions.change_user(current_actor(), user_id, **given)
    with tenant_session(tenant_id()) as db:
        return _view(db, user_id)


@blueprint.delete("/<int:user_id>")
@requires("users.write")
@blueprint.response(204)
def delete_user(user_id: int) -> None:
    """Delete a user. The built-in owner stays."""
    actions.delete_user(current_actor(), user_id)


@blueprint.post("/<int:user_id>/password")
@requires("users.write")
@blueprint.arguments(NewPasswordSchema)
@blueprint.response(204)
def post_password(given: dict[str, str], user_id: int) -> None:
    """Give a user a new password; it unlocks them and ends their sessions."""
    hashed = off_loop(passwords.hash_password, given["password"])
    actions.reset_password(current_actor(), user_id, given["password"], hashed)


@blueprint.post("/<int:user_id>/second-factor/reset")
@requires("users.write")
@blueprint.response(204)
def post_second_factor_reset(user_id: int) -> None:
    """Take the second factor from a user who has lost phone and recovery codes; it ends their sessions."""
    second_factor.reset(current_actor(), user_id)
