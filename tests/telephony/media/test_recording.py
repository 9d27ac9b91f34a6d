"""Recordings: alignment in the buffers, and files that are valid whenever the writer is killed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.telephony.media import recording as rec
from callcenter.telephony.media.disk import WavFile
from callcenter.telephony.media.recording import Recording, parse_header


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(-3000, 30000), st.integers(0, 400), st.integers(0, 900)), max_size=60
    )
)
def test_samples_lie_at_their_place_whatever_the_order_and_the_time_line_is_whole(
    puts: list[tuple[int, int, int, int]],
) -> None:
    start, now = 100_000, 100_000
    recording = Recording("r", "p", "l", "r", start)
    out = b""
    truth = [bytearray(b"\xff" * 80000), bytearray(b"\xff" * 80000)]
    for side, offset, size, pause in puts:
        place = now - 1500 + offset % 1500
        channel = recording.channels[side]
        flushed = len(out) // 2
        at = place - start
        channel.put(place, bytes([side + 1]) * size)
        for i in range(max(at, flushed), at + size):
            truth[side][i] = side + 1
        now += pause
        out += recording.flush(now)
    out += recording.finish(now + 400)
    samples = now + 400 - start
    assert len(out) == 2 * samples
    assert out[0::2] == bytes(truth[0][:samples]) and out[1::2] == bytes(truth[1][:samples])


def test_what_comes_too_late_or_too_early_is_dropped() -> None:
    recording = Recording("r", "p", "l", "r", 0)
    recording.left.put(50_000, b"\x01" * 160)
    assert len(recording.flush(4000)) == 2 * 2000
    recording.left.put(0, b"\x01" * 160)
    recording.left.put(1900, b"\x01" * 160)
    recording.right.put(2300, b"\x02" * 10)
    out = recording.finish(4000)
    assert out[0::2] == b"\x01" * 60 + b"\xff" * 1940
    assert out[1::2] == b"\xff" * 300 + b"\x02" * 10 + b"\xff" * 1690


def test_a_loop_held_up_for_long_leaves_silence_not_a_shorter_file() -> None:
    recording = Recording("r", "p", "l", "r", 0)
    assert len(recording.flush(100_000)) == 2 * (100_000 - rec.SETTLE_SAMPLES)
    recording.left.put(100_000, b"\x01" * 160)
    assert recording.finish(100_160)[0::2][-160:] == b"\x01" * 160


@pytest.mark.promise("V3")
def test_the_file_is_valid_after_every_write_and_goes_on_with_silence_for_the_gap(tmp_path: Path) -> None:
    path = tmp_path / "a" / "r.wav"
    file = WavFile(str(path))
    file.open(time.time())
    for n in range(1, 4):
        file.append(b"\x01\x02" * 4000)
        info = parse_header(path.read_bytes())
        assert info is not None and (info.format, info.channels, info.rate, info.bits) == (7, 2, 8000, 8)
        assert info.data_bytes == n * 8000 == path.stat().st_size - info.data_start
    os.truncate(path, path.stat().st_size - 1)  # killed in the middle of a write
    again = WavFile(str(path))
    again.open(path.stat().st_mtime + 2.0)
    again.append(b"\x03\x04" * 8)
    closed = again.close()
    audio = path.read_bytes()[rec.HEADER_BYTES :]
    gap = 16000 + rec.SETTLE_SAMPLES
    assert audio == (b"\x01\x02" * 11999 + b"\xff\xff" * gap + b"\x03\x04" * 8)
    assert closed.size_bytes == path.stat().st_size and closed.seconds == pytest.approx((11999 + gap + 8) / 8000)


def test_a_file_that_is_no_recording_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    path.write_bytes(b"something else")
    file = WavFile(str(path))
    file.open(time.time())
    file.append(b"\x01\x02")
    file.close()
    assert [p.read_bytes() for p in tmp_path.glob("r.wav.damaged-*")] == [b"something else"]
    assert path.stat().st_size == rec.HEADER_BYTES + 2


def test_a_recording_that_is_gone_measures_nothing(tmp_path: Path) -> None:
    closed = WavFile(str(tmp_path / "none.wav")).measure()
    assert (closed.seconds, closed.size_bytes) == (0.0, 0)


@pytest.mark.interop
def test_sox_reads_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "r.wav"
    file = WavFile(str(path))
    file.open(time.time())
    file.append(b"\x01\x02" * 8000)
    told = subprocess.run(["sox", "--info", str(path)], capture_output=True, text=True, timeout=10, check=True).stdout
    assert "Channels       : 2" in told and "Sample Rate    : 8000" in told and "u-law" in told
    assert "00:00:01.00 = 8000 samples" in told
    file.close()


def test_a_full_disk_leaves_silence_and_the_time_line_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.wav"
    file = WavFile(str(path))
    file.open(time.time())
    file.append(b"\x01\x02" * 10)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        file.append(b"\x03\x04" * 10)
        file.append(b"\x05\x06" * 10)
    file.append(b"\x07\x08" * 10)
    file.close()
    audio = path.read_bytes()[rec.HEADER_BYTES :]
    assert audio == b"\x01\x02" * 10 + b"\xff\xff" * 20 + b"\x07\x08" * 10
