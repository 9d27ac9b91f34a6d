"""The web process as it really runs (gunicorn, gevent), and a browser's side of HTTP and Socket.IO."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, Request, TextMessage

from tests.ports import own_port


@contextlib.contextmanager
def web_process(var: Path, *, workers: int = 1, **env: str) -> Iterator[str]:
    """A running web process; gives its address. DATABASE_URL and REDIS_URL come from the test run."""
    port = own_port(18080)
    settings = {
        "SECRET_KEY": "for tests only",
        "WEB_PORT": str(port),
        "WEB_WORKERS": str(workers),
        "CALLCENTER_VAR": str(var),
    }
    log = (var / "web.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "callcenter.processes.web"],
        env={**os.environ, **settings, **env},
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=2).close()
                break
            except (OSError, urllib.error.URLError):
                if time.monotonic() > end or process.poll() is not None:
                    raise RuntimeError((var / "web.log").read_text()[-3000:]) from None
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


class Visitor:
    """A browser of the real process: cookies, CSRF token, JSON."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.token = ""

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-CSRFToken": self.token},
        )
        try:
            with self.opener.open(request, timeout=15) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        return status, json.loads(raw) if raw else None

    def sign_in(self, enterprise: str, username: str, password: str) -> None:
        self.token = self.call("GET", "/api/auth/csrf")[1]["token"]
        body = {"enterprise": enterprise, "username": username, "password": password}
        status, answer = self.call("POST", "/api/auth/sign-in", body)
        assert status == 200, answer
        self.token = self.call("GET", "/api/auth/csrf")[1]["token"]

    def socket(self) -> Socket:
        """A live connection with this visitor's cookies."""
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.jar)
        return Socket(self.address, cookies)


class Refused(Exception):
    """The server did not let the socket in."""


class Closed(Exception):
    """The server ended the connection."""


class WebSocket:
    """A WebSocket as a browser has it, over a plain TCP socket."""

    def __init__(self, host: str, port: int, path: str, cookies: str) -> None:
        self.tcp = socket.create_connection((host, port), timeout=10)
        self.protocol = WSConnection(ConnectionType.CLIENT)
        headers = [(b"Cookie", cookies.encode())] if cookies else []
        self.tcp.sendall(self.protocol.send(Request(host=f"{host}:{port}", target=path, extra_headers=headers)))
        self.texts: list[str] = []
        self.part = ""
        self.open = self.closed = False
        end = time.monotonic() + 10
        while not self.open:
            self._read(end)

    def send(self, text: str) -> None:
        self.tcp.sendall(self.protocol.send(TextMessage(data=text)))

    def receive(self, timeout_s: float) -> str:
        """The next text. Raises TimeoutError, or Closed."""
        end = time.monotonic() + timeout_s
        while not self.texts:
            if self.closed:
                raise Closed
            self._read(end)
        return self.texts.pop(0)

    def close(self) -> None:
        self.tcp.close()

    def _read(self, end: float) -> None:
        self.tcp.settimeout(max(0.001, end - time.monotonic()))
        data = self.tcp.recv(65536)
        self.protocol.receive_data(data or None)
        for event in self.protocol.events():
            if isinstance(event, AcceptConnection):
                self.open = True
            elif isinstance(event, RejectConnection):
                raise Refused
            elif isinstance(event, CloseConnection):
                self.closed = True
            elif isinstance(event, Ping):
                self.tcp.sendall(self.protocol.send(event.response()))
            elif isinstance(event, TextMessage):
                self.part += event.data
                if event.message_finished:
                    self.texts.append(self.part)
                    self.part = ""
        if not data:
            self.closed = True


class Socket:
    """The Socket.IO protocol (EIO 4) as far as the interface uses it."""

    def __init__(self, address: str, cookies: str) -> None:
        host, _, port = address.partition("//")[2].partition(":")
        self.ws = WebSocket(host, int(port), "/socket.io/?EIO=4&transport=websocket", cookies)
        self.docs: list[dict[str, Any]] = []
        self.next_id = 0
        self._receive("0")
        self.ws.send("40")
        if self._receive("40", "44")[:2] == "44":
            raise Refused

    def _receive(self, *kinds: str, timeout_s: float = 10.0) -> str:
        end = time.monotonic() + timeout_s
        while True:
            raw = self.ws.receive(end - time.monotonic())
            if raw == "2":
                self.ws.send("3")
            elif raw.startswith("42"):
                name, body = json.loads(raw[2:])
                if name == "doc":
                    self.docs.append(body)
                if "42" in kinds:
                    return raw
            elif raw.startswith(kinds):
                return raw

    def subscribe(self, *topics: str) -> dict[str, Any]:
        self.next_id += 1
        self.ws.send(f"42{self.next_id}" + json.dumps(["subscribe", {"topics": topics}]))
        raw = self._receive(f"43{self.next_id}")
        answer: dict[str, Any] = json.loads(raw[raw.index("[") :])[0]
        return answer

    def doc(self, timeout_s: float = 5.0) -> dict[str, Any]:
        """The next document pushed."""
        if not self.docs:
            self._receive("42", timeout_s=timeout_s)
        return self.docs.pop(0)

    def ended(self, timeout_s: float = 15.0) -> bool:
        """Whether the server ends this connection within the time."""
        try:
            self._receive("41", timeout_s=timeout_s)
        except TimeoutError:
            return False
        except Closed:
            return True
        return True

    def close(self) -> None:
        self.ws.close()
