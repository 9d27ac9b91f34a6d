"""What the OpenAPI file says beyond its schemas: how other systems sign in, and which permissions an endpoint asks."""

from __future__ import annotations

from typing import Any, Final

from apispec import BasePlugin
from flask import Flask
from werkzeug.routing import Rule

from web import http, limits

SCHEME: Final = "token"
BEARER: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "cc_…",
    "description": "An API token, made under Settings, API tokens. It does what was chosen for it while its user may.",
}
_INTRODUCTION: Final = f"""Everything that the pages do, they do through this API.

Sign in with an API token: `Authorization: Bearer cc_…`. No cookie and no CSRF token is needed then. A token may make
{limits.TOKEN_PER_S:g} requests a second, {limits.TOKEN_BURST} at once after a pause; beyond that the answer is 429 with
`Retry-After` (seconds).

Bodies are JSON. Times are ISO 8601 with an offset, phone numbers E.164, money whole minor units. Lists come as pages:
`items`, `total`, `page`, `per_page` (200 at most). What goes wrong is answered as
`{{"code", "message", "fields", "params"}}`: `code` is stable, `fields` names each wrong field. 401: no or no valid
token. 403: it may not do this. 404: there is no such record. 422: a field is wrong. 503: try again in a moment.
"""


class _Guards(BasePlugin):
    """Writes the permissions of each operation into it; who needs no sign-in is marked so."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.app = app

    def operation_helper(self, path: str | None = None, operations: dict[str, Any] | None = None, **more: Any) -> None:
        rule: Rule = more["rule"]
        for method, operation in (operations or {}).items():
            needed = http.demands(self.app, rule.endpoint, method.upper())
            view = self.app.view_functions[rule.endpoint]
            operation["x-permissions"] = list(needed or ())
            operation["x-in-person"] = needed is not None and http.is_in_person(view)
            if needed is None or operation["x-in-person"]:
                operation["security"] = []


def options(app: Flask) -> dict[str, Any]:
    """Keyword arguments for the specification of `app`'s API."""
    return {
        "extra_plugins": [_Guards(app)],
        "info": {
            "description": _INTRODUCTION,
            "x-token-rate": {"per_s": limits.TOKEN_PER_S, "burst": limits.TOKEN_BURST},
        },
        "security": [{SCHEME: []}],
    }
