"""Real calls with another implementation, baresip: its own ideas of headers, hold and media."""

from __future__ import annotations

import asyncio
import socket

import pytest

from callcenter.telephony.ports import Cause, InboundCall, LegAnswered, LegUpdated, MediaAddress, Sdp
from tests.sip.baresip import phone
from tests.telephony.sip.harness import CALLEE, CALLER, run, running, trunk

pytestmark = pytest.mark.interop


def _rtp_socket() -> socket.socket:
    rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rtp.bind(("0.0.0.0", 0))
    rtp.setblocking(False)
    return rtp


def _address_of_this_host() -> str:
    """An address that the phone can send to: it binds its RTP to the host's own, not to the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.99", 9))  # nothing is sent
        return str(probe.getsockname()[0])


async def _payload_type(rtp: socket.socket) -> int:
    packet, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_recvfrom(rtp, 2048), 3)
    assert packet[0] >> 6 == 2
    return packet[1] & 127


def test_baresip_answers_sends_audio_holds_resumes_and_hangs_up() -> None:
    async def check() -> None:
        with _rtp_socket() as rtp:
            local = Sdp(MediaAddress(_address_of_this_host(), rtp.getsockname()[1]))
            async with phone(CALLEE) as callee, running() as engine:
                engine.port.set_trunks({1: trunk(callee.port)})
                engine.port.originate("leg", 1, CALLEE, CALLER, local, 10.0, "Call centre")
                assert (await engine.wait(LegAnswered)).sdp.codec == "pcmu"
                assert await _payload_type(rtp) == 0
                await callee.command("hold")
                assert (await engine.wait(LegUpdated)).sdp.direction in ("sendonly", "inactive")
                await callee.command("resume")
                assert (await engine.wait(LegUpdated, count=2)).sdp.direction == "sendrecv"
                await callee.command("hangup")
                ended = await engine.ended()
            assert (ended.cause, ended.by_us) == (Cause.NORMAL, False)

    run(check())


def test_baresip_calls_us_with_pcma() -> None:
    async def check() -> None:
        with _rtp_socket() as rtp:
            local = Sdp(MediaAddress(_address_of_this_host(), rtp.getsockname()[1]))
            async with phone("4711", codecs="pcma") as caller, running() as engine:
                engine.port.set_trunks({1: trunk(caller.port)})
                await caller.command("dial", f"sip:4000@127.0.0.1:{engine.port.port}")
                call = await engine.wait(InboundCall)
                assert (call.from_number, call.to_number, call.sdp.codec) == ("4711", "4000", "pcma")
                engine.port.accept(call.leg_id, local)
                await engine.wait(LegAnswered)
                assert await _payload_type(rtp) == 8
                engine.port.hangup(call.leg_id)
                assert (await engine.ended(call.leg_id)).cause is Cause.NORMAL

    run(check())
