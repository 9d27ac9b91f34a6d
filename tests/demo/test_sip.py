"""The carrier's SIP agent against the rules of RFC 3261, message by message, on a clock that is moved by hand."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.sip.call import Acked, Answered, Call, Ended, Failed, Invited, Progressed, Reoffered
from demo.sip.endpoint import Endpoint
from demo.sip.message import BadMessage, Message, parse
from demo.sip.registrar import Registrar
from demo.sip.sdp import Audio, BadSdp, read

PEER = ("127.0.0.1", 5070)
PHONE = ("127.0.0.1", 5080)
SDP = Audio(("127.0.0.1", 4000)).write()


class Wire:
    """An endpoint and the far end's view of it. `sent()` are the messages since last asked."""

    def __init__(self) -> None:
        rng = random.Random(1)
        self.endpoint = Endpoint(("127.0.0.1", 5090), Registrar({"alice": "secret"}, rng), rng)
        self.now = 100.0

    def send(self, text: str, body: str = "") -> None:
        lines = [line.strip() for line in text.strip().splitlines()]
        if body:
            lines.append("Content-Type: application/sdp")
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()
        self.endpoint.receive(data, PEER, self.now)

    def request(
        self, method: str, cseq: int = 1, *, tag: str = "", branch: str = "", body: str = "", more: str = ""
    ) -> None:
        to = f";tag={tag}" if tag else ""
        self.send(
            f"""{method} sip:13900000001@127.0.0.1:5090 SIP/2.0
            Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK{branch or method + str(cseq)};rport
            From: <sip:4000@127.0.0.1>;tag=far
            To: <sip:13900000001@127.0.0.1>{to}
            Call-ID: one@far
            CSeq: {cseq} {method}
            Contact: <sip:4000@127.0.0.1:5070>
            Max-Forwards: 70{chr(10) + more if more else ""}""",
            body,
        )

    def sent(self) -> list[Message]:
        out, self.endpoint.outbox = self.endpoint.outbox, []
        return [parse(data) for data, _ in out]

    def statuses(self) -> list[int | str]:
        return [message.status or message.method for message in self.sent()]

    def events(self) -> list[object]:
        out, self.endpoint.events = self.endpoint.events, []
        return list(out)

    def wait(self, seconds: float) -> list[int | str]:
        """Let time pass; what was sent meanwhile."""
        end = self.now + seconds
        while (due := self.endpoint.next_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            self.endpoint.run_timers(self.now)
        self.now = end
        return self.statuses()

    def invited(self) -> Call:
        self.request("INVITE", body=SDP)
        event = self.events()[0]
        assert isinstance(event, Invited) and read(event.sdp).address == ("127.0.0.1", 4000)
        assert self.statuses() == [100]
        return event.call

    def answered(self) -> Call:
        call = self.invited()
        self.endpoint.answer(call, SDP, self.now)
        assert self.statuses() == [200]
        return call

    def talking(self) -> Call:
        call = self.answered()
        self.request("ACK", tag=call.local_tag)
        assert self.events() == [Acked(call, "")]
        return call


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_answer_is_repeated_at_growing_intervals_until_its_ack(wire: Wire) -> None:
    call = wire.answered()
    assert [wire.wait(0.5), wire.wait(1.0), wire.wait(2.0), wire.wait(4.0), wire.wait(4.0)] == [[200]] * 5
    wire.request("ACK", tag=call.local_tag)
    assert wire.events() == [Acked(call, "")]
    assert wire.wait(60) == []


def test_answer_without_any_ack_is_given_up_with_bye_after_32_seconds(wire: Wire) -> None:
    call = wire.answered()
    assert wire.wait(31.9).count(200) == 10
    assert wire.wait(0.2) == ["BYE"]
    assert wire.events() == [Ended(call, "lost")]


def test_repeated_invite_gets_the_last_response_again_and_makes_no_second_call(wire: Wire) -> None:
    call = wire.invited()
    wire.endpoint.ring(call, wire.now)
    wire.request("INVITE", body=SDP)
    assert wire.statuses() == [180, 180]
    wire.endpoint.reject(call, 486, "Busy Here", wire.now)
    wire.request("INVITE", body=SDP)
    assert wire.statuses() == [486, 486]
    assert wire.events() == []


def test_same_invite_on_another_way_is_a_loop(wire: Wire) -> None:
    wire.invited()
    wire.request("INVITE", branch="elsewhere", body=SDP)
    assert wire.statuses() == [482] and wire.events() == []


def test_refusal_is_repeated_until_its_ack_and_no_longer(wire: Wire) -> None:
    wire.endpoint.reject(wire.invited(), 486, "Busy Here", wire.now)
    assert wire.wait(1.6) == [486, 486, 486]
    wire.request("ACK", branch="INVITE1")
    assert wire.wait(60) == []


def test_cancel_is_answered_and_ends_the_invite_with_487(wire: Wire) -> None:
    call = wire.invited()
    wire.endpoint.ring(call, wire.now)
    wire.request("CANCEL", branch="INVITE1")
    assert wire.statuses() == [180, 200, 487]
    assert wire.events() == [Ended(call, "cancelled")]
    wire.endpoint.answer(call, SDP, wire.now)
    assert wire.statuses() == []


def test_cancel_after_the_answer_changes_nothing(wire: Wire) -> None:
    wire.answered()
    wire.request("CANCEL", branch="INVITE1")
    assert wire.statuses() == [200] and wire.events() == []


def test_cancel_of_nothing_is_481(wire: Wire) -> None:
    wire.request("CANCEL")
    assert wire.statuses() == [481]


def test_bye_ends_the_call_and_a_repeated_one_is_answered_alike(wire: Wire) -> None:
    call = wire.talking()
    for _ in range(2):
        wire.request("BYE", 2, tag=call.local_tag)
    assert wire.statuses() == [200, 200]
    assert wire.events() == [Ended(call, "bye")]
    wire.request("BYE", 3, tag=call.local_tag)
    assert wire.statuses() == [481]


def test_bye_before_the_answer_ends_the_invite_too(wire: Wire) -> None:
    call = wire.invited()
    wire.request("BYE", 2, tag=call.local_tag)
    assert sorted(map(str, wire.statuses())) == ["200", "487"]
    assert wire.events() == [Ended(call, "bye")]


def test_our_bye_waits_for_the_ack_of_our_answer(wire: Wire) -> None:
    call = wire.answered()
    wire.endpoint.hang_up(call, wire.now)
    assert wire.statuses() == []
    wire.request("ACK", tag=call.local_tag)
    bye = wire.sent()[0]
    assert (bye.method, bye.uri, bye.to_tag, bye.from_tag) == ("BYE", "sip:4000@127.0.0.1:5070", "far", call.local_tag)
    assert wire.events() == []


def test_our_bye_is_repeated_until_it_is_answered(wire: Wire) -> None:
    call = wire.talking()
    wire.endpoint.hang_up(call, wire.now)
    bye = wire.sent()[0]
    assert wire.wait(1.6) == ["BYE", "BYE"]
    wire.send(answer_to(bye, 200))
    assert wire.wait(60) == [] and wire.events() == []


def test_reinvite_is_offered_to_the_shell_and_its_answer_repeated_until_ack(wire: Wire) -> None:
    call = wire.talking()
    wire.request("INVITE", 2, tag=call.local_tag, body=SDP.replace("sendrecv", "sendonly"))
    event = wire.events()[0]
    assert isinstance(event, Reoffered) and read(event.sdp).direction == "sendonly"
    wire.endpoint.accept_offer(call, SDP, wire.now)
    assert wire.statuses() == [200] and wire.wait(0.6) == [200]
    wire.request("ACK", 2, tag=call.local_tag)
    assert wire.wait(60) == []


def test_refused_reinvite_leaves_the_call_up(wire: Wire) -> None:
    call = wire.talking()
    wire.request("INVITE", 2, tag=call.local_tag, body=SDP)
    wire.endpoint.refuse_offer(call, wire.now)
    wire.request("ACK", 2, tag=call.local_tag, branch="INVITE2")
    assert wire.statuses() == [488] and wire.wait(40) == []
    wire.request("BYE", 3, tag=call.local_tag)
    assert wire.statuses() == [200]


def test_old_or_foreign_reinvite_is_refused(wire: Wire) -> None:
    call = wire.talking()
    wire.request("INVITE", 1, tag=call.local_tag, branch="late", body=SDP)
    wire.request("INVITE", 5, tag="stranger", body=SDP)
    assert wire.statuses() == [500, 481]


def test_offer_in_the_answer_gets_its_answer_in_the_ack(wire: Wire) -> None:
    wire.request("INVITE")
    event = wire.events()[0]
    assert isinstance(event, Invited) and event.sdp == ""
    wire.endpoint.answer(event.call, SDP, wire.now)
    wire.request("ACK", tag=event.call.local_tag, body=SDP)
    acked = wire.events()[0]
    assert isinstance(acked, Acked) and read(acked.sdp).payload_type == 0


def test_options_is_answered_and_unknown_or_impossible_requests_refused(wire: Wire) -> None:
    wire.request("OPTIONS")
    wire.request("PUBLISH")
    wire.request("INFO", tag="nobody")
    wire.request("INVITE", body=SDP, more="Require: 100rel")
    answers = wire.sent()
    assert [answer.status for answer in answers] == [200, 405, 481, 420]
    assert "INVITE" in answers[0].get("allow") and answers[3].get("unsupported") == "100rel"


def test_answer_carries_every_via_and_goes_to_where_the_request_came_from(wire: Wire) -> None:
    wire.request("OPTIONS", more="v: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKb , SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKc")
    assert wire.endpoint.outbox[0][1] == PEER
    vias = wire.sent()[0].all("via")
    assert [via.split()[1].split(";")[0] for via in vias] == ["127.0.0.1:5070", "10.0.0.1:5060", "10.0.0.2"]
    assert "rport=5070" in vias[0] and "received=127.0.0.1" in vias[0]


def answer_to(request: Message, status: int, tag: str = "phone", contact: str = "") -> str:
    to = request.get("to") + ("" if request.to_tag or status == 100 else f";tag={tag}")
    lines = [f"SIP/2.0 {status} Whatever", f"Via: {request.get('via')}", f"From: {request.get('from')}", f"To: {to}"]
    lines += [f"Call-ID: {request.call_id}", f"CSeq: {request.get('cseq')}"]
    return "\n".join([*lines, f"Contact: <{contact}>"] if contact else lines)


def calling(wire: Wire) -> tuple[Call, Message]:
    call = wire.endpoint.invite("sip:alice@127.0.0.1:5080", PHONE, "4000", SDP, wire.now)
    return call, wire.sent()[0]


def test_our_invite_is_repeated_until_something_comes_back_then_given_up(wire: Wire) -> None:
    call, _ = calling(wire)
    assert wire.wait(31.9) == ["INVITE"] * 6
    assert wire.wait(0.2) == [] and wire.events() == [Failed(call, 408, "Request Timeout")]


def test_our_call_rings_is_answered_acknowledged_and_hung_up_by_the_far_end(wire: Wire) -> None:
    call, invite = calling(wire)
    wire.send(answer_to(invite, 180))
    assert wire.events() == [Progressed(call, 180, "")] and wire.wait(20) == []
    for _ in range(2):
        wire.send(answer_to(invite, 200, contact="sip:alice@127.0.0.1:5080"), SDP)
    assert wire.statuses() == ["ACK", "ACK"]
    assert wire.events() == [Answered(call, SDP)]
    wire.send(
        f"""BYE sip:carrier@127.0.0.1:5090 SIP/2.0
        Via: {invite.get("via")}
        From: <sip:alice@127.0.0.1:5080>;tag=phone
        To: {invite.get("from")}
        Call-ID: {invite.call_id}
        CSeq: 2 BYE"""
    )
    assert wire.statuses() == [200] and wire.events() == [Ended(call, "bye")]


def test_our_refused_call_is_acknowledged_each_time_the_refusal_comes(wire: Wire) -> None:
    call, invite = calling(wire)
    for _ in range(2):
        wire.send(answer_to(invite, 486))
    acks = wire.sent()
    assert [ack.method for ack in acks] == ["ACK", "ACK"] and acks[0].branch == invite.branch
    assert wire.events() == [Failed(call, 486, "Whatever")]


def test_our_cancel_waits_for_a_provisional_response(wire: Wire) -> None:
    call, invite = calling(wire)
    wire.endpoint.hang_up(call, wire.now)
    assert wire.statuses() == []
    wire.send(answer_to(invite, 180))
    cancel = wire.sent()[0]
    assert (cancel.method, cancel.branch) == ("CANCEL", invite.branch)
    wire.send(answer_to(cancel, 200))
    wire.send(answer_to(invite, 487))
    assert wire.statuses() == ["ACK"] and wire.events() == []


def test_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up(wire: Wire) -> None:
    call, invite = calling(wire)
    wire.send(answer_to(invite, 180))
    wire.endpoint.hang_up(call, wire.now)
    wire.send(answer_to(invite, 200, contact="sip:alice@127.0.0.1:5080"), SDP)
    assert wire.statuses() == ["CANCEL", "ACK", "BYE"]
    assert [type(event) for event in wire.events()] == [Progressed]


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
def test_registration_is_challenged_proved_kept_until_it_expires_and_taken_back(wire: Wire, qop: bool) -> None:
    registrar = wire.endpoint._registrar
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
