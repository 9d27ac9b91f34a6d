"""Many agents at their desks in one process: signed in over the API, each with a live socket, working call by call.

One thread reads all sockets as they become readable and notes when a pop arrives; a few threads send what the agents
press (hang up, outcome) and never hold that up.
"""

from __future__ import annotations

import heapq
import http.client
import itertools
import json
import random
import selectors
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from wsproto.utilities import LocalProtocolError

from tests.system.installation import PASSWORD
from tests.web.serving import Closed, Socket, Visitor

HANDS = 8


class Line:
    """The connection over which a signed-in browser posts, kept open between requests as browsers keep it."""

    def __init__(self, visitor: Visitor) -> None:
        self._http = http.client.HTTPConnection(visitor.address.partition("//")[2], timeout=15)
        cookies = "; ".join(f"{c.name}={c.value}" for c in visitor.jar)
        self._headers = {"Content-Type": "application/json", "X-CSRFToken": visitor.token, "Cookie": cookies}
        self._busy = threading.Lock()

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer. Raises OSError or http.client.HTTPException."""
        with self._busy:
            try:
                return self._post(path, body)
            except (http.client.RemoteDisconnected, ConnectionError):
                self._http.close()  # it was idle for longer than the server keeps it: once more, as a browser does
                return self._post(path, body)

    def _post(self, path: str, body: Any) -> tuple[int, Any]:
        self._http.request("POST", path, json.dumps(body), self._headers)
        answer = self._http.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if raw else None


@dataclass
class Desk:
    """One agent. `on` is the call being talked on, `done` the call whose outcome was sent."""

    visitor: Visitor
    line: Line
    user: int
    socket: Socket = field(init=False)  # from `start` on, when somebody reads it
    state: str = ""
    on: str = ""
    done: str = ""


@dataclass
class Desks:
    """`talk_s` (least, most): how long an agent talks before he hangs up; None leaves it to the callee. `pops` is name
    on the card → when the agent's document with the call in conversation arrived, seconds since the epoch."""

    address: str
    disposition: int
    talk_s: tuple[float, float] | None
    pops: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _desks: list[Desk] = field(default_factory=list)
    _later: list[tuple[float, int, Desk, str]] = field(default_factory=list)

    def sign_in(self, count: int) -> None:
        """Agents 1 … `count` at their desks with phone connected, available. Raises AssertionError."""
        with ThreadPoolExecutor(HANDS) as hands:
            self._desks = list(hands.map(self._sit_down, range(1, count + 1)))

    def _sit_down(self, number: int) -> Desk:
        visitor = Visitor(self.address)
        visitor.sign_in("acme", f"agent{number}", PASSWORD)
        user = visitor.call("GET", "/api/auth/me")[1]["user"]["id"]
        desk = Desk(visitor, Line(visitor), user)
        self._press(desk, "/api/phone/offer", {"sdp": "v=0\r\n"})
        end = time.monotonic() + 10
        while not self._press(desk, "/api/agent/state", {"state": "available"}):
            if time.monotonic() > end:
                raise AssertionError(self.refused[-1])
            time.sleep(0.2)
        return desk

    def start(self) -> None:
        """Work from now on; `stop` ends it."""
        for desk in self._desks:
            desk.socket = desk.visitor.socket()
            desk.socket.subscribe(f"agent:{desk.user}")
        self._stop = threading.Event()
        self._hands = ThreadPoolExecutor(HANDS)
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Put everything down."""
        self._stop.set()
        self._thread.join(5)
        self._hands.shutdown(cancel_futures=True)
        for desk in self._desks:
            desk.socket.close()

    def _work(self) -> None:
        selector = selectors.DefaultSelector()
        for desk in self._desks:
            selector.register(desk.socket.ws.tcp, selectors.EVENT_READ, desk)
        while not self._stop.is_set():
            wait_s = min(0.2, max(0.0, self._later[0][0] - time.monotonic())) if self._later else 0.2
            for key, _ in selector.select(wait_s):
                try:
                    self._read(key.data, time.time())
                except (Closed, OSError, LocalProtocolError):
                    self.refused.append("the live socket was closed")
                    selector.unregister(key.fileobj)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, desk, call_id = heapq.heappop(self._later)
                if desk.on == call_id:
                    self._hands.submit(self._press, desk, "/api/agent/call/hangup", {})

    def _read(self, desk: Desk, now: float) -> None:
        while True:
            try:
                text = desk.socket.ws.receive(0.001)
            except TimeoutError:
                return
            if text == "2":
                desk.socket.ws.send("3")
            elif text.startswith("42"):
                name, body = json.loads(text[2:])
                if name == "doc":
                    self._seen(desk, body["doc"], now)
            if not desk.socket.ws.texts:
                return

    def _seen(self, desk: Desk, doc: dict[str, Any], now: float) -> None:
        call = doc.get("call") or {}
        call_id = call.get("call_id", "")
        desk.state = doc["state"]
        if desk.state == "on_call" and call["state"] == "talking" and desk.on != call_id:
            desk.on = call_id
            self.pops.setdefault(call["card"]["name"], now)
            if self.talk_s is not None:
                due = time.monotonic() + random.uniform(*self.talk_s)
                heapq.heappush(self._later, (due, next(self._order), desk, call_id))
        elif desk.state == "wrap_up" and desk.done != call_id:
            desk.on, desk.done = "", call_id
            body = {"call_id": call_id, "disposition_id": self.disposition, "note": ""}
            self._hands.submit(self._press, desk, "/api/agent/call/disposition", body)

    def _press(self, desk: Desk, path: str, body: Any) -> bool:
        try:
            status, answer = desk.line.post(path, body)
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, str(error)
        if status >= 300 or status == 0:
            self.refused.append(f"{path}: {status} {answer}")
        return 0 < status < 300
