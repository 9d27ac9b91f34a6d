"""The demo carrier as a process, called by SIPp: each kind of subscriber, many calls at once, the pyVoIP phones."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from callcenter.config import ROOT
from demo.rtp import TICK_S
from demo.sounds import ULAW_LEVEL, frames, tone
from demo.subscribers import Kind, numbers_of, phone_numbers, subscriber
from tests.demo.peers import (
    FIELD,
    CarrierProcess,
    answered,
    audio_socket,
    call,
    cancelled,
    free_port,
    heard,
    held,
    left,
    refused,
    talk,
)

pytestmark = pytest.mark.interop
STAYING = [n for n in numbers_of(Kind.PERSON, 1000) if subscriber(n).hang_up_after_s is None]
LEAVING = [n for n in numbers_of(Kind.PERSON, 1000) if subscriber(n).hang_up_after_s is not None]
RINGING = [n for n in numbers_of(Kind.NO_ANSWER, 100) if not subscriber(n).early_media]


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarrierProcess]:
    running = CarrierProcess(tmp_path_factory.mktemp("carrier"), phones=1, DEMO_CARRIER_FAST="1")
    yield running
    assert running.stop() == 0


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with audio_socket() as sock:
        yield sock


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def is_speech(packet: bytes) -> bool:
    payload = packet[12:]
    return packet[1] & 0x7F == 0 and sum(payload.translate(ULAW_LEVEL)) / len(payload) > 3


def speech(sock: socket.socket) -> int:
    """How many packets with sound came since last asked."""
    return sum(map(is_speech, heard(sock)))


def test_person_answers_speaks_and_takes_turns_with_the_caller(carrier: CarrierProcess, far: socket.socket) -> None:
    async def conversation() -> tuple[int, int, int]:
        task = asyncio.create_task(call(carrier, talk(6000), STAYING[1:2], rtp_port=port(far)))
        until = time.monotonic() + 10
        while not (packet := next(iter(peek(far)), b"")):
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        assert packet[1] & 0x7F == 0
        await asyncio.sleep(2.6)
        hello = speech(far)
        await asyncio.sleep(0.2)
        before = speech(far)
        await speak(far, 1.0)
        await asyncio.sleep(2.2)
        after = speech(far)
        await task
        return hello, before, after

    hello, before, after = asyncio.run(conversation())
    assert hello > 15
    assert before == 0
    assert after > 25


def peek(sock: socket.socket) -> list[bytes]:
    try:
        return [sock.recv(2048, socket.MSG_PEEK)]
    except BlockingIOError:
        return []


async def speak(sock: socket.socket, seconds: float) -> None:
    """Send a tone to where the last packet came from, then a keypad event and a packet of nonsense."""
    while True:
        try:
            _, source = sock.recvfrom(2048)
            break
        except BlockingIOError:
            await asyncio.sleep(0.005)
    loud = frames(tone(seconds, 300, 700, level=0.2))
    for i, payload in enumerate(loud):
        sock.sendto(b"\x80\0" + i.to_bytes(2, "big") + (160 * i).to_bytes(4, "big") + b"test" + payload, source)
        await asyncio.sleep(TICK_S)
    sock.sendto(b"\x80\xe5\0\0\0\0\0\0test\5\x8a\1\x40", source)
    sock.sendto(b"nonsense", source)


def test_busy_number_is_486_and_invalid_number_404(carrier: CarrierProcess, far: socket.socket) -> None:
    for kind, status in ((Kind.BUSY, 486), (Kind.INVALID, 404)):
        asyncio.run(call(carrier, refused(status), numbers_of(kind, 5), calls=5, rtp_port=port(far)))
    assert not heard(far)


def test_no_answer_rings_until_cancel_and_ends_with_487(carrier: CarrierProcess, far: socket.socket) -> None:
    result = asyncio.run(call(carrier, cancelled(1500), RINGING, calls=4, rtp_port=port(far)))
    assert result.retransmissions == 0 and not heard(far)


def test_early_media_is_a_ringing_tone_before_the_answer(carrier: CarrierProcess, far: socket.socket) -> None:
    ringing = [n for n in numbers_of(Kind.NO_ANSWER, 100) if subscriber(n).early_media]
    asyncio.run(call(carrier, cancelled(1000, ringing=183), ringing[:1], rtp_port=port(far)))
    assert speech(far) > 35


def test_subscribers_hang_up_by_themselves(carrier: CarrierProcess, far: socket.socket) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(
            call(carrier, left(9000), LEAVING, calls=4, rtp_port=port(far)),
            call(carrier, left(3000), numbers_of(Kind.EARLY_HANG_UP, 4), calls=4, rtp_port=port(far)),
        )

    asyncio.run(all_of_them())
    assert speech(far) > 50


def test_machine_greets_without_a_pause_for_the_caller(carrier: CarrierProcess, far: socket.socket) -> None:
    asyncio.run(call(carrier, talk(2500), numbers_of(Kind.MACHINE, 1), rtp_port=port(far)))
    assert speech(far) > 50


def test_hold_is_answered_and_silences_the_subscriber(carrier: CarrierProcess, far: socket.socket) -> None:
    async def hold() -> tuple[int, int, int]:
        task = asyncio.create_task(call(carrier, held(1000, 1000, 1000), STAYING[4:5], rtp_port=port(far)))
        carrier_log = carrier.log.stat().st_size
        await task
        assert carrier.log.stat().st_size > carrier_log
        packets = [int.from_bytes(packet[2:4], "big") for packet in heard(far)]
        steps = [b - a & 0xFFFF for a, b in pairwise(packets)]
        return len(packets), max(steps), sum(step > 1 for step in steps)

    received, gap, gaps = asyncio.run(hold())
    assert 60 < received < 160
    assert gaps == 1 and 35 < gap < 90


def test_hundred_calls_at_once_all_complete_at_little_cost(carrier: CarrierProcess) -> None:
    async def load() -> tuple[float, int]:
        process = psutil.Process(carrier.process.pid)
        echo = free_port()
        options = ("-rtp_echo", "-mp", str(echo))
        task = asyncio.create_task(
            call(carrier, talk(4500), STAYING[:100], calls=100, rate=60, rtp_port=echo, timeout_s=30, extra=options)
        )
        await asyncio.sleep(2.6)
        began, before = time.monotonic(), process.cpu_times()
        await asyncio.sleep(2.5)
        after, seconds = process.cpu_times(), time.monotonic() - began
        await task
        return 100 * (after.user + after.system - before.user - before.system) / seconds, task.result().retransmissions

    already = carrier.log.read_text().count("(person) ended: bye")
    percent, retransmissions = asyncio.run(load())
    print(f"\n100 calls with audio both ways: {percent:.0f} % of a core, {retransmissions} SIP retransmissions")
    assert percent < 50
    carrier.wait_for("(person) ended: bye", 2.0, times=already + 100)
    lines = [line for line in carrier.log.read_text().splitlines() if "(person) ended: bye" in line][-100:]
    sent_received = [line.split("; ")[1].split() for line in lines]
    assert all(abs(int(words[0]) - int(words[3])) < 25 and int(words[0]) > 200 for words in sent_received)


def test_pyvoip_phone_answers_through_the_carrier_speaks_and_hears_keys(
    carrier: CarrierProcess, far: socket.socket
) -> None:
    carrier.wait_for("softphone phone1: registered", 15.0)
    number = phone_numbers(1)

    async def talk_to_it() -> None:
        task = asyncio.create_task(call(carrier, talk(4000), number, rtp_port=port(far)))
        await asyncio.sleep(0.5)
        await call(carrier, refused(486), number, rtp_port=free_port())
        await speak(far, 0.1)
        await task

    asyncio.run(talk_to_it())
    assert speech(far) > 20
    carrier.wait_for("softphone phone1: dtmf 5", 1.0)
    carrier.wait_for("softphone phone1: ended", 3.0)
    asyncio.run(call(carrier, cancelled(300), number, rtp_port=port(far)))
    asyncio.run(call(carrier, talk(300), number, rtp_port=port(far)))


def test_carrier_that_is_stopped_says_bye_to_its_callers(tmp_path: Path, far: socket.socket) -> None:
    carrier = CarrierProcess(tmp_path, DEMO_CARRIER_FAST="1")

    async def stop_in_the_middle() -> None:
        task = asyncio.create_task(call(carrier, left(8000), STAYING, calls=3, rtp_port=port(far)))
        await asyncio.sleep(2.0)
        assert await asyncio.to_thread(carrier.stop) == 0
        await task

    asyncio.run(stop_in_the_middle())


def test_carrier_goes_on_where_pyvoip_can_not_start(tmp_path: Path, far: socket.socket) -> None:
    (tmp_path / "pyVoIP.py").write_text("raise ImportError('no audioop')\n")
    carrier = CarrierProcess(tmp_path, phones=1, DEMO_CARRIER_FAST="1", PYTHONPATH=str(tmp_path))
    try:
        carrier.wait_for("softphone phone1: unusable no audioop", 10.0)
        asyncio.run(call(carrier, talk(300), STAYING[:1], rtp_port=port(far)))
    finally:
        assert carrier.stop() == 0


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DEMO_CARRIER_PORT", "many", "DEMO_CARRIER_PORT='many'"),
        ("DEMO_CARRIER_ACCOUNTS", "trunk", "user:password"),
        ("DEMO_CARRIER_RTP_MAX", "28010", "20 ports"),
        ("DEMO_CARRIER_HOST", "192.0.2.1", "can't listen on 192.0.2.1"),
    ],
)
def test_wrong_setting_ends_the_carrier_with_one_sentence(tmp_path: Path, name: str, value: str, told: str) -> None:
    settings = {"CALLCENTER_VAR": str(tmp_path), "DEMO_CARRIER_PHONES": "0", name: value}
    done = subprocess.run(
        [sys.executable, "-m", "callcenter.processes.democarrier"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        timeout=20,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr and "Traceback" not in done.stderr


def test_scenarios_dial_the_number_they_are_given() -> None:
    assert all(FIELD in step for step in (talk(1), left(1), refused(486), cancelled(1), "".join(answered())))
