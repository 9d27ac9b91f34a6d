"""Listening to recordings: is the right voice on the right channel?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callcenter.recordings.audio import PCM_HEADER_BYTES, Audio, read
from tests.system.carriers import TONE_HZ
from tests.system.headset import loudness
from tests.system.installation import Installation

LOUDER = 10


def channels(audio: Audio) -> tuple[NDArray[Any], NDArray[Any]]:
    """The agent's and the customer's samples."""
    raw = b"".join(audio.pcm(PCM_HEADER_BYTES, audio.pcm_length))
    samples = np.frombuffer(raw, dtype="<i2").reshape(-1, 2).astype(float)
    return samples[:, 0], samples[:, 1]


def check_recordings(installation: Installation, voices: Mapping[str, float]) -> None:
    """Each conversation has one recording, as long as it was, the agent (user name → tone) left, the callee right."""
    rows = installation.rows(
        "SELECT r.path, c.talk_s, u.username FROM call c LEFT JOIN recording r ON r.call_id = c.id "
        "JOIN user_account u ON u.id = c.agent_id WHERE c.outcome = 'connected'"
    )
    assert rows
    for row in rows:
        assert row["path"], row
        left, right = channels(read(installation.var / "recordings" / row["path"]))
        assert abs(len(left) / 8000 - row["talk_s"]) < 0.6, (len(left) / 8000, row)
        middle = slice(len(left) // 2 - 2000, len(left) // 2 + 2000)
        mine = loudness(left[middle], voices[row["username"]])
        others = [hz for name, hz in voices.items() if name != row["username"]]
        assert all(mine > LOUDER * loudness(left[middle], hz) for hz in [*others, TONE_HZ]), row
        theirs = loudness(right[middle], TONE_HZ)
        assert all(theirs > LOUDER * loudness(right[middle], hz) for hz in voices.values()), row
