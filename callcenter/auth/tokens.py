"""API tokens: made by a user for another system, which then acts in the user's name (product row P1).

A token is shown once, when it is made; its SHA-256 is kept. It may do what was chosen for it, and never more than its
user may do at the moment of the request.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.auth.access import Access, visible_user_ids
from callcenter.auth.models import ApiToken, User
from callcenter.auth.queries import like
from callcenter.auth.rights import check_permissions, check_user
from callcenter.db.session import tenant_session
from callcenter.errors import Conflict, InvalidInput, NotFound

MARK: Final = "cc_"
PREFIX_LENGTH: Final = 11  # what lists show: the mark and eight letters
MOST: Final = 50  # tokens in force of one user
NETWORKS: Final = 50


def token_hash(token: str) -> str:
    """What is stored of a token. Its 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def networks(given: Iterable[str]) -> list[str]:
    """Addresses and networks as CIDR, each once, in the order given. Raises InvalidInput for one that is none."""
    found: dict[str, None] = {}
    for text in given:
        if not text.strip():
            continue
        try:
            found[str(ipaddress.ip_network(text.strip(), strict=False))] = None
        except ValueError:
            message = f"{text.strip()} is no address or network. Write it like 203.0.113.7 or 203.0.113.0/24."
            raise InvalidInput(
                message, code="bad_network", fields={"ip_allow": message}, params={"given": text.strip()}
            ) from None
    return list(found)


def comes_from(ip: str, allowed: Sequence[str]) -> bool:
    """Whether address `ip` lies in one of `allowed` (CIDR). No network at all allows any address."""
    if not allowed:
        return True
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # a dual-stack socket writes IPv4 as ::ffff:203.0.113.7
    return any((mapped or address) in ipaddress.ip_network(network) for network in allowed)


def make_token(
    actor: Actor,
    *,
    name: str,
    permissions: Iterable[str],
    ip_allow: Iterable[str] = (),
    expires_at: datetime | None = None,
    now: datetime,
) -> tuple[int, str]:
    """A token that acts for the actor: its id, and the token itself, which nobody can see again.

    Raises InvalidInput naming the field, BeyondOwnRights, Conflict.
    """
    codes, name = sorted(set(permissions)), name.strip()
    if not name:
        raise InvalidInput("Give the token a name.", fields={"name": "Give the token a name."})
    if not codes:
        message = "Choose at least one permission."
        raise InvalidInput(message, code="no_permissions", fields={"permissions": message})
    check_permissions(actor, codes)
    if expires_at is not None and expires_at <= now:
        message = "Choose a time that is still to come."
        raise InvalidInput(message, code="expires_in_past", fields={"expires_at": message})
    allowed = networks(ip_allow)
    token = MARK + secrets.token_urlsafe(32)
    with tenant_session(actor.tenant_id) as session:
        user = session.get(User, actor.user_id)
        if user is None:
            raise NotFound("This user is gone.")
        in_force = [r for r in session.scalars(select(ApiToken).where(ApiToken.user_id == user.id)) if ends(r, now)]
        if len(in_force) >= MOST:
            raise Conflict(f"You have {MOST} tokens. Revoke one first.", code="too_many_tokens", params={"most": MOST})
        row = ApiToken(
            user_id=user.id, name=name, prefix=token[:PREFIX_LENGTH], token_hash=token_hash(token),
            permissions=codes, ip_allow=allowed, expires_at=expires_at,
        )  # fmt: skip
        session.add(row)
        session.flush()
        record(session, actor, "create", "api_token", row.id, name=name, after=_seen(row, user))
        return row.id, token


def revoke_token(actor: Actor, token_id: int, now: datetime) -> None:
    """End a token: one's own, or with users.write that of a user in one's charge. Raises NotFound, Forbidden."""
    with tenant_session(actor.tenant_id) as session:
        row = session.scalars(tokens_query(session, actor, {}).where(ApiToken.id == token_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such token.")
        user = session.get_one(User, row.user_id)
        if user.id != actor.user_id:
            check_user(session, actor, user, Access.WRITE)
        if row.revoked_at is None:
            row.revoked_at = now
            record(session, actor, "revoke", "api_token", row.id, name=row.name, before=_seen(row, user))


def ends(row: ApiToken, now: datetime) -> bool:
    """Whether the token is still in force at `now` and so can end."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def state(row: ApiToken, now: datetime) -> str:
    """active, expired or revoked."""
    if row.revoked_at is not None:
        return "revoked"
    return "active" if ends(row, now) else "expired"


def tokens_query(session: Session, actor: Actor, args: Mapping[str, Any]) -> Select[ApiToken]:
    """The actor's tokens, and with users.write those of the users one sees; the newest first. `args` may have `search`,
    and `state` (all, active, ended) together with `now`."""
    query = select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.id.desc())
    if "users.write" not in actor.permissions:
        query = query.where(ApiToken.user_id == actor.user_id)
    elif (seen := visible_user_ids(session, actor)) is not None:
        query = query.where(ApiToken.user_id.in_(seen | {actor.user_id}))
    if args.get("search"):
        pattern = like(args["search"])
        owners = select(User.id).where(User.name.ilike(pattern))
        query = query.where(
            or_(ApiToken.name.ilike(pattern), ApiToken.prefix.like(pattern), ApiToken.user_id.in_(owners))
        )
    if args.get("state", "all") != "all":
        over = or_(ApiToken.revoked_at.is_not(None), ApiToken.expires_at <= args["now"])
        in_force = ApiToken.revoked_at.is_(None) & or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > args["now"])
        query = query.where(in_force if args["state"] == "active" else over)
    return query


class TokenView:
    """Makes the outside's view of tokens: whose they are, and whether they work."""

    def __init__(self, session: Session, actor: Actor, now: datetime) -> None:
        self.session, self.actor, self.now = session, actor, now

    def __call__(self, row: ApiToken) -> dict[str, Any]:
        user = self.session.get(User, row.user_id)
        fields = (
            "id", "name", "prefix", "permissions", "ip_allow", "expires_at", "revoked_at", "last_used_at",
            "last_used_ip", "created_at",
        )  # fmt: skip
        return {
            **{f: getattr(row, f) for f in fields},
            "state": state(row, self.now),
            "user_id": row.user_id,
            "user_name": user.name if user is not None else "",
            "own": row.user_id == self.actor.user_id,
        }


def _seen(row: ApiToken, user: User) -> dict[str, Any]:
    return {
        "name": row.name,
        "prefix": row.prefix,
        "user": user.name,
        "permissions": list(row.permissions),
        "ip_allow": list(row.ip_allow),
        "expires_at": row.expires_at,
    }
