"""gunicorn's settings. Its `gevent` worker patches the standard library before it imports the application;
Flask-SocketIO then speaks WebSocket through simple-websocket."""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import os  # noqa: E402  (after the patch)
from typing import Any  # noqa: E402

from prometheus_client.multiprocess import mark_process_dead  # noqa: E402

from callcenter import log  # noqa: E402
from callcenter.config import load  # noqa: E402  (a name `config` would be taken for a setting)

_settings = load()
control_socket_disable = True  # it would lie outside the checkout
worker_class = "gevent"
worker_connections = 2000
timeout = 60
graceful_timeout = 3  # requests take less; open WebSockets would use up any time
keepalive = 30
limit_request_line = 8190
accesslog = None
# gunicorn's own lines go through the root logger as JSON, like those of every process. Requests are only counted.
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"level": _settings.log_level},
    "loggers": {
        "gunicorn.error": {"handlers": [], "propagate": True},
        "gunicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
    },
}


def post_fork(server: object, worker: object) -> None:
    """Each worker logs as `web`."""
    log.set_up("web", _settings.log_level)


def child_exit(server: object, worker: Any) -> None:
    """A worker's gauges go with it."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has no types here


def on_starting(server: object) -> None:
    """So does the master."""
    log.set_up("web", _settings.log_level)
