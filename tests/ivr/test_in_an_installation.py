"""Menus in a whole installation: built and published over the API, called by SIPp with real keys and real audio, asking
a real web server, tried from a softphone, and outliving the engine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from callcenter.db.outbox import settings_changed
from callcenter.db.session import tenant_session
from callcenter.numbers.models import DidNumber
from tests.system.callers import Callers
from tests.system.installation import Installation, ask
from tests.system.office import until
from tests.system.switchboard import MUSIC_HZ, SERVICE_HZ, TO_MENU, WELCOME_HZ, Switchboard, database_of

pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]
TO_ORDERS = "+862155550177"


class Orders(BaseHTTPRequestHandler):
    """The other system: order 4711 is sent, others are unknown."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        found = self.path == "/orders/4711"
        body = json.dumps({"orders": [{"state": "sent"}]} if found else {}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def orders() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    var = tmp_path_factory.mktemp("menus") / "var"
    installation = Installation(var, "--no-demo", CALLCENTER_HTTP_ALLOW_PRIVATE="1").start()
    try:
        yield Switchboard(installation).build()
    finally:
        installation.stop()


@pytest.fixture
def callers(board: Switchboard) -> Iterator[Callers]:
    found = board.callers()
    yield found
    for group in found.groups:
        for caller in group.callers:
            if not caller.over:
                caller.hang_up()
    until(lambda: not board.calls_up(), "no call is left")
    found.close()


def menu(port: int, sounds: dict[str, str]) -> dict[str, Any]:
    """Asks an order's number, then another system, says what it knows by a tone, and how the caller liked it."""

    def node(id_: str, verb: str, settings: dict[str, Any], **ways: str) -> dict[str, Any]:
        return {"id": id_, "verb": verb, "title": id_, "settings": settings, "ways": ways}

    def played(name: str) -> dict[str, list[str]]:
        return {"any": [sounds[name]]}

    numbered = {"prompts": played("welcome"), "variable": "order", "least": 3, "most": 6, "timeout_s": 20}
    asked = {"url": f"http://127.0.0.1:{port}/orders/{{order}}", "fields": {"state": "orders.0.state"}}
    case = {"name": "sent", "kind": "expression", "expression": "state == 'sent'"}
    return {
        "start": "number", "language": "en",
        "nodes": [
            node("number", "digits", numbered, next="web", timeout="bye", invalid="bye"),
            node("web", "http", asked, next="known", error="bye"),
            node("known", "branch", {"cases": [case]}, sent="sent", otherwise="bye"),
            node("sent", "play", {"prompts": played("service"), "interruptible": False}, next="mark"),
            node("mark", "survey", {"question": "How was it?", "prompts": played("music"), "timeout_s": 20},
                 next="bye", timeout="bye"),
            node("bye", "hang_up", {}),
        ],
    }  # fmt: skip


@pytest.mark.promise("I2")
@pytest.mark.promise("C11")
def test_a_menu_built_over_the_api_is_called_and_its_figures_tell_what_happened(
    board: Switchboard, callers: Callers, orders: int
) -> None:
    boss = board.installation.visitor("boss")
    rows = board.installation.rows("SELECT id, name FROM prompt")
    graph = menu(orders, {r["name"]: f"prompt:{r['id']}" for r in rows})
    flow = ask(boss, "POST", "/api/flows", {"name": "Orders", "flow": graph})
    assert flow["findings"] == []
    ask(boss, "POST", f"/api/flows/{flow['id']}/publish", {"revision": flow["revision"]})
    to = {"kind": "menu", "id": flow["id"], "number": ""}
    with database_of(board.installation), tenant_session(board.tenant) as session:
        number = DidNumber(e164=TO_ORDERS, name="Orders", open_to=to, closed_to=to)
        session.add(number)
        session.flush()
        settings_changed(session, "number", number.id)
        name = f"number:{number.id}"
    until(lambda: board.installation.redis().hexists(f"cfg:{board.tenant}", name), "the number's settings")

    caller = callers.call_one("+8613912340001", TO_ORDERS).until("answered")
    caller.until_hears(WELCOME_HZ)
    caller.press("4711#")
    caller.until_hears(SERVICE_HZ)
    caller.until_hears(MUSIC_HZ)
    caller.press("5")
    caller.until("ended")
    assert Orders.asked == ["/orders/4711"]
    call = board.ended_call("+8613912340001")
    assert call["path"][0] == "Orders" and call["shown"] == {"number": "4711", "How was it?": "5"}

    lost = callers.call_one("+8613912340002", TO_ORDERS).until("answered")
    lost.until_hears(WELCOME_HZ)
    lost.hang_up()
    board.ended_call("+8613912340002")

    def figures() -> dict[str, Any]:
        told = ask(boss, "GET", f"/api/flows/{flow['id']}/figures")
        return {n["node"]: (n["reached"], n["left"], n["ways"]) for n in told["nodes"]}

    until(lambda: figures().get("number", (0,))[0] == 2, "the recorder has folded both calls", 10)
    assert figures()["number"] == (2, 1, {"next": 1, "hang_up": 1})
    assert figures()["bye"] == (1, 0, {"end": 1})
    answers = ask(boss, "GET", f"/api/flows/{flow['id']}/answers")
    assert [(a["question"], a["answer"]) for a in answers["items"]] == [("How was it?", "5")]


@pytest.mark.promise("P4")
def test_a_caller_in_a_menu_hears_it_again_after_the_engine_was_killed_and_goes_on(
    board: Switchboard, callers: Callers
) -> None:
    caller = callers.call_one("+8613912340003", TO_MENU).until("answered")
    caller.until_hears(WELCOME_HZ)
    caller.press("2")
    caller.until_hears(SERVICE_HZ)
    until(lambda: not caller.hears(SERVICE_HZ), "the prompt has ended", 5)
    board.installation.kill("engine")
    caller.until_hears(SERVICE_HZ, 15, but_not=[WELCOME_HZ])
    caller.press("1")
    until(lambda: board.queue("Repairs").get("waiting"), "he waits in the queue of his choice", 10)
    assert not caller.over


@pytest.mark.promise("I2")
def test_a_draft_is_tried_from_a_softphone_and_the_page_is_told_where_the_call_is(board: Switchboard) -> None:
    boss = board.headset("boss", 440.0)
    try:
        boss.connect()
        boss.until(lambda d: d.get("phone", {}).get("state") == "connected", "phone connected")
        boss.post("/api/agent/state", {"state": "paused"})
        flow = ask(boss.visitor, "GET", f"/api/flows/{board.ids['Welcome']}")
        tried = boss.post(f"/api/flows/{flow['id']}/try", {"flow": flow["draft"]})
        boss.until_hears(WELCOME_HZ)
        assert board.live(tried["topic"])["node"] == "Welcome"
        boss.post("/api/agent/call/dtmf", {"digits": "2"})
        boss.until_hears(SERVICE_HZ)
        assert (board.live(tried["topic"])["node"], board.live(tried["topic"])["version"]) == ("Service", 0)
        boss.post("/api/agent/call/dtmf", {"digits": "1"})
        until(lambda: board.live(tried["topic"])["done"], "the trial is over", 5)
        assert not board.queue("Repairs").get("waiting"), "nobody is bothered"
        boss.until(lambda d: d["state"] != "on_call", "free again", 5)
    finally:
        boss.close()
