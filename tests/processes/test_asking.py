"""Menus ask other systems: a real server that is slow, huge, broken, or leads elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from callcenter.calls.control import Http, HttpDone
from callcenter.embedded.services import free_port
from callcenter.processes.engine.asking import MOST_BYTES, Asking, Guard, text_at

CUSTOMER = {"customer": {"name": "王芳", "vip": True, "age": 41, "orders": [{"state": "sent"}, {"state": None}]}}


class _Answers(BaseHTTPRequestHandler):
    ended: Event
    asked: list[tuple[str, str, dict[str, str], bytes]]
    elsewhere: str

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        answer = json.dumps(CUSTOMER).encode()
        status, extra = 200, {}
        match self.path:
            case "/slow":
                self.ended.wait(5)
            case "/broken":
                answer = b'{"customer": '
            case "/deep":
                answer = b"[" * 100_000
            case "/huge":
                answer = b'"' + b"x" * (MOST_BYTES + 10) + b'"'
            case "/away":
                status, extra = 302, {"Location": self.elsewhere}
            case "/round":
                status, extra = 302, {"Location": "/round"}
            case "/near":
                status, extra = 302, {"Location": "/customer"}
            case "/none":
                status = 404
            case "/endless":
                self._drip()
                return
        self.send_response(status)
        for name, value in {**extra, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def _drip(self) -> None:
        """No length told, and no end."""
        self.send_response(200)
        self.end_headers()
        try:
            while not self.ended.is_set():
                self.wfile.write(b"x" * 10_000)
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the test's screen."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    port = free_port(14000)
    _Answers.ended, _Answers.asked = Event(), []
    _Answers.elsewhere = f"http://localhost:{port}/customer"
    made = ThreadingHTTPServer(("127.0.0.1", port), _Answers)
    made.daemon_threads = True
    thread = Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    _Answers.ended.set()
    made.shutdown()
    made.server_close()
    thread.join(5)


def _ask(asked: Http, allow: str = "1") -> HttpDone:
    async def run() -> HttpDone:
        asking = Asking(allow)
        try:
            return await asking.ask(asked)
        finally:
            await asking.close()

    return asyncio.run(run())


def _get(url: str, **given: Any) -> Http:
    return Http("lookup", "GET", url, **given)


@pytest.mark.promise("I2")
def test_fields_of_the_answer_become_variables(server: str) -> None:
    paths = {
        "name": "customer.name", "vip": "customer.vip", "age": "customer.age", "state": "customer.orders.0.state",
        "second": "customer.orders.1.state", "none": "customer.phone", "beyond": "customer.orders.9.state",
    }  # fmt: skip
    done = _ask(_get(f"{server}/customer", fields=paths))
    assert done == HttpDone("lookup", 200, {"name": "王芳", "vip": "true", "age": "41", "state": "sent", "second": ""})


def test_what_is_sent_arrives_with_its_headers(server: str) -> None:
    asked = Http("tell", "POST", f"{server}/tell", {"X-Key": "7", "Host": "evil", "content-type": "text/plain"}, "hé")
    assert _ask(asked) == HttpDone("tell", 200, {})
    method, path, headers, body = _Answers.asked[-1]
    assert (method, path, body.decode()) == ("POST", "/tell", "hé")
    assert headers["X-Key"] == "7" and headers["Host"] in server
    assert headers["content-type"] == "text/plain"


def test_a_slow_system_costs_no_more_than_its_time(server: str) -> None:
    began = time.monotonic()
    assert _ask(_get(f"{server}/slow", timeout_s=0.3)) == HttpDone("lookup", 0, {}, "timeout")
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("path", ["/huge", "/endless"])
def test_an_answer_that_is_too_large_is_dropped(server: str, path: str) -> None:
    assert _ask(_get(server + path, fields={"a": "b"})).error == "too_large"


@pytest.mark.parametrize("path", ["/broken", "/deep"])
def test_an_answer_that_is_no_json_keeps_its_status_and_gives_no_fields(server: str, path: str) -> None:
    assert _ask(_get(server + path, fields={"a": "b"})) == HttpDone("lookup", 200, {}, "not_json")


def test_a_status_that_is_no_success_is_told_as_it_is(server: str) -> None:
    assert _ask(_get(f"{server}/none", fields={"n": "customer.name"})) == HttpDone("lookup", 404, {"n": "王芳"})


def test_a_redirect_is_followed_on_the_same_host_only(server: str) -> None:
    assert _ask(_get(f"{server}/near", fields={"n": "customer.age"})).fields == {"n": "41"}
    assert _ask(_get(f"{server}/away")).error == "redirect"
    assert _ask(_get(f"{server}/round")).error == "redirect"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "http://user:pass@example.org/", "nonsense", "http://", ""]
)
def test_only_web_addresses_are_asked(url: str) -> None:
    assert _ask(_get(url)).error == "bad_request"


def test_a_header_that_breaks_the_line_is_refused(server: str) -> None:
    assert _ask(_get(f"{server}/customer", headers={"X-A": "1\r\nX-B: 2"})).error == "bad_request"


def test_our_own_network_is_not_asked_unless_the_operator_allows_it(server: str) -> None:
    port = server.rpartition(":")[2]
    before = len(_Answers.asked)
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "2130706433"):
        assert _ask(_get(f"http://{host}:{port}/customer"), allow="").error in ("refused_address", "bad_request"), host
    assert len(_Answers.asked) == before
    assert _ask(_get(f"http://localhost:{port}/customer"), allow="localhost").status == 200
    assert _ask(_get(f"{server}/customer"), allow="127.0.0.0/8").status == 200


def test_an_address_is_judged_by_what_it_leads_to() -> None:
    closed, opened = Guard(""), Guard("1")
    for address in ("10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"):
        assert not closed.allows("h", address), address
        assert opened.allows("h", address), address
    for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "2002:a9fe:a9fe::1"):
        assert not closed.allows("h", address) and not opened.allows("h", address), address
    assert closed.allows("h", "93.184.215.14") and closed.allows("h", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")


def test_an_unreachable_system_is_told_as_such() -> None:
    assert _ask(_get(f"http://127.0.0.1:{free_port(15000)}/")).error == "unreachable"


def test_long_values_are_cut_and_objects_are_written_out() -> None:
    assert text_at({"a": "x" * 5000}, "a") == "x" * 1000
    assert text_at({"a": {"b": [1, 2.5, False]}}, "a") == '{"b":[1,2.5,false]}'
    assert text_at([1, 2], "1") == "2"
