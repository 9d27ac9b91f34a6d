"""The recordings that run in a worker: which port feeds which channel, and when what goes to disk."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable

from callcenter.telephony.media.disk import Closed, DiskThread, WavFile, open_job
from callcenter.telephony.media.recording import Channel, Recording

log = logging.getLogger(__name__)
FLUSH_TICKS = 24  # each recording is written every 480 ms


class Tapes:
    """Recordings by id. `closed(recording_id, path, Closed)` is called in the disk thread."""

    def __init__(self, disk: DiskThread, closed: Callable[[str, str, Closed], None]) -> None:
        self._disk = disk
        self._closed = closed
        self._running: dict[str, tuple[Recording, WavFile]] = {}
        self._slots: list[dict[str, tuple[Recording, WavFile]]] = [{} for _ in range(FLUSH_TICKS)]
        self._channels: dict[str, list[Channel]] = {}
        self._ticks = 0

    def __contains__(self, recording_id: str) -> bool:
        return recording_id in self._running

    def ids(self) -> list[str]:
        """The recordings that run."""
        return list(self._running)

    def get(self, recording_id: str) -> Recording:
        """KeyError if it does not run."""
        return self._running[recording_id][0]

    def tap(self, port_id: str) -> Channel | None:
        """The first of the channels that `port_id` feeds, chained."""
        first = None
        for channel in self._channels.get(port_id, ()):
            channel.next, first = first, channel
        return first

    def fed_by(self, port_id: str) -> list[Recording]:
        """The recordings that `port_id` feeds."""
        return [r for r, _ in self._running.values() if port_id in (r.left.port_id, r.right.port_id)]

    def start(self, recording_id: str, path: str, left_port: str, right_port: str, now: int) -> Recording:
        """Begin, or take up the file that is there."""
        recording = Recording(recording_id, path, left_port, right_port, now)
        file = WavFile(path)
        self._running[recording_id] = (recording, file)
        slot = min(self._slots, key=len)
        slot[recording_id] = (recording, file)
        self._wire(recording.channels)
        self._disk.submit(open_job(file, time.time()))
        return recording

    def retarget(self, recording: Recording, left_port: str, right_port: str) -> set[str]:
        """Other ports feed it. Returns all ports concerned, whose taps must be set anew."""
        concerned = {recording.left.port_id, recording.right.port_id, left_port, right_port}
        self._unwire(recording.channels)
        recording.retarget(left_port, right_port)
        if not recording.paused:
            self._wire(recording.channels)
        return concerned

    def pause(self, recording: Recording, paused: bool) -> set[str]:
        """Record silence, or sound again. Returns the ports concerned."""
        self._unwire(recording.channels)
        recording.pause(paused)
        if not paused:
            self._wire(recording.channels)
        return {recording.left.port_id, recording.right.port_id}

    def stop(self, recording_id: str, now: int) -> set[str]:
        """Write the rest and close. Returns the ports concerned. KeyError if it does not run."""
        recording, file = self._running.pop(recording_id)
        for slot in self._slots:
            slot.pop(recording_id, None)
        self._unwire(recording.channels)
        rest = recording.finish(now)

        def job() -> None:
            file.append(rest)
            self._closed(recording_id, str(file.path), file.close())

        self._disk.submit(job)
        return {recording.left.port_id, recording.right.port_id}

    def measure(self, recording_id: str, path: str) -> None:
        """Tell of a recording that does not run here as it lies on disk: it was stopped while the worker was down."""
        self._disk.submit(lambda: self._closed(recording_id, path, WavFile(path).measure()))

    def close_all(self, now: int) -> None:
        """Write and close all; nobody is told: a successor takes them up."""
        for recording, file in self._running.values():
            self._disk.submit(functools.partial(file.append, recording.finish(now)))
            self._disk.submit(file.close)
        self._running.clear()

    def tick(self, now: int) -> None:
        """Once every 20 ms: hand what is due to the disk thread."""
        self._ticks += 1
        due = [(f, data) for r, f in self._slots[self._ticks % FLUSH_TICKS].values() if (data := r.flush(now))]
        if due:
            self._disk.submit(functools.partial(_write, due))

    def _wire(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            if channel.port_id:
                self._channels.setdefault(channel.port_id, []).append(channel)

    def _unwire(self, channels: Iterable[Channel]) -> None:
        for channel in channels:
            held = self._channels.get(channel.port_id)
            if held and channel in held:
                held.remove(channel)
                if not held:
                    del self._channels[channel.port_id]


def _write(due: list[tuple[WavFile, bytearray]]) -> None:
    for file, data in due:
        file.append(data)
