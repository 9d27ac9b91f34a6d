"""The playout buffer of a source that is mixed: puts packets in order and gives 160 samples every 20 ms.

Its depth follows the stream: late packets deepen it at once, a second of needless depth makes it skip a frame. Relaying
does without it, the far end has one of its own. Pure; timestamps are RTP's, in samples.
"""

from __future__ import annotations

from callcenter.telephony.media.g711 import FRAME_SAMPLES, SILENCE, SILENT_FRAME

_SIZE = 8192  # samples, a power of two: about a second
_MASK = _SIZE - 1
START_SAMPLES = 320  # 40 ms before the first frame is given
MAX_DEPTH = 1920  # 240 ms
SPARE_SAMPLES = 320  # a depth that never falls below this for a window is needless
WINDOW = 50  # frames


class JitterBuffer:
    """A ring of µ-law samples indexed by RTP timestamp; read samples become silence again, so loss is silence."""

    __slots__ = ("_depth_min", "_frames", "_head", "_play", "_ring", "_running", "late", "skipped")

    def __init__(self) -> None:
        self._ring = bytearray([SILENCE]) * _SIZE
        self.late = 0
        self.skipped = 0
        self._restart(0)

    def _restart(self, timestamp: int) -> None:
        self._ring[:] = bytes([SILENCE]) * _SIZE
        self._play = timestamp  # next sample to give
        self._head = timestamp  # one after the newest sample
        self._running = False
        self._depth_min = MAX_DEPTH
        self._frames = 0

    @property
    def depth(self) -> int:
        """Samples between the next to play and the newest."""
        return (self._head - self._play) & 0xFFFFFFFF

    def put(self, timestamp: int, payload: bytes | bytearray | memoryview) -> None:
        """Store a packet's samples. One whose time has passed is counted in `late` and deepens the buffer."""
        size = len(payload)
        if size > _SIZE // 4:
            return
        if not self._running and self._play == self._head:
            self._restart(timestamp)
        ahead = ((timestamp - self._play + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if not -_SIZE < ahead <= _SIZE // 2 - size:
            self._restart(timestamp)  # another stream, or a jump
            ahead = 0
        if ahead < 0:
            self.late += 1
            if self.depth - ahead > MAX_DEPTH:
                if self._running:
                    return
                self._restart(timestamp)  # too far apart to belong together, and nothing was played yet
            self._play = timestamp  # play it now: from here on everything is later by what this one was late
        self._write(timestamp, payload)
        end = (timestamp + size) & 0xFFFFFFFF
        if ((end - self._head) & 0xFFFFFFFF) < 0x80000000:
            self._head = end

    def _write(self, timestamp: int, payload: bytes | bytearray | memoryview) -> None:
        at = timestamp & _MASK
        until = at + len(payload)
        if until <= _SIZE:
            self._ring[at:until] = payload
        else:
            cut = _SIZE - at
            self._ring[at:] = payload[:cut]
            self._ring[: until - _SIZE] = payload[cut:]

    def get(self) -> bytes | None:
        """The next 20 ms, or None while the buffer fills (before the first frame and after it ran empty)."""
        depth = self.depth
        if not self._running:
            if depth < START_SAMPLES:
                return None
            self._running = True
        if depth < FRAME_SAMPLES:
            if depth == 0:
                self._running = False
            return None  # the sender paused or its packets are held up: wait where we are
        self._depth_min = min(self._depth_min, depth)
        self._frames += 1
        if self._frames >= WINDOW:
            if self._depth_min >= FRAME_SAMPLES + SPARE_SAMPLES:
                self._take()
                self.skipped += 1
            self._frames, self._depth_min = 0, MAX_DEPTH
        return self._take()

    def _take(self) -> bytes:
        at = self._play & _MASK
        until = at + FRAME_SAMPLES
        if until <= _SIZE:
            frame = bytes(self._ring[at:until])
            self._ring[at:until] = SILENT_FRAME
        else:
            cut = _SIZE - at
            frame = bytes(self._ring[at:] + self._ring[: until - _SIZE])
            self._ring[at:] = SILENT_FRAME[:cut]
            self._ring[: until - _SIZE] = SILENT_FRAME[cut:]
        self._play = (self._play + FRAME_SAMPLES) & 0xFFFFFFFF
        return frame
