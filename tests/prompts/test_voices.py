"""Voices: eSpeak NG's are always there; piper's come first where the operator has them; a broken one costs nothing."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from callcenter import voices
from callcenter.speech import Job, Samples, Speaker, level_dbfs, synthesise_many
from tests.prompts.test_decode import heard

# Stands in for piper's program: reads a text, writes a WAV of 22,050 Hz as long as the text, or fails.
PIPER = """#!{python}
import math, struct, sys, wave
target = sys.argv[sys.argv.index("--output_file") + 1]
text = sys.stdin.read()
if "broken" in sys.argv[sys.argv.index("--model") + 1]:
    sys.exit("no such phoneme")
with wave.open(target, "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(22050)
    n = 2205 * len(text)
    file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i * 0.1))) for i in range(n)))
"""


@pytest.fixture
def piper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "piper"
    program.write_text(PIPER.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    models = tmp_path / "models"
    models.mkdir()
    for name in ("en_US-amy-medium", "en_GB-broken-low", "zh_CN-huayan-medium", "fr_FR-siwis-low"):
        (models / f"{name}.onnx").touch()
    monkeypatch.setenv("PIPER", str(program))
    monkeypatch.setenv("PIPER_VOICES", str(models))
    return tmp_path


def test_without_piper_each_language_has_voices_and_one_that_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIPER_VOICES", raising=False)
    assert {v.engine for v in voices.voices()} == {"espeak"}
    assert voices.default_voice("zh-CN").language == "zh" and voices.default_voice("en-US").language == "en"
    with pytest.raises(KeyError):
        voices.default_voice("fr")


@pytest.mark.promise("I2")
def test_pipers_voices_come_first_and_speak(piper: Path) -> None:
    assert voices.default_voice("zh").id == "piper:zh_CN-huayan-medium"
    assert not [v for v in voices.voices() if "fr_FR" in v.id], "nobody can choose French yet"
    target = piper / "out.wav"
    synthesise_many([Job("hello there", "en", str(target), voice="piper:en_US-amy-medium")])
    sound: Samples = heard(target)
    assert len(sound) / 8000 == pytest.approx(1.1, abs=0.05)
    assert level_dbfs(sound) == pytest.approx(-16, abs=1.5)


def test_a_voice_that_fails_or_is_gone_is_replaced_by_espeak(piper: Path) -> None:
    speaker = Speaker()
    pipe = piper / "pipe"
    os.mkfifo(pipe)
    jobs = [
        Job("hello", "en", str(piper / "a.wav"), voice="piper:en_GB-broken-low"),
        Job("hello", "en", str(piper / "b.wav"), voice="piper:en_US-deleted"),
        Job("", "en", str(piper / "c.wav")),
        Job("hello", "en", str(pipe)),
    ]
    said = speaker.speak(jobs)
    speaker.close()
    assert said[:2] == ["", ""] and said[2] and "no file" in said[3]
    assert pipe.is_fifo(), "what is no file is never replaced by one"
    assert len(heard(piper / "a.wav")) > 1000 and len(heard(piper / "b.wav")) > 1000
    assert not (piper / "c.wav").exists()


def test_a_speaker_ends_with_who_keeps_it(tmp_path: Path) -> None:
    speaker = Speaker()
    assert speaker.speak([Job("hi", "en", str(tmp_path / "hi.wav"))]) == [""]
    process = speaker._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    assert process.wait(5) == 0
