"""Conversations, automatic answers and the webhook through the API."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from callcenter.audit.models import AuditEntry
from callcenter.clock import utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.processes import forwarding
from crm.models import Customer
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.port import Attachment, Inbound
from smsgateway.inbound import forwarding as posts
from smsgateway.inbound import whose
from smsgateway.inbound.models import InboundText, TextForward
from smsgateway.inbound.taking import take_all
from smsgateway.models import TextMessage, TextSend, TextTemplate
from tests.web.conftest import Browser, add_user

LI, CHEN, WANG = "+8613812345678", "+8613900000001", "+8613700000002"
New = Callable[[], Browser]


@pytest.fixture
def carrier(enterprise: int) -> int:
    whose.forget()
    with platform_session() as session:
        row = TextCarrier(name="north", protocol="demo", tenant_id_for_inbound=enterprise)
        session.add(row)
        session.flush()
        return row.id


def sent(tenant: int, phone: str, by: int | None, body: str = "Autumn offer") -> None:
    with tenant_session(tenant) as db:
        send = TextSend(
            key=f"{phone}-{body}", kind="sms", purpose="marketing", source="page", body=body, audience={},
            sender_id=by, state="done", asked=1, delivered=1,
        )  # fmt: skip
        db.add(send)
        db.flush()
        now = utc_now()
        db.add(
            TextMessage(
                tenant_id=tenant, send_id=send.id, phone_e164=phone, state="delivered", carrier_id=1, not_before=now,
                expires_at=now,
            )
        )  # fmt: skip


def came(carrier: int, *texts: tuple[str, str]) -> None:
    take_all([Inbound(phone, "1069", body, utc_now().timestamp()) for phone, body in texts], carrier)


def page(b: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = b.get(f"/api/conversations?{query}")
    assert answer.status_code == 200, answer.get_json()
    return list(answer.get_json()["items"])


@pytest.mark.promise("S8")
def test_agents_see_their_conversations_and_nobodys_and_superiors_see_all(
    owner: Browser, browser: New, enterprise: int, carrier: int
) -> None:
    amy, bob = add_user(enterprise, "amy", "agent"), add_user(enterprise, "bob", "agent")
    sent(enterprise, LI, amy)
    sent(enterprise, CHEN, bob)
    came(carrier, (LI, "to amy"), (CHEN, "to bob"), (WANG, "to nobody"))
    b = browser()
    b.sign_in("acme", "amy")
    assert {c["last_body"] for c in page(b)} == {"to amy", "to nobody"}
    assert [c["last_body"] for c in page(b, "whose=mine")] == ["to amy"]
    assert [c["last_body"] for c in page(b, "whose=nobody")] == ["to nobody"]
    assert {c["last_body"] for c in page(owner)} == {"to amy", "to bob", "to nobody"}
    assert b.get("/api/conversations/counts").get_json() == {"mine": 1, "nobody": 1, "all": 2}
    bobs = page(owner, "search=13900000001")[0]
    for path in (f"/api/conversations/{bobs['id']}", f"/api/conversations/{bobs['id']}/texts"):
        assert b.get(path).status_code == 404
    assert b.post(f"/api/conversations/{bobs['id']}/answer", {"body": "x"}).status_code == 404


def test_unread_ones_come_first_and_a_search_finds_names_and_numbers(
    owner: Browser, enterprise: int, carrier: int
) -> None:
    with tenant_session(enterprise) as db:
        db.add(Customer(name="Li Na", company="Blue 100%", phones=[LI]))
    came(carrier, (LI, "first"))
    came(carrier, (CHEN, "second"))
    li, chen = page(owner, "search=li%20na")[0], page(owner, "search=0001")[0]
    assert li["name"] == "Li Na" and chen["phone"] == CHEN
    assert [c["id"] for c in page(owner)] == [chen["id"], li["id"]]
    read = owner.patch(f"/api/conversations/{chen['id']}", {"read": True})
    assert read.status_code == 200 and read.get_json()["unread"] == 0
    assert [c["id"] for c in page(owner)] == [li["id"], chen["id"]]
    assert [c["id"] for c in page(owner, "unread=true")] == [li["id"]]
    assert [c["id"] for c in page(owner, "search=100%25")] == [li["id"]]
    assert page(owner, "search=%25") == [li] and page(owner, "search=nobody") == []


@pytest.mark.promise("S8")
def test_an_answer_is_a_service_text_and_makes_the_conversation_mine(
    owner: Browser, browser: New, enterprise: int, carrier: int
) -> None:
    amy = add_user(enterprise, "amy", "agent")
    came(carrier, (LI, "Is it still on?"))
    b = browser()
    b.sign_in("acme", "amy")
    (mine,) = page(b)
    path = f"/api/conversations/{mine['id']}"
    for _ in range(2):
        answer = b.post(f"{path}/answer", {"body": "Yes, until Friday.", "key": "one"})
        assert answer.status_code == 201, answer.get_json()
    assert (answer.get_json()["assigned_to"], answer.get_json()["unread"]) == (amy, 0)
    with tenant_session(enterprise) as db:
        send = db.scalars(select(TextSend)).one()
        assert answer.get_json()["send_id"] == send.id
        assert (send.purpose, send.source, send.sender_id, send.audience["numbers"]) == ("service", "page", amy, [LI])
    assert b.post(f"{path}/answer", {"body": "  "}).get_json()["fields"]["body"]
    assert b.post(f"{path}/answer", {"body": "Dear {{nobody}}"}).status_code == 422


def test_of_two_who_take_a_conversation_one_gets_it_and_it_is_audited(
    owner: Browser, browser: New, enterprise: int, carrier: int
) -> None:
    amy = add_user(enterprise, "amy", "agent")
    came(carrier, (LI, "hello"))
    (row,) = page(owner)
    b = browser()
    b.sign_in("acme", "amy")
    assert b.post(f"/api/conversations/{row['id']}/take").get_json()["assigned_name"] == "Amy"
    refused = owner.post(f"/api/conversations/{row['id']}/take")
    assert (refused.status_code, refused.get_json()["params"]) == (409, {"name": "Amy"})
    assert owner.patch(f"/api/conversations/{row['id']}", {"assigned_to": 999_999}).status_code == 422
    freed = owner.patch(f"/api/conversations/{row['id']}", {"assigned_to": None})
    assert freed.get_json()["assigned_to"] is None
    with tenant_session(enterprise) as db:
        trail = db.scalars(select(AuditEntry).where(AuditEntry.entity == "text_conversation").order_by(AuditEntry.id))
        assert [e.after for e in trail] == [{"assigned_to": amy}, {"assigned_to": None}]


@pytest.mark.promise("S8")
def test_texts_stand_in_the_customers_history_both_ways_with_their_state(
    owner: Browser, browser: New, enterprise: int, carrier: int
) -> None:
    amy = add_user(enterprise, "amy", "agent")
    with tenant_session(enterprise) as db:
        customer = Customer(name="Li Na", phones=[LI, CHEN])
        db.add(customer)
    sent(enterprise, LI, amy)
    came(carrier, (LI, "STOP"), (CHEN, "from my other phone"))
    texts = owner.get(f"/api/conversations/texts?customer_id={customer.id}").get_json()["items"]
    assert {(t["way"], t["body"]) for t in texts} >= {
        ("in", "STOP"), ("in", "from my other phone"), ("out", "Autumn offer"),
    }  # fmt: skip
    assert next(t for t in texts if t["body"] == "STOP")["did"] == "opt_out"
    assert next(t for t in texts if t["body"] == "Autumn offer")["state"] == "delivered"
    by_phone = owner.get(f"/api/conversations/texts?phone=%2B{CHEN[1:]}").get_json()["items"]
    assert [t["body"] for t in by_phone] == ["from my other phone"]
    assert owner.get("/api/conversations/texts").status_code in (400, 422)
    (conversation,) = page(owner, "search=5678")
    detail = owner.get(f"/api/conversations/{conversation['id']}").get_json()
    assert (detail["opted_out"], detail["opt_out"]["source"], detail["opt_out"]["keyword"]) == (True, "keyword", "STOP")


def test_a_number_leads_nobody_to_the_texts_of_others(
    owner: Browser, browser: New, enterprise: int, carrier: int
) -> None:
    amy, bob = add_user(enterprise, "amy", "agent"), add_user(enterprise, "bob", "agent")
    with tenant_session(enterprise) as db:
        db.add(Customer(name="Bob's own", phones=[WANG], owner_id=bob))
    sent(enterprise, LI, amy)
    sent(enterprise, CHEN, bob)
    came(carrier, (LI, "to amy"), (CHEN, "to bob"), (WANG, "to bob's customer"))
    b = browser()
    b.sign_in("acme", "amy")

    def texts(who: Browser, phone: str) -> Any:
        answer = who.get(f"/api/conversations/texts?phone=%2B{phone[1:]}")
        body = answer.get_json()
        return [t["body"] for t in body["items"]] if answer.status_code == 200 else answer.status_code

    assert texts(b, LI) == ["to amy", "Autumn offer"]
    assert (texts(b, CHEN), texts(b, WANG)) == ([], 403)
    assert texts(owner, CHEN) == ["to bob", "Autumn offer"] and texts(owner, WANG) == ["to bob's customer"]


def test_an_attachment_is_only_ever_downloaded(
    owner: Browser, enterprise: int, carrier: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.html").write_bytes(b"<script>")
    media = (
        Attachment("texts/a.html", "text/html", "a.html"), Attachment("../outside", "a/b", "x"),
        Attachment("texts/gone", "a/b", "y"),
    )  # fmt: skip
    take_all([Inbound(LI, "1069", "look", 0.0, media=media)], carrier)
    (row,) = page(owner)
    text = owner.get(f"/api/conversations/{row['id']}/texts").get_json()["items"][0]
    path = f"/api/conversations/{row['id']}/texts/{text['id']}/media"
    found = owner.get(f"{path}/0")
    assert (found.status_code, found.data, found.mimetype) == (200, b"<script>", "application/octet-stream")
    assert found.headers["Content-Disposition"].startswith("attachment")
    assert [owner.get(f"{path}/{n}").status_code for n in (1, 2, 3)] == [404, 404, 404]


@pytest.mark.promise("S8")
def test_automatic_answers_and_keywords_are_set_on_the_page(owner: Browser, enterprise: int, carrier: int) -> None:
    with tenant_session(enterprise) as db:
        template = TextTemplate(name="hours", purpose="service", body="9 to 18")
        db.add(template)
    rule = {"name": "Hours", "words": ["hours", " HOURS "], "match": "contains", "template_id": template.id}
    made = owner.post("/api/text-keywords", rule)
    assert made.status_code == 201 and made.get_json()["words"] == ["hours"]
    assert owner.post("/api/text-keywords", rule).get_json()["code"] == "keyword_name_taken"
    assert owner.post("/api/text-keywords", {**rule, "name": "x", "words": ["!"]}).get_json()["fields"]["words"]
    assert owner.post("/api/text-keywords", {**rule, "name": "x", "template_id": 99}).status_code == 422
    tried = owner.post("/api/text-keywords/try", {"body": "Your hours?"}).get_json()
    assert (tried["did"], tried["rule_name"], tried["reply"]) == ("answer", "Hours", "9 to 18")
    set_ = {"out_words": ["Genug"], "off_words": ["R"], "first_word": False, "out_reply": "", "answers_per_hour": 5}
    assert owner.patch("/api/text-keywords/settings", set_).status_code == 200
    for body, did in (("genug!", "opt_out"), ("R", ""), ("stop please", ""), ("STOP", "opt_out")):
        assert owner.post("/api/text-keywords/try", {"body": body}).get_json()["did"] == did, body
    both = owner.patch("/api/text-keywords/settings", {"in_words": ["GENUG"]}).get_json()
    assert both["code"] == "keyword_both"
    came(carrier, (LI, "hours please"), (CHEN, "Genug"))
    assert owner.get("/api/text-keywords").get_json()["items"][0]["used"] == 1
    with tenant_session(enterprise) as db:
        assert [s.source for s in db.scalars(select(TextSend))] == ["answer"], "no reply is set: none is sent"
    path = f"/api/text-keywords/{made.get_json()['id']}"
    assert owner.patch(path, {"enabled": False}).get_json()["enabled"] is False
    assert owner.delete(path).status_code == 204 and owner.delete(path).status_code == 404


class Receiver(HTTPServer):
    """Takes posts; the first two are refused."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((body, self.headers["X-Signature"]))
                self.send_response(503 if len(receiver.taken) <= 2 else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def due_now(tenant: int) -> None:
    with tenant_session(tenant) as db:
        for row in db.scalars(select(TextForward).where(TextForward.state == "waiting")):
            row.next_at = utc_now()


@pytest.mark.promise("P1")
def test_texts_are_posted_to_the_webhook_signed_and_until_they_arrive(
    owner: Browser, enterprise: int, carrier: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCENTER_HTTP_ALLOW_PRIVATE", "1")
    settings = "/api/text-keywords/settings"
    assert owner.post("/api/text-keywords/forwards/test").get_json()["code"] == "webhook_missing"
    assert owner.patch(settings, {"webhook_on": True}).get_json()["fields"]["webhook_url"]
    for wrong in ("ftp://x", "javascript:alert(1)", "https://user@host/", "http://"):
        assert owner.patch(settings, {"webhook_url": wrong}).status_code == 422, wrong
    given = {"webhook_on": True, "webhook_url": f"http://127.0.0.1:{receiver.server_port}/texts"}
    secret = owner.patch(settings, given).get_json()["webhook_secret"]
    assert owner.post("/api/text-keywords/forwards/test").status_code == 202
    assert forwarding.turn() == 1
    came(carrier, (LI, "Is it still on?"), (CHEN, "STOP"))
    assert forwarding.turn() == 1, "an opt-out is the gateway's own business"
    assert forwarding.turn() == 0, "it waits before it tries again"
    due_now(enterprise)
    assert forwarding.turn() == 1
    assert forwarding.turn() == 0
    log = owner.get("/api/text-keywords/forwards").get_json()["items"]
    assert (log[0]["state"], log[0]["tries"], log[0]["answer"]) == ("ok", 2, "ok")
    assert (log[1]["state"], log[1]["answer"], log[1]["inbound_id"]) == ("failed", "status 503", None)
    body, signature = receiver.taken[-1]
    assert signature == "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    with tenant_session(enterprise) as db:
        first = db.scalars(select(InboundText).where(InboundText.phone_e164 == LI)).one()
    assert (told["event"], told["from"], told["body"], told["text_id"]) == (
        "text.received", LI, "Is it still on?", first.id,
    )  # fmt: skip
    other = owner.post("/api/text-keywords/settings/secret").get_json()["webhook_secret"]
    assert other and other != secret


def test_a_post_of_a_process_that_died_is_tried_again(owner: Browser, enterprise: int, carrier: int) -> None:
    owner.patch("/api/text-keywords/settings", {"webhook_on": True, "webhook_url": "https://198.51.100.7/x"})
    came(carrier, (LI, "hello"))
    with platform_session() as session:
        assert len(posts.lease(session, utc_now())) == 1
    assert forwarding.turn() == 0, "somebody has it"
    due_now(enterprise)
    with platform_session() as session:
        (again,) = posts.lease(session, utc_now())
        assert again.tries == 2
        posts.done(session, [(again, "timeout")] * 2, utc_now())
    assert owner.get("/api/text-keywords/forwards").get_json()["items"][0]["answer"] == "timeout"
