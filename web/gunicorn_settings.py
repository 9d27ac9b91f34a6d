"""gunicorn's settings. Its `gevent` worker patches the standard library before it imports the application;
Flask-SocketIO then speaks WebSocket through simple-websocket."""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

from callcenter import config, log  # noqa: E402  (after the patch)

_settings = config.load()
worker_class = "gevent"
worker_connections = 2000
timeout = 60
graceful_timeout = 10
keepalive = 30
limit_request_line = 8190
accesslog = None
# gunicorn's own lines go through the root logger as JSON, like those of every process.
logconfig_dict = {"version": 1, "disable_existing_loggers": False, "root": {"level": _settings.log_level}}


def post_fork(server: object, worker: object) -> None:
    """Each worker logs as `web`."""
    log.set_up("web", _settings.log_level)


def on_starting(server: object) -> None:
    """So does the master."""
    log.set_up("web", _settings.log_level)
