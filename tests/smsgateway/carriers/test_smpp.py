"""The SMPP carrier against two SMSCs that are not ours, and one that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from smsgateway import segments
from smsgateway.carriers import smpp, smpp_pdu, smpp_settings
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
from tests.peers.smsc_npm import NpmSmsc
from tests.smsgateway.carriers.gateway import a_port

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.interop
Smsc = Callable[..., NpmSmsc]


class Told:
    """What a carrier told its listener. While `away`, nothing can be stored."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.inbound: list[Inbound] = []
        self.health = Health(False, "", 0, 0)
        self.away = False
        self.changed = asyncio.Event()

    def listener(self) -> Listener:
        async def receipt(receipt: Receipt) -> None:
            if self.away:
                raise ConnectionError("the database is away")
            self.receipts.append(receipt)
            self.changed.set()

        async def inbound(inbound: Inbound) -> None:
            self.inbound.append(inbound)
            self.changed.set()

        def health(health: Health) -> None:
            self.health = health
            self.changed.set()

        return Listener(receipt, inbound, health)

    async def until(self, true: Callable[[Told], Any], timeout_s: float = 10.0) -> None:
        """Wait until something was told."""
        end = time.monotonic() + timeout_s
        while not true(self):
            self.changed.clear()
            left = end - time.monotonic()
            assert left > 0, f"not within {timeout_s} s: {self.health}"
            try:
                await asyncio.wait_for(self.changed.wait(), left)
            except TimeoutError:
                pass


def text(n: int, body: str = "Hello", **more: Any) -> Outgoing:
    counted = segments.count(body)
    values: dict[str, Any] = {"phone": f"+86138{n:08d}", "sender": "10690001", "expires_at": time.time() + 3600}
    values |= {"kind": Kind.SMS, **more}
    return Outgoing(id=n, body=body, encoding=counted.encoding, segments=counted.parts, **values)


@asynccontextmanager
async def carrier(
    port: int, *, up: bool = True, window: int = 20, **more: Any
) -> AsyncIterator[tuple[smpp.Smpp, Told]]:
    told = Told()
    given = {"host": "127.0.0.1", "port": port, "system_id": "test", "password": "secret", "again_s": 0.1,
             "throttle_s": 0.1, **more}  # fmt: skip
    made = smpp.Smpp(smpp_settings.read(given), window, told.listener(), "test")
    await made.start()
    try:
        if up:
            await told.until(lambda t: t.health.up)
        yield made, told
    finally:
        await made.stop(1.0)


async def submit_all(made: smpp.Smpp, texts: list[Outgoing]) -> list[Outcome]:
    return list(await asyncio.gather(*(made.submit(t) for t in texts)))


@pytest.mark.promise("S7")
async def test_texts_are_taken_and_each_receipt_names_its_text(smsc: Smsc) -> None:
    peer = smsc()
    async with carrier(peer.port) as (made, told):
        outcomes = await submit_all(made, [text(n) for n in range(200)])
        await told.until(lambda t: len(t.receipts) == 200)
    refs = [o.refs[0] for o in outcomes if isinstance(o, Accepted)]
    assert sorted(r.ref for r in told.receipts) == sorted(refs)
    assert len(set(refs)) == 200
    assert {r.status for r in told.receipts} == {ReceiptStatus.DELIVERED}
    figures = peer.figures()
    assert figures["receipts_stored"] == 200
    assert figures["unbinds"] == 1


@pytest.mark.promise("S7")
@pytest.mark.parametrize("form", ["text", "tlv", "sloppy", "data_sm"])
async def test_every_common_notation_of_receipts_is_understood(smsc: Smsc, form: str) -> None:
    peer = smsc(receipt_form=form, ids="zeros", rules={"2": {"stat": "UNDELIV"}})
    async with carrier(peer.port) as (made, told):
        delivered, failed = await submit_all(made, [text(1), text(2)])
        await told.until(lambda t: len(t.receipts) == 2)
        by_ref = {r.ref: r.status for r in told.receipts}
        assert isinstance(delivered, Accepted) and isinstance(failed, Accepted)
        assert by_ref[delivered.refs[0]] is ReceiptStatus.DELIVERED
        assert by_ref[failed.refs[0]] is ReceiptStatus.FAILED


async def test_references_in_two_notations_meet_by_the_carriers_setting(smsc: Smsc) -> None:
    peer = smsc(ids="hex_then_decimal")
    async with carrier(peer.port, ids="hex_then_decimal") as (made, told):
        outcome = await made.submit(text(1))
        await told.until(lambda t: t.receipts)
        assert isinstance(outcome, Accepted)
        assert told.receipts[0].ref == outcome.refs[0]


@pytest.mark.promise("S7")
@pytest.mark.parametrize("long", ["udh8", "udh16", "sar", "payload"])
async def test_long_texts_arrive_whole(smsc: Smsc, long: str) -> None:
    body = "订单已发出，请注意查收。" * 20
    peer = smsc()
    async with carrier(peer.port, long=long) as (made, told):
        outcome = await made.submit(text(7, body))
        assert isinstance(outcome, Accepted)
        await told.until(lambda t: len(t.receipts) == len(outcome.refs))
    seen = peer.ask("seen")["seen"]
    assert "".join(s["text"] for s in seen) == body
    assert len(seen) == len(outcome.refs) == (1 if long == "payload" else 4)
    if long == "udh8":
        assert [s["udh"] for s in seen] == [[f"0003070{4}0{i}"] for i in range(1, 5)]
    if long == "sar":
        assert [s["sar"] for s in seen] == [[7, i, 4] for i in range(1, 5)]


@pytest.mark.promise("S7")
async def test_what_the_carrier_refuses_and_what_it_puts_off_are_told_apart(smsc: Smsc) -> None:
    peer = smsc(rules={"1": {"status": 0x0B}, "2": {"throttle_first": True}, "3": {"status": 0x14}})
    async with carrier(peer.port) as (made, _):
        refused, throttled, full = await submit_all(made, [text(1), text(2), text(3)])
        assert isinstance(refused, Rejected)
        assert (refused.code, refused.reason) == ("0x0000000B", "Invalid Destination Address")
        assert throttled == Returned("0x00000058", 0.1)
        assert isinstance(full, Returned)
        assert isinstance(await made.submit(text(2)), Accepted)


async def test_a_part_that_is_throttled_behind_one_that_was_taken_is_sent_again_by_itself(smsc: Smsc) -> None:
    peer = smsc(rate=1)
    async with carrier(peer.port, throttle_s=0.4) as (made, _):
        outcome = await made.submit(text(1, "x" * 200))
        assert isinstance(outcome, Accepted)
        assert len(outcome.refs) == 2
        assert peer.figures()["accepted"] == 2


@pytest.mark.promise("S7")
async def test_a_connection_that_dies_before_the_answer_leaves_a_doubt_and_is_made_anew(smsc: Smsc) -> None:
    peer = smsc(rules={"5": {"drop": True}})
    async with carrier(peer.port) as (made, told):
        assert await made.submit(text(5)) == Lost()
        await told.until(lambda t: not t.health.up)
        assert isinstance(await made.submit(text(6)), Returned)
        await told.until(lambda t: t.health.up)
        assert isinstance(await made.submit(text(6)), Accepted)


async def test_an_answer_that_never_comes_is_a_doubt_after_the_carriers_time(smsc: Smsc) -> None:
    peer = smsc(answers=False)
    async with carrier(peer.port, answer_s=0.6) as (made, told):
        assert await made.submit(text(1)) == Lost()
        assert told.health.up  # it answers enquire_link: the connection is good


@pytest.mark.promise("S7")
@pytest.mark.parametrize(
    ("given", "settings", "detail"),
    [
        ({}, {"password": "wrong"}, "Invalid Password"),
        ({}, {"system_id": "nobody"}, "Invalid System ID"),
        ({"bind_status": 0x0D}, {}, "Bind Failed"),
        ({"bind_status": 0x05}, {}, "Already in Bound State"),
    ],
)
async def test_a_refused_bind_says_why(
    smsc: Smsc, given: dict[str, Any], settings: dict[str, Any], detail: str
) -> None:
    peer = smsc(**given)
    async with carrier(peer.port, up=False, **settings) as (made, told):
        await told.until(lambda t: "bind refused" in t.health.detail)
        assert detail.lower() in told.health.detail.lower()
        assert not told.health.up
        assert isinstance(await made.submit(text(1)), Returned)


async def test_a_carrier_that_is_not_there_is_tried_until_it_is(smsc: Smsc) -> None:
    port = a_port()
    async with carrier(port, up=False) as (_, told):
        await told.until(lambda t: "can't connect" in t.health.detail)
        smsc(port=port)
        await told.until(lambda t: t.health.up)


@pytest.mark.promise("S7")
async def test_a_window_is_never_overrun(smsc: Smsc) -> None:
    peer = smsc(answer_delay_ms=30)
    async with carrier(peer.port, window=5, binds=2) as (made, told):
        await told.until(lambda t: t.health.binds_up == 2)
        busy = asyncio.gather(*(made.submit(text(n)) for n in range(60)))
        most = 0
        while not busy.done():
            binds = [k.bind for k in made.links if k.bind is not None]
            most = max(most, *(b.out for b in binds))
            await asyncio.sleep(0)
        assert all(isinstance(o, Accepted) for o in busy.result())
        assert most == 5


@pytest.mark.promise("S7")
async def test_transmitter_and_receiver_are_two_connections(smsc: Smsc) -> None:
    peer = smsc()
    async with carrier(peer.port, mode="transmitter_receiver") as (made, told):
        await told.until(lambda t: (t.health.binds_up, t.health.binds) == (2, 2))
        await made.submit(text(1))
        await told.until(lambda t: t.receipts)
        commands = {peer.wait_for("bind")["command"] for _ in range(2)}
        assert commands == {"bind_transmitter", "bind_receiver"}


@pytest.mark.promise("S7")
async def test_links_are_enquired_both_ways_and_unbound_by_either_side(smsc: Smsc) -> None:
    peer = smsc()
    async with carrier(peer.port, enquire_link_s=1) as (made, told):
        peer.tell("enquire")
        await asyncio.to_thread(peer.wait_for, "enquired")
        end = time.monotonic() + 5
        while not (await asyncio.to_thread(peer.figures))["enquiries"]:
            assert time.monotonic() < end
        peer.tell("unbind")
        await told.until(lambda t: not t.health.up)
        await told.until(lambda t: t.health.up)
        assert isinstance(await made.submit(text(1)), Accepted)


@pytest.mark.promise("S7")
async def test_incoming_texts_and_parts_are_the_carriers_until_they_are_stored(smsc: Smsc) -> None:
    peer = smsc()
    async with carrier(peer.port) as (_, told):
        peer.tell("deliver", {"from": "8613900000001", "to": "10690001", "text": "退订", "dc": 8})
        peer.tell("deliver", {"from": "8613900000001", "to": "10690001", "parts": ["first ", "second"], "ref": 3})
        peer.tell(
            "deliver", {"from": "8613900000001", "to": "10690001", "parts": ["one ", "two"], "ref": 4, "sar": True}
        )
        await told.until(lambda t: len(t.inbound) == 5)
        assert [(i.body, i.part and (i.part.ref, i.part.number, i.part.total)) for i in told.inbound] == [
            ("退订", None), ("first ", (3, 1, 2)), ("second", (3, 2, 2)), ("one ", (4, 1, 2)), ("two", (4, 2, 2)),
        ]  # fmt: skip
        assert {(i.sender, i.to) for i in told.inbound} == {("+8613900000001", "10690001")}
        # Told to the SMSC only once they are stored.
        end = time.monotonic() + 5
        while (stored := (await asyncio.to_thread(peer.figures))["inbound_stored"]) < 5:
            assert time.monotonic() < end
        assert stored == 5


@pytest.mark.promise("S7")
async def test_a_receipt_that_can_not_be_stored_is_asked_for_again(smsc: Smsc) -> None:
    peer = smsc()
    async with carrier(peer.port) as (made, told):
        told.away = True
        await made.submit(text(1))
        end = time.monotonic() + 5
        while not (figures := await asyncio.to_thread(peer.figures))["receipts_refused"]:
            assert time.monotonic() < end
        assert figures["receipts_stored"] == 0
        assert not told.receipts


# -- TLS


def certificate(host: str) -> tuple[str, str]:
    """A self-signed certificate for `host` and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


@pytest.mark.promise("S7")
async def test_a_carrier_is_bound_over_tls_by_its_certificate_and_name(smsc: Smsc) -> None:
    cert, key = certificate("localhost")
    peer = smsc(cert=cert, key=key)
    async with carrier(peer.port, host="localhost", tls=True, ca=cert) as (made, told):
        assert isinstance(await made.submit(text(1)), Accepted)
        await told.until(lambda t: t.receipts)


@pytest.mark.promise("S7")
@pytest.mark.parametrize("wrong", ["unknown", "other name", "no tls"])
async def test_a_carrier_that_can_not_prove_who_it_is_gets_no_password(smsc: Smsc, wrong: str) -> None:
    cert, key = certificate("smsc.example" if wrong == "other name" else "localhost")
    peer = smsc(**({} if wrong == "no tls" else {"cert": cert, "key": key}))
    ca = certificate("localhost")[0] if wrong == "unknown" else cert
    async with carrier(peer.port, up=False, host="localhost", tls=True, ca=ca, connect_s=2) as (_, told):
        expected = "can't connect" if wrong == "no tls" else "certificate"
        await told.until(lambda t: expected in t.health.detail)
        assert not told.health.up
    assert peer.figures()["binds"] == 0


def test_a_certificate_that_is_none_is_a_fault_of_the_settings() -> None:
    good, _ = certificate("localhost")
    given = {"host": "x", "port": 1, "system_id": "x", "tls": True}
    assert smpp.faults({**given, "ca": good}) == {}
    assert "ca" in smpp.faults({**given, "ca": "-----BEGIN nothing"})
    assert isinstance(ssl.create_default_context(cadata=good), ssl.SSLContext)


# -- smpp34


@pytest.fixture
def smpp34_smsc() -> Iterator[tuple[int, IO[bytes]]]:
    """The port of an SMSC over smpp34, and what it tells."""
    port = a_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.peers.smsc_smpp34", str(port)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"listening" in process.stdout.readline()
    yield port, process.stdout
    process.kill()
    process.wait()


@pytest.mark.promise("S7")
async def test_a_second_implementation_takes_refuses_and_reports_as_the_first(
    smpp34_smsc: tuple[int, IO[bytes]],
) -> None:
    port, events = smpp34_smsc
    async with carrier(port, window=10) as (made, told):
        bodies = {n: "长短信" * 40 if n % 10 == 5 else f"Hello {n} €" for n in range(60)}
        outcomes = await submit_all(made, [text(n, body) for n, body in bodies.items()])
        refs = {ref: n for n, o in enumerate(outcomes) if isinstance(o, Accepted) for ref in o.refs}
        assert all(isinstance(o, Rejected) == (n % 10 == 7) for n, o in enumerate(outcomes))
        await told.until(lambda t: len(t.receipts) == len(refs))
        for receipt in told.receipts:
            expected = ReceiptStatus.FAILED if refs[receipt.ref] % 10 == 3 else ReceiptStatus.DELIVERED
            assert receipt.status is expected
        parts = [json.loads(await asyncio.to_thread(events.readline)) for _ in refs]
    assert sum(p["to"] == "8613800000005" for p in parts) == 2
    assert {bytes.fromhex(p["message"]) for p in parts if p["to"].endswith("11")} == {b"Hello 11 \x1b\x65"}


# -- an SMSC that misbehaves

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def hostile(serve: Serve) -> AsyncIterator[int]:
    """A server that lets everybody bind, and then does what `serve` says."""

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bind = await read_pdu(reader)
        writer.write(smpp_pdu.pdu(bind.command | smpp_pdu.RESPONSE, 0, bind.sequence, b"evil\x00"))
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    port = a_port()
    server = await asyncio.start_server(on_connect, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()


async def read_pdu(reader: asyncio.StreamReader) -> smpp_pdu.Pdu:
    head = await reader.readexactly(16)
    length, command, status, sequence = struct.unpack(">IIII", head)
    return smpp_pdu.Pdu(command, status, sequence, await reader.readexactly(length - 16))


@pytest.mark.promise("S7")
async def test_answers_with_wrong_sequence_numbers_settle_nothing() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received = await read_pdu(reader)
            if received.command == smpp_pdu.SUBMIT_SM:
                for sequence in (received.sequence + 1000, 0, 0xFFFFFFFF, received.sequence, received.sequence):
                    ref = b"right\x00" if sequence == received.sequence else b"wrong\x00"
                    writer.write(smpp_pdu.pdu(received.command | smpp_pdu.RESPONSE, 0, sequence, ref))
            elif received.command in (smpp_pdu.UNBIND, smpp_pdu.ENQUIRE_LINK):
                writer.write(smpp_pdu.pdu(received.command | smpp_pdu.RESPONSE, 0, received.sequence))

    async with hostile(serve) as port, carrier(port) as (made, _):
        outcomes = await submit_all(made, [text(n) for n in range(10)])
        assert outcomes == [Accepted(("right",))] * 10


@pytest.mark.promise("S7")
async def test_what_we_do_not_know_is_answered_with_generic_nack_and_the_link_stays() -> None:
    answers: list[smpp_pdu.Pdu] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(smpp_pdu.pdu(0x00000777, 0, 41))  # no such command
        writer.write(smpp_pdu.pdu(smpp_pdu.DELIVER_SM, 0, 42, b"\x01\x02"))  # ends too early
        writer.write(smpp_pdu.pdu(smpp_pdu.DELIVER_SM, 0, 43))
        writer.write(smpp_pdu.pdu(smpp_pdu.ALERT_NOTIFICATION, 0, 44, b"\x00\x00\x00"))
        writer.write(smpp_pdu.pdu(0x80000777, 0, 45))
        for _ in range(3):
            answers.append(await read_pdu(reader))
        submitted = await read_pdu(reader)
        writer.write(smpp_pdu.pdu(submitted.command | smpp_pdu.RESPONSE, 0, submitted.sequence))  # no reference
        await read_pdu(reader)

    async with hostile(serve) as port, carrier(port) as (made, _):
        outcome = await made.submit(text(1))
    assert [(a.command, a.status, a.sequence) for a in answers] == [
        (smpp_pdu.GENERIC_NACK, 0x03, 41),
        (smpp_pdu.DELIVER_SM | smpp_pdu.RESPONSE, 0x65, 42),
        (smpp_pdu.DELIVER_SM | smpp_pdu.RESPONSE, 0x65, 43),
    ]
    assert outcome == Accepted(("",))


async def test_a_generic_nack_is_the_answer_to_what_it_names() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received = await read_pdu(reader)
            writer.write(smpp_pdu.pdu(smpp_pdu.GENERIC_NACK, 0x02, received.sequence))

    async with hostile(serve) as port, carrier(port) as (made, _):
        assert isinstance(await made.submit(text(1)), Rejected)


_CHUNKS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=80),
        st.builds(
            smpp_pdu.pdu,
            st.sampled_from([*range(12), 0x15, 0x103, 0x80000004, 0x80000000, 0x80000015, 0x102]),
            st.integers(0, 0xFFFFFFFF),
            st.integers(0, 0xFFFFFFFF),
            st.binary(max_size=120),
        ),
    ),
    max_size=12,
)


@pytest.mark.promise("S7")
def test_no_bytes_of_a_carrier_end_the_process() -> None:
    """Whatever comes, the text has an outcome, nothing is raised in the loop, and the next connection works."""

    @given(_CHUNKS)
    @hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def fuzz(chunks: list[bytes]) -> None:
        asyncio.run(one(chunks))

    async def one(chunks: list[bytes]) -> None:
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        connections = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            if connections == 1:
                for chunk in chunks:
                    writer.write(chunk)
                await writer.drain()
                return
            while True:
                received = await read_pdu(reader)
                writer.write(smpp_pdu.pdu(received.command | smpp_pdu.RESPONSE, 0, received.sequence, b"9\x00"))

        async with hostile(serve) as port, carrier(port, again_s=0.05) as (made, told):
            await made.submit(text(1))
            await told.until(lambda t: connections > 1 and t.health.up)
            assert await made.submit(text(2)) == Accepted(("9",))
        assert not faults

    fuzz()
