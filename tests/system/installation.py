"""A whole installation for one test: every process of the Procfile under the real runner, in a folder of its own,
with the demo left out and carriers played by SIPp."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from callcenter.embedded.services import free_port
from tests.ports import WORKER
from tests.web.serving import Visitor

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "Only-for-tests-1"


class Installation:
    """Start with `start`, end with `stop`. `address` is the web process's."""

    def __init__(self, var: Path, *arguments: str, **environment: str) -> None:
        self.var = var
        self._arguments = arguments
        names = ("WEB_PORT", "SIP_PORT", "POSTGRES_PORT", "VALKEY_PORT", "DEMO_CARRIER_PORT")
        taken: set[int] = set()
        self.ports: dict[str, int] = {}
        for i, name in enumerate(names):
            self.ports[name] = free_port(10100 + 200 * i + 100 * (WORKER % 2) + os.getpid() % 97, frozenset(taken))
            taken.add(self.ports[name])
        low = 20000 + (os.getpid() % 3 * 2 + WORKER % 2) * 1000
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")},
            "CALLCENTER_VAR": str(var),
            "MEDIA_PORT_MIN": str(low),
            "MEDIA_PORT_MAX": str(low + 998),
            "PYTHONPATH": str(ROOT),
            **{k: str(v) for k, v in self.ports.items()},
            **environment,
        }
        self._runner: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where the interface is."""
        return f"http://127.0.0.1:{self.ports['WEB_PORT']}"

    def start(self) -> Installation:
        """Start everything; returns when the web process is ready. Raises RuntimeError with the runner's words."""
        self.var.mkdir(parents=True, exist_ok=True)
        self._out = (self.var / "runner.out").open("wb")
        self._runner = subprocess.Popen(
            [sys.executable, "-m", "callcenter.processes.runner", *self._arguments],
            env=self.environment, stdout=self._out, stderr=self._out, cwd=ROOT,
        )  # fmt: skip
        end = time.monotonic() + 90
        while b"is up" not in (self.var / "runner.out").read_bytes():
            if self._runner.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.var / "runner.out").read_text()[-3000:])
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End everything, and fail if it does not end."""
        assert self._runner is not None
        self._runner.send_signal(signal.SIGINT)
        try:
            self._runner.wait(40)
        finally:
            if self._runner.poll() is None:
                self._runner.kill()
            self._out.close()

    def kill(self, name: str) -> None:
        """`kill -9` of one process; the runner starts it again."""
        os.kill(int((self.var / "pids" / name).read_text()), signal.SIGKILL)

    def open_enterprise(self, code: str) -> None:
        """An enterprise with owner "owner"."""
        words = [
            sys.executable, "-m", "callcenter.tenancy.cli", "open", code, f"Enterprise {code}", "--country", "CN",
            "--time-zone", "Asia/Shanghai", "--owner", "owner",
        ]  # fmt: skip
        done = subprocess.run(
            words, env={**self.environment, "DATABASE_URL": self.database_url}, input=f"{PASSWORD}\n",
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    @property
    def database_url(self) -> str:
        """The embedded PostgreSQL's URL."""
        password = (self.var / "postgres" / "password").read_text().strip()
        return f"postgresql://callcenter:{password}@127.0.0.1:{self.ports['POSTGRES_PORT']}/callcenter"

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the database, seen as its owner; waits while it is being killed."""
        end = time.monotonic() + 30
        while True:
            try:
                with psycopg.connect(self.database_url, row_factory=dict_row) as db:
                    return list(db.execute(query, values).fetchall())
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def redis(self) -> redis.Redis:
        """A connection to the embedded Valkey."""
        password = (self.var / "valkey" / "password").read_text().strip()
        return redis.Redis(host="127.0.0.1", port=self.ports["VALKEY_PORT"], password=password)

    def visitor(self, username: str, enterprise: str = "acme") -> Visitor:
        """A signed-in user."""
        visitor = Visitor(self.address)
        visitor.sign_in(enterprise, username, PASSWORD)
        return visitor

    def logs(self, *levels: str) -> list[dict[str, Any]]:
        """Log lines of all processes at these levels."""
        out = []
        for path in sorted((self.var / "log").glob("*.log")):
            for line in path.read_text(errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict) and entry.get("level") in levels:
                    out.append(entry)
        return out


def ask(visitor: Visitor, method: str, path: str, body: Any = None) -> Any:
    """An API call that must succeed."""
    status, answer = visitor.call(method, path, body)
    assert status < 300, (method, path, status, answer)
    return answer
