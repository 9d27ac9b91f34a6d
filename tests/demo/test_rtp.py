"""The carrier's audio ports against plain UDP sockets, ticked by hand."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator

import pytest

from demo.rtp import NoPort, RtpPool, RtpPort
from demo.sip.sdp import PCMA, PCMU, Audio
from demo.sounds import frames, silence, tone
from tests.demo.peers import audio_socket, free_port, heard

LOUD = frames(tone(0.06, 500, level=0.5))[1]


@pytest.fixture
def far() -> Iterator[socket.socket]:
    with audio_socket() as sock:
        yield sock


@pytest.fixture
def port() -> Iterator[RtpPort]:
    first = free_port(span=2)
    opened = RtpPool("127.0.0.1", first, first + 1, random.Random(1)).open(0.0)
    yield opened
    opened.close()


def packet(payload: bytes, payload_type: int = PCMU, *, first: int = 0x80, more: bytes = b"") -> bytes:
    return bytes([first, payload_type]) + b"\0\1" + b"\0\0\0\1" + b"\0\0\0\2" + more + payload


def meet(port: RtpPort, far: socket.socket, codec: int = PCMU, direction: str = "sendrecv") -> None:
    port.connect(Audio(far.getsockname(), codec, 101, direction))


def hear(port: RtpPort, far: socket.socket, *packets: bytes) -> float:
    for data in packets:
        far.sendto(data, port.local)
    time.sleep(0.02)
    port.tick(1.0)
    return port.level


def test_one_packet_a_tick_numbered_and_stamped_in_step(port: RtpPort, far: socket.socket) -> None:
    meet(port, far)
    port.play((LOUD, LOUD))
    for tick in range(4):
        port.tick(tick * 0.02)
    packets = heard(far)
    assert [p[12:] for p in packets] == [LOUD, LOUD, b"\xff" * 160, b"\xff" * 160]
    numbers = [int.from_bytes(p[2:4], "big") for p in packets]
    stamps = [int.from_bytes(p[4:8], "big") for p in packets]
    assert numbers == [numbers[0] + i & 0xFFFF for i in range(4)]
    assert stamps == [stamps[0] + 160 * i & 0xFFFFFFFF for i in range(4)]
    assert [p[1] for p in packets] == [0x80, 0, 0, 0] and len({p[8:12] for p in packets}) == 1


def test_a_loop_goes_on_and_a_phrase_ends(port: RtpPort, far: socket.socket) -> None:
    port.play((LOUD, LOUD), loop=True)
    for _ in range(5):
        port.tick(0.0)
    assert port.playing
    port.play((LOUD,))
    port.tick(0.0)
    assert not port.playing


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_loudness_is_heard_in_both_codecs(port: RtpPort, far: socket.socket, codec: int) -> None:
    meet(port, far, codec)
    port.play((LOUD,))
    port.tick(0.0)
    back = heard(far)[0]
    assert back[1] & 0x7F == codec
    assert hear(port, far, packet(back[12:], codec)) == pytest.approx(0.5 * 2 / 3.14159, rel=0.05)
    quiet = frames(silence(0.02))[0] if codec == PCMU else b"\xd5" * 160
    assert hear(port, far, packet(quiet, codec)) < 0.002
    assert hear(port, far) == 0.0


def test_events_rtcp_noise_and_broken_packets_are_not_heard(port: RtpPort, far: socket.socket) -> None:
    meet(port, far)
    broken = [b"", b"x", LOUD[:12], packet(b""), packet(LOUD, 101), packet(LOUD, 200 - 128, first=0x81), b"\0\1" + LOUD]
    assert hear(port, far, *broken[:6]) == 0.0
    assert hear(port, far, broken[6], packet(LOUD, 0, first=0x90)[:14]) == 0.0
    assert port.received == 0


def test_header_extension_contributors_and_padding_are_stepped_over(port: RtpPort, far: socket.socket) -> None:
    meet(port, far)
    extended = packet(LOUD + b"\xff\xff\x03"[:2] + b"\x03", first=0xB1, more=b"\0\0\0\7" + b"\xbe\xde\0\1abcd")
    assert hear(port, far, extended) > 0.2


def test_audio_goes_to_where_it_comes_from(port: RtpPort, far: socket.socket) -> None:
    meet(port, far)
    with audio_socket() as elsewhere:
        hear(port, elsewhere, packet(LOUD))
        port.tick(0.0)
        assert len(heard(elsewhere)) == 2 and not heard(far)


@pytest.mark.parametrize(("direction", "packets"), [("sendonly", 0), ("inactive", 0), ("recvonly", 1), ("sendrecv", 1)])
def test_nothing_is_sent_to_a_far_end_on_hold(port: RtpPort, far: socket.socket, direction: str, packets: int) -> None:
    meet(port, far, direction=direction)
    port.tick(0.0)
    assert len(heard(far)) == packets


def test_flood_on_a_port_is_read_a_bit_at_a_time(port: RtpPort, far: socket.socket) -> None:
    meet(port, far)
    hear(port, far, *[packet(LOUD)] * 50)
    assert port.received == 8


def test_full_range_says_so_and_a_closed_port_is_used_again() -> None:
    first = free_port(span=4)
    pool = RtpPool("127.0.0.1", first, first + 3, random.Random(1))
    opened = [pool.open(0.0), pool.open(0.0)]
    with pytest.raises(NoPort):
        pool.open(0.0)
    opened[0].close()
    again = pool.open(0.0)
    assert again.local == opened[0].local
    again.close()
    opened[1].close()
