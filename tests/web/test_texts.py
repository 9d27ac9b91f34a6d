"""Texts through the API: asking, previewing, following, deciding, templates, recurring ones, pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import text

from callcenter.auth.models import User
from callcenter.db.session import platform_session, tenant_session
from crm.models import BlacklistEntry, Customer, FieldDef, Lead, LeadList
from smsgateway import route_table
from smsgateway.carriers.models import TextCarrier, TextRoute
from smsgateway.models import SensitiveWord
from smsgateway.purse import bookings
from smsgateway.sending import facts, preparer
from smsgateway.words import store
from tests.web.conftest import Browser, add_user

New = Callable[[], Browser]


@pytest.fixture(autouse=True)
def gateway(enterprise: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Money and a route for every number at 5 a segment."""
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    route_table.forget()
    facts.forget()
    with platform_session() as s:
        carrier = TextCarrier(name="Demo", protocol="demo", kinds=["sms", "mms"])
        s.add(carrier)
        s.flush()
        for kind in ("sms", "mms"):
            s.add(TextRoute(name=kind, carrier_id=carrier.id, kind=kind, price_minor=5))
    with tenant_session(enterprise) as s:
        for kind in ("sms", "mms"):
            bookings.top_up(s, enterprise, kind, 1000, key=f"first:{kind}")
    yield enterprise
    route_table.forget()


def prepare() -> None:
    loop = preparer.Preparer()
    loop._next_rules = float("inf")
    while loop.turn():
        pass


def body(text: str = "Hello", *numbers: str, **more: Any) -> dict[str, Any]:
    return {"body": text, "purpose": "service", "audience": {"numbers": list(numbers or ("13800000001",))}, **more}


def put(browser: Browser, path: str, content: bytes) -> Any:
    return browser.client.post(path, data=content, headers={"X-CSRFToken": browser.token})


@pytest.mark.promise("S1")
def test_a_send_is_asked_for_followed_and_cancelled(owner: Browser, gateway: int) -> None:
    answer = owner.post("/api/texts", body("Dear {{name|you}}", "13800000001", "+86 138 0000 0002", source="page"))
    assert answer.status_code == 201
    send = answer.get_json()
    assert (send["state"], send["expected"], send["sender_name"], send["cancellable"]) == ("preparing", 2, "boss", True)
    prepare()
    send = owner.get(f"/api/texts/{send['id']}").get_json()
    assert (send["state"], send["queued"], send["audience"]["numbers"]) == ("sending", 2, 2)
    page = owner.get(f"/api/texts/{send['id']}/messages?state=queued&search=0002").get_json()
    assert [(m["phone"], m["body"], m["price_minor"]) for m in page["items"]] == [("+8613800000002", "Dear you", 5)]
    assert owner.get("/api/texts?state=sending&search=13800000002").get_json()["total"] == 1
    assert owner.get("/api/texts?search=nothing of it").get_json()["total"] == 0
    cancelled = owner.post(f"/api/texts/{send['id']}/cancel")
    assert (cancelled.status_code, cancelled.get_json()["cancelled"]) == (202, 2)
    assert owner.post(f"/api/texts/{send['id']}/cancel").get_json()["code"] == "send_ended"


@pytest.mark.promise("S5")
def test_a_repeated_request_with_its_key_is_one_send(owner: Browser) -> None:
    first = owner.post("/api/texts", body(key="order-17")).get_json()
    again = owner.call("POST", "/api/texts", body(), headers={"Idempotency-Key": "order-17"})
    assert (again.status_code, again.get_json()["id"]) == (201, first["id"])
    other = owner.post("/api/texts", body("Another text", key="order-17"))
    assert (other.status_code, other.get_json()["code"]) == (409, "key_reused")
    assert owner.get("/api/texts").get_json()["total"] == 1


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (body("  "), "body", "text_empty"),
    (body("x" * 10_001), "body", "template"),
    (body("汉" * 2000), "body", "text_too_long"),
    (body("Dear {{nmae}}"), "body", "template"),
    (body("Dear {{name"), "body", "template"),
    (body("Hi", "13800000001", "12", "x"), "audience.numbers", "wrong_numbers"),
    (body("Hi", *(f"1380000{n:04d}" for n in range(10_000)), "13900000000"), "audience.numbers", "invalid_input"),
    (body("Hi", audience={}), "audience", "nobody"),
    (body("Hi", audience={"groups": [999]}), "audience.groups", "invalid_input"),
    (body("Hi", audience={"lists": [999]}), "audience.lists", "invalid_input"),
    (body("Hi", audience={"file": "01HZZZZZZZZZZZZZZZZZZZZZZZ"}), "audience.file", "file_gone"),
    (body("Hi", audience={"people": [{"customer_id": 999}]}), "audience.people.0", "not_found"),
    (body("Hi", not_before="2001-01-01T00:00:00"), "not_before", "time_past"),
    (body("Hi", not_before="2199-01-01T00:00:00"), "not_before", "invalid_input"),
    (body("Hi", media=["01HZZZZZZZZZZZZZZZZZZZZZZZ"], kind="mms"), "media", "media_gone"),
    (body("Hi", signature="a{{name}}"), "signature", "invalid_input"),
    (body("Hi", call_id="nobody's", audience={}), "call_id", "invalid_input"),
]


def test_what_is_wrong_is_told_at_its_field(owner: Browser) -> None:
    for given, field, code in WRONG:
        answer = owner.post("/api/texts", given)
        told = answer.get_json()
        assert (answer.status_code, told["code"], list(told["fields"])) == (422, code, [field]), given
    assert owner.get("/api/texts").get_json()["total"] == 0


def test_wrong_numbers_are_named_with_their_line(owner: Browser) -> None:
    told = owner.post("/api/texts", body("Hi", "13800000001", "12", "abc")).get_json()
    assert told["params"]["count"] == 2
    assert [(w["line"], w["text"]) for w in told["params"]["wrong"]] == [(2, "12"), (3, "abc")]


@pytest.mark.promise("S1")
def test_a_preview_says_who_is_left_out_and_why_and_what_it_costs(owner: Browser, gateway: int) -> None:
    with tenant_session(gateway) as s:
        s.add_all(
            [
                BlacklistEntry(phone_e164="+8613800000002"),
                SensitiveWord(word="forbidden"),
                Customer(name="f.o.r.b.i.d.d.e.n", phones=["+8613800000003"]),
            ]
        )
    store.changed(gateway)
    typed = ["13800000001", "13800000002", "13800000003", "12", "13800000001", "13800000004"]
    answer = owner.post("/api/texts/preview", body("Dear {{name}}", *typed)).get_json()
    assert (answer["judged"], answer["passed"], answer["held"], answer["refused"]) == (4, 2, 1, 1)
    assert (answer["duplicates"], answer["sample"], answer["cost_minor"]) == (1, False, 15)
    assert answer["wrong_numbers"] == [{"line": 4, "text": "12", "code": "phone_too_short"}]
    assert answer["without_value"] == 2  # of those that get it
    found = {(g["outcome"], g["check"], g["rule"]): g for g in answer["left_out"]}
    assert set(found) == {("refused", "blacklist", "listed"), ("held", "approval", "words")}
    assert found["held", "approval", "words"]["first"][0]["hits"][0]["word"] == "forbidden"
    assert answer["samples"][0]["missing"] == ["name"]
    assert owner.get("/api/texts").get_json()["total"] == 0


def test_a_preview_says_what_the_balance_does_not_pay(owner: Browser) -> None:
    numbers = [f"1380000{n:04d}" for n in range(300)]
    answer = owner.post("/api/texts/preview", body("Hi", *numbers)).get_json()
    assert (answer["passed"], answer["refused"], answer["cost_minor"], answer["available_minor"]) == (
        200,
        100,
        1500,
        1000,
    )
    assert [(g["check"], g["rule"], len(g["first"])) for g in answer["left_out"]] == [("balance", "not_enough", 100)]


@pytest.mark.promise("S1")
def test_a_file_of_recipients_fills_the_placeholders(owner: Browser, gateway: int) -> None:
    with tenant_session(gateway) as s:
        s.add(FieldDef(key="plan", label="套餐", kind="text"))
    content = "姓名,手机,套餐,Due date\n王小明,13800000001,金卡,3 May\n,abc,银卡,\n李雷,13800000002,,5 May\n".encode(
        "gb18030"
    )
    answer = put(owner, "/api/texts/files?file_name=a.csv", content)
    assert answer.status_code == 201
    found = answer.get_json()
    assert (found["rows"], found["good"], found["wrong_count"]) == (3, 2, 1)
    assert found["wrong"] == [{"line": 3, "text": "abc", "code": "phone_not_a_number"}]
    assert [c["placeholder"] for c in found["columns"]] == ["name", "", "field.plan", "field.due_date"]
    text = "{{last_name}}, {{field.plan|none}} by {{field.due_date}}"
    send = owner.post("/api/texts", body(text, audience={"file": found["id"]})).get_json()
    prepare()
    page = owner.get(f"/api/texts/{send['id']}/messages").get_json()
    assert [(m["phone"], m["state"], m["body"]) for m in page["items"]] == [
        ("+8613800000001", "queued", "王, 金卡 by 3 May"),
        ("abc", "refused", ", none by "),
        ("+8613800000002", "queued", "李, none by 5 May"),
    ]
    assert owner.get(f"/api/texts/{send['id']}").get_json()["audience"]["file_name"] == "a.csv"
    wrong = put(owner, "/api/texts/files?file_name=a.csv", b"name,city\nAnn,Rome\n")
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "no_phone_column")


def test_a_person_is_texted_by_who_may_not_see_the_number(owner: Browser, browser: New, gateway: int) -> None:
    add_user(gateway, "amy", "agent")
    with tenant_session(gateway) as s:
        customer = Customer(name="Ann", phones=["+8613800000001", "+8613800000002"])
        s.add(customer)
        s.flush()
        customer_id = customer.id
    role = next(r for r in owner.get("/api/roles").get_json()["items"] if r["key"] == "agent")
    kept = [p for p in role["permissions"] if p != "numbers.unmasked"]
    assert owner.patch(f"/api/roles/{role['id']}", {"permissions": kept}).status_code == 200
    amy = browser()
    amy.sign_in("acme", "amy")
    audience = {"people": [{"customer_id": customer_id, "phone": 1}]}
    asked = body("Dear {{name}}, we call {{phone}}.", audience=audience, source="desk")
    shown = amy.post("/api/texts/preview", {k: v for k, v in asked.items() if k != "source"}).get_json()["samples"][0]
    send = amy.post("/api/texts", asked).get_json()
    prepare()
    message = amy.get(f"/api/texts/{send['id']}/messages").get_json()["items"][0]
    hidden = "Dear Ann, we call +86138•••••002."
    assert (message["phone"], message["body"], message["customer_id"]) == ("+86138••••002", hidden, customer_id)
    assert (shown["phone"], shown["body"]) == ("+86138••••002", hidden)
    kept = owner.get(f"/api/texts/{send['id']}/messages").get_json()["items"][0]
    assert kept["body"] == "Dear Ann, we call +8613800000002."


@pytest.mark.promise("E5")
def test_sends_are_seen_by_their_sender_and_the_sender_s_superiors_only(
    owner: Browser, browser: New, gateway: int
) -> None:
    for name in ("amy", "bob"):
        add_user(gateway, name, "agent")
    amy, bob = browser(), browser()
    amy.sign_in("acme", "amy")
    bob.sign_in("acme", "bob")
    send = amy.post("/api/texts", body()).get_json()
    assert [b.get("/api/texts").get_json()["total"] for b in (amy, bob, owner)] == [1, 0, 1]
    for path in ("", "/messages", "/refusals"):
        assert bob.get(f"/api/texts/{send['id']}{path}").status_code == 404
    assert bob.post(f"/api/texts/{send['id']}/cancel").status_code == 404
    assert bob.get("/api/text-approvals").status_code == 403


@pytest.mark.promise("E5")
def test_customers_and_leads_of_others_are_not_reached(owner: Browser, browser: New, gateway: int) -> None:
    amy_id, bob_id = add_user(gateway, "amy", "agent"), add_user(gateway, "bob", "agent")
    with tenant_session(gateway) as s:
        s.add_all(
            Customer(name=n, phones=[f"+861380000000{i}"], owner_id=who, tags=["t"])
            for i, (n, who) in enumerate((("Amy's", amy_id), ("Bob's", bob_id), ("Nobody's", None)))
        )
        leads = LeadList(name="L", country="CN")
        s.add(leads)
        s.flush()
        bobs = Customer(name="B", phones=["+8613800000009"], owner_id=bob_id)
        s.add(bobs)
        s.flush()
        list_id, bobs_id = leads.id, bobs.id
    amy = browser()
    amy.sign_in("acme", "amy")
    send = amy.post("/api/texts", body("Hi {{name}}", audience={"customers": {"tags": ["t"]}})).get_json()
    assert send["expected"] == 2
    prepare()
    page = amy.get(f"/api/texts/{send['id']}/messages").get_json()
    assert [m["body"] for m in page["items"]] == ["Hi Amy's", "Hi Nobody's"]
    refused = amy.post("/api/texts", body(audience={"people": [{"customer_id": bobs_id}]})).get_json()
    assert (refused["code"], list(refused["fields"])) == ("not_yours", ["audience.people.0"])
    refused = amy.post("/api/texts", body(audience={"lists": [list_id]})).get_json()
    assert list(refused["fields"]) == ["audience.lists"]


def test_a_preview_of_many_is_made_of_the_first_of_them(owner: Browser, gateway: int) -> None:
    with tenant_session(gateway) as s:
        leads = LeadList(name="L", country="CN")
        s.add(leads)
        s.flush()
        rows = (
            "INSERT INTO lead (tenant_id, list_id, phone_e164, fields) SELECT :t, :l,"
            " '+861380' || lpad(i::text, 7, '0'), '{}' FROM generate_series(1, 6000) i"
        )
        s.execute(text(rows), {"t": gateway, "l": leads.id})
        list_id = leads.id
    answer = owner.post("/api/texts/preview", body("Hi", audience={"lists": [list_id]})).get_json()
    assert (answer["expected"], answer["judged"], answer["sample"]) == (6000, 5000, True)
    assert (answer["passed"], answer["refused"], answer["cost_minor"]) == (200, 4800, 30_000)


@pytest.mark.promise("S6")
def test_what_waits_for_approval_is_listed_with_samples_and_decided_with_a_reason(
    owner: Browser, browser: New, gateway: int
) -> None:
    amy_id = add_user(gateway, "amy", "agent")
    with tenant_session(gateway) as s:
        s.get_one(User, amy_id).texts_need_approval = True
    amy = browser()
    amy.sign_in("acme", "amy")
    send = amy.post("/api/texts", body("Dear {{name|you}}")).get_json()
    assert amy.get("/api/texts/options").get_json()["needs_approval"] is True
    prepare()
    waiting = owner.get("/api/text-approvals").get_json()["items"]
    assert [(w["send"]["id"], w["waiting"], w["cost_minor"], w["decidable"]) for w in waiting] == [
        (send["id"], 1, 5, True)
    ]
    assert waiting[0]["samples"][0]["body"] == "Dear you"
    path = f"/api/text-approvals/{send['id']}"
    assert list(owner.post(f"{path}/reject", {}).get_json()["fields"]) == ["reason"]
    rejected = owner.post(f"{path}/reject", {"reason": "Not today"})
    assert (rejected.status_code, rejected.get_json()["state"]) == (202, "rejected")
    assert amy.get(f"/api/texts/{send['id']}").get_json()["decision"] == "Not today"
    assert owner.get("/api/text-approvals").get_json()["total"] == 0
    assert owner.post(f"{path}/pass").get_json()["code"] == "nothing_waits"


def test_a_template_is_checked_kept_and_tried(owner: Browser, gateway: int) -> None:
    wrong = owner.post("/api/text-templates", {"name": "A", "body": "Dear {{nobody}}"})
    assert (wrong.status_code, list(wrong.get_json()["fields"])) == (422, ["body"])
    made = owner.post("/api/text-templates", {"name": "A", "body": "Dear {{name}}", "purpose": "service"}).get_json()
    assert owner.post("/api/text-templates", {"name": "A", "body": "x"}).get_json()["code"] == "name_taken"
    path = f"/api/text-templates/{made['id']}"
    assert owner.patch(path, {"at_desk": True}).get_json()["at_desk"] is True
    assert owner.get("/api/text-templates?at_desk=true&search=dear").get_json()["total"] == 1
    assert list(owner.post(f"{path}/test").get_json()["fields"]) == ["phone"]
    send = owner.post(f"{path}/test", {"phone": "13800000009", "values": {"name": "Ann"}}).get_json()
    prepare()
    message = owner.get(f"/api/texts/{send['id']}/messages").get_json()["items"][0]
    assert message["body"] == "【Acme】Dear Ann"
    rule = owner.post(
        "/api/text-rules", {"name": "Birthdays", "occasion": "birthday", "template_id": made["id"]}
    ).get_json()
    assert owner.delete(path).get_json()["code"] == "template_used"
    assert owner.delete(f"/api/text-rules/{rule['id']}").status_code == 204
    assert owner.delete(path).status_code == 204
    assert owner.get(f"/api/texts/{send['id']}").get_json()["template_name"] == ""


def test_a_recurring_text_says_what_it_lacks(owner: Browser, gateway: int) -> None:
    template = owner.post("/api/text-templates", {"name": "A", "body": "Renew, {{name}}"}).get_json()["id"]
    given = {"name": "Renewals", "occasion": "renewal", "template_id": template}
    told = owner.post("/api/text-rules", given).get_json()
    assert set(told["fields"]) == {"lists", "field"}
    with tenant_session(gateway) as s:
        leads = LeadList(name="L", country="CN")
        s.add_all([leads, FieldDef(key="ends", label="Ends", kind="date")])
        s.flush()
        s.add(Lead(tenant_id=gateway, list_id=leads.id, phone_e164="+8613800000001", fields={"ends": "2030-05-01"}))
        list_id = leads.id
    made = owner.post("/api/text-rules", {**given, "lists": [list_id], "field": "ends", "days_before": 30})
    assert made.status_code == 201
    assert (made.get_json()["template_name"], made.get_json()["sender_name"]) == ("A", "boss")
    assert list(owner.patch(f"/api/text-rules/{made.get_json()['id']}", {"at": "9"}).get_json()["fields"]) == ["at"]


def picture(kind: str, size: tuple[int, int] = (40, 30), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **more)
    return out.getvalue()


def test_a_picture_is_what_its_content_says_and_carries_nothing_else(owner: Browser) -> None:
    exif = Image.Exif()
    exif[0x010F] = "secret camera"
    found = put(owner, "/api/text-media?name=cat.gif", picture("JPEG", exif=exif)).get_json()
    assert (found["type"], found["name"], found["width"]) == ("image/jpeg", "cat.jpg", 40)
    kept = owner.get(f"/api/text-media/{found['id']}")
    assert kept.mimetype == "image/jpeg"
    assert b"secret camera" not in kept.data
    send = owner.post("/api/texts", body("Look", kind="mms", subject="Cat", media=[found["id"]]))
    assert send.get_json()["media"][0]["id"] == found["id"]
    prepare()
    message = owner.get(f"/api/texts/{send.get_json()['id']}/messages").get_json()["items"][0]
    assert (message["state"], message["segments"], message["encoding"]) == ("queued", 1, "")


def bomb() -> bytes:
    """A small file of a picture that unpacks to very much more."""
    out = io.BytesIO()
    Image.new("1", (8000, 8000)).save(out, "PNG")
    return out.getvalue()


def test_false_broken_and_exploding_pictures_are_refused(owner: Browser) -> None:
    for content, code in [
        (b"%PDF-1.7 not a picture", "media_not_a_picture"),
        (b"\xff\xd8\xff\xe0 and then nonsense", "media_not_a_picture"),
        (picture("PNG")[:-20], "media_not_a_picture"),
        (picture("BMP"), "media_not_a_picture"),
        (bomb(), "media_too_large"),
    ]:
        answer = put(owner, "/api/text-media?name=cat.jpg", content)
        assert (answer.status_code, answer.get_json()["code"]) == (422, code)
        assert list(answer.get_json()["fields"]) == ["file"]
    big = put(owner, "/api/text-media?name=cat.jpg", b"x" * (5 * 1024 * 1024 + 1))
    assert big.status_code == 413
