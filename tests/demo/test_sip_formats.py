"""Registration, session descriptions, and what the carrier's SIP agent does with damaged messages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.sip.message import BadMessage, Message, parse
from demo.sip.sdp import Audio, BadSdp, read
from tests.demo.wire import PEER, PHONE, SDP, Wire


def register(wire: Wire, cseq: int, expires: int = 60, credentials: str = "") -> Message:
    wire.send(
        f"""REGISTER sip:127.0.0.1 SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKr{cseq}
        From: <sip:alice@127.0.0.1>;tag=r
        To: <sip:alice@127.0.0.1>
        Call-ID: register
        CSeq: {cseq} REGISTER
        Contact: <sip:alice@127.0.0.1:5080;transport=UDP>
        Expires: {expires}{chr(10) + credentials if credentials else ""}"""
    )
    return wire.sent()[0]


def credentials(challenge: Message, password: str, qop: bool) -> str:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    nonce = re.findall(r'nonce="([^"]+)"', challenge.get("www-authenticate"))[0]
    middle = f"{nonce}:00000001:abc:auth" if qop else nonce
    proof = md5(f"{md5(f'alice:demo-carrier:{password}')}:{middle}:{md5('REGISTER:sip:127.0.0.1')}")
    more = ', qop=auth, nc=00000001, cnonce="abc"' if qop else ""
    return f'Authorization: Digest username="alice", nonce="{nonce}", uri="sip:127.0.0.1", response="{proof}"{more}'


@pytest.mark.parametrize("qop", [True, False])
def test_registration_is_challenged_proved_kept_until_it_expires_and_taken_back(qop: bool) -> None:
    wire = Wire()
    registrar = wire.registrar
    challenge = register(wire, 1)
    assert challenge.status == 401
    assert register(wire, 2, credentials=credentials(challenge, "wrong", qop)).status == 403
    assert registrar.find("alice", wire.now) is None
    assert register(wire, 3, credentials=credentials(challenge, "secret", qop)).status == 200
    binding = registrar.find("alice", wire.now + 59)
    assert binding and binding.address == PHONE and registrar.find("alice", wire.now + 61) is None
    assert register(wire, 4, expires=0, credentials=credentials(challenge, "secret", qop)).status == 200
    assert registrar.find("alice", wire.now) is None
    wire.now += 400
    again = register(wire, 5, credentials=credentials(challenge, "secret", qop))
    assert again.status == 401 and "stale=true" in again.get("www-authenticate")


@given(st.binary(max_size=300))
def test_no_datagram_whatever_breaks_the_agent(data: bytes) -> None:
    wire = Wire()
    for prefix in (b"", b"INVITE sip:1@h SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n"):
        wire.endpoint.receive(prefix + data, PEER, wire.now)
    assert wire.events() == []


@given(st.data())
def test_no_damaged_invite_breaks_the_agent(data: st.DataObject) -> None:
    wire = Wire()
    wire.request("INVITE", body=SDP)
    invite = bytearray(b"INVITE sip:1@127.0.0.1 SIP/2.0\r\n" + wire.sent()[0].encode().split(b"\r\n", 1)[1])
    for _ in range(data.draw(st.integers(1, 6))):
        invite[data.draw(st.integers(0, len(invite) - 1))] = data.draw(st.integers(0, 255))
    wire.endpoint.receive(bytes(invite), PEER, wire.now)
    wire.wait(100)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("CSeq: 1", "CSeq: one"),
        lambda text: text.replace("1 OPTIONS", "1 INVITE"),
        lambda text: text.replace("Via", "Vio"),
        lambda text: text.replace("SIP/2.0/UDP", "HTTP"),
        lambda text: text.replace("Content-Length: 0", "Content-Length: 5"),
        lambda text: text.replace("Call-ID: one@far", "Call-ID one"),
    ],
)
def test_what_can_not_be_answered_is_not_a_message(damage: Callable[[str], str]) -> None:
    good = (
        "OPTIONS sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        "Call-ID: one@far\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    assert parse(good.encode()).method == "OPTIONS"
    with pytest.raises(BadMessage):
        parse(damage(good).encode())


def test_session_descriptions_are_read_and_mirrored() -> None:
    offer = read(
        "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\na=sendrecv\r\n"
        "m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n"
        "m=video 4002 RTP/AVP 34\r\nc=IN IP4 10.0.0.8\r\na=inactive\r\n"
    )
    assert offer == Audio(("10.0.0.9", 4000), 8, 96, "sendonly")
    answer = offer.answered_from(("127.0.0.1", 5000))
    assert answer.direction == "recvonly" and read(answer.write()) == answer
    assert read(SDP.replace("127.0.0.1", "0.0.0.0")).direction == "inactive"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AVP 0 101", "AVP 18"),
        ("m=audio 4000", "m=audio 0"),
        ("RTP/AVP", "RTP/SAVP"),
        ("c=IN IP4 127.0.0.1", "c=IN IP6 ::1"),
        ("c=IN IP4 127.0.0.1", "c=IN IP4 999.1.1.1"),
        ("m=audio", "m=image"),
    ],
)
def test_unusable_session_descriptions_are_refused(old: str, new: str) -> None:
    with pytest.raises(BadSdp):
        read(SDP.replace(old, new))
