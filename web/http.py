"""What every endpoint stands on: who asks, what they may do, how errors and pages look.

An endpoint says `@requires("users.write")` (or `@requires()` for any signed-in user, or `@public`); the check is made
before the request's body is read, and `app.py` refuses to start with an endpoint that says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import gevent
import gevent.monkey
from flask import Flask, g, request, session
from gevent.threadpool import ThreadPool
from marshmallow import Schema, fields, validate
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from callcenter import ids
from callcenter.audit.models import Actor
from callcenter.auth.bearer import resolve_token, take_turn
from callcenter.auth.sessions import Identity, resolve
from callcenter.clock import utc_now
from callcenter.errors import AppError, Forbidden, NotSignedIn
from callcenter.log import bind
from web import limits

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")
S = TypeVar("S", bound=type[Schema])
PER_PAGE = 50
PER_PAGE_MAX = 200
SESSION_FIELD = "sid"


def requires(*permissions: str) -> Callable[[F], F]:
    """Only signed-in users whose roles give all `permissions` get in; 401 and 403 answer the others."""

    def mark(view: F) -> F:
        view.__dict__["_requires"] = permissions
        return view

    return mark


def in_person(view: F) -> F:
    """Only for who has signed in with a password: no API token gets in (403). Put it below `@requires`."""
    view.__dict__["_in_person"] = True
    return view


def is_in_person(view: Callable[..., Any]) -> bool:
    """Whether `view` is marked `@in_person`."""
    return bool(view.__dict__.get("_in_person", False))


def public(view: F) -> F:
    """Anybody gets in: sign-in and health only."""
    view.__dict__["_requires"] = None
    return view


def demands(app: Flask, endpoint: str, method: str) -> tuple[str, ...] | None:
    """Permissions that `endpoint` asks for; None if it is public. Raises LookupError if it does not say."""
    view: Any = app.view_functions[endpoint]
    view_class = getattr(view, "view_class", None)
    if view_class is not None:
        name = method.lower()
        if name == "head" and not hasattr(view_class, "head"):
            name = "get"
        view = getattr(view_class, name)
    try:
        return cast("tuple[str, ...] | None", view.__dict__["_requires"])
    except KeyError:
        raise LookupError(f"{method} {endpoint}: say @requires(...) or @public") from None


def identity() -> Identity:
    """Who makes this request. Raises NotSignedIn in a public endpoint that nobody signed in for."""
    who = cast("Identity | None", g.get("identity"))
    if who is None:
        raise NotSignedIn("Sign in first.")
    return who


def current_actor() -> Actor:
    """The actor of this request, for actions."""
    return identity().actor


def tenant_id() -> int:
    """The enterprise of this request."""
    return identity().enterprise.id


def client_ip() -> str:
    """Address of the browser, as far as the trusted proxies tell (TRUSTED_PROXIES)."""
    return request.remote_addr or ""


def by_token() -> bool:
    """Whether this request is made with an API token, and so without a session."""
    return bool(g.get("by_token", False))


def bearer() -> str | None:
    """The token that this request carries in `Authorization: Bearer …`; None without such a header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def sign_in_by_token(token: str) -> Identity:
    """The identity behind an API token. Raises TooManyRequests, TokenRefused."""
    g.by_token = True
    take_turn(token, per_s=limits.TOKEN_PER_S, burst=limits.TOKEN_BURST)
    return resolve_token(token, client_ip(), utc_now())


def sign_in_by_cookie() -> Identity | None:
    """The identity behind this request's cookie; None without one. Raises NotSignedIn if its session has ended."""
    session_id = session.get(SESSION_FIELD)
    if not session_id:
        return None
    renew = request.headers.get("X-Background") != "1"
    return resolve(session_id, client_ip(), renew=renew)


def _open_request() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if 8 <= len(given) <= 64 and given.isascii() and given.isprintable() else ids.new_id()
    g.log_ids = bind(request=g.request_id)
    g.log_ids.__enter__()


def _guard(app: Flask) -> None:
    rule = request.url_rule
    if rule is None or request.endpoint is None or not rule.rule.startswith("/api/"):
        return
    if request.endpoint == "api-docs.openapi_json" or request.method == "OPTIONS":
        return
    needed = demands(app, request.endpoint, request.method)
    if needed is None:
        return
    token = bearer()  # whoever sends one is judged by it alone, whatever cookie comes along
    who = sign_in_by_cookie() if token is None else sign_in_by_token(token)
    if who is None:
        raise NotSignedIn("Sign in first.")
    g.identity = who
    g.tenant_log = bind(tenant=who.enterprise.id, user=who.user.id)
    g.tenant_log.__enter__()
    missing = [p for p in needed if p not in who.permissions]
    if missing:
        raise Forbidden("Your roles do not allow this.", params={"missing": missing})
    if token is not None and is_in_person(app.view_functions[request.endpoint]):
        raise Forbidden("This can't be done with an API token: sign in at the page.", code="in_person_only")


def install(app: Flask) -> None:
    """Put request ids, the guard and the clean-up on `app`. Call it before CSRF protection, so that 401 comes first."""
    app.before_request(_open_request)
    app.before_request(lambda: _guard(app))

    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        for name in ("tenant_log", "log_ids"):
            context = g.pop(name, None)
            if context is not None:
                context.__exit__(None, None, None)


def error_body(error: AppError) -> dict[str, Any]:
    """How an error looks outside."""
    return {"code": error.code, "message": error.message, "fields": error.fields, "params": error.params}


def flat_fields(messages: Any, path: str = "") -> dict[str, str]:
    """Marshmallow's nested messages as `a.b.0` → sentence."""
    if isinstance(messages, Mapping):
        out: dict[str, str] = {}
        for key, value in messages.items():
            name = "" if key == "_schema" else str(key)
            out |= flat_fields(value, ".".join(p for p in (path, name) if p))
        return out
    text = " ".join(str(m) for m in messages) if isinstance(messages, list) else str(messages)
    return {path or "_": text}


class ErrorSchema(Schema):
    """Body of every response that is not a success."""

    code = fields.String(required=True, metadata={"description": "Stable; texts are looked up by it"})
    message = fields.String(required=True)
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        data_key="fields",
        metadata={"description": "Field → what is wrong"},
    )
    params = fields.Dict(metadata={"description": "Values for the translated text"})


class PageQuery(Schema):
    """`?page=1&per_page=50`; inherit from it to add filters."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=1_000_000))
    per_page = fields.Integer(load_default=PER_PAGE, validate=validate.Range(min=1, max=PER_PAGE_MAX))


def page_of(item: S) -> S:
    """Schema of a page of `item`: items, total, page, per_page. Name it once at module level."""
    name = item.__name__.removesuffix("Schema") + "PageSchema"
    return cast(
        S,
        Schema.from_dict(
            {
                "items": fields.List(fields.Nested(item), required=True),
                "total": fields.Integer(required=True, strict=True),
                "page": fields.Integer(required=True, strict=True),
                "per_page": fields.Integer(required=True, strict=True),
            },
            name=name,
        ),
    )


def paged(
    db: Session,
    query: Select[Any],
    args: Mapping[str, Any],
    render: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """One page of `query` (ordered, one entity or one row each) for the `PageQuery` values in `args`.

    `render` makes an item of a row. A page past the end is empty, `total` tells why.
    """
    page, per_page = int(args["page"]), int(args["per_page"])
    total = db.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    result = db.execute(query.limit(per_page).offset((page - 1) * per_page))
    single = len(query.column_descriptions) == 1
    rows = list(result.scalars()) if single else list(result)
    return {
        "items": [render(r) for r in rows] if render else rows,
        "total": total,
        "page": page,
        "per_page": per_page,
    }


_pool: ThreadPool | None = None


def off_loop(work: Callable[..., R], *args: Any) -> R:
    """`work(*args)` in a native thread, so that other requests go on meanwhile. For CPU-bound work that frees the GIL.

    Never for what asks the database or Valkey: their connections belong to the loop's own thread, and gevent refuses.
    Two threads at most: password hashing takes 64 MiB each.
    """
    global _pool
    if not gevent.monkey.is_module_patched("threading"):
        return work(*args)
    if _pool is None:
        _pool = ThreadPool(min(2, os.cpu_count() or 1))
    return cast(R, _pool.apply(work, args))
