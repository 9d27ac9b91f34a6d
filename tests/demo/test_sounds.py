"""G.711 tables, frames and speech: what is played is what was meant, at the level that was meant."""

from __future__ import annotations

import wave
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from callcenter.errors import InvalidInput
from callcenter.speech import Job, SpeechFailed, UnknownLanguage, level_dbfs, synthesise, synthesise_many
from demo import sounds
from demo.voices import PHRASES, Voices


def test_ulaw_keeps_every_sample_within_its_step() -> None:
    ramp = np.linspace(-0.99, 0.99, 20001, dtype=np.float32)
    back = sounds.ulaw_values(sounds.ulaw(ramp))
    assert np.all(np.abs(back - ramp) <= np.abs(ramp) / 16 + 0.0005)
    assert sounds.ulaw(np.zeros(3, np.float32)) == b"\xff\xff\xff"


def test_ulaw_codes_are_a_fixed_point_and_their_alaw_twins_sound_the_same() -> None:
    codes = bytes(c for c in range(256) if c != 0x7F)  # 0x7F is the other zero
    values = sounds.ulaw_values(codes)
    assert sounds.ulaw(values) == codes
    twins = sounds.alaw_values(codes.translate(sounds.ULAW_TO_ALAW))
    assert np.all(np.abs(twins - values) <= np.abs(values) / 16 + 0.0005)
    assert sounds.alaw_values(b"\xd5\x55").tolist() == pytest.approx([8 / 32768, -8 / 32768])


def test_frames_are_twenty_milliseconds_and_the_last_is_filled_with_silence() -> None:
    cut = sounds.frames(sounds.tone(0.05, 400))
    assert [len(frame) for frame in cut] == [160, 160, 160]
    assert cut[-1].endswith(b"\xff" * 80)


@pytest.mark.parametrize(
    ("language", "text"), [("en", "Hello, who is calling, please?"), ("zh", "您好，请问您是哪里？")]
)
def test_speech_is_eight_kilohertz_mono_trimmed_and_at_its_level(tmp_path: Path, language: str, text: str) -> None:
    path = tmp_path / "spoken.wav"
    synthesise(text, language, path, variant="f2")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
    samples = sounds.read_wav(path)
    assert 1.0 < len(samples) / 8000 < 5.0
    assert level_dbfs(samples) == pytest.approx(-16.0, abs=0.5)
    assert np.abs(samples).max() < 0.99
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    assert loud[0] < 1600 and loud[-1] > len(samples) - 1600
    assert [path] == list(tmp_path.iterdir())


def test_two_threads_may_speak_at_once(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.wav" for i in range(4)]
    threads = [Thread(target=synthesise, args=("Good morning.", "en", file)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({file.read_bytes() for file in files}) == 1


def test_unknown_language_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguage) as error:
        synthesise("Bonjour", "fr", tmp_path / "a.wav")
    assert error.value.code == "unknown_language" and "zh" in error.value.fields["language"]


@pytest.mark.parametrize(
    ("text", "variant", "failure"), [("  ", "", InvalidInput), ("Hello", "x9", InvalidInput), ("...", "", SpeechFailed)]
)
def test_what_can_not_be_spoken_leaves_no_file(
    tmp_path: Path, text: str, variant: str, failure: type[Exception]
) -> None:
    with pytest.raises(failure):
        synthesise(text, "en", tmp_path / "a.wav", variant=variant)
    assert not list(tmp_path.iterdir())


def test_a_wrong_job_stops_the_batch_before_anything_is_spoken(tmp_path: Path) -> None:
    with pytest.raises(UnknownLanguage):
        synthesise_many([Job("One.", "en", str(tmp_path / "1.wav")), Job("Deux.", "fr", str(tmp_path / "2.wav"))])
    assert not list(tmp_path.iterdir())


def test_subscribers_murmur_until_their_voices_are_there(tmp_path: Path) -> None:
    voices = Voices(tmp_path)
    murmur = voices.get("zh", "f", "hello")
    assert not voices.ready and len(murmur) > 20 and set(murmur) != {b"\xff" * 160}
    voices.load()
    assert voices.ready and voices.get("zh", "f", "hello") != murmur
    assert len({voices.get("en", voice, name) for voice in "fm" for name in PHRASES["en"]}) == 2 * len(PHRASES["en"])


def test_subscribers_go_on_murmuring_where_nothing_can_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    voices = Voices(blocked / "demo")
    voices.load()
    assert not voices.ready and voices.get("en", "m", "greeting")
