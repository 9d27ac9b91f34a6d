"""The CMPP carrier against a gateway that reads submissions with implementations that are not ours."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.embedded.services import free_port
from smsgateway.carriers import cmpp, cmpp_pdu
from smsgateway.carriers import settings as declared
from smsgateway.carriers.port import (
    Accepted,
    Health,
    Inbound,
    Listener,
    Lost,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Rejected,
    Returned,
)
from smsgateway.texts import Kind

pytestmark = pytest.mark.promise("S7")
GATEWAY = Path(__file__).parents[2] / "peers" / "cmpp_gateway.py"
SECRET = "s3cr3t"
both = pytest.mark.parametrize("version", ["2.0", "3.0"])


class Peer:
    """The gateway's process, what it said, and what our carrier told."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self.said: list[dict[str, Any]] = []
        self.receipts: list[Receipt] = []
        self.texts: list[Inbound] = []
        self.health: list[Health] = []
        self.failing = False
        self._news = asyncio.Event()

    async def read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said.append(json.loads(line))
            self._news.set()

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [s for s in self.said if s["event"] == kind]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def receipt(self, receipt: Receipt) -> None:
        if self.failing:
            raise RuntimeError("the database is away")
        self.receipts.append(receipt)
        self._news.set()

    async def inbound(self, text: Inbound) -> None:
        self.texts.append(text)
        self._news.set()

    def told(self, health: Health) -> None:
        self.health.append(health)
        self._news.set()

    def order(self, **what: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what).encode() + b"\n")


@asynccontextmanager
async def connected(**given: Any) -> AsyncIterator[tuple[Peer, cmpp.Cmpp]]:
    """A gateway and a carrier that is connected to it."""
    port = free_port(22100)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(GATEWAY),
        str(port),
        SECRET,
        given.get("version", "2.0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    peer = Peer(process, port)
    reading = asyncio.create_task(peer.read())
    settings = {
        "host": "127.0.0.1", "port": port, "sp_id": "901234", "shared_secret": SECRET, "sp_number": "1069",
        "again_s": 0.1, **given,
    }  # fmt: skip
    carrier = cmpp.Cmpp(
        declared.whole(cmpp.SETTINGS, settings), 10, Listener(peer.receipt, peer.inbound, peer.told), "test"
    )
    try:
        await peer.until(lambda: bool(peer.events("ready")))
        await carrier.start()
        if settings["shared_secret"] == SECRET:
            await peer.until(lambda: any(h.up for h in peer.health))
        yield peer, carrier
    finally:
        await carrier.stop(1)
        process.kill()
        await process.wait()
        reading.cancel()


def text(phone: str, body: str = "您好") -> Outgoing:
    return Outgoing(1, phone, "10690088", Kind.SMS, body, "ucs2", 1, 1_800_000_000.0)


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test(), 30))


@both
def test_a_text_is_accepted_and_its_receipt_is_found_by_the_same_reference(version: str) -> None:
    async def check() -> None:
        async with connected(version=version) as (peer, carrier):
            outcome = await carrier.submit(text("+8613800138000"))
            assert isinstance(outcome, Accepted)
            await peer.until(lambda: bool(peer.receipts))
            assert (peer.receipts[0].ref, peer.receipts[0].status) == (outcome.refs[0], ReceiptStatus.DELIVERED)
            await peer.until(lambda: bool(peer.events("submit")))
            submit = peer.events("submit")[0]
            assert (submit["phone"], submit["source"], submit["sp"]) == ("13800138000", "10690088", "901234")
            assert bytes.fromhex(submit["content"]).decode("utf-16-be") == "您好" and submit["receipt"] == 1
            assert peer.events("connect")[0]["right"]
            await peer.until(lambda: bool(peer.events("deliver_answer")))
            assert peer.events("deliver_answer")[0]["result"] == 0
            await carrier.stop(1)
            await peer.until(lambda: bool(peer.events("terminate")))

    run(check)


@both
@pytest.mark.parametrize(
    ("body", "chinese", "form", "decode"),
    [
        ("长" * 200 + "😀" * 3, "ucs2", 8, "utf-16-be"),
        ("长" * 200, "gb18030", 15, "gb18030"),
        ("long " * 70, "ucs2", 0, "ascii"),
    ],
)
def test_a_long_text_goes_in_parts_with_one_reference_each(
    body: str, chinese: str, form: int, decode: str, version: str
) -> None:
    async def check() -> None:
        async with connected(version=version, chinese=chinese) as (peer, carrier):
            outcome = await carrier.submit(text("+8613800138000", body))
            assert isinstance(outcome, Accepted)
            await peer.until(lambda: len(peer.events("submit")) == len(outcome.refs))
            parts = sorted(peer.events("submit"), key=lambda s: s["number"])
            assert len(parts) == len(set(outcome.refs)) == parts[0]["total"] > 1
            raws = [bytes.fromhex(p["content"]) for p in parts]
            assert {p["format"] for p in parts} == {form} and {p["udhi"] for p in parts} == {1}
            assert [r[:6][3:] for r in raws] == [bytes([raws[0][3], len(raws), n + 1]) for n in range(len(raws))]
            assert "".join(r[6:].decode(decode) for r in raws) == body

    run(check)


@both
def test_what_the_gateway_refuses_puts_off_or_never_answers_is_told_apart(version: str) -> None:
    async def check() -> None:
        async with connected(version=version) as (peer, carrier):
            assert await carrier.submit(text("+8613800138001")) == Returned("8", 1.0)
            assert isinstance(await carrier.submit(text("+8613800138001")), Accepted)
            assert await carrier.submit(text("+8613800138002")) == Rejected("13", "wrong destination")
            early = await carrier.submit(text("+8613800138005"))
            await peer.until(lambda: any(r.code == "UNDELIV" for r in peer.receipts))
            assert isinstance(early, Accepted)
            assert [r.ref for r in peer.receipts if r.status is ReceiptStatus.FAILED] == list(early.refs)
            assert await carrier.submit(text("+8613800138003")) == Lost()
            assert await carrier.submit(text("+8613800138000")) == Returned("not_connected", 0.1)
            await peer.until(lambda: len(peer.events("connect")) == 2 and peer.health[-1].up)
            assert isinstance(await carrier.submit(text("+8613800138000")), Accepted)

    run(check)


@both
def test_a_wrong_secret_is_named_and_nothing_is_sent(version: str) -> None:
    async def check() -> None:
        async with connected(version=version, shared_secret="other") as (peer, carrier):
            await peer.until(lambda: any("wrong secret" in h.detail for h in peer.health))
            assert isinstance(await carrier.submit(text("+8613800138000")), Returned)

    run(check)


@both
def test_texts_come_in_part_by_part_and_in_any_alphabet(version: str) -> None:
    async def check() -> None:
        async with connected(version=version) as (peer, _):
            peer.order(
                **{"from": "13900139000"}, to="10690088", parts=["退订".encode("gb18030").hex()], format=15, udhi=0
            )
            header = "0500032a02"
            parts = [header + n + t.encode("utf-16-be").hex() for n, t in (("02", "世界"), ("01", "你好，"))]
            peer.order(**{"from": "8613900139001"}, to="10690088", parts=parts, format=8, udhi=1)
            await peer.until(lambda: len(peer.texts) == 3)
            assert [(t.sender, t.to, t.body, t.part and (t.part.ref, t.part.number)) for t in peer.texts] == [
                ("+8613900139000", "10690088", "退订", None),
                ("+8613900139001", "10690088", "世界", (0x2A, 2)),
                ("+8613900139001", "10690088", "你好，", (0x2A, 1)),
            ]

    run(check)


def test_what_can_not_be_stored_is_not_acknowledged() -> None:
    async def check() -> None:
        async with connected() as (peer, carrier):
            peer.failing = True
            await carrier.submit(text("+8613800138000"))
            await peer.until(lambda: bool(peer.events("deliver_answer")))
            assert peer.events("deliver_answer")[0]["result"] == cmpp_pdu.FLOW_CONTROL

    run(check)


@given(st.binary(max_size=200))
def test_no_bytes_are_read_as_more_than_they_are(raw: bytes) -> None:
    splitter = cmpp_pdu.Splitter()
    try:
        for received in splitter.feed(raw):
            assert len(received.body) <= len(raw)
            cmpp_pdu.deliver(received.body, cmpp_pdu.Version.V2)
    except cmpp_pdu.Malformed:
        pass
    for version in cmpp_pdu.Version:
        try:
            message = cmpp_pdu.deliver(raw, version)
            cmpp.read(message, 60)
            cmpp_pdu.report(message.content)
        except cmpp_pdu.Malformed:
            pass


def test_version_3_has_its_own_lengths() -> None:
    part = cmpp_pdu.Submit(1, 1, True, "svc", "901234", "1069", "13800138000", 8, b"\x4f\x60", False)
    two, three = (cmpp_pdu.submit(part, v) for v in (cmpp_pdu.Version.V2, cmpp_pdu.Version.V3))
    assert len(three) - len(two) == 11 + 1 + 11 + 1 + 12
    assert cmpp_pdu.submit_answer(bytes(7) + b"\x05" + bytes(4)) == (5, 0)
    assert cmpp_pdu.connect_answer(bytes(3) + b"\x03" + bytes(17), cmpp_pdu.Version.V3) == 3
