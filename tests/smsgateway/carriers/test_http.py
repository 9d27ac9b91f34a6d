"""The HTTP carrier against a real HTTP server, and the language in which the operator describes one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from callcenter.embedded.services import free_port
from smsgateway.carriers import http
from smsgateway.carriers import http_words as language
from smsgateway.carriers import settings as declared
from smsgateway.carriers.port import (
    Accepted,
    Health,
    Inbound,
    Listener,
    Lost,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.texts import Kind

pytestmark = pytest.mark.promise("S7")
TEXT = Outgoing(7, "+8613800138000", "10690001", Kind.SMS, 'Say "hi" & 你好\n', "ucs2", 1, 2e9)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Listened:
    """What a carrier told."""

    def __init__(self) -> None:
        self.health: list[Health] = []

    async def receipt(self, _receipt: Receipt) -> None: ...

    async def inbound(self, _inbound: Inbound) -> None: ...

    def listener(self) -> Listener:
        return Listener(self.receipt, self.inbound, self.health.append)


def ask(
    answer: Answer, given: dict[str, Any], *, texts: int = 1, path: str = "/send"
) -> tuple[list[Outcome], Listened]:
    """Outcomes of `texts` submissions to a server that answers with `answer`."""
    heard = Listened()

    async def run() -> list[Outcome]:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port(21800)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        settings = declared.whole(http.SETTINGS, {"url": f"http://127.0.0.1:{port}{path}", "timeout_s": 2, **given})
        carrier = http.HttpCarrier(settings, heard.listener(), 10)
        await carrier.start()
        try:
            return [await carrier.submit(TEXT) for _ in range(texts)]
        finally:
            await carrier.stop(1)
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(run(), 20)), heard


def test_a_text_goes_out_as_described_signed_and_its_reference_comes_back() -> None:
    seen: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        raw = await request.read()
        seen.update(json.loads(raw), signature=request.headers["X-Sig"], auth=request.headers["Authorization"], raw=raw)
        return web.json_response({"data": {"id": "00AB12"}})

    given = {
        "ref_finder": "data.id", "signature": "hmac_sha256", "secret": "s3", "signature_header": "X-Sig",
        "auth": "bearer", "password": "t0k",
    }  # fmt: skip
    outcomes, _ = ask(answer, given)
    assert outcomes == [Accepted(("ab12",))]
    assert (seen["to"], seen["text"], seen["from"]) == (TEXT.phone, TEXT.body, TEXT.sender)
    assert seen["signature"] == hmac.new(b"s3", seen["raw"], hashlib.sha256).hexdigest()
    assert seen["auth"] == "Bearer t0k"


def test_a_form_and_an_address_carry_any_character() -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append({**request.query, **{k: str(v) for k, v in (await request.post()).items()}})
        return web.Response(text="result=0&msgid=5", content_type="application/x-www-form-urlencoded")

    form = {
        "format": "form", "template": "m={{phone_digits}}&c={{body}}", "accepted_finder": "result",
        "accepted_values": "0", "ref_finder": "msgid",
    }  # fmt: skip
    assert ask(answer, form)[0] == [Accepted(("5",))]
    assert ask(answer, {**form, "method": "GET"}, path="/send?m={{phone_digits}}&c={{body}}")[0] == [Accepted(("5",))]
    assert [s["c"].replace("\r\n", "\n") for s in seen] == [TEXT.body] * 2
    assert {s["m"] for s in seen} == {"8613800138000"}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, '{"code": "E12", "text": "bad number"}', Rejected("E12", '{"code": "E12", "text": "bad number"}')),
        (429, "", Returned("429")),
        (200, '{"code": "BUSY"}', Returned("BUSY")),
        (500, "oops", Lost()),
        (302, "", Rejected("302", "HTTP 302")),
        (200, '{"code": "0"}', Accepted(())),
        (200, "\x00not json", Accepted(())),
    ],
)
def test_each_answer_means_what_the_operator_said(status: int, body: str, outcome: Outcome) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, content_type="application/json")

    assert ask(answer, {"again_codes": "busy"})[0] == [outcome]


def test_a_request_without_an_answer_is_lost_and_one_without_a_connection_was_never_sent() -> None:
    async def drop(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    outcomes, heard = ask(drop, {}, texts=6)
    assert outcomes == [Lost()] * 6
    assert [h.up for h in heard.health] == [True, False]
    nobody = f"http://127.0.0.1:{free_port(21950)}/"

    async def run() -> Outcome:
        settings = declared.whole(http.SETTINGS, {"url": nobody})
        carrier = http.HttpCarrier(settings, Listened().listener(), 1)
        await carrier.start()
        try:
            return await carrier.submit(TEXT)
        finally:
            await carrier.stop(0)

    assert asyncio.run(run()) == Returned("connect")


def test_receipts_and_replies_are_found_where_the_operator_says() -> None:
    whole = declared.whole(
        http.SETTINGS,
        {
            "url": "https://x.test/",
            "receipts_finder": "reports",
            "receipt_ref_finder": "mid",
            "receipt_status_finder": "st",
            "receipt_statuses": "delivered: 0\nunder_way: 1 2",
        },
    )
    raw = b'{"reports": [{"mid": "0A", "st": 0}, {"mid": "b", "st": "2"}, {"mid": "c", "st": "E9"}, {"st": 1}, 5]}'
    found = http.receipts(whole, language.read(raw, "application/json"), 9.0)
    assert [(r.ref, r.status) for r in found] == [
        ("a", ReceiptStatus.DELIVERED),
        ("b", ReceiptStatus.UNDER_WAY),
        ("c", ReceiptStatus.FAILED),
    ]
    form = language.read(b"", "", "from=13800138000&to=10690001&text=%E9%80%80%E8%AE%A2&id=77")
    assert http.replies(whole, form, 9.0) == [Inbound("13800138000", "10690001", "退订", 9.0, "77")]
    assert language.Document('<id a="1">x9</id>').find(r"re:<id[^>]*>(\w+)</id>") == "x9"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "https://x", "template": "{{phon}}"}, "template"),
        ({"url": "https://x", "headers": "no colon"}, "headers"),
        ({"url": "https://x", "ref_finder": "re:("}, "ref_finder"),
        ({"url": "https://x", "receipt_statuses": "gone: 1"}, "receipt_statuses"),
        ({"url": "https://x", "accepted_statuses": "2xx"}, "accepted_statuses"),
        ({"url": "https://x", "signature": "md5"}, "secret"),
        ({"url": "https://x", "timeout_s": "long"}, "timeout_s"),
        ({"url": "https://x", "strange": 1}, "strange"),
    ],
)
def test_what_makes_no_sense_is_named(given: dict[str, Any], field: str) -> None:
    assert set(http.faults(given)) == {field}
    assert http.faults({"url": "https://x.test/send"}) == {}
