"""Is the process alive, can it work, and its figures."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from callcenter.db.session import engine
from callcenter.events import streams
from web import metrics

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Database and Valkey answer; 503 and which does not otherwise."""
    parts = {"database": _database(), "valkey": _valkey()}
    ready = all(v == "ok" for v in parts.values())
    return jsonify({"status": "ok" if ready else "not ready", **parts}), 200 if ready else 503


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Figures for Prometheus."""
    body, content_type = metrics.text()
    return Response(body, content_type=content_type)


def _database() -> str:
    try:
        with engine().connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return type(error).__name__
    return "ok"


def _valkey() -> str:
    try:
        streams.client().ping()
    except redis.RedisError as error:
        return type(error).__name__
    return "ok"
