"""The pure part of the relay: renumbering, figures, the limit on bursts, RTCP, liveness."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.telephony.edge.liveness import next_state
from callcenter.telephony.edge.reports import Reports
from callcenter.telephony.edge.rtp import Stream
from callcenter.telephony.ports import EdgeState


def packet(seq: int, ts: int, ssrc: int = 1, payload: bytes = b"\xff" * 160, first: int = 0x80, pt: int = 0) -> bytes:
    return struct.pack(">BBHII", first, pt, seq & 0xFFFF, ts & 0xFFFFFFFF, ssrc) + payload


def numbers(out: bytes | None) -> tuple[int, int, int]:
    assert out is not None
    _, _, seq, ts, ssrc = struct.unpack_from(">BBHII", out)
    return seq, ts, ssrc


def test_stream_keeps_distances_and_puts_its_own_ssrc() -> None:
    stream = Stream(99)
    out = [numbers(stream.forward(packet(10 + n, 160 * n), n * 0.02)) for n in (0, 1, 3, 2)]
    assert [o[2] for o in out] == [99] * 4
    assert [o[0] - out[0][0] for o in out] == [0, 1, 3, 2]
    assert [o[1] - out[0][1] for o in out] == [0, 160, 480, 320]


def test_new_source_goes_on_where_the_former_one_ended() -> None:
    stream = Stream(99)
    for n in range(5):
        last = numbers(stream.forward(packet(65533 + n, 160 * n, ssrc=1), n * 0.02))
    first = numbers(stream.forward(packet(500, 7_000_000, ssrc=2), 4 * 0.02 + 2.0))
    assert (first[0] - last[0]) & 0xFFFF == 1
    assert (first[1] - last[1]) & 0xFFFFFFFF == 16000
    assert stream.received == 1


def test_same_source_that_jumps_far_is_taken_as_restarted() -> None:
    stream = Stream(99)
    a = numbers(stream.forward(packet(100, 0), 0.0))
    b = numbers(stream.forward(packet(30000, 5_000_000), 0.02))
    assert (b[0] - a[0], b[1] - a[1]) == (1, 160)


@pytest.mark.parametrize(
    ("first", "extra"),
    [
        (0x81, b"\x00\x00\x00\x05"),
        (0x90, b"\xbe\xde\x00\x01\x10\x80\x00\x00"),
        (0x92, b"\x00" * 8 + b"\xbe\xde\x00\x02" + b"\x10" * 8),
    ],
)
def test_extensions_and_sources_are_stripped(first: int, extra: bytes) -> None:
    out = Stream(1).forward(packet(1, 2, payload=extra + b"audio", first=first), 0.0)
    assert out is not None
    assert out[0] == 0x80
    assert out[12:] == b"audio"


def test_padding_is_stripped() -> None:
    out = Stream(1).forward(packet(1, 2, payload=b"audio\x00\x00\x03", first=0xA0), 0.0)
    assert out is not None
    assert out[12:] == b"audio"


@given(st.binary(max_size=80))
def test_no_bytes_whatever_raise_or_grow(data: bytes) -> None:
    out = Stream(1).forward(data, 0.0)
    assert out is None or len(out) <= len(data)


def test_other_payload_types_and_stumps_are_dropped_and_counted() -> None:
    stream = Stream(1)
    for bad in (b"", b"\x80", packet(1, 1, pt=13), packet(1, 1, pt=126), packet(1, 1, first=0x00), b"\x9f" * 13):
        assert stream.forward(bad, 0.0) is None
    assert stream.dropped == 6
    assert stream.received == 0


def test_backlog_of_a_stopped_process_is_not_replayed() -> None:
    stream = Stream(1)
    for n in range(50):
        assert stream.forward(packet(n, 160 * n), n * 0.02) is not None
    passed = sum(stream.forward(packet(50 + n, 160 * (50 + n)), 7.0) is not None for n in range(300))
    assert passed == 20
    after = [stream.forward(packet(350 + n, 160 * (350 + n)), 7.02 + n * 0.02) is not None for n in range(20)]
    assert all(after)


def test_loss_and_jitter_are_measured() -> None:
    stream = Stream(1)
    for n in range(100):
        if n % 10 != 5:
            stream.forward(packet(65500 + n, 160 * n), n * 0.02)
    assert (stream.expected, stream.received, stream.lost) == (100, 90, 10)
    assert stream.fraction_lost() == pytest.approx(0.1)
    assert stream.fraction_lost() == 0.0
    assert stream.jitter_ms == pytest.approx(0.0, abs=0.01)
    wobbly = Stream(1)
    for n in range(200):
        wobbly.forward(packet(n, 160 * n), n * 0.02 + (0.01 if n % 2 else 0.0))
    assert wobbly.jitter_ms == pytest.approx(10.0, rel=0.05)


def test_two_ends_learn_loss_and_round_trip_from_each_others_reports() -> None:
    def end(ssrc: int) -> Reports:
        return Reports(Stream(1000 + ssrc), Stream(ssrc), "name")

    a, b = end(1), end(2)
    for n in range(100):
        sent = a.outbound.forward(packet(n, 160 * n, ssrc=7), n * 0.02)
        if sent is not None and n % 4 != 1:
            b.inbound.forward(sent, n * 0.02 + 0.05)
    wall = 1_800_000_000.0
    b.receive(a.build(2.0, wall + 2.0), 2.1, wall + 2.1)
    a.receive(b.build(3.0, wall + 3.0), 3.1, wall + 3.1)
    assert a.remote_loss == pytest.approx(0.25, abs=0.02)
    assert a.round_trip_ms == pytest.approx(200.0, abs=1.0)
    assert b.loss == pytest.approx(0.25, abs=0.02)
    assert a.figures()["round_trip_ms"] == a.round_trip_ms
    a.receive(b"\x80\xc8\x00\x09rubbish", 4.0, wall)


@pytest.mark.parametrize(
    ("state", "quiet_s", "in_state_s", "usable", "expected"),
    [
        (EdgeState.CONNECTED, 1.0, 100.0, True, EdgeState.CONNECTED),
        (EdgeState.CONNECTED, 3.5, 100.0, True, EdgeState.INTERRUPTED),
        (EdgeState.INTERRUPTED, 0.1, 20.0, True, EdgeState.CONNECTED),
        (EdgeState.INTERRUPTED, 20.0, 20.0, True, EdgeState.INTERRUPTED),
        (EdgeState.INTERRUPTED, 31.0, 31.0, True, EdgeState.CLOSED),
        (EdgeState.INTERRUPTED, 0.1, 5.0, False, EdgeState.INTERRUPTED),
        (EdgeState.CONNECTING, 0.0, 29.0, False, EdgeState.CONNECTING),
        (EdgeState.CONNECTING, 0.1, 1.0, True, EdgeState.CONNECTED),
        (EdgeState.CONNECTING, 9.0, 9.0, True, EdgeState.CONNECTING),
        (EdgeState.CONNECTING, 0.0, 31.0, False, EdgeState.CLOSED),
    ],
)
def test_liveness_by_the_clock(
    state: EdgeState, quiet_s: float, in_state_s: float, usable: bool, expected: EdgeState
) -> None:
    assert next_state(state, quiet_s, in_state_s, usable) is expected
