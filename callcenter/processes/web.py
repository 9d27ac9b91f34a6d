"""The web process: `python -m callcenter.processes.web`. It becomes gunicorn with gevent workers.

Browsers connect over WebSocket only, so several workers need no sticky balancer. SIGTERM lets requests finish.
"""

from __future__ import annotations

import os
import shutil
import sys

from callcenter import config


def command(settings: config.Config) -> list[str]:
    """The gunicorn command line."""
    return [
        sys.executable, "-m", "gunicorn", "--config", "python:web.gunicorn_settings",
        "--bind", f"{settings.web_host}:{settings.web_port}",
        "--workers", str(settings.web_workers),
        "web.wsgi:app",
    ]  # fmt: skip


def main() -> None:
    """Entry point."""
    settings = config.load()
    if not settings.secret_key:
        raise SystemExit("SECRET_KEY is not set; start with `make run`, or give a long random one that stays the same")
    figures = settings.run_dir / "web-figures"  # where the workers' figures meet; those of the last run are old
    shutil.rmtree(figures, ignore_errors=True)
    figures.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(figures)
    line = command(settings)
    os.execv(line[0], line)


if __name__ == "__main__":
    main()
