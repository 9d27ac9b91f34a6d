"""Recordings on disk: one thread that writes, so that a slow disk never holds up audio.

A file is a valid WAV after every write (the sizes in its header are patched), so a kill loses only what was not
written yet. One thread, one queue: the writes of a file stay in order.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from callcenter.telephony.media.g711 import SAMPLE_RATE, SILENCE
from callcenter.telephony.media.recording import (
    CHANNELS,
    HEADER_BYTES,
    SETTLE_SAMPLES,
    WAVE_FORMAT_MULAW,
    header,
    parse_header,
)

log = logging.getLogger(__name__)
MAX_GAP_S = 3600.0
_PAD_STEP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Closed:
    """A finished file: `seconds` of audio, `size_bytes` on disk."""

    seconds: float
    size_bytes: int


class WavFile:
    """A growing stereo µ-law WAV. All methods block and belong to the writing thread; they raise OSError."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._fd = -1
        self._data_bytes = 0
        self._owed = 0  # bytes of silence due before the next audio
        self._failed = False

    def open(self, now_s: float) -> None:
        """Create the file, or take it up at its end with silence for the time since its last write (at most an hour).

        A file that is no recording of ours is moved aside, never overwritten.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        gap = self._resume(now_s) if self.path.exists() and self.path.stat().st_size else None
        if gap is None:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
            os.pwrite(self._fd, header(0), 0)
            return
        self._owed = gap
        self._pay()

    def _resume(self, now_s: float) -> int | None:
        """Bytes of silence to append, the file being open; None if it has to begin anew."""
        fd = os.open(self.path, os.O_RDWR)
        state = os.fstat(fd)
        info = parse_header(os.pread(fd, 256, 0))
        if info is None or (info.format, info.channels, info.data_start) != (WAVE_FORMAT_MULAW, CHANNELS, HEADER_BYTES):
            os.close(fd)
            aside = self.path.with_name(f"{self.path.name}.damaged-{int(now_s)}")
            self.path.rename(aside)
            log.error("not a recording, moved aside: %s", aside)
            return None
        self._fd = fd
        self._data_bytes = (state.st_size - HEADER_BYTES) // CHANNELS * CHANNELS
        # What the former process had not written yet is part of the gap: it wrote what was SETTLE_SAMPLES old.
        gap_s = min(max(now_s - state.st_mtime, 0.0), MAX_GAP_S)
        return CHANNELS * (int(gap_s * SAMPLE_RATE) + SETTLE_SAMPLES)

    def append(self, data: bytes | bytearray) -> None:
        """Write `data` and the sizes. What could not be written (disk full) becomes silence once it can again, so
        that the time line stays."""
        if self._fd < 0:
            return
        try:
            self._pay()
            self._append(data)
            self._failed = False
        except OSError:
            self._owed += len(data)
            if not self._failed:
                log.exception("cannot write recording %s", self.path)
            self._failed = True

    def _pay(self) -> None:
        while self._owed:
            step = min(self._owed, _PAD_STEP_BYTES)
            self._append(bytes([SILENCE]) * step)
            self._owed -= step

    def _append(self, data: bytes | bytearray) -> None:
        view = memoryview(data)
        at = HEADER_BYTES + self._data_bytes
        while view:
            done = os.pwrite(self._fd, view, at)
            at += done
            view = view[done:]
        self._data_bytes += len(data)
        os.pwrite(self._fd, header(self._data_bytes), 0)

    def close(self) -> Closed:
        """Close the file and tell what is in it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        return self.measure()

    def measure(self) -> Closed:
        """What is on disk, judged by the file's size (a kill may fall between audio and header); nothing if it is
        gone."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return Closed(0.0, 0)
        return Closed(max(0, size - HEADER_BYTES) / CHANNELS / SAMPLE_RATE, size)


class DiskThread:
    """Runs jobs one after the other in a thread of its own."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], object]) -> None:
        """Run `job` after all that were submitted before. What it gives is not used; what it raises is logged."""
        self._jobs.put(job)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("recording job failed")

    def finish(self, timeout_s: float = 10.0) -> bool:
        """Run what is queued and end the thread. False if that took longer than `timeout_s`."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


def open_job(file: WavFile, now_s: float) -> Callable[[], None]:
    """A job that opens `file` for a recording that began at `now_s`."""

    def job() -> None:
        try:
            file.open(now_s)
        except OSError:
            log.exception("cannot open recording %s", file.path)

    return job
