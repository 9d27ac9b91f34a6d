"""The pure pieces: codecs, packets, order, playout, key presses, reports, quality, rooms, source lock, prompts."""

from __future__ import annotations

import itertools
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.telephony.media import dtmf, g711, prompts, quality, rtcp, rtp
from callcenter.telephony.media.jitter import MAX_DEPTH, JitterBuffer
from callcenter.telephony.media.reception import Order, Reception
from callcenter.telephony.media.rooms import Rooms
from callcenter.telephony.media.source_lock import SourceLock
from tests.telephony.media.far_end import level, tone

# ------------------------------------------------------------------------------------------------------- G.711


def test_g711_gives_the_values_of_the_standard() -> None:
    """Reference points of G.711 tables 1 and 2 in 16-bit scale."""
    assert [int(g711.ULAW_TO_LINEAR[b]) for b in (0x00, 0x80, 0xFF, 0x7F, 0xF0, 0x8F)] == [
        -32124, 32124, 0, 0, 120, 16764,
    ]  # fmt: skip
    assert [int(g711.ALAW_TO_LINEAR[b]) for b in (0xD5, 0x55, 0xAA, 0x2A)] == [8, -8, 32256, -32256]


def test_decoding_and_encoding_again_changes_no_byte() -> None:
    every = bytes(range(256))
    again = g711.linear_to_ulaw(g711.ulaw_to_linear(every))
    assert again == every.replace(b"\x7f", b"\xff"), "both zeros of µ-law become the positive one"
    assert g711.linear_to_alaw(g711.alaw_to_linear(every)) == every


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=400))
def test_companding_error_stays_within_half_a_step(samples: list[int]) -> None:
    original = np.array(samples, np.int16)
    for there, back in ((g711.linear_to_ulaw, g711.ulaw_to_linear), (g711.linear_to_alaw, g711.alaw_to_linear)):
        error = np.abs(back(there(original)).astype(int) - np.clip(original.astype(int), -32124, 32256))
        assert (error <= np.maximum(np.abs(original.astype(int)) / 16, 16)).all()


def test_mixing_adds_and_saturates() -> None:
    both = g711.mix([tone(440, 0.1), tone(1000, 0.1)])
    linear = g711.ulaw_to_linear(both)
    assert level(linear, 440) > 7500 and level(linear, 1000) > 7500
    loud = g711.linear_to_ulaw(np.full(160, 30000, np.int16))
    assert (g711.ulaw_to_linear(g711.mix([loud, loud, loud])) > 31000).all()


def test_transcoding_tables_keep_the_signal() -> None:
    audio = tone(440, 0.1)
    there = g711.alaw_to_linear(audio.translate(g711.ULAW_TO_ALAW))
    assert level(there, 440) > 7500
    assert level(g711.ulaw_to_linear(audio.translate(g711.ULAW_TO_ALAW).translate(g711.ALAW_TO_ULAW)), 440) > 7500


# --------------------------------------------------------------------------------------------------------- RTP


@given(st.binary(max_size=1600))
def test_any_bytes_are_parsed_without_raising(data: bytes) -> None:
    for packet in (rtp.parse(data), rtp.parse(b"\x80\x00" + data), rtp.parse(b"\xb1\x08" + data)):
        assert packet is None or len(packet.payload) <= rtp.MAX_PACKET_BYTES
    rtcp.parse(data)
    rtcp.parse(b"\x81\xc8\x00\x0c" + data)
    rtcp.parse(b"\x9f\xc9\x00\x01" + data)
    dtmf.parse(data)
    prompts_or_none(b"RIFF\x00\x00\x00\x00WAVE" + data)


def prompts_or_none(data: bytes) -> None:
    try:
        prompts.decode_wav(data)
    except prompts.BadPrompt:
        pass


@given(
    st.integers(0, 63), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.binary(max_size=400),
)  # fmt: skip
def test_a_built_packet_parses_to_itself(
    pt: int, marker: bool, sequence: int, timestamp: int, ssrc: int, payload: bytes
) -> None:
    packet = rtp.RtpPacket(pt, marker, sequence, timestamp, ssrc, payload)
    assert rtp.parse(rtp.build(packet)) == packet


def test_padding_extension_and_contributing_sources_are_cut_off() -> None:
    head = struct.pack("!BBHII", 0xB1, 0, 7, 8, 9)
    body = b"csrc" + struct.pack("!HH", 0xBEDE, 1) + b"exte" + b"sound" + b"\x00\x00\x03"
    packet = rtp.parse(head + body)
    assert packet is not None and packet.payload == b"sound"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x40" + bytes(20),  # version 1
        b"\x8f\x00" + bytes(20),  # more contributing sources than there are bytes
        b"\x90\x00" + bytes(10) + b"\x00\x00\xff\xff",  # extension beyond the end
        b"\xa0\x00" + bytes(10) + b"\x00",  # padding of nothing
        b"\xa0\x00" + bytes(10) + b"\xff",  # padding beyond the start
        b"\x80\xc8" + bytes(20),  # RTCP
        b"\x80\x00" + bytes(1600),
    ],
)
def test_malformed_packets_are_refused(data: bytes) -> None:
    assert rtp.parse(data) is None


# --------------------------------------------------------------------------------------------------- reception


def test_loss_reordering_duplicates_and_restarts_are_told_apart() -> None:
    rx = Reception()
    orders = [rx.unusual(1, s & 0xFFFF, s * 160, s * 160) for s in (65533, 65534, 65536, 65535, 65536, 65540)]
    assert orders == [Order.NEW_STREAM, Order.NEXT, Order.NEXT, Order.OLD, Order.DUPLICATE, Order.NEXT]
    assert (rx.received, rx.lost, rx.duplicates) == (5, 3, 1)
    assert rx.unusual(2, 100, 0, 0) is Order.NEW_STREAM
    assert rx.unusual(2, 30000, 0, 0) is Order.NEW_STREAM
    assert (rx.received, rx.lost) == (7, 3)


@given(st.integers(0, 0xFFFF), st.sets(st.integers(1, 300), max_size=120))
def test_lost_counts_exactly_the_missing(start: int, missing: set[int]) -> None:
    rx = Reception()
    sent = [n for n in range(302) if n not in missing]
    for n in sent:
        rx.unusual(5, (start + n) & 0xFFFF, n * 160, n * 160)
    assert rx.received == len(sent) and rx.lost == len(missing)


def test_jitter_follows_rfc_3550() -> None:
    rx = Reception()
    rng = random.Random(1)
    for n in range(2000):
        rx.unusual(1, n, n * 160, n * 160 + rng.choice((0, 80)))
    assert 3 < rx.jitter_ms < 7  # half of the steps are 10 ms


def test_the_place_of_samples_ignores_hold_ups_follows_drift_and_wraps() -> None:
    rx = Reception()
    start = 2**32 - 5 * 160

    def place(n: int, now: int) -> int:
        rx.unusual(1, n & 0xFFFF, (start + n * 160) & 0xFFFFFFFF, now)
        return rx.anchor + ((start + n * 160) & 0xFFFFFFFF)

    assert [place(n, 1_000_000 + n * 160 + (n % 3) * 40) for n in range(4)] == [1_000_000 + n * 160 for n in range(4)]
    assert place(30, 1_000_000 + 30 * 160) == 1_000_000 + 30 * 160, "across the wrap of the timestamps"
    held = [place(n, 1_000_000 + 40 * 160) for n in range(31, 40)]
    assert held == [1_000_000 + n * 160 for n in range(31, 40)], "a burst after a hold-up lies where it belongs"
    now = 0
    for n in range(40, 20000):
        now = 1_000_000 + int(n * 160 * 1.0005)  # a clock slow by 500 ppm
        assert abs(now - place(n, now)) <= 320
    assert place(20001, now + 10**6) == now + 10**6, "out of all bounds: begin anew"


@given(st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1))
def test_the_expected_header_is_that_of_the_next_plain_packet_or_none(sequence: int, timestamp: int) -> None:
    rx = Reception()
    rx.unusual(1, sequence, timestamp, 0, plain_word=0x8000)
    following = rtp.build(rtp.RtpPacket(0, False, (sequence + 1) & 0xFFFF, (timestamp + 160) & 0xFFFFFFFF, 1, b""))
    assert rx.expected in (-1, int.from_bytes(following[:8], "big"))
    assert rx.expected >= 0 or sequence == 0xFFFF or timestamp > 2**32 - 161


# -------------------------------------------------------------------------------------------------- jitter buffer


def frame_of(n: int) -> bytes:
    return bytes([n % 250]) * 160


def test_frames_come_out_in_order_and_loss_is_silence() -> None:
    buffer = JitterBuffer()
    out = []
    for n in (0, 2, 1, 3, 5, 6, 7):
        buffer.put(n * 160, frame_of(n))
        out.append(buffer.get())
    out += [buffer.get() for _ in range(3)]
    given_out = [f for f in out if f is not None]
    assert given_out == [*(frame_of(n) for n in range(4)), g711.SILENT_FRAME, *(frame_of(n) for n in (5, 6, 7))]
    assert buffer.get() is None


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 80, 160, 240, 1400, 4000]))), st.data())
def test_the_buffer_survives_any_timestamps(puts: list[tuple[int, int]], data: st.DataObject) -> None:
    buffer = JitterBuffer()
    for timestamp, size in puts:
        buffer.put(timestamp, bytes(size))
        if data.draw(st.booleans()):
            frame = buffer.get()
            assert frame is None or len(frame) == 160
        assert 0 <= buffer.depth <= 8192


def test_the_buffer_deepens_for_late_packets_and_shrinks_again() -> None:
    buffer = JitterBuffer()
    base = 2**32 - 3200  # across the wrap
    rng = random.Random(3)
    arrivals = sorted((n * 20 + (rng.randrange(100) if n < 300 else 0), n) for n in range(1500))
    got, lost, depths = [], 0, []
    waiting = iter(arrivals)
    upcoming = next(waiting)
    for tick in range(1490):
        while upcoming and upcoming[0] <= tick * 20:
            buffer.put((base + upcoming[1] * 160) & 0xFFFFFFFF, frame_of(upcoming[1]))
            upcoming = next(waiting, None)
        frame = buffer.get()
        depths.append(buffer.depth)
        if frame is None or frame == g711.SILENT_FRAME:
            lost += tick > 20
        else:
            got.append(frame[0])
    assert lost < 25
    assert max(depths[20:300]) > 480 and max(depths[-100:]) <= 640 < MAX_DEPTH
    assert all((b - a) % 250 < 12 or (a - b) % 250 < 12 for a, b in itertools.pairwise(got))


# ---------------------------------------------------------------------------------------------------------- DTMF


@given(st.text(dtmf.DIGITS, min_size=1, max_size=12), st.data())
def test_digits_survive_loss_reordering_and_duplication_and_are_told_once(digits: str, data: st.DataObject) -> None:
    sender, receiver = dtmf.Sender(), dtmf.Receiver()
    sender.push(digits)
    told, now = [], 0
    while sender.active:
        packets = sender.tick()
        keep = data.draw(st.sets(st.integers(0, 2)), label="kept") if len(packets) == 3 else {0}
        for i, packet in enumerate(packets):
            if i in keep or (len(packets) == 1 and packet.marker):
                event = dtmf.parse(packet.payload)
                assert event is not None
                told += receiver.receive(now - packet.offset, event, now)
        now += 160
        late = receiver.overdue(now)
        told += [late] if late else []
    late = receiver.overdue(now + 2000)
    told += [late] if late else []
    assert "".join(p.digit for p in told) == digits
    assert all(80 <= p.duration_ms <= 100 for p in told)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=6), st.integers(0, 10**6))))
def test_any_events_are_received_without_raising(packets: list[tuple[int, bytes, int]]) -> None:
    receiver = dtmf.Receiver()
    for timestamp, payload, now in packets:
        event = dtmf.parse(payload)
        if event is not None:
            receiver.receive(timestamp, event, now)
        receiver.overdue(now)


def test_a_digit_is_sent_with_one_timestamp_growing_duration_and_three_ends() -> None:
    sender = dtmf.Sender()
    sender.push("7")
    now, stamps, durations, ends = 0, set(), [], 0
    while sender.active:
        for packet in sender.tick():
            event = dtmf.parse(packet.payload)
            assert event is not None
            stamps.add(now - packet.offset)
            durations.append(event.duration)
            ends += event.end
        now += 160
    assert len(stamps) == 1 and durations == [160, 320, 480, 640, 800, 800, 800] and ends == 3
    assert now == 160 * 8, "100 ms on and 60 ms apart"


# ---------------------------------------------------------------------------------------------------------- RTCP


@given(
    st.integers(0, 2**32 - 1), st.none() | st.integers(0, 2**64 - 1), st.text(max_size=40), st.booleans(),
    st.lists(st.tuples(st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), st.integers(0, 2**32 - 1)), max_size=31),
)  # fmt: skip
def test_a_built_report_parses_to_itself(
    ssrc: int, ntp: int | None, name: str, bye: bool, blocks: list[tuple[int, int, int]]
) -> None:
    made = tuple(rtcp.ReportBlock(n, f, lost, word, word, word, word) for n, (f, lost, word) in enumerate(blocks))
    report = rtcp.Report(ssrc, made, ntp, *((1, 2, 3) if ntp is not None else ()))
    data = rtcp.build(report, name, bye)
    assert len(data) % 4 == 0
    assert rtcp.parse(data) == ([report], bye)


def test_the_round_trip_is_what_passed_less_the_far_ends_delay() -> None:
    sent, arrived = rtcp.ntp_time(1000.0), rtcp.ntp_time(1000.25)
    block = rtcp.ReportBlock(1, 0, 0, 0, 0, rtcp.middle(sent), int(0.2 * 65536))
    assert rtcp.round_trip_ms(block, arrived) == pytest.approx(50, abs=0.1)
    assert rtcp.round_trip_ms(rtcp.ReportBlock(1, 0, 0, 0, 0, 0, 0), arrived) is None
    assert rtcp.round_trip_ms(block, rtcp.ntp_time(1000.1)) is None


# ------------------------------------------------------------------------------------------------------- quality


def test_quality_falls_with_loss_jitter_and_delay_and_keeps_its_bounds() -> None:
    assert quality.mos(0, 0, 0) == pytest.approx(4.4, abs=0.05)
    assert quality.mos(0.1, 0, 0) < 3.5 and quality.mos(0, 0, 800) < 3.5
    losses = [quality.mos(x / 50, 5, 100) for x in range(50)]
    assert losses == sorted(losses, reverse=True)
    assert quality.mos(1, 10000, 10000) == 1.0 and quality.mos(-1, 0, None) <= 4.5


# --------------------------------------------------------------------------------------------------------- rooms


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["r1", "r2"]),
            st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("abcd")).map(tuple), max_size=4),
            st.sampled_from(["", "a", "b"]),
        )
    )
)
def test_a_port_is_in_one_room_at_most_and_hears_only_its_members(
    steps: list[tuple[str, dict[str, tuple[str, ...]], str]],
) -> None:
    rooms = Rooms()
    for room_id, hears, leaving in steps:
        rooms.set_room(room_id, hears)
        if leaving:
            rooms.remove(leaving)
            assert rooms.room_of(leaving) is None and not rooms.sources_of(leaving)
        for port in "abcd":
            for source in rooms.sources_of(port):
                assert source != port and rooms.room_of(source) == rooms.room_of(port) is not None
                assert port in rooms.listeners_of(source)
        for room in rooms.ids():
            assert any(rooms.room_of(p) == room for p in "abcd")


# --------------------------------------------------------------------------------------------------- source lock


def test_the_lock_follows_only_after_silence_or_a_new_remote() -> None:
    lock = SourceLock()
    a, b, stranger = ("10.0.0.1", 4000), ("10.0.0.1", 4002), ("10.9.9.9", 4000)
    assert lock.accepts(a, 0.0), "any host before a remote is known"
    lock.set_remote(a, 0.0)
    assert lock.accepts(b, 0.1) and not lock.accepts(a, 0.2), "the first from the remote's host"
    assert lock.accepts(b, 0.6) and not lock.accepts(a, 1.05) and lock.accepts(a, 1.1)
    assert not lock.accepts(stranger, 100.0)
    lock.set_remote(stranger, 1.1)
    assert lock.accepts(stranger, 1.2) and not lock.accepts(a, 1.3)


def test_a_far_end_behind_nat_is_latched_to_and_keeps_its_place_against_an_intruder() -> None:
    lock = SourceLock()
    told, nat, rebound, intruder = ("10.0.0.1", 4000), ("198.51.100.7", 9000), ("198.51.100.7", 9500), ("10.9.9.9", 4)
    lock.set_remote(told, 10.0)
    assert not lock.accepts(nat, 10.1), "the told host gets half a second"
    assert lock.destination == told
    assert lock.accepts(nat, 10.5) and lock.destination == nat
    assert not lock.accepts(intruder, 10.6) and not lock.accepts(intruder, 99.0), "not after any silence"
    assert not lock.accepts(rebound, 10.7) and lock.accepts(rebound, 11.5) and lock.destination == rebound
    lock.set_remote(told, 12.0)
    assert lock.destination == rebound, "the same remote told again changes nothing"
    assert not lock.sure(15.4) and lock.sure(15.5)


def test_the_told_host_takes_its_place_back_from_a_faster_intruder_for_good() -> None:
    lock = SourceLock()
    told, intruder = ("10.0.0.1", 4000), ("10.9.9.9", 4)
    lock.set_remote(told, 0.0)
    assert lock.accepts(intruder, 0.6) and lock.accepts(intruder, 0.7)
    assert lock.accepts(told, 0.71) and lock.destination == told
    assert not lock.accepts(intruder, 0.72) and not lock.accepts(intruder, 100.0)


# ------------------------------------------------------------------------------------------------------- prompts


def wav(form: int, channels: int, rate: int, bits: int, audio: bytes) -> bytes:
    head = struct.pack("<HHIIHH", form, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    return b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0" + head + b"data" + struct.pack("<I", len(audio)) + audio


def test_wav_files_of_all_three_kinds_become_the_same_mulaw() -> None:
    audio = tone(440, 0.05)
    linear = g711.ulaw_to_linear(audio).astype("<i2").tobytes()
    assert prompts.decode_wav(wav(7, 1, 8000, 8, audio)) == audio
    assert prompts.decode_wav(wav(1, 1, 8000, 16, linear)) == audio
    assert (
        level(g711.ulaw_to_linear(prompts.decode_wav(wav(6, 1, 8000, 8, audio.translate(g711.ULAW_TO_ALAW)))), 440)
        > 7000
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a WAV"),
        (b"ID3" + bytes(50), "not a WAV"),
        (wav(1, 2, 8000, 16, b""), "2 channels"),
        (wav(1, 1, 44100, 16, b""), "44100 Hz"),
        (wav(85, 1, 8000, 16, b""), "format 85"),
    ],
)
def test_a_prompt_that_cannot_be_played_says_why(data: bytes, why: str) -> None:
    with pytest.raises(prompts.BadPrompt, match=why):
        prompts.decode_wav(data)


@given(st.binary(min_size=1, max_size=700), st.integers(1, 12))
def test_a_looping_play_has_no_seam(audio: bytes, frames: int) -> None:
    play = prompts.Play("p", audio, loop=True)
    out = b"".join(play.next_frame() for _ in range(frames))
    assert out == (audio * (frames * 160 // len(audio) + 1))[: frames * 160] and not play.over


def test_a_play_ends_filled_up_with_silence() -> None:
    play = prompts.Play("p", b"\x10" * 170)
    assert play.next_frame() == b"\x10" * 160 and not play.over
    assert play.next_frame() == b"\x10" * 10 + b"\xff" * 150 and play.over


@pytest.mark.parametrize(("name", "hz"), [("tone:ringback", 425), ("tone:busy", 425), ("tone:beep", 1000)])
def test_tones_have_their_frequency(name: str, hz: int) -> None:
    assert level(g711.ulaw_to_linear(prompts.tone(name)[:2400]), hz) > 5000


def test_keypad_audio_holds_both_frequencies_of_each_digit() -> None:
    linear = g711.ulaw_to_linear(prompts.keypad_audio("5"))[:800]
    assert level(linear, 770) > 5000 and level(linear, 1336) > 5000


def test_the_buffer_never_holds_more_than_its_ring_when_an_old_packet_comes_first() -> None:
    buffer = JitterBuffer()
    buffer.put(6793, bytes(1400))
    buffer.put(0, b"")
    assert buffer.depth <= 8192
