"""The 20 ms clock of a worker: prompts, key presses, mixes and comfort silence, for the ports that need it.

A port that only relays is not here. All ports share the clock, so that all listeners of a tick with the same number of
sources are mixed in one go.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from callcenter.telephony.media import g711
from callcenter.telephony.media.g711 import SILENT_FRAME
from callcenter.telephony.media.port import MediaLeg

CLOCK = "clock"  # the feeder of a port that the clock feeds


class Clock:
    """The ports on the clock, each with the sources that it hears mixed."""

    def __init__(self, play_ended: Callable[[MediaLeg], None], keys_sent: Callable[[MediaLeg], None]) -> None:
        self._play_ended = play_ended
        self._keys_sent = keys_sent
        self._ports: dict[MediaLeg, tuple[MediaLeg, ...]] = {}

    def set(self, port: MediaLeg, sources: tuple[MediaLeg, ...]) -> None:
        """Feed `port` from the clock, with `sources` mixed (none: its play, or silence)."""
        self._ports[port] = sources

    def discard(self, port: MediaLeg) -> None:
        """The port needs no clock."""
        self._ports.pop(port, None)

    def __contains__(self, port: MediaLeg) -> bool:
        return port in self._ports

    def tick(self, now: int) -> None:
        """Send this 20 ms to all ports on the clock."""
        heard: dict[MediaLeg, bytes] = {}
        wanted = {source for sources in self._ports.values() for source in sources}
        for source in wanted:
            if source.mixin is not None and (frame := source.mixin.get()) is not None:
                heard[source] = frame
        mixes: dict[int, list[tuple[MediaLeg, list[bytes]]]] = {}
        over = []
        for port, sources in list(self._ports.items()):
            if port.keys_out.active:
                port.send_events(port.keys_out.tick(), CLOCK, now)
                if not port.keys_out.active:
                    self._keys_sent(port)
                continue
            frames = [heard[s] for s in sources if s in heard]
            play = port.play
            if play is not None:
                frames.append(play.next_frame())
                if play.over:
                    over.append(port)
            if not port.may_send:
                continue
            if len(frames) > 1:
                mixes.setdefault(len(frames), []).append((port, frames))
            else:
                port.send_frame(frames[0] if frames else SILENT_FRAME, CLOCK, now)
        for listeners in mixes.values():
            self._send_mixed(listeners, now)
        for port in over:
            self._play_ended(port)

    @staticmethod
    def _send_mixed(listeners: list[tuple[MediaLeg, list[bytes]]], now: int) -> None:
        joined = b"".join(frame for _, frames in listeners for frame in frames)
        rows = g711.ULAW_TO_LINEAR[np.frombuffer(joined, np.uint8)].reshape(len(listeners), -1, g711.FRAME_SAMPLES)
        mixed = g711.mix_rows(rows).tobytes()
        for i, (port, _) in enumerate(listeners):
            port.send_frame(mixed[i * g711.FRAME_SAMPLES : (i + 1) * g711.FRAME_SAMPLES], CLOCK, now)
