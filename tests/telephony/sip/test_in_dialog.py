"""What the far end (SIPp) does during a call, and our hold."""

from __future__ import annotations

import asyncio

import pytest

from callcenter.telephony.ports import Cause, LegAnswered, LegAsked, LegEnded, LegUpdated, MediaAddress, Sdp
from callcenter.telephony.sip import midcall
from tests.sip.sipp import Sipp, free_port, pause, recv, request, scenario, sdp, send, send_reply
from tests.telephony.sip.harness import LOCAL, run, running

pytestmark = pytest.mark.interop

ANSWERS = (recv("INVITE"), send(200, body=sdp()), recv("ACK"))
HANGS_UP = (recv("BYE"), send_reply())


def _reinvite(body: str, cseq: int) -> tuple[str, ...]:
    return request("INVITE", cseq=cseq, body=body), recv(200, save=True), request("ACK", cseq=cseq), pause(50)


def test_far_end_hangs_up() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, pause(50), request("BYE"), recv(200)))
        async with running() as engine:
            engine.call(carrier.port)
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_far_end_holds_resumes_moves_its_media_and_changes_the_codec() -> None:
    async def check() -> None:
        carrier = await Sipp.start(
            scenario(
                *ANSWERS,
                *_reinvite(sdp(direction="sendonly"), 1),
                *_reinvite(sdp(), 2),
                *_reinvite(sdp(ip="127.0.0.9", port=18100), 3),
                *_reinvite(sdp((8,), ip="127.0.0.9", port=18100, dtmf=96), 4),
                *_reinvite(sdp((8,), ip="0.0.0.0", port=18100, dtmf=96), 5),
                *HANGS_UP,
            )
        )
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegUpdated, count=5)
            await asyncio.sleep(0.15)  # SIPp sends its ACK and rests
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
            told = [event.sdp for event in engine.of(LegUpdated)]
        moved = MediaAddress("127.0.0.9", 18100)
        assert told == [
            Sdp(MediaAddress("127.0.0.1", 18000), direction="sendonly"),
            Sdp(MediaAddress("127.0.0.1", 18000)),
            Sdp(moved),
            Sdp(moved, "pcma", 96),
            Sdp(MediaAddress("0.0.0.0", 18100), "pcma", 96, "sendonly"),
        ]
        ours = [part for part in result.messages.split("UDP message received") if "SIP/2.0 200 OK" in part]
        assert "a=recvonly" in ours[1] and "a=sendrecv" in ours[2]
        assert "m=audio 20000 RTP/AVP 8 96" in ours[4]
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_refresh_of_the_same_media_is_answered_and_not_told() -> None:
    async def check() -> None:
        update = (request("UPDATE", cseq=9), recv(200))
        carrier = await Sipp.start(scenario(*ANSWERS, *_reinvite(sdp(), 1), *update, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            await asyncio.sleep(0.4)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
            assert engine.of(LegUpdated) == []
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_update_with_media_is_like_a_reinvite() -> None:
    async def check() -> None:
        update = (request("UPDATE", body=sdp(direction="inactive")), recv(200))
        carrier = await Sipp.start(scenario(*ANSWERS, *update, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            assert (await engine.wait(LegUpdated)).sdp.direction == "inactive"
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_reinvite_without_media_is_offered_ours_and_its_ack_tells_theirs() -> None:
    async def check() -> None:
        empty = (request("INVITE"), recv(200, save=True), request("ACK", body=sdp((8,))), pause(50))
        carrier = await Sipp.start(scenario(*ANSWERS, *empty, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            assert (await engine.wait(LegUpdated)).sdp.codec == "pcma"
            await asyncio.sleep(0.15)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_reinvite_with_media_that_we_lack_is_refused_and_the_call_goes_on() -> None:
    async def check() -> None:
        video = (request("INVITE", body=sdp((18,))), recv(488), request("ACK"), pause(50))
        carrier = await Sipp.start(scenario(*ANSWERS, *video, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            await asyncio.sleep(0.3)
            assert engine.of(LegEnded) == []
            engine.port.hangup("leg")
            await engine.ended()
            await carrier.finish()

    run(check())


def test_transfer_by_the_far_end_is_declined_and_small_talk_is_answered() -> None:
    async def check() -> None:
        talk = (
            request("REFER", cseq=1, headers="Refer-To: <sip:other@127.0.0.1>"),
            recv(603),
            request("OPTIONS", cseq=2),
            recv(200),
            request("INFO", cseq=3),
            recv(200),
            request("MESSAGE", cseq=4),
            recv(405),
        )
        carrier = await Sipp.start(scenario(*ANSWERS, *talk, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            await asyncio.sleep(0.3)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_our_hold_and_resume_are_sent() -> None:
    async def check() -> None:
        held = (recv("INVITE"), send_reply(body=sdp(direction="recvonly")), recv("ACK"))
        resumed = (recv("INVITE"), send_reply(body=sdp()), recv("ACK"))
        carrier = await Sipp.start(scenario(*ANSWERS, *held, *resumed, *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            engine.port.send_hold("leg", Sdp(LOCAL.address, direction="sendonly"))
            await asyncio.sleep(0.3)
            engine.port.send_hold("leg", LOCAL)
            await asyncio.sleep(0.3)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
            assert engine.of(LegUpdated) == []
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert result.messages.count("a=sendonly") == 1

    run(check())


def test_far_end_that_forgot_the_call_ends_it() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, recv("INVITE"), send_reply(481), recv("ACK"), *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            engine.port.send_hold("leg", LOCAL)
            ended = await engine.ended()
            await carrier.finish()
        assert (ended.cause, ended.status) == (Cause.UNREACHABLE, 481)

    run(check())


def test_requests_follow_the_routes_of_the_answer() -> None:
    async def check() -> None:
        routes = "Record-Route: <sip:127.0.0.1:{0};lr;id=b>\nRecord-Route: <sip:127.0.0.1:{0};lr;id=a>"
        port = free_port()
        answer = send(200, body=sdp(), headers=routes.format(port))
        carrier = await Sipp.start(scenario(recv("INVITE"), answer, recv("ACK"), *HANGS_UP), port=port)
        async with running() as engine:
            engine.call(port)
            await engine.wait(LegAnswered)
            engine.port.hangup("leg")
            await engine.ended()
            result = await carrier.finish()
        bye = result.messages[result.messages.index("BYE sip:") :]
        assert bye.index(";lr;id=a") < bye.index(";lr;id=b")
        assert result.successful == 1, result.errors

    run(check())


def test_a_far_end_that_is_asked_answers_in_its_dialog_whatever_it_says() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, recv("OPTIONS"), send_reply(405), *HANGS_UP))
        async with running() as engine:
            engine.call(carrier.port)
            await engine.wait(LegAnswered)
            engine.port.ask("leg")
            await engine.wait(LegAsked)
            assert [event.alive for event in engine.of(LegAsked)] == [True]
            engine.port.hangup("leg")
            await engine.ended()
            engine.port.ask("leg")  # a leg that is over is asked nothing
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_a_far_end_that_does_not_answer_or_knows_of_no_call_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midcall, "ASK_S", 1.2)

    async def check() -> None:
        dead = await Sipp.start(scenario(*ANSWERS, *([recv("OPTIONS")] * 2), *HANGS_UP))
        restarted = await Sipp.start(scenario(*ANSWERS, recv("OPTIONS"), send_reply(481), *HANGS_UP))
        for carrier in (dead, restarted):
            async with running() as engine:
                engine.call(carrier.port)
                await engine.wait(LegAnswered)
                engine.port.ask("leg")
                engine.port.ask("leg")
                await engine.wait(LegAsked)
                assert [event.alive for event in engine.of(LegAsked)] == [False]
                assert not engine.of(LegEnded), "what becomes of the call is the floor's to say"
                engine.port.hangup("leg")
                await engine.ended()
            await carrier.finish()

    run(check())
