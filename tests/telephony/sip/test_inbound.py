"""Calls from a trunk (SIPp), and strangers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from callcenter.telephony.ports import Cause, InboundCall, LegAnswered, LegEnded
from callcenter.telephony.sip.adapter import SippyPort
from tests.sip.sipp import Sipp, follow, free_port, pause, recv, scenario, sdp, send_reply, start
from tests.telephony.sip.harness import LOCAL, Engine, run, running, trunk

pytestmark = pytest.mark.interop


async def _caller(engine: Engine, *steps: str, **options: object) -> Sipp:
    port = free_port()
    engine.port.set_trunks({7: trunk(port, trunk_id=7)})
    return await Sipp.start(scenario(*steps), remote=("127.0.0.1", engine.port.port), port=port, **options)


def test_call_from_a_trunk_rings_is_answered_and_hung_up_by_the_caller() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine,
                start(body=sdp((8, 0)), name='"Visitor" '),
                recv(100),
                recv(180),
                recv(200, save=True),
                follow("ACK"),
                pause(100),
                follow("BYE", cseq=2),
                recv(200),
            )
            call = await engine.wait(InboundCall)
            assert (call.trunk_id, call.to_number, call.from_number) == (7, "4000", "+8613800000000")
            assert (call.display_name, call.sdp.codec) == ("Visitor", "pcma")
            engine.port.accept(call.leg_id, LOCAL, ring_only=True)
            engine.port.accept(call.leg_id, LOCAL)
            answered = await engine.wait(LegAnswered)
            ended = await engine.ended(call.leg_id)
            result = await caller.finish()
        assert answered.dialog.state == "confirmed"
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)
        assert (result.successful, result.failed) == (1, 0), result.errors
        assert "m=audio 20000 RTP/AVP 8 101" in result.messages

    run(check())


def test_answered_inbound_call_is_hung_up_by_us() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine, start(body=sdp()), recv(100), recv(200, save=True), follow("ACK"), recv("BYE"), send_reply()
            )
            call = await engine.wait(InboundCall)
            engine.port.accept(call.leg_id, LOCAL)
            await engine.wait(LegAnswered)
            engine.port.hangup(call.leg_id)
            ended = await engine.ended(call.leg_id)
            result = await caller.finish()
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, True)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_call_without_an_offer_is_answered_with_ours() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine,
                start(),
                recv(100),
                recv(200, save=True),
                follow("ACK", body=sdp((8,), port=18300)),
                pause(50),
                follow("BYE", cseq=2),
                recv(200),
            )
            call = await engine.wait(InboundCall)
            engine.port.accept(call.leg_id, LOCAL)
            answered = await engine.wait(LegAnswered)
            await engine.ended(call.leg_id)
            await caller.finish()
        assert (answered.sdp.codec, answered.sdp.address.port) == ("pcma", 18300)

    run(check())


def test_refused_call_is_refused_on_the_wire() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine, start(body=sdp()), recv(100), recv(486, save=True), follow("ACK", same_branch=True)
            )
            call = await engine.wait(InboundCall)
            engine.port.reject(call.leg_id, 486, "Busy here")
            ended = await engine.ended(call.leg_id)
            result = await caller.finish()
        assert (ended.cause, ended.status, ended.by_us) == (Cause.BUSY, 486, True)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_caller_that_gives_up_ends_the_leg() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine,
                start(body=sdp()),
                recv(100),
                recv(180),
                follow("CANCEL", same_branch=True, tagged=False),
                recv(200),
                recv(487, save=True),
                follow("ACK", same_branch=True),
            )
            call = await engine.wait(InboundCall)
            engine.port.accept(call.leg_id, LOCAL, ring_only=True)
            ended = await engine.ended(call.leg_id)
            engine.port.accept(call.leg_id, LOCAL)  # too late, harmless
            await caller.finish(3)
        assert (ended.cause, ended.by_us) == (Cause.CANCELLED, False)

    run(check())


def test_stranger_is_refused_and_logged_with_masked_numbers(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        async with running() as engine:
            engine.port.set_trunks({1: trunk(5060, host="127.0.0.3")})
            stranger = await Sipp.start(
                scenario(start(to="+8613812345678", body=sdp()), recv(403, save=True), follow("ACK", same_branch=True)),
                remote=("127.0.0.1", engine.port.port),
                ip="127.0.0.2",
            )
            result = await stranger.finish()
            assert engine.of(InboundCall) == []
        assert (result.successful, result.failed) == (1, 0), result.errors

    with caplog.at_level(logging.WARNING):
        run(check())
    assert "call from no trunk refused: 127.0.0.2" in caplog.text
    assert "+86138****678" in caplog.text
    assert "13812345678" not in caplog.text


def test_options_from_outside_is_answered_and_the_rest_politely_refused() -> None:
    async def check() -> None:
        async with running() as engine:
            for method, status in (("OPTIONS", 200), ("REFER", 603), ("SUBSCRIBE", 405), ("BYE", 481), ("INFO", 481)):
                peer = await Sipp.start(scenario(start(method), recv(status)), remote=("127.0.0.1", engine.port.port))
                result = await peer.finish()
                assert (result.successful, result.failed) == (1, 0), (method, result.errors)

    run(check())


def test_inbound_call_nobody_takes_is_ended_at_stop() -> None:
    async def check() -> None:
        async with running() as engine:
            caller = await _caller(
                engine, start(body=sdp()), recv(100), recv(480, save=True), follow("ACK", same_branch=True)
            )
            call = await engine.wait(InboundCall)
        assert engine.of(LegEnded, call.leg_id)[0].by_us
        assert (await caller.finish()).successful == 1

    run(check())


def test_answered_inbound_call_can_be_taken_up_by_a_successor() -> None:
    async def check() -> None:
        doomed = Engine(SippyPort("127.0.0.1", free_port()))
        await doomed.port.start(doomed.on_event)
        caller = await _caller(
            doomed, start(body=sdp()), recv(100), recv(200, save=True), follow("ACK"), recv("BYE"), send_reply()
        )
        call = await doomed.wait(InboundCall)
        doomed.port.accept(call.leg_id, LOCAL)
        dialog = (await doomed.wait(LegAnswered)).dialog
        doomed.port._line.transactions.close()  # it dies
        await asyncio.sleep(0.05)
        async with running(doomed.port.port) as engine:
            engine.port.set_trunks({7: trunk(caller.port, trunk_id=7)})
            engine.port.adopt(dialog)
            engine.port.hangup(call.leg_id)
            ended = await engine.ended(call.leg_id)
            result = await caller.finish()
            await doomed.port._trunks.stop()
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, True)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_trunk_behind_a_shared_proxy_is_told_by_its_name() -> None:
    async def check() -> None:
        port = free_port()
        async with running() as engine:
            at = ("127.0.0.1", port)
            specs = [trunk(5060, trunk_id=i, host=f"carrier{i}.example", outbound_proxy=at) for i in (1, 2)]
            engine.port.set_trunks({spec.trunk_id: spec for spec in specs})
            via = "Via: SIP/2.0/TLS carrier2.example:5061;branch=z9hG4bKfar"
            invite = start(body=sdp(), headers=via)
            caller = await Sipp.start(
                scenario(invite, recv(100), recv(486, save=True), follow("ACK", same_branch=True)),
                remote=("127.0.0.1", engine.port.port),
                port=port,
            )
            call = await engine.wait(InboundCall)
            engine.port.reject(call.leg_id, 486, "Busy here")
            await caller.finish()
        assert call.trunk_id == 2

    run(check())
