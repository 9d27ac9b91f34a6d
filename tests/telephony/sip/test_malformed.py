"""Broken and hostile packets: the port goes on, and calls go on beside them."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from callcenter.telephony.ports import LegAnswered, LegEnded, SipEvent
from tests.sip.sipp import Sipp, recv, scenario, sdp, send, send_reply
from tests.telephony.sip.harness import Engine, run, running, trunk

pytestmark = pytest.mark.interop

INVITE = (
    "INVITE sip:4000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
    'From: "A" <sip:1@127.0.0.1>;tag={n}\r\nTo: <sip:4000@127.0.0.1>\r\nCall-ID: {n}@fuzz\r\nCSeq: 1 INVITE\r\n'
    "Contact: <sip:1@127.0.0.1:{port}>\r\nRecord-Route: <sip:127.0.0.1;lr>\r\nContent-Type: application/sdp\r\n"
    "Content-Length: 84\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
    "c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
)
RESPONSE = (
    "SIP/2.0 {status} OK\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{n}\r\nFrom: <sip:1@127.0.0.1>;tag=a\r\n"
    "To: <sip:2@127.0.0.1>;tag=b{n}\r\nCall-ID: {n}@fuzz\r\nCSeq: 1 INVITE\r\nContact: <sip:2@127.0.0.1:{port}>\r\n"
    "WWW-Authenticate: Digest realm=\"x\",nonce=\"y\"\r\nContent-Length: 0\r\n\r\n"
)  # fmt: skip
OK = "SIP/2.0 200 OK\r\n{Via}\r\n{From}\r\n{Call_ID}\r\n{CSeq}\r\n"


def _mutations(seed: int, port: int) -> list[bytes]:
    """Packets that are almost right: cut, doubled, with bytes, lines and words changed."""
    rng = random.Random(seed)
    words = [
        b"\x00",
        b"\xff\xfe",
        b"\r\n",
        b";",
        b"<",
        b'"',
        b"@",
        b"999999999999999999999",
        b"-1",
        b":",
        b",,",
        b"sip:",
        b"tag=",
    ]
    packets = [
        b"",
        b"\r\n\r\n",
        b"A" * 60_000,
        b"\x00" * 400,
        b"SIP/2.0 200",
        b"SIP/2.0 abc OK\r\n" + b"x" * 40,
    ]
    for number in range(400):
        text = rng.choice(
            [
                INVITE,
                INVITE.replace("INVITE", rng.choice(["OPTIONS", "BYE", "ACK", "CANCEL", "UPDATE", "WHAT"])),
                RESPONSE,
            ]
        )
        raw = bytearray(
            text.format(port=port, n=f"{seed}{number}", status=rng.choice([100, 180, 200, 302, 401, 486, 700])).encode()
        )
        for _ in range(rng.randint(1, 6)):
            where = rng.randrange(len(raw))
            kind = rng.randrange(4)
            if kind == 0:
                raw[where : where + rng.randint(1, 30)] = b""
            elif kind == 1:
                raw[where:where] = rng.choice(words)
            elif kind == 2:
                raw[where] = rng.randrange(256)
            else:
                lines = bytes(raw).split(b"\r\n")
                lines.pop(rng.randrange(len(lines)))
                raw = bytearray(b"\r\n".join(lines))
            if not raw:
                break
        packets.append(bytes(raw))
    return packets


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_malformed_packets_never_stop_the_port(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    async def check() -> None:
        steps = (recv("INVITE"), send(180), send(200, body=sdp()), recv("ACK"), recv("BYE"), send_reply())
        carrier = await Sipp.start(scenario(*steps))
        async with running() as engine:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
                noise.bind(("127.0.0.1", 0))
                noise.setblocking(False)
                port = noise.getsockname()[1]
                engine.call(carrier.port)
                await engine.wait(LegAnswered)
                for index, packet in enumerate(_mutations(seed, port)):
                    noise.sendto(packet, ("127.0.0.1", engine.port.port))
                    if index % 20 == 0:
                        await asyncio.sleep(0.002)
                await asyncio.sleep(0.1)
            assert engine.of(LegEnded, "leg") == []
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())
    out, _ = capfd.readouterr()
    assert out == "", "the SIP library must not print packets"


async def _answer_with(engine: Engine, text: str) -> SipEvent:
    """Call a raw socket that answers the INVITE with `text` in place of a proper response."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(("127.0.0.1", 0))
        carrier.setblocking(False)
        engine.port.set_trunks({1: trunk(carrier.getsockname()[1])})
        engine.call(carrier.getsockname()[1])
        data, source = await asyncio.wait_for(loop.sock_recvfrom(carrier, 4096), 3)
        lines = {line.split(":")[0]: line for line in data.decode().split("\r\n") if ":" in line}
        fields = {name: lines[name] for name in ("Via", "From", "To", "Call-ID", "CSeq")}
        for _ in range(2):
            carrier.sendto(text.format(**{k.replace("-", "_"): v for k, v in fields.items()}).encode(), source)
        return await engine.ended()


@pytest.mark.parametrize(
    "text",
    [
        OK + "{To};tag=b\r\nContact: <<<broken\r\nContent-Length: 0\r\n\r\n",
        OK + "{To};tag=b\r\nRecord-Route: nonsense\r\nContent-Length: 0\r\n\r\n",
        OK + "{To}\r\nContent-Length: 0\r\n\r\n",
        OK.replace("200 OK", "401 No") + "{To};tag=b\r\nWWW-Authenticate: Basic\r\n\r\n",
        OK.replace("200 OK", "486") + "{To};tag=b\r\nContact: \r\n\r\n",
        OK + "{To};tag=b\r\nContact: <sip:x@127.0.0.1:99999999>\r\n\r\n",
        OK + "{To};tag=b\r\nContact: <sip:x@999.0.0.1>\r\n\r\n",
    ],
    ids=["contact", "route", "no tag", "basic", "no reason", "port", "host"],
)
def test_broken_final_response_still_ends_the_leg(text: str) -> None:
    async def check() -> None:
        async with running(no_response_s=1.5, cancel_grace_s=0.3) as engine:
            engine.port.set_trunks({1: trunk(5060, username="u", password="p")})
            await _answer_with(engine, text)

    run(check())
