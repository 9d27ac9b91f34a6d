"""Carriers that say what no carrier should: each text has an outcome, nothing is raised in the loop, and nobody is
asked again faster than the waits allow. What SMPP makes of broken PDUs is in `test_smpp` and `test_smpp_codec`."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from smsgateway.carriers import cmpp, cmpp_pdu, http, mm7, mm7_soap, plain, smpp, smpp_settings
from smsgateway.carriers import settings as declared
from smsgateway.carriers.port import (
    Accepted,
    Carrier,
    Inbound,
    Listener,
    Outcome,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.texts import Kind
from tests.smsgateway.carriers.gateway import a_port

pytestmark = pytest.mark.promise("S7")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OUTCOMES = get_args(Outcome)
SMS = Outgoing(7, "+8613800138000", "10690001", Kind.SMS, "hi", "gsm7", 1, 2e9)
MMS = Outgoing(8, "+8613800138000", "10690001", Kind.MMS, "hi", "", 1, 2e9, "subject")


def few(most: int) -> Callable[[Any], Any]:
    """Examples over a wire."""
    return hypothesis_settings(
        max_examples=most, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
    )


class Heard:
    """What a carrier told; all of it can be stored."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.receipts: list[Receipt] = []
        self.texts: list[Inbound] = []

    async def receipt(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    async def inbound(self, inbound: Inbound) -> None:
        self.texts.append(inbound)

    def listener(self) -> Listener:
        return Listener(self.receipt, self.inbound, lambda h: self.up.set() if h.up else self.up.clear())


async def against(serve: Serve, make: Callable[[int, Listener], Carrier], use: Callable[..., Awaitable[Any]]) -> Any:
    """What `use(carrier, heard)` gives while the carrier talks with `serve`; nothing may be raised in the loop."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    port = a_port()
    server = await asyncio.start_server(on_connect, "127.0.0.1", port)
    heard = Heard()
    made = make(port, heard.listener())
    try:
        async with asyncio.timeout(20):
            await made.start()
            found = await use(made, heard)
    finally:
        await made.stop(0.2)
        server.close()
    assert not faults, faults
    return found


def cmpp_to(port: int, listener: Listener) -> Carrier:
    given = {"host": "127.0.0.1", "port": port, "sp_id": "901234", "shared_secret": "s", "sp_number": "1069",
             "again_s": 0.1, "version": "3.0"}  # fmt: skip
    return cmpp.Cmpp(declared.whole(cmpp.SETTINGS, given), 10, listener, "test")


def smpp_to(port: int, listener: Listener) -> Carrier:
    given = {"host": "127.0.0.1", "port": port, "system_id": "test", "password": "secret", "again_s": 0.1}
    return smpp.Smpp(smpp_settings.read(given), 10, listener, "test")


async def read_cmpp(reader: asyncio.StreamReader) -> cmpp_pdu.Pdu:
    length, command, sequence = struct.unpack("!III", await reader.readexactly(12))
    return cmpp_pdu.Pdu(command, sequence, await reader.readexactly(length - 12))


_CMPP = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=80),
        st.builds(
            cmpp_pdu.pdu,
            st.sampled_from([1, 2, 4, 5, 8, 9, 0x80000001, 0x80000002, 0x80000004, 0x80000005, 0x80000008]),
            st.integers(0, 0xFFFFFFFF),
            st.one_of(st.binary(max_size=160), st.binary(min_size=77, max_size=77).map(lambda b: b + b"\x00" * 20)),
        ),
    ),
    max_size=10,
)


def test_no_bytes_of_a_cmpp_gateway_end_the_process() -> None:
    @given(_CMPP)
    @few(20)
    def fuzz(chunks: list[bytes]) -> None:
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            asked = await read_cmpp(reader)
            writer.write(cmpp_pdu.pdu(asked.command | cmpp_pdu.RESPONSE, asked.sequence, bytes(20) + b"\x30"))
            if connections == 1:
                for chunk in chunks:
                    writer.write(chunk)
                await writer.drain()
                return
            while True:
                asked = await read_cmpp(reader)
                answer = struct.pack("!QI", 9, 0) if asked.command == cmpp_pdu.Command.SUBMIT else b""
                writer.write(cmpp_pdu.pdu(asked.command | cmpp_pdu.RESPONSE, asked.sequence, answer))

        async def use(made: Carrier, heard: Heard) -> None:
            await heard.up.wait()
            assert isinstance(await made.submit(SMS), OUTCOMES)
            for _ in range(100):
                await heard.up.wait()
                if isinstance(await made.submit(SMS), Accepted):
                    return
                await asyncio.sleep(0.02)
            raise AssertionError("no text leaves any more")

        asyncio.run(against(serve, cmpp_to, use))

    fuzz()


@pytest.mark.parametrize("make", [cmpp_to, smpp_to])
@pytest.mark.parametrize(
    "greeting",
    [
        b"",  # closed at once
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack("!III", 12 + 3, 0x80000001, 1) + b"abc",  # CMPP's answer, too short
        struct.pack("!IIII", 16, 0x80000009, 0, 1) + struct.pack("!IIII", 16, 0x80000006, 0, 1),  # bound, and unbound
        struct.pack("!III", 12 + 21, 0x80000001, 1) + bytes(20) + b"\x30",  # let in, and closed
        struct.pack("!III", 4, 1, 1),  # shorter than its own header
        struct.pack("!III", 0x7FFFFFFF, 1, 1),
    ],
)
def test_a_peer_that_greets_in_the_wrong_way_is_asked_again_with_growing_waits(
    make: Callable[[int, Listener], Carrier], greeting: bytes
) -> None:
    at: list[float] = []
    third = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at.append(asyncio.get_running_loop().time())
        if len(at) == 3:
            third.set()
        await reader.readexactly(12)
        writer.write(greeting)
        await writer.drain()

    async def use(made: Carrier, heard: Heard) -> Outcome:
        await third.wait()
        return await made.submit(SMS)

    assert isinstance(asyncio.run(against(serve, make, use)), Returned)
    assert at[1] - at[0] >= 0.08 and at[2] - at[1] >= 0.16


# -- over HTTP

_BODY = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([
        b'{"id": "\\ud800\\u0000x", "code": "\\udfff"}', b'{"id": ' + b"9" * 5000 + b"}", b"[" * 100_000,
        b'{"id": NaN}', b'{"id": {"id": 1}}', b"id=%00%ff&code=%ed%a0%80",
    ]),
)  # fmt: skip


def http_answer(status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *(f"{n}: {v}" for n, v in headers)]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


_HEADERS = st.lists(
    st.sampled_from([
        ("Content-Length", "7"), ("Content-Length", "-1"), ("Content-Length", "99999999999999999999"),
        ("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip"), ("Content-Type", "application/json"),
        ("Content-Type", "multipart/related; boundary="), ("Content-Type", "text/xml; charset=base64"),
        ("Location", "http://127.0.0.1:1/"), ("Connection", "close"), ("X" * 9000, "y"), ("Set-Cookie", "\x00="),
    ]),
    max_size=3,
)  # fmt: skip
_HTTP = st.one_of(
    st.binary(max_size=120),
    st.builds(http_answer, st.sampled_from([200, 204, 302, 404, 429, 500, 999]), _HEADERS, _BODY),
)


@pytest.mark.parametrize("protocol", ["http", "mm7"])
def test_whatever_an_http_server_answers_means_something_that_can_be_stored(protocol: str) -> None:
    def make(port: int, listener: Listener) -> Carrier:
        url = f"http://127.0.0.1:{port}/"
        if protocol == "http":
            return http.HttpCarrier(declared.whole(http.SETTINGS, {"url": url, "timeout_s": 0.5}), listener, 4)
        return mm7.Mm7(declared.whole(mm7.SETTINGS, {"url": url, "vasp_id": "a", "timeout_s": 1}), listener, 4)

    @given(st.lists(_HTTP, min_size=6, max_size=6))
    @few(12)
    def fuzz(answers: list[bytes]) -> None:
        left = list(answers)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(left.pop() if left else b"")
            await writer.drain()

        async def use(made: Carrier, _heard: Heard) -> list[Outcome]:
            text = SMS if protocol == "http" else MMS
            return list(await asyncio.gather(*(made.submit(text) for _ in answers)))

        for outcome in asyncio.run(against(serve, make, use)):
            assert isinstance(outcome, OUTCOMES)
            match plain.outcome(outcome):
                case Accepted(refs):
                    words = list(refs)
                case Rejected(code, reason):
                    words = [code, reason]
                case other:
                    words = [other.code] if isinstance(other, Returned) else []
            assert "\x00" not in "".join(words).encode().decode()

    fuzz()


def test_an_answer_in_pieces_is_read_whole() -> None:
    body = json.dumps({"id": "ref-1", "note": "x" * 3000}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 500):
            writer.write(f"{len(body[at : at + 500]):x}\r\n".encode() + body[at : at + 500] + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")

    def make(port: int, listener: Listener) -> Carrier:
        given = {"url": f"http://127.0.0.1:{port}/", "timeout_s": 2}
        return http.HttpCarrier(declared.whole(http.SETTINGS, given), listener, 4)

    async def use(made: Carrier, _heard: Heard) -> Outcome:
        return await made.submit(SMS)

    assert asyncio.run(against(serve, make, use)) == Accepted(("ref-1",))


def test_words_that_no_database_takes_are_left_out() -> None:
    assert plain.outcome(Rejected("a\x00b\ud800", "no\x07pe")) == Rejected("ab", "nope")
    assert plain.outcome(Returned("x\x00", 3.0)) == Returned("x", 3.0)
    for at in (-1.0, 0.0, 9e12, float("nan"), float("inf"), 101.0):
        assert plain.receipt(Receipt("r", ReceiptStatus.FAILED, "\x00", at), 100.0).at == 100.0


# -- MM7's envelopes


def soap(inside: str) -> bytes:
    return f'<s:Envelope xmlns:s="{mm7_soap.SOAP}"><s:Body>{inside}</s:Body></s:Envelope>'.encode()


REPORT = (
    "<DeliveryReportReq><MessageID>1</MessageID><Date>{date}</Date><MMStatus>Retrieved</MMStatus></DeliveryReportReq>"
)
_WORDS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40)
_PART_HEADERS = st.lists(
    st.one_of(
        st.sampled_from([
            "Content-Type: text/plain; charset=base64", "Content-Type: text/plain; charset=\x00", "Content-Type: ;",
            "Content-Type: text/plain; charset*=x''%ff", "Content-Transfer-Encoding: base64", "Content-ID: <",
            "Content-Transfer-Encoding: uuencode", 'Content-Type: multipart/mixed; boundary="C"',
            "Content-Type: text/xml", "Content-Location: " + "../" * 50, "Content-Type: multipart/mixed",
            "Content-Disposition: a; filename*0*=''",
        ]),
        _WORDS.map(lambda t: f"Content-Type: {t}"),
        _WORDS.map(lambda t: f"Content-ID: {t}"),
    ),
    max_size=3,
)  # fmt: skip


@given(st.lists(st.tuples(_PART_HEADERS, st.binary(max_size=60)), max_size=4), st.booleans())
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_broken_multipart_is_read_or_refused(parts: list[tuple[list[str], bytes]], first: bool) -> None:
    whole = [(["Content-Type: text/xml"], soap(REPORT.format(date="")))] if first else []
    raw = b"".join(
        b"--B\r\n" + "\r\n".join(heads).encode("latin-1") + b"\r\n\r\n" + body + b"\r\n"
        for heads, body in whole + parts
    )
    try:
        found = mm7_soap.incoming(raw + b"--B--\r\n", 'multipart/related; boundary="B"')
    except mm7_soap.Malformed:
        return
    assert found.message_id == "1"
    found.text.encode()


@given(st.text(max_size=40))
@example("9999-12-31T23:59:59-14:00")
@example("2999-01-01T00:00:00")
def test_whatever_date_a_report_has_it_is_not_of_the_future(date: str) -> None:
    told = mm7_soap.Incoming("DeliveryReportReq", "T", "1", "Retrieved", "", "", "", date, "", ())
    found = mm7.receipt(told, 2e9)
    assert found is not None and plain.receipt(found, 2e9).at <= 2e9


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>" * 20_000,
        soap("<b>" * 20_000 + "</b>" * 20_000),
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="cp037"?>' + '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'.encode("cp037"),
        b"",
        b"<a/>" * 2,
        b"x" * 300_000,
    ],
)
def test_an_envelope_that_is_a_trap_is_refused(raw: bytes) -> None:
    for read in (mm7_soap.incoming, mm7_soap.answer):
        with pytest.raises(mm7_soap.Malformed):
            read(raw, "text/xml")


def test_an_answer_with_an_endless_number_or_parts_in_parts_is_refused() -> None:
    with pytest.raises(mm7_soap.Malformed):
        mm7_soap.answer(soap("<SubmitRsp><StatusCode>" + "1" * 5000 + "</StatusCode></SubmitRsp>"), "text/xml")
    nested = b"".join(
        b'--B\r\nContent-Type: multipart/mixed; boundary="B%d"\r\n\r\n--B%d\r\n' % (n, n) for n in range(3000)
    )
    with pytest.raises(mm7_soap.Malformed):
        mm7_soap.incoming(nested, 'multipart/related; boundary="B"')
