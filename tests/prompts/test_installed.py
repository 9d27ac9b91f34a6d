"""The prompts that an installation starts with: made once, spoken in the name that was given, music without a seam."""

from __future__ import annotations

import time
import wave
from pathlib import Path

import numpy as np
import pytest

from callcenter.errors import InvalidInput
from callcenter.prompts import installed as prompts
from callcenter.speech import Samples, level_dbfs


def _samples(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    samples: Samples = pcm.astype(np.float32) / np.float32(32768)
    return samples


def test_prompts_of_both_languages_and_music_are_made_once(tmp_path: Path) -> None:
    made = prompts.ensure_prompts(tmp_path)
    assert {"identification_zh", "identification_en", "no_agent_zh", "no_agent_en", "hold_music"} <= set(made)
    written = {name: path.stat().st_mtime_ns for name, path in made.items()}
    began = time.monotonic()
    assert prompts.ensure_prompts(tmp_path) == made
    assert time.monotonic() - began < 0.1
    assert {name: path.stat().st_mtime_ns for name, path in made.items()} == written
    assert all(level_dbfs(_samples(path)) > -26 for path in made.values())


def test_hold_music_is_a_quiet_loop_without_a_seam() -> None:
    music = prompts.hold_music()
    assert 20 <= len(music) / 8000 <= 30
    assert level_dbfs(music) == pytest.approx(-24, abs=1.5)
    steps = np.abs(np.diff(music))
    assert abs(music[0] - music[-1]) <= steps.max()


def test_identification_message_speaks_the_organisation_it_is_given(tmp_path: Path) -> None:
    one = prompts.identification_prompt(tmp_path, "远航贸易", "zh")
    other = prompts.identification_prompt(tmp_path, "恒信科技有限公司", "zh")
    assert one != other and one.read_bytes() != other.read_bytes()
    for organisation, language in (("  ", "zh"), ("Acme", "fr")):
        with pytest.raises(InvalidInput):
            prompts.identification_prompt(tmp_path, organisation, language)


def test_identification_message_is_neutral_until_an_organisation_gives_its_name() -> None:
    assert all("demo" not in name.lower() and "示" not in name for name in prompts.ORGANISATION.values())
    texts = prompts.TEXTS["identification"]
    assert set(texts) == set(prompts.ORGANISATION)
    assert all("{organisation}" in text for text in texts.values())
