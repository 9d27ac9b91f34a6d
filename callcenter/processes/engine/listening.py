"""Has a caller who speaks onto a recording stopped speaking? Judged by the end of the file as it grows on disk.

The media process writes a recording at least every half second; here its last seconds are looked at as often. A caller
who leaves a message pauses for breath, so `silence_s` is seconds, and a look twice a second is enough.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from callcenter.telephony.media.g711 import ulaw_to_linear

log = logging.getLogger(__name__)
EVERY_S = 0.5
BYTES_PER_S = 2 * 8000  # both channels carry the caller
QUIET = 330.0  # RMS of 16-bit samples (about -40 dBFS): below is no speech into a telephone
FRAME = 1600  # 0.1 s of both channels


class Listening:
    """Watches recordings; `stop(recording_id)` is called once for each that fell silent."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        self._stop = stop
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, recording_id: str, path: Path, silence_s: float) -> None:
        """Watch from now on; the caller may take `silence_s` before he begins, too."""
        self._tasks[recording_id] = asyncio.ensure_future(self._watch(recording_id, path, silence_s))

    def end(self, recording_id: str) -> None:
        """The recording is over for another reason; harmless if it is not watched."""
        task = self._tasks.pop(recording_id, None)
        if task is not None:
            task.cancel()

    async def _watch(self, recording_id: str, path: Path, silence_s: float) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                quiet = is_quiet(path, silence_s)
            except OSError as error:
                log.warning("a recording can't be listened to: %s", error)
                return
            if quiet:
                self._tasks.pop(recording_id, None)
                self._stop(recording_id)
                return


def is_quiet(path: Path, silence_s: float) -> bool:
    """Whether the last `silence_s` of a growing recording hold no speech; False before there are so many. Raises
    OSError."""
    wanted = int(silence_s * BYTES_PER_S)
    if not path.exists() or path.stat().st_size < wanted + FRAME:
        return False
    with path.open("rb") as file:
        file.seek(-wanted, 2)
        samples = ulaw_to_linear(file.read(wanted)).astype(np.float64)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return bool((np.sqrt((frames**2).mean(axis=1)) < QUIET).all())
