"""The prompts of a worker, read once and kept decoded."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from callcenter.telephony.media import prompts

log = logging.getLogger(__name__)
MAX_BYTES = 128 * 1024 * 1024
_Stamp = tuple[int, int]


def _stamp(path: str) -> _Stamp | None:
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _read(path: str) -> tuple[_Stamp | None, bytes | None]:
    stamp = _stamp(path)
    try:
        return stamp, prompts.decode_wav(Path(path).read_bytes())
    except (OSError, prompts.BadPrompt) as error:
        log.error("cannot play %s: %s", path, error)
        return None, None


class Library:
    """Decoded prompts by source, the least recently used dropped beyond 128 MB. A file that changed is read anew."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._kept: OrderedDict[str, tuple[_Stamp | None, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, source: str) -> bytes | None:
        """The audio in µ-law if it is at hand: a tone, or a file already read."""
        kept = self._kept.get(source)
        if kept is not None and (prompts.is_generated(source) or _stamp(source) == kept[0]):
            self._kept.move_to_end(source)
            return kept[1]
        if prompts.is_generated(source):
            try:
                audio = prompts.tone(source)
            except prompts.BadPrompt:
                return None
            self._keep(source, None, audio)
            return audio
        return None

    def load(self, source: str, loaded: Callable[[bytes | None], None]) -> None:
        """Read a file in another thread; `loaded` gets its audio in this loop, or None if it cannot be played."""
        if prompts.is_generated(source):
            log.error("cannot play %s: no such tone", source)
            self._loop.call_soon(loaded, None)
            return
        reading = self._loop.run_in_executor(None, functools.partial(_read, source))

        def done(future: asyncio.Future[tuple[_Stamp | None, bytes | None]]) -> None:
            if future.cancelled():
                return
            stamp, audio = future.result()
            if audio is not None:
                self._keep(source, stamp, audio)
            loaded(audio)

        reading.add_done_callback(done)

    def _keep(self, source: str, stamp: _Stamp | None, audio: bytes) -> None:
        former = self._kept.pop(source, None)
        self._bytes += len(audio) - (len(former[1]) if former else 0)
        self._kept[source] = (stamp, audio)
        while self._bytes > MAX_BYTES and len(self._kept) > 1:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
