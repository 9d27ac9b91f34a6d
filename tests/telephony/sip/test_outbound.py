"""Calls to a carrier (SIPp), each with one outcome."""

from __future__ import annotations

import asyncio

import pytest

from callcenter.telephony.ports import Cause, LegAnswered, LegEarlyMedia, LegEnded, LegRinging, LegTrying, Transport
from callcenter.telephony.sip.adapter import SippyPort
from tests.sip.losing import losing
from tests.sip.sipp import Sipp, free_port, pause, recv, request, scenario, sdp, send, send_reply, send_to_invite
from tests.telephony.sip.harness import CALLEE, CALLER, LOCAL, run, running, trunk

pytestmark = pytest.mark.interop

ANSWERS = (recv("INVITE"), send(100), send(180), pause(100), send(200, body=sdp()), recv("ACK"))
HANGS_UP = (recv("BYE"), send_reply())


def test_call_rings_is_answered_and_hung_up_by_us() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            trying = await engine.wait(LegTrying)
            ringing = await engine.wait(LegRinging)
            answered = await engine.wait(LegAnswered)
            engine.port.hangup("leg")
            ended = await engine.ended()
            engine.port.hangup("leg")  # harmless
            result = await carrier.finish()
        assert (trying.dialog.state, ringing.status, answered.dialog.state) == ("early", 180, "confirmed")
        assert (answered.sdp.address.port, answered.sdp.codec) == (18000, "pcmu")
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, True)
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors
        assert "P-Asserted-Identity: <sip:+861080001111@127.0.0.1>" in result.messages
        assert "m=audio 20000 RTP/AVP 0 8 101" in result.messages

    run(check())


@pytest.mark.promise("L3")
@pytest.mark.parametrize(
    ("status", "rings", "cause"),
    [
        (486, True, Cause.BUSY),
        (600, False, Cause.BUSY),
        (480, True, Cause.NO_ANSWER),
        (408, True, Cause.NO_ANSWER),
        (603, True, Cause.DECLINED),
        (403, True, Cause.DECLINED),
        (403, False, Cause.REJECTED),
        (404, False, Cause.INVALID),
        (410, False, Cause.INVALID),
        (484, False, Cause.INVALID),
        (604, False, Cause.INVALID),
        (503, False, Cause.CONGESTION),
        (500, False, Cause.CONGESTION),
        (488, False, Cause.REJECTED),
        (302, False, Cause.REJECTED),
    ],
)
def test_each_failure_is_told_apart_and_acknowledged(status: int, rings: bool, cause: Cause) -> None:
    async def check() -> None:
        ring = (send(180),) if rings else ()
        carrier = await Sipp.start(scenario(recv("INVITE"), *ring, send(status), recv("ACK")))
        async with running() as engine:
            engine.call(carrier.port)
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.status, ended.by_us) == (cause, status, False)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_gateway_that_names_the_true_cause_in_a_reason_header_is_believed() -> None:
    async def check() -> None:
        busy = send(503, headers="Reason: Q.850;cause=17;text=&quot;User busy&quot;".replace("&quot;", '"'))
        carrier = await Sipp.start(scenario(recv("INVITE"), busy, recv("ACK")))
        async with running() as engine:
            engine.call(carrier.port)
            assert (await engine.ended()).cause is Cause.BUSY
            await carrier.finish()

    run(check())


def test_unanswered_call_is_cancelled_at_the_ring_time_out() -> None:
    async def check() -> None:
        steps = (recv("INVITE"), send(180), recv("CANCEL"), send_reply(), send_to_invite(487), recv("ACK"))
        carrier = await Sipp.start(scenario(*steps))
        async with running() as engine:
            engine.call(carrier.port, ring_timeout_s=0.3)
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.by_us) == (Cause.NO_ANSWER, True)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_hanging_up_while_it_rings_is_no_ring_time_out() -> None:
    async def check() -> None:
        steps = (recv("INVITE"), send(180), recv("CANCEL"), send_reply(), send_to_invite(487), recv("ACK"))
        carrier = await Sipp.start(scenario(*steps))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegRinging)
            engine.port.hangup("leg")
            assert (await engine.ended()).cause is Cause.CANCELLED
            assert (await carrier.finish()).successful == 1

    run(check())


def test_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    async def check() -> None:
        late = (send_to_invite(200, body=sdp()), recv("ACK"), *HANGS_UP)
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), recv("CANCEL"), send_reply(), *late))
        async with running() as engine:
            engine.call(carrier.port, ring_timeout_s=0.3)
            ended = await engine.ended()
            result = await carrier.finish()
            assert engine.of(LegAnswered) == []
            assert len(engine.of(LegEnded)) == 1
        assert (ended.cause, ended.by_us) == (Cause.NO_ANSWER, True)
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors

    run(check())


def test_answer_long_after_the_cancel_is_still_hung_up() -> None:
    async def check() -> None:
        late = (pause(800), send_to_invite(200, body=sdp()), recv("ACK"), *HANGS_UP)
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), recv("CANCEL"), send_reply(), *late))
        async with running(cancel_grace_s=0.2) as engine:
            engine.call(carrier.port, ring_timeout_s=0.2)
            ended = await engine.ended()
            result = await carrier.finish()
        assert ended.cause is Cause.NO_ANSWER
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_early_media_then_busy() -> None:
    async def check() -> None:
        steps = (recv("INVITE"), send(183, body=sdp((8,))), pause(100), send(486), recv("ACK"))
        carrier = await Sipp.start(scenario(*steps))
        async with running() as engine:
            engine.call(carrier.port)
            early = await engine.wait(LegEarlyMedia)
            assert (early.sdp.codec, early.status) == ("pcma", 183)
            assert (await engine.ended()).cause is Cause.BUSY
            assert (await carrier.finish()).successful == 1

    run(check())


def test_carrier_that_answers_twice_keeps_one_call() -> None:
    async def check() -> None:
        fork = (send_to_invite(200, body=sdp(port=19000), tag="2"), recv("ACK"), *HANGS_UP)
        carrier = await Sipp.start(scenario(*ANSWERS, *fork, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            await asyncio.sleep(0.5)
            assert engine.of(LegEnded) == []
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
            assert len(engine.of(LegAnswered)) == 1
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert result.messages.count("\nBYE sip:") == 2

    run(check())


def test_repeated_answer_is_acknowledged_again_and_told_once() -> None:
    async def check() -> None:
        again = (send_to_invite(200, body=sdp()), recv("ACK"), send_to_invite(200, body=sdp()), recv("ACK"))
        carrier = await Sipp.start(scenario(*ANSWERS, *again, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            await asyncio.sleep(0.3)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
            assert len(engine.of(LegAnswered)) == 1
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_carrier_that_never_answers_is_unreachable() -> None:
    async def check() -> None:
        async with running(no_response_s=0.6) as engine:
            engine.call(free_port())
            ended = await engine.ended()
        assert (ended.cause, ended.by_us) == (Cause.UNREACHABLE, False)

    run(check())


def test_ring_time_out_without_any_response_is_unreachable_and_not_no_answer() -> None:
    async def check() -> None:
        async with running(cancel_grace_s=0.1) as engine:
            engine.call(free_port(), ring_timeout_s=0.2)
            assert (await engine.ended()).cause is Cause.UNREACHABLE

    run(check())


@pytest.mark.parametrize(
    "body", ["", sdp((18,)), sdp((0,), ip="::1"), "rubbish\n"], ids=["none", "g729", "ip6", "rubbish"]
)
def test_answer_without_usable_media_is_hung_up(body: str) -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(recv("INVITE"), send(200, body=body), recv("ACK"), *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.status, ended.by_us) == (Cause.MEDIA_LOST, 200, True)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_trunk_over_tcp_without_a_proxy_is_refused_with_clear_words() -> None:
    async def check() -> None:
        async with running() as engine:
            engine.call(5060, transport=Transport.TCP)
            ended = await engine.ended()
        assert ended.cause is Cause.REJECTED
        assert "outbound proxy" in ended.reason

    run(check())


def test_trunk_over_tls_goes_through_its_proxy() -> None:
    async def check() -> None:
        proxy = await Sipp.start(scenario(recv("INVITE"), send(486), recv("ACK")))
        async with running() as engine:
            at = ("127.0.0.1", proxy.port)
            engine.call(5061, host="carrier.example", transport=Transport.TLS, outbound_proxy=at)
            await engine.ended()
            result = await proxy.finish()
        assert "INVITE sip:+8613812345678@carrier.example:5061;transport=tls" in result.messages
        assert f"Route: <sip:127.0.0.1:{proxy.port};lr>" in result.messages

    run(check())


def test_bye_that_overtakes_the_answer_ends_the_leg() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(recv("INVITE"), request("BYE"), recv(200)))
        async with running() as engine:
            engine.call(carrier.port)
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_call_without_a_caller_id_is_anonymous() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(recv("INVITE"), send(486), recv("ACK")))
        async with running() as engine:
            engine.port.set_trunks({1: trunk(carrier.port)})
            engine.port.originate("leg", 1, CALLEE, "", LOCAL, 5.0)
            await engine.ended()
            result = await carrier.finish()
        assert "From: <sip:anonymous@" in result.messages and "Privacy: id" in result.messages
        assert "P-Asserted-Identity" not in result.messages

    run(check())


def test_trunk_by_name_is_looked_up_and_an_unknown_name_is_unreachable() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(recv("INVITE"), send(486), recv("ACK")))
        async with running() as engine:
            engine.port.set_trunks(
                {1: trunk(carrier.port, host="localhost"), 2: trunk(5060, trunk_id=2, host="nowhere.invalid")}
            )
            engine.port.originate("known", 1, CALLEE, CALLER, LOCAL, 5.0)
            engine.port.originate("unknown", 2, CALLEE, CALLER, LOCAL, 5.0)
            assert (await engine.ended("known")).cause is Cause.BUSY
            lost = await engine.ended("unknown")
            await carrier.finish()
        assert (lost.cause, lost.by_us) == (Cause.UNREACHABLE, True)
        assert "host name" in lost.reason

    run(check())


def test_challenged_bye_is_sent_again_with_credentials() -> None:
    async def check() -> None:
        challenge = send_reply(407, headers='Proxy-Authenticate: Digest realm="c",nonce="n"')
        carrier = await Sipp.start(scenario(*ANSWERS, recv("BYE"), challenge, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port, username="acme", password="secret")
            await engine.wait(LegAnswered)
            engine.port.hangup("leg")
            await engine.ended()
            await asyncio.sleep(0.2)
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert 'Proxy-Authorization: Digest username="acme"' in result.messages

    run(check())


def test_public_address_stands_in_via_and_contact() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(recv("INVITE"), send(486), recv("ACK")))
        async with running(advertised_host="203.0.113.7") as engine:
            engine.call(carrier.port)
            await engine.ended()
            result = await carrier.finish()
            own = f"203.0.113.7:{engine.port.port}"
        assert f"Via: SIP/2.0/UDP {own};rport;branch=" in result.messages
        assert f"Contact: <sip:+861080001111@{own}>" in result.messages

    run(check())


def test_port_that_is_taken_is_told() -> None:
    async def check() -> None:
        async with running() as engine:
            with pytest.raises(OSError, match="in use"):
                await SippyPort("127.0.0.1", engine.port.port).start(lambda _: None)

    run(check())


def test_unknown_trunk_and_unknown_leg_are_our_own_mistakes() -> None:
    async def check() -> None:
        async with running() as engine:
            with pytest.raises(KeyError):
                engine.port.hangup("nobody")
            engine.port.set_trunks({2: trunk(5060)})
            with pytest.raises(KeyError):
                engine.port.originate("leg", 1, CALLEE, CALLER, LOCAL, 1.0)

    run(check())


def test_no_call_is_lost_whichever_of_its_packets_are() -> None:
    """One call for each subset of a call's packets, of which the first copies are lost on the way."""
    packets = ("INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE")
    calls = 2 ** len(packets)

    def loses(call: int, kind: str) -> bool:
        return kind in packets and bool(call >> packets.index(kind) & 1)

    async def check() -> None:
        way = free_port()
        contact = f"Contact: <sip:127.0.0.1:{way}>"
        # SIPp gives a call up at a repeated INVITE that it has answered twice, and at a BYE before the ACK.
        steps = (
            recv("INVITE", timeout_ms=30000),
            send(180, headers=contact, contact=False),
            send(200, headers=contact, contact=False, body=sdp(), retrans=True),
            recv("INVITE", optional=True, timeout_ms=30000),
            recv("ACK", timeout_ms=30000),
            recv("BYE", timeout_ms=30000),
            send_reply(),
            '<timewait milliseconds="1500"/>',  # a repeated BYE is answered again
        )
        carrier = await Sipp.start(scenario(*steps), calls=calls, timeout_s=30)
        async with losing(way, carrier.port, loses) as path, running() as engine:
            engine.port.set_trunks({1: trunk(way)})
            for number in range(calls):
                engine.port.originate(f"leg{number}", 1, CALLEE, CALLER, LOCAL, 20.0)
            await engine.until(lambda: len(engine.of(LegAnswered)) == calls, 20)
            await path.carried({(call, "ACK") for call in range(calls)})
            for number in range(calls):
                engine.port.hangup(f"leg{number}")
            await engine.until(lambda: len(engine.of(LegEnded)) == calls)
            result = await carrier.finish()
        assert (result.successful, result.failed) == (calls, 0), result.errors
        assert {e.cause for e in engine.of(LegEnded)} == {Cause.NORMAL}
        assert path.lost == {(call, kind) for call in range(calls) for kind in packets if loses(call, kind)}

    run(check())
