"""Sounds that people upload → prompts: formats, loudness, and what is refused."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from callcenter.errors import InvalidInput
from callcenter.prompts.decode import to_prompt
from callcenter.speech import Samples, level_dbfs


def speechlike(seconds: float, rate: int, level: float = 0.05) -> Samples:
    """Bursts of a tone, so that it has loud and quiet parts as speech has."""
    t = np.arange(int(seconds * rate)) / rate
    sound: Samples = (level * np.sin(2 * np.pi * 400 * t) * (np.sin(2 * np.pi * 3 * t) > -0.5)).astype(np.float32)
    return sound


def encoded(path: Path, codec: str, sound: Samples, rate: int, channels: int = 2) -> Path:
    """`sound` as a file of the kind that the name of `path` says."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        layout = "stereo" if channels == 2 else "mono"
        stream.layout = layout
        resampler = av.AudioResampler(format=stream.codec_context.format or "s16", layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.tile(sound, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def heard(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples: Samples = pcm.astype(np.float32) / np.float32(32768)
    return samples


@pytest.mark.promise("I2")
@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.wav", "pcm_s16le", 44100, 2),
        ("b.wav", "pcm_alaw", 8000, 1),
        ("c.mp3", "libmp3lame", 44100, 2),
        ("d.ogg", "libopus", 48000, 1),
        ("e.webm", "libopus", 48000, 1),
        ("f.m4a", "aac", 44100, 2),
    ],
)
def test_each_format_becomes_a_prompt_of_the_same_loudness(
    tmp_path: Path, name: str, codec: str, rate: int, channels: int
) -> None:
    source = encoded(tmp_path / name, codec, speechlike(2.0, rate, 0.02 if "mp3" in name else 0.3), rate, channels)
    seconds = to_prompt(source, tmp_path / "out/prompt.wav")
    sound = heard(tmp_path / "out/prompt.wav")
    assert seconds == pytest.approx(len(sound) / 8000, abs=0.01)
    assert 1.6 < seconds < 2.2
    assert level_dbfs(sound) == pytest.approx(-16, abs=1.5)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no sound at all", "not_a_sound"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n", "not_a_sound"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not_a_sound"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0garbage", "not_a_sound"),
        (b"ID3" + bytes(4000), "not_a_sound"),
        (b"OggS" + b"\xff" * 4000, "not_a_sound"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_sentence_at_the_field(tmp_path: Path, content: bytes, code: str) -> None:
    source = tmp_path / "x"
    source.write_bytes(content)
    with pytest.raises(InvalidInput) as refused:
        to_prompt(source, tmp_path / "out.wav")
    assert refused.value.code == code and "WAV" in refused.value.fields["file"]
    assert not (tmp_path / "out.wav").exists()


def test_silence_scraps_and_hours_are_refused(tmp_path: Path) -> None:
    for name, sound, code in (
        ("quiet.wav", speechlike(1.0, 8000, 0.0005), "sound_silent"),
        ("scrap.wav", speechlike(0.1, 8000, 0.3), "sound_too_short"),
        ("hours.wav", np.full(8000 * 605, 0.2, np.float32), "sound_too_long"),
    ):
        source = encoded(tmp_path / name, "pcm_s16le", sound, 8000, 1)
        with pytest.raises(InvalidInput) as refused:
            to_prompt(source, tmp_path / "out.wav")
        assert refused.value.code == code
