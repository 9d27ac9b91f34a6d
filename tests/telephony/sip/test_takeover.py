"""An engine is killed in the middle of a call; the next one on the same port takes the leg up."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from callcenter.telephony.ports import Cause, Dialog, LegAnswered, LegEnded, LegUpdated, TrunkHealth, TrunkSpec
from tests.sip.sipp import (
    Sipp,
    follow,
    free_port,
    pause,
    recv,
    request,
    scenario,
    sdp,
    send,
    send_reply,
    send_to_invite,
    start,
)
from tests.telephony.sip.harness import Engine, run, running, trunk

pytestmark = [pytest.mark.interop, pytest.mark.promise("P4")]

ROOT = Path(__file__).parents[3]
ANSWERS = (recv("INVITE"), send(180), pause(50), send(200, body=sdp()), recv("ACK"))
HANGS_UP = (recv("BYE"), send_reply())


async def _die_in_a_call(own_port: int, carrier: Sipp, dialogs: int, *credentials: str, after_s: float = 0.1) -> Dialog:
    """Let an engine call and kill it after it told its `dialogs`th dialog; that dialog is returned."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.telephony.sip.doomed_engine", str(own_port), str(carrier.port), *credentials,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = b""
    for _ in range(dialogs):
        line = await asyncio.wait_for(process.stdout.readline(), 10)
    await asyncio.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    return Dialog(**json.loads(line))


def _adopt(engine: Engine, dialog: Dialog, spec: TrunkSpec) -> None:
    engine.port.set_trunks({1: spec})
    engine.port.adopt(dialog)


def test_answered_call_of_a_killed_engine_is_hung_up_by_its_successor() -> None:
    async def check() -> None:
        carrier = await Sipp.start(scenario(*ANSWERS, *HANGS_UP))
        own = free_port()
        dialog = await _die_in_a_call(own, carrier, 2)
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(carrier.port))
            engine.port.hangup("leg")
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, True)
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors

    run(check())


def test_far_end_may_hold_and_hang_up_a_call_that_was_taken_up() -> None:
    async def check() -> None:
        hold = (request("INVITE", body=sdp(direction="sendonly")), recv(200, save=True), request("ACK"))
        carrier = await Sipp.start(scenario(*ANSWERS, pause(2500), *hold, pause(50), request("BYE", cseq=2), recv(200)))
        own = free_port()
        dialog = await _die_in_a_call(own, carrier, 2)
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(carrier.port))
            updated = await engine.wait(LegUpdated)
            ended = await engine.ended()
            result = await carrier.finish()
        assert updated.sdp.direction == "sendonly"
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)
        assert "m=audio 20000 RTP/AVP 0 101" in result.messages
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_ringing_call_of_a_killed_engine_is_cancelled() -> None:
    async def check() -> None:
        gives_up = (recv("CANCEL"), send_reply(), send_to_invite(487), recv("ACK"))
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), *gives_up))
        own = free_port()
        dialog = await _die_in_a_call(own, carrier, 1)
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(carrier.port))
            ended = await engine.ended()
            result = await carrier.finish()
        assert (ended.cause, ended.by_us) == (Cause.ENGINE_LOST, True)
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors

    run(check())


def test_ringing_call_that_is_answered_at_that_moment_is_hung_up() -> None:
    async def check() -> None:
        answers_late = (recv("CANCEL"), send_reply(), send_to_invite(200, body=sdp()), recv("ACK"), *HANGS_UP)
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), *answers_late))
        own = free_port()
        dialog = await _die_in_a_call(own, carrier, 1)
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(carrier.port))
            ended = await engine.ended()
            result = await carrier.finish()
            assert engine.of(LegAnswered) == []
        assert ended.cause is Cause.ENGINE_LOST
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_ringing_call_that_digest_had_sent_again_is_cancelled_too() -> None:
    async def check() -> None:
        challenge = send(401, headers='WWW-Authenticate: Digest realm="c",nonce="1"', tag="c")
        gives_up = (recv("CANCEL"), send_reply(), send_to_invite(487), recv("ACK"))
        # The first of the two CANCELs is for the INVITE that was refused: nothing is known of it any more.
        refused = (recv("CANCEL"), send_reply(481))
        steps = (recv("INVITE"), challenge, recv("ACK"), recv("INVITE"), send(180), *refused, *gives_up)
        carrier = await Sipp.start(scenario(*steps))
        own = free_port()
        dialog = await _die_in_a_call(own, carrier, 1, "acme", "secret", after_s=0.3)
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(carrier.port, username="acme", password="secret"))
            ended = await engine.ended()
            result = await carrier.finish()
        assert ended.cause is Cause.ENGINE_LOST
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


def test_call_that_rang_out_before_the_successor_came_ends_all_the_same() -> None:
    async def check() -> None:
        async with running(cancel_grace_s=0.3) as engine:
            gone = free_port()
            async with running() as before:
                before.call(gone)
                await before.until(lambda: bool(before.events))
                dialog = next(e.dialog for e in before.events if hasattr(e, "dialog"))
                before.port.hangup("leg")
                _adopt(engine, dialog, trunk(gone))
                ended = await engine.ended()
            assert ended.cause is Cause.ENGINE_LOST
            assert len(engine.of(LegEnded)) == 1

    run(check())


def test_answer_to_a_call_that_nobody_remembers_is_acknowledged_and_hung_up() -> None:
    async def check() -> None:
        late = (pause(1500), send_to_invite(200, body=sdp()), recv("ACK"), *HANGS_UP)
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), *late))
        own = free_port()
        await _die_in_a_call(own, carrier, 1)
        async with running(own) as engine:
            engine.port.set_trunks({1: trunk(carrier.port)})
            result = await carrier.finish()
            assert {type(event) for event in engine.events} == {TrunkHealth}
        assert (result.successful, result.failed, result.retransmissions) == (1, 0, 0), result.errors

    run(check())


def test_failure_of_a_call_that_nobody_remembers_is_acknowledged() -> None:
    async def check() -> None:
        late = (pause(1500), send_to_invite(486), recv("ACK"))
        carrier = await Sipp.start(scenario(recv("INVITE"), send(180), *late))
        own = free_port()
        await _die_in_a_call(own, carrier, 1)
        async with running(own) as engine:
            engine.port.set_trunks({1: trunk(carrier.port)})
            result = await carrier.finish()
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())


async def _die_while_answering(own_port: int, port: int) -> asyncio.subprocess.Process:
    """An engine that answers who calls it, prints the dialog beforehand, and is killed by the test."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.telephony.sip.doomed_engine", str(own_port), str(port), "--answers",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.promise("I1")
@pytest.mark.parametrize("sent", ["lost", "unacknowledged"])
def test_a_call_whose_engine_dies_between_200_and_ack_is_answered_by_its_successor(sent: str) -> None:
    """The 200 never went out, or was out and its ACK came to nobody: SIPp sends that when the 200 comes again."""
    again = (recv(200, save=True),) if sent == "unacknowledged" else ()

    async def check() -> None:
        own, port = free_port(), free_port()
        doomed = await _die_while_answering(own, port)
        assert doomed.stdout is not None
        assert await asyncio.wait_for(doomed.stdout.readline(), 10) == b"up\n"
        steps = (start(body=sdp()), recv(100), recv(180), recv(200, save=True), *again, follow("ACK"))
        caller = await Sipp.start(
            scenario(*steps, pause(100), follow("BYE", cseq=2), recv(200)), remote=("127.0.0.1", own), port=port,
            extra=("-nr",) if again else (),
        )  # fmt: skip
        dialog = Dialog(**json.loads(await asyncio.wait_for(doomed.stdout.readline(), 10)))
        if sent == "unacknowledged":
            assert await asyncio.wait_for(doomed.stdout.readline(), 10) == b"sent\n"
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
        async with running(own) as engine:
            _adopt(engine, dialog, trunk(port))
            answered = await engine.wait(LegAnswered)
            ended = await engine.ended(answered.leg_id)
            result = await caller.finish()
        assert answered.dialog.state == "confirmed" and answered.sdp.address.port == 18000
        assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)
        assert (result.successful, result.failed) == (1, 0), result.errors

    run(check())
