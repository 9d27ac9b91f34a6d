"""Every endpoint of the API, also those added later: nobody without a session, nobody from another enterprise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.routing import Rule

from callcenter.db.models import load_all
from callcenter.db.session import engine, platform_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from tests.web import samples
from tests.web.conftest import PASSWORD, Browser
from web.http import demands

New = Callable[[], Browser]
# Path parameter → table whose keys it takes, where the name does not say it.
TABLES = {"user_id": "user_account", "agent_id": "user_account", "list_id": "lead_list", "import_id": "import_job"}


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every endpoint of the API with each of its methods, those that need no session left out."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or rule.endpoint == "api-docs.openapi_json":
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if demands(app, rule.endpoint, method) is not None:
                yield rule, method


def keys_for(argument: str, rule: Rule, rows: dict[str, list[Any]]) -> list[Any]:
    """Foreign keys to try for a path argument: those of its table, or those of all tables."""
    name = argument.removesuffix("_id")
    if argument == "id":
        name = rule.rule.split("/")[2].rstrip("s")
    table = TABLES.get(argument, name)
    numeric = isinstance(rule._converters[argument].to_python("1"), int)
    keys = rows.get(table) or [k for ks in rows.values() for k in ks]
    fitting = [k for k in dict.fromkeys(keys) if isinstance(k, int) == numeric]
    return fitting[:20] if fitting else [1 if numeric else "x"]


@pytest.fixture
def silent_engine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """Commands that reach the engine's streams, in place of waiting for its answers."""
    sent: list[tuple[int, object]] = []

    def send(tenant: int, command: object, *, wait_s: float | None = 3.0) -> Any:
        sent.append((tenant, command))

    monkeypatch.setattr(streams, "send", send)
    return sent


def test_without_a_session_every_endpoint_answers_401(app: Flask, browser: New) -> None:
    b = browser()
    for rule, method in rules(app):
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        answer = b.call(method, path, None if method == "GET" else {})
        assert answer.status_code == 401, f"{method} {rule.rule}: {answer.status_code}"
        assert answer.get_json()["code"] == "not_signed_in"


def paths(rule: Rule, rows: dict[str, list[Any]]) -> Iterator[str]:
    """Addresses of `rule` with keys of `rows` in place of its arguments."""
    arguments = {a: keys_for(a, rule, rows) for a in rule.arguments}
    for i in range(max((len(v) for v in arguments.values()), default=1)):
        path = rule.rule
        for argument, keys in arguments.items():
            path = re.sub(rf"<[^<>]*\b{argument}>", str(keys[i % len(keys)]), path)
        yield path


class Bodies:
    """Bodies that fit the API's own description, with foreign keys wherever an id belongs."""

    def __init__(self, app: Flask, rows: dict[str, list[Any]]) -> None:
        self.document = app.test_client().get("/api/openapi.json").get_json()
        self.rows = rows

    def of(self, rule: Rule, method: str) -> Any:
        path = re.sub(r"<(?:[^<>:]*:)?([^<>]+)>", r"{\1}", rule.rule)
        operation = self.document["paths"].get(path, {}).get(method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {})
        return self._value("", content.get("application/json", {}).get("schema", {"type": "object"}))

    def _value(self, name: str, schema: dict[str, Any]) -> Any:
        reference = schema.get("$ref") or next((s["$ref"] for s in schema.get("allOf", ()) if "$ref" in s), None)
        if reference:
            schema = self.document["components"]["schemas"][reference.rpartition("/")[2]]
        kind = schema.get("type")
        if "enum" in schema:
            return schema["enum"][0]
        if kind == "object":
            required = schema.get("required", [])
            known = schema.get("properties", {})
            return {k: self._value(k, v) for k, v in known.items() if k in required or k.endswith(("_id", "_ids"))}
        if kind == "array":
            return [self._value(name, schema.get("items", {}))]
        if kind in ("integer", "number"):
            noun = re.sub(r"_ids?$", "", name)
            keys = [k for k in self.rows.get(TABLES.get(f"{noun}_id", noun), ()) if isinstance(k, int)]
            return keys[-1] if keys else schema.get("minimum", 1)
        if kind == "boolean":
            return False
        return {"date": "2026-01-02", "date-time": "2026-01-02T03:04:05+00:00"}.get(
            schema.get("format", ""), "spy and spy"
        )


def foreign_references(tenant: int) -> list[str]:
    """Columns in which a row of `tenant` points at a row of another enterprise."""
    found = []
    with engine().connect() as connection:
        for table in load_all().metadata.sorted_tables:
            for key in table.foreign_keys:
                target = key.column.table.alias("target")
                if "tenant_id" not in table.c or "tenant_id" not in target.c:
                    continue
                joined = (key.parent == target.c[key.column.name]) & (table.c.tenant_id != target.c.tenant_id)
                if connection.scalar(select(func.count()).where(joined, table.c.tenant_id == tenant)):
                    found.append(f"{table.name}.{key.parent.name}")
    return found


def test_a_stranger_with_all_permissions_gets_nothing_by_foreign_ids(
    app: Flask, browser: New, enterprise: int, silent_engine: list[tuple[int, object]]
) -> None:
    foreign = samples.fill(enterprise)
    samples.number_from(500_000)
    with platform_session() as session:
        rival = open_enterprise(session, "rival", "Rival", "CN", "Asia/Shanghai", "spy", PASSWORD)
    spy = browser()
    assert spy.sign_in("rival", "spy").status_code == 200
    bodies = Bodies(app, foreign)
    tried = 0
    for rule, method in rules(app):
        if rule.endpoint == "auth.post_sign_out":
            continue
        for path in paths(rule, foreign):
            for body in [None] if method == "GET" else [{}, bodies.of(rule, method)]:
                answer = spy.call(method, path, body)
                tried += 1
                said = answer.get_data().decode(errors="replace")  # some answers are sound
                where = f"{method} {path} ({rule.rule}) {body}: {answer.status_code} {said[:300]}"
                assert (answer.status_code != 401 and answer.status_code < 500) or answer.status_code == 503, where
                assert samples.MARK not in said, where
                if rule.arguments:
                    assert answer.status_code in ({403, 404, 422} if method == "GET" else {403, 404, 409, 422}), where
    assert tried > 60
    assert all(tenant == rival for tenant, _ in silent_engine)
    assert samples.fill(enterprise) == foreign, "a row of the other enterprise is gone or new"
    assert foreign_references(rival) == []


def test_the_same_ids_do_lead_somewhere_for_the_own_people(
    app: Flask, owner: Browser, enterprise: int, silent_engine: list[tuple[int, object]]
) -> None:
    """The walk above proves nothing if its ids fit no endpoint."""
    rows = samples.fill(enterprise)
    reached = {
        rule.rule
        for rule, method in rules(app)
        if method == "GET" and rule.arguments
        for path in paths(rule, rows)
        if owner.get(path).status_code == 200
    }
    assert {"/api/users/<int:user_id>", "/api/roles/<int:role_id>"} <= reached
    everything = {r.rule for r, method in rules(app) if method == "GET" and r.arguments}
    assert len(reached) >= len(everything) / 2, f"nobody reached {sorted(everything - reached)}"


def test_lists_are_pages_and_say_so(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").get_json()
    schemas = document["components"]["schemas"]

    def follow(schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return schemas[name] if name else schema

    pages = 0
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = follow(content.get("application/json", {}).get("schema", {}))
        assert schema.get("type") != "array", f"GET {path} answers with a bare list: make it a page"
        if "items" in schema.get("properties", {}):
            pages += 1
            assert {"total", "page", "per_page"} <= set(schema["properties"]), f"GET {path} has items but no pages"
            names = {p["name"] for p in methods["get"]["parameters"]}
            assert {"page", "per_page"} <= names, f"GET {path} takes no page"
    assert pages >= 3
