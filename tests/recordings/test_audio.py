"""PCM out of µ-law, any range of it, and the waveform."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.recordings import audio, peaks
from callcenter.telephony.media.recording import header
from tests.recordings.conftest import stereo, tone, write_wav


def whole(path: Path) -> bytes:
    found = audio.read(path)
    return b"".join(found.pcm(0, found.pcm_length))


def test_the_agent_is_heard_left_and_the_customer_right(tmp_path: Path) -> None:
    left, right = tone(440, 0.5), tone(1000, 0.5)
    write_wav(tmp_path / "a.wav", stereo(left, right))
    with wave.open(io.BytesIO(whole(tmp_path / "a.wav"))) as heard:
        assert (heard.getnchannels(), heard.getsampwidth(), heard.getframerate()) == (2, 2, 8000)
        frames = np.frombuffer(heard.readframes(heard.getnframes()), "<i2").reshape(-1, 2)
    assert len(frames) == 4000
    for channel, hz in ((0, 440), (1, 1000)):
        spectrum = np.abs(np.fft.rfft(frames[:, channel]))
        assert np.argmax(spectrum) * 8000 / 4000 == pytest.approx(hz, abs=2)


def test_an_unfinished_header_does_not_cut_the_recording(tmp_path: Path) -> None:
    data = stereo(tone(440, 1), tone(440, 1))
    write_wav(tmp_path / "a.wav", data, header_bytes=0)
    assert audio.read(tmp_path / "a.wav").seconds == 1.0
    assert len(whole(tmp_path / "a.wav")) == audio.PCM_HEADER_BYTES + 4 * 8000


@given(st.integers(0, 1300), st.integers(0, 1300))
def test_every_range_is_what_the_whole_file_says(tmp_path_factory: pytest.TempPathFactory, a: int, b: int) -> None:
    path = tmp_path_factory.getbasetemp() / "ranges.wav"
    if not path.exists():
        rng = np.random.default_rng(1)
        path.write_bytes(header(628) + rng.integers(0, 256, 628, dtype=np.uint8).tobytes())
    everything = whole(path)
    start, stop = sorted((min(a, len(everything)), min(b, len(everything))))
    assert b"".join(audio.read(path).pcm(start, stop)) == everything[start:stop]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-30", (70, 100)),
        ("bytes=-300", (0, 100)),
        ("bytes=20-10", None),
        ("bytes=1-2,4-5", None),
        ("bytes=x-", None),
        ("bytes=²-", None),
        ("bytes=-", None),
        ("lines=1-2", None),
    ],
)
def test_ranges_are_read_as_browsers_mean_them(asked: str | None, given: tuple[int, int] | None) -> None:
    assert audio.pcm_range(asked, 100) == given


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", "bytes=4000-5000"])
def test_a_range_behind_the_end_is_refused_with_the_length(asked: str) -> None:
    with pytest.raises(audio.RangeUnsatisfiable) as refused:
        audio.pcm_range(asked, 100)
    assert refused.value.params == {"length": 100}


@pytest.mark.parametrize("raw", [b"", b"RIFF", b"x" * 500, b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff"])
def test_a_file_that_is_no_recording_is_said_to_be_damaged(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(raw)
    with pytest.raises(audio.RecordingDamaged):
        audio.read(tmp_path / "a.wav")


def test_a_file_that_is_gone_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(audio.RecordingMissing):
        audio.read(tmp_path / "a.wav")


def test_peaks_show_who_spoke_when_and_are_kept_until_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    silence = np.zeros(8000, np.int16)
    loud = tone(440, 1)
    write_wav(path, stereo(np.concatenate([loud, silence]), np.concatenate([silence, loud])))
    found = peaks.of(audio.read(path))
    assert found.seconds == 2.0
    assert len(found.agent) == len(found.customer) == peaks.BUCKETS
    half = peaks.BUCKETS // 2
    assert min(found.agent[:half]) > 0.4 and max(found.agent[half:]) == 0.0
    assert max(found.customer[:half]) == 0.0 and min(found.customer[half:]) > 0.4
    assert path.with_name("a.wav.peaks").exists()
    assert peaks.of(audio.read(path)) == found

    path.write_bytes(path.read_bytes() + stereo(loud, silence))
    assert peaks.of(audio.read(path)).seconds == 3.0


def test_a_torn_peaks_file_is_computed_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, stereo(tone(440, 1), tone(440, 1)))
    path.with_name("a.wav.peaks").write_bytes(b'{"samples": 80')
    assert max(peaks.of(audio.read(path)).agent) > 0.4


def test_an_empty_recording_has_no_peaks(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", b"")
    found = peaks.of(audio.read(tmp_path / "a.wav"))
    assert (found.seconds, found.agent, found.customer) == (0.0, (), ())
