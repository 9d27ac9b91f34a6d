"""The Flask application: `create_app()`.

Every module of `web/api` that has a `blueprint` is registered, so a feature adds a file and changes none. Errors of all
kinds leave as {code, message, fields, params}. The built interface is served from `web/ui/dist`.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.sessions import SecureCookieSessionInterface
from flask_smorest import Api
from flask_smorest import Blueprint as DocumentedBlueprint
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import IntegrityError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

import web.api
from callcenter import config
from callcenter.auth.permissions import PERMISSIONS, PLATFORM_PERMISSIONS
from callcenter.errors import AppError
from web import api_docs, http, limits, metrics, nulls, ui_files

log = logging.getLogger(__name__)


class _HeaderToken(CSRFProtect):
    """Takes the token from its header only. To look for it in a form first, as Flask-WTF does, opens the body under the
    limit for JSON, before an endpoint that takes files has set its own."""

    def _get_csrf_token(self) -> str | None:
        return request.headers.get("X-CSRFToken")

    def protect(self, apply_exemptions: bool = False) -> None:
        if not http.by_token():  # no browser sends an API token by itself: such a request can't be forged
            super().protect(apply_exemptions=apply_exemptions)


csrf = _HeaderToken()
_JSON_LIMIT = 4 * 1024 * 1024

_HTTP_CODES = {
    400: ("bad_request", "The request can't be understood."),
    404: ("not_found", "There is no such page or record."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("too_large", "The request is too large."),
    415: ("unsupported_media_type", "Send JSON."),
    422: ("invalid_input", "Check the marked fields."),
    429: ("too_many_requests", "Too many requests. Wait a minute, then try again."),
}


class HouseApi(Api):
    """flask-smorest with our error shape."""

    ERROR_SCHEMA = http.ErrorSchema

    def handle_http_exception(self, error: HTTPException) -> Any:
        status = error.code or 500
        code, message = _HTTP_CODES.get(status, (error.name.lower().replace(" ", "_"), error.description or ""))
        fields: dict[str, str] = {}
        data = getattr(error, "data", None)
        if isinstance(data, dict) and isinstance(data.get("messages"), dict):
            for place in data["messages"].values():  # json, query, files …
                fields |= http.flat_fields(place)
        response = jsonify({"code": code, "message": message, "fields": fields, "params": {}})
        response.status_code = status
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response


class _CookieSessions(SecureCookieSessionInterface):
    """The cookie is `Secure` whenever the request came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def create_app(settings: config.Config | None = None) -> Flask:
    """The application. Raises LookupError if an endpoint does not say who may use it."""
    settings = settings or config.load()
    if not settings.secret_key:
        raise SystemExit("SECRET_KEY is not set; start with `make run`, or give a long random one that stays the same")
    app = Flask("web", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="callcenter",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=_JSON_LIMIT,  # an endpoint that takes files sets request.max_content_length itself
        WTF_CSRF_TIME_LIMIT=None,
        RATELIMIT_STORAGE_URI=settings.redis_url or "memory://",
        API_TITLE="Call centre",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    app.session_interface = _CookieSessions()
    proxies = int(os.environ.get("TRUSTED_PROXIES", "0"))
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]  # as documented
    metrics.install(app)
    http.install(app)
    csrf.init_app(app)
    nulls.install(app)
    limits.limiter.init_app(app)
    _install_errors(app)
    _register_blueprints(app)
    ui_files.install(app)
    _refuse_silent_endpoints(app)
    return app


def _register_blueprints(app: Flask) -> None:
    api = HouseApi(app, spec_kwargs=api_docs.options(app))
    api.spec.components.security_scheme(api_docs.SCHEME, api_docs.BEARER)
    for module in sorted(m.name for m in pkgutil.iter_modules(web.api.__path__)):
        blueprint = getattr(importlib.import_module(f"web.api.{module}"), "blueprint", None)
        if isinstance(blueprint, DocumentedBlueprint):
            api.register_blueprint(blueprint)
        elif isinstance(blueprint, Blueprint):  # outside the API: health
            app.register_blueprint(blueprint)


def _refuse_silent_endpoints(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or rule.endpoint == "api-docs.openapi_json":
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            unknown = set(http.demands(app, rule.endpoint, method) or ()) - {*PERMISSIONS, *PLATFORM_PERMISSIONS}
            if unknown:
                raise LookupError(f"{method} {rule.rule} requires unknown permissions: {', '.join(sorted(unknown))}")


def _install_errors(app: Flask) -> None:
    @app.errorhandler(AppError)
    def _app_error(error: AppError) -> tuple[Response, int]:
        answer = jsonify(http.error_body(error))
        if "retry_after_s" in error.params:
            answer.headers["Retry-After"] = str(error.params["retry_after_s"])
        if error.status == 401 and http.by_token():
            answer.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return answer, error.status

    @app.errorhandler(CSRFError)
    def _csrf_error(error: CSRFError) -> tuple[Response, int]:
        body = {"code": "csrf", "message": "The page is out of date. Load it again.", "fields": {}, "params": {}}
        return jsonify(body), 400

    @app.errorhandler(IntegrityError)
    def _clash(error: IntegrityError) -> tuple[Response, int]:
        log.warning("%s %s met a row that another request wrote: %s", request.method, request.path, error.orig)
        body = {"code": "changed_meanwhile", "message": "Somebody else has changed this just now. Load it again."}
        return jsonify({**body, "fields": {}, "params": {}}), 409

    @app.errorhandler(Exception)
    def _defect(error: Exception) -> tuple[Response, int]:
        log.exception("%s %s failed", request.method, request.path)
        body = {
            "code": "internal",
            "message": "Something went wrong on the server. Nothing was changed. The log has it under this number.",
            "fields": {},
            "params": {"request": g.get("request_id", "")},
        }
        return jsonify(body), 500

    @app.after_request
    def _headers(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
        response.headers.setdefault("Content-Security-Policy", ui_files.POLICY)
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response
