"""The carrier's SIP agent against the rules of RFC 3261: calls to it and calls of its own."""

from __future__ import annotations

import pytest

from demo.sip.call import Acked, Answered, Call, Ended, Failed, Invited, Progressed, Reoffered
from demo.sip.message import Message
from demo.sip.sdp import read
from tests.demo.wire import PEER, PHONE, SDP, Wire, answer_to


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
