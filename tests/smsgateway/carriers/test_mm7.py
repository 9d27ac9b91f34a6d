"""MMS over MM7: against an HTTP endpoint that takes the message apart with the standard library, byte for byte."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Awaitable, Callable
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from callcenter.embedded.services import free_port
from smsgateway.carriers import images, mm7, mm7_soap
from smsgateway.carriers import settings as declared
from smsgateway.carriers.port import (
    Accepted,
    Attachment,
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
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OK = (
    '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header/><e:Body>'
    '<SubmitRsp xmlns="urn:other"><Status><StatusCode>{code}</StatusCode><StatusText>{text}</StatusText></Status>'
    "<MessageID>{ref}</MessageID></SubmitRsp></e:Body></e:Envelope>"
)


def photo(side: int, *, noise: bool = True, form: str = "JPEG") -> bytes:
    """A picture that does not compress well."""
    picture = Image.new("RGB", (side, side), "navy")
    if noise:
        picture = Image.frombytes("RGB", (side, side), random.Random(5).randbytes(side * side * 3))
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()


def message(path: Path | None, body: str = "你好 <b>&") -> Outgoing:
    media = () if path is None else (Attachment(str(path), "image/jpeg", "夏日 photo.jpg"),)
    return Outgoing(3, "+8613800138000", "10690001", Kind.MMS, body, "", 1, 2e9, subject="Summer & more", media=media)


async def _nothing(_told: Receipt | Inbound) -> None: ...


def ask(answer: Answer, text: Outgoing, **given: Any) -> Outcome:
    """What becomes of `text` at an endpoint that answers with `answer`."""

    async def run() -> Outcome:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_post("/mm7", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port(22400)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        settings = {"url": f"http://127.0.0.1:{port}/mm7", "vasp_id": "acme", "timeout_s": 3, **given}
        healths: list[Health] = []
        carrier = mm7.Mm7(declared.whole(mm7.SETTINGS, settings), Listener(_nothing, _nothing, healths.append), 4)
        await carrier.start()
        try:
            return await carrier.submit(text)
        finally:
            await carrier.stop(1)
            await runner.cleanup()

    return asyncio.run(asyncio.wait_for(run(), 20))


def said(code: int, text: str = "Success", ref: str = "") -> Answer:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=OK.format(code=code, text=text, ref=ref), content_type="text/xml")

    return answer


def test_envelope_text_and_picture_arrive_as_they_are(tmp_path: Path) -> None:
    raw = photo(60) + b"\r\n--\n\r\x00"  # line ends that a mail library would change
    path = tmp_path / "p.jpg"
    path.write_bytes(raw)
    got: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        got["mail"] = BytesParser(policy=HTTP).parsebytes(head + await request.read())
        got["auth"] = request.headers["Authorization"]
        return web.Response(text=OK.format(code=1000, text="ok", ref="00MsgA1"), content_type="text/xml")

    outcome = ask(answer, message(path), username="u", password="p", short_code="10690")
    assert outcome == Accepted(("msga1",))
    assert got["auth"] == "Basic dTpw"
    soap, mms = got["mail"].get_payload()
    root = ElementTree.fromstring(soap.get_payload(decode=True))
    told = {e.tag.rpartition("}")[2]: (e.text or "") for e in root.iter()}
    assert (told["Number"], told["ShortCode"], told["Subject"], told["VASPID"], told["DeliveryReport"]) == (
        "+8613800138000", "10690001", "Summer & more", "acme", "true",
    )  # fmt: skip
    smil, picture, words = mms.get_payload()
    assert picture.get_payload(decode=True) == raw
    assert words.get_payload(decode=True).decode() == "你好 <b>&"
    shown = ElementTree.fromstring(smil.get_payload(decode=True))
    sources = [e.get("src") for e in shown.iter() if e.get("src")]
    assert sources == [f"cid:{p.get('Content-ID').strip('<>')}" for p in (picture, words)]


def test_a_picture_is_made_to_fit_what_the_carrier_takes(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(photo(1500, form="PNG"))
    sizes: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        sizes.append(len(await request.read()))
        return web.Response(text=OK.format(code=1000, text="ok", ref="1"), content_type="text/xml")

    assert isinstance(ask(answer, message(path), max_bytes=100_000, max_side=640), Accepted)
    assert sizes[0] < 100_000 < path.stat().st_size


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (said(2000, "Client error"), Rejected("2000", "Client error")),
        (said(3003, "Busy"), Returned("3003", 5.0)),
        (said(1100, "Partial", "X9"), Accepted(("x9",))),
    ],
)
def test_each_status_means_what_the_standard_says(answer: Answer, outcome: Outcome) -> None:
    assert ask(answer, message(None)) == outcome


def test_an_answer_that_can_not_be_read_leaves_a_doubt_and_a_missing_file_does_not() -> None:
    async def broken(_request: web.Request) -> web.Response:
        return web.Response(text="<html>gateway</html", content_type="text/html")

    assert ask(broken, message(None)) == Lost()
    gone = ask(broken, message(Path("/nowhere/p.jpg")))
    assert isinstance(gone, Rejected) and gone.code == "media"


def test_reports_and_messages_are_read_whatever_their_namespace() -> None:
    def envelope(inside: str) -> bytes:
        head = '<s:Header><t:TransactionID xmlns:t="x">T1</t:TransactionID></s:Header>'
        return f'<s:Envelope xmlns:s="{mm7_soap.SOAP}">{head}<s:Body>{inside}</s:Body></s:Envelope>'.encode()

    report = envelope(
        '<m:DeliveryReportReq xmlns:m="urn:any"><m:MessageID>00MsgA1</m:MessageID>'
        "<m:Date>2026-11-22T09:30:00+08:00</m:Date><m:MMStatus>Retrieved</m:MMStatus></m:DeliveryReportReq>"
    )
    found = mm7.receipt(mm7_soap.incoming(report, "text/xml"), 5.0)
    assert found == Receipt("msga1", ReceiptStatus.DELIVERED, "Retrieved", 1795311000.0)
    read = mm7_soap.incoming(envelope("<ReadReplyReq><MessageID>9</MessageID></ReadReplyReq>"), "text/xml")
    assert mm7.receipt(read, 5.0) == Receipt("9", ReceiptStatus.READ, "", 5.0)
    assert b"<ReadReplyRsp" in mm7_soap.response(read) and b">T1<" in mm7_soap.response(read)


def test_a_message_with_a_picture_comes_in(tmp_path: Path) -> None:
    picture = photo(20)
    inside = (
        "<DeliverReq><LinkedID>77</LinkedID><Sender><Number>8613900139000</Number></Sender><Recipients><To>"
        "<ShortCode>10690001</ShortCode></To></Recipients><Subject>Re</Subject></DeliverReq>"
    )
    soap = f'<s:Envelope xmlns:s="{mm7_soap.SOAP}"><s:Body>{inside}</s:Body></s:Envelope>'.encode()
    raw = (
        b"--B\r\nContent-Type: text/xml\r\n\r\n" + soap
        + b'\r\n--B\r\nContent-Type: multipart/mixed; boundary="C"\r\n\r\n'
        + b"--C\r\nContent-Type: text/plain; charset=gb18030\r\n\r\n" + "您好".encode("gb18030")
        + b"\r\n--C\r\nContent-Type: image/jpeg\r\nContent-Location: ../../a b.jpg\r\n"
        + b"Content-Transfer-Encoding: binary\r\n\r\n" + picture + b"\r\n--C--\r\n\r\n--B--\r\n"
    )  # fmt: skip
    text = mm7.reply(mm7_soap.incoming(raw, 'multipart/related; boundary="B"'), tmp_path, 9.0)
    assert (text.sender, text.to, text.body, text.subject) == ("+8613900139000", "10690001", "您好", "Re")
    (stored,) = text.media
    assert Path(stored.path).parent == tmp_path and Path(stored.path).read_bytes() == picture


@given(st.binary(max_size=300), st.sampled_from(["text/xml", 'multipart/related; boundary="B"', ""]))
def test_what_is_no_mm7_is_refused_and_nothing_else_happens(raw: bytes, kind: str) -> None:
    for read in (mm7_soap.incoming, mm7_soap.answer):
        with pytest.raises(mm7_soap.Malformed):
            read(raw, kind)


def test_an_entity_bomb_is_refused() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    with pytest.raises(mm7_soap.Malformed, match="document type"):
        mm7_soap.incoming(bomb, "text/xml")


def test_no_picture_and_a_bomb_of_a_picture_are_refused() -> None:
    with pytest.raises(images.NoPicture):
        images.fit(b"<svg/>", 1000, 100)
    bomb = photo(8, noise=False, form="PNG").replace((8).to_bytes(4, "big") * 2, (60_000).to_bytes(4, "big") * 2, 1)
    with pytest.raises(images.NoPicture):
        images.fit(bomb, 1000, 100)
    small = photo(30)
    assert images.fit(small, 100_000, 100) == (small, "image/jpeg")
    with pytest.raises(images.NoPicture):
        images.fit(photo(600), 300, 600)
