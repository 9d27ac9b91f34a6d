"""A caller who stops speaking ends his message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from callcenter.processes.engine.listening import Listening, is_quiet
from callcenter.telephony.media.g711 import linear_to_ulaw

HEADER = bytes(58)


def sound(seconds: float, loud: float) -> bytes:
    """Both channels of a 300 Hz tone."""
    t = np.arange(int(seconds * 8000)) / 8000
    mono = (np.sin(2 * np.pi * 300 * t) * loud).astype(np.int16)
    return linear_to_ulaw(np.repeat(mono, 2))


def test_a_recording_is_quiet_when_its_last_seconds_hold_no_speech(tmp_path: Path) -> None:
    path = tmp_path / "m.wav"
    assert not is_quiet(path, 2)
    path.write_bytes(HEADER + sound(1, 0))
    assert not is_quiet(path, 2), "there is not so much of it yet"
    path.write_bytes(HEADER + sound(3, 4000) + sound(1.9, 60))
    assert not is_quiet(path, 2)
    path.write_bytes(HEADER + sound(3, 4000) + sound(2.1, 60))
    assert is_quiet(path, 2)


def test_a_watched_recording_is_stopped_once_and_an_ended_one_never(tmp_path: Path) -> None:
    async def story() -> list[str]:
        stopped: list[str] = []
        listening = Listening(stopped.append)
        for name in ("quiet", "ended", "loud"):
            (tmp_path / name).write_bytes(HEADER + sound(2.2, 5000 if name == "loud" else 0))
            listening.begin(name, tmp_path / name, 2)
        listening.end("ended")
        await asyncio.sleep(1.2)
        listening.end("loud")
        return stopped

    assert asyncio.run(story()) == ["quiet"]
