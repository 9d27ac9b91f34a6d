"""The application over real PostgreSQL and Valkey, with people who can sign in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from callcenter import config
from callcenter.auth import passwords
from callcenter.auth.models import Role, User, UserRole
from callcenter.db.session import platform_session, tenant_session
from callcenter.events import streams
from callcenter.tenancy.actions import open_enterprise
from web.app import create_app

PASSWORD = "correct horse 7"
_CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)  # the real one takes a tenth of a second
_HASH = _CHEAP.hash(PASSWORD)


@pytest.fixture(scope="session")
def application(postgres: object, valkey: object) -> Flask:
    """The application, made once: to make it takes longer than most tests. It keeps nothing between requests."""
    return create_app(dataclasses.replace(config.load(), secret_key="for tests only"))


@pytest.fixture
def app(application: Flask, database: object, redis_client: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application on an empty database."""
    monkeypatch.setenv("SECRET_KEY", "for tests only")
    monkeypatch.setattr(streams, "_client", None)
    monkeypatch.setattr(passwords, "_hasher", _CHEAP)
    monkeypatch.setattr(passwords, "_NOBODY", _HASH.replace("a", "b"))
    yield application


@dataclasses.dataclass
class Browser:
    """A test client that keeps its CSRF token as the interface does."""

    client: FlaskClient
    token: str = ""

    def refresh(self) -> None:
        self.token = self.client.get("/api/auth/csrf").get_json()["token"]

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = {"X-CSRFToken": self.token, **more.pop("headers", {})}
        return self.client.open(path, method=method, json=body, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None) -> TestResponse:
        return self.call("POST", path, body if body is not None else {})

    def patch(self, path: str, body: Any) -> TestResponse:
        return self.call("PATCH", path, body)

    def delete(self, path: str) -> TestResponse:
        return self.call("DELETE", path)

    def sign_in(self, enterprise: str, username: str, password: str = PASSWORD) -> TestResponse:
        self.refresh()
        answer = self.post("/api/auth/sign-in", {"enterprise": enterprise, "username": username, "password": password})
        self.refresh()
        return answer


@pytest.fixture
def browser(app: Flask) -> Callable[[], Browser]:
    """Makes browsers, each with its own cookies."""
    return lambda: Browser(app.test_client())


@pytest.fixture
def enterprise(app: Flask) -> int:
    """Enterprise `acme` with the owner `boss`."""
    with platform_session() as session:
        return open_enterprise(session, "acme", "Acme", "CN", "Asia/Shanghai", "boss", PASSWORD)


def add_user(tenant: int, username: str, *role_keys: str, department_id: int | None = None) -> int:
    """A user with the built-in roles of `role_keys`; returns the id."""
    with tenant_session(tenant) as session:
        user = User(username=username, name=username.title(), password_hash=_HASH, department_id=department_id)
        session.add(user)
        session.flush()
        for role in session.query(Role).filter(Role.key.in_(role_keys)):
            session.add(UserRole(user_id=user.id, role_id=role.id))
        return user.id


@pytest.fixture
def owner(browser: Callable[[], Browser], enterprise: int) -> Browser:
    """The owner of `acme`, signed in."""
    b = browser()
    assert b.sign_in("acme", "boss").status_code == 200
    return b
