"""The loop that watches thresholds, against real PostgreSQL, Valkey and a web server that takes its posts."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from callcenter.clock import wall_s
from callcenter.events import streams
from callcenter.processes.alerting import Alerting, newest
from tests.web.conftest import Browser

TILE = {"id": "t1", "kind": "figure", "subject": "queue", "subject_id": 7, "metric": "waiting", "bad": 2, "for_s": 0}


class Receiver(HTTPServer):
    """Takes posts; the first is refused."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((body, self.headers["X-Signature"]))
                self.send_response(503 if len(receiver.taken) == 1 else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()


@pytest.mark.promise("V1")
def test_a_threshold_tells_people_and_the_webhook_signed_and_again(
    owner: Browser, enterprise: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCENTER_HTTP_ALLOW_PRIVATE", "1")
    tile = {**TILE, "notice": True, "webhook": True}
    address = f"http://127.0.0.1:{receiver.server_port}/alerts"
    body = {"name": "Floor", "pages": [{"tiles": [tile]}], "webhook_url": address}
    made = owner.post("/api/boards", body)
    assert made.status_code == 201, made.get_json()
    board = made.get_json()
    streams.publish(enterprise, "queue:7", {"waiting": [{}, {}, {}]})
    alerting = Alerting()
    boards = alerting._read_boards()[enterprise]
    assert [a["level"] for a in alerting.look(enterprise, boards, newest(enterprise), wall_s())] == [2]
    assert not alerting.look(enterprise, boards, newest(enterprise), wall_s()), "told once"
    me = owner.get("/api/auth/me").get_json()["user"]["id"]
    assert streams.snapshot(enterprise, f"user:{me}")["metric"] == "waiting"
    end = time.monotonic() + 15
    while owner.get("/api/boards/alerts").get_json()["items"][0]["delivery"] == "sending":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert owner.get("/api/boards/alerts").get_json()["items"][0]["delivery"] == "ok"
    (first, _), (second, signature) = receiver.taken
    expected = hmac.new(board["webhook_secret"].encode(), second, hashlib.sha256).hexdigest()
    assert (first, signature) == (second, f"sha256={expected}")
    assert json.loads(second)["value"] == 3.0
    streams.publish(enterprise, "queue:7", {"waiting": []})
    assert [a["level"] for a in alerting.look(enterprise, boards, newest(enterprise), wall_s())] == [0]


def test_the_last_hour_is_kept_by_the_minute(owner: Browser, enterprise: int) -> None:
    streams.publish(enterprise, "queue:7", {"waiting": [{}], "offered": 5})
    alerting = Alerting()
    for minute in range(70):
        alerting._sample(enterprise, newest(enterprise), 60.0 * minute)
    past = owner.get("/api/boards/past?topic=queue:7").get_json()
    assert (len(past["at"]), past["at"][-1], past["values"]["offered"][-1]) == (60, 60.0 * 69, 5.0)
