"""Prompts by name → one file that the media process plays.

What a caller hears may be several prompts: the enterprise's, spoken sentences, tones, silence. They are joined once and
kept under `var/prompts/cache`, named by a digest of what is in them; the least recently used go when it grows too big.
Speaking and joining are done in threads: a caller's audio waits for no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from callcenter.acd import announcing
from callcenter.clock import monotonic_s
from callcenter.prompts import names, wav
from callcenter.speech import Job, Speaker
from callcenter.telephony.media import prompts as sounds
from callcenter.voices import default_voice, language_of

log = logging.getLogger(__name__)
MOST_BYTES = 256 * 1024 * 1024
MOST_KNOWN = 10_000  # joined files remembered by what is in them
YOUNG_S = 60.0  # a file just named may not be read yet: it is never dropped
TOUCH_EVERY_S = 3600.0
GAP_MS = 150  # between two sentences
SILENT = "silence"  # played when nothing of a prompt is left, so that its end is still told

Piece = tuple[str, ...]  # ("file", path), ("say", language, voice, text), ("tone", name), ("silence", ms)
PromptDocument = Callable[[int, int], Mapping[str, Any] | None]


class Voice:
    """`document(tenant, id)` is the enterprise's prompt as the settings have it: {path (relative to `var`), language};
    `installed`: name → path."""

    def __init__(
        self, var: Path, installed: Mapping[str, str], document: PromptDocument, *, most_bytes: int = MOST_BYTES
    ) -> None:
        self._var, self._installed, self._document = var.resolve(), installed, document
        self._cache = _Cache(self._var / "prompts" / "cache", most_bytes)
        self._known: OrderedDict[tuple[Piece, ...], str] = OrderedDict()
        self._making: dict[tuple[Piece, ...], asyncio.Future[str]] = {}
        self._speaker = Speaker()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="voice")

    async def resolve(self, tenant: int, prompts: tuple[str, ...], language: str) -> str:
        """What the media process plays for `prompts`: a path, or the name of a tone that stands alone. What is missing
        or broken is logged and left out; if nothing is left, a second of silence. Never raises."""
        pieces = self._pieces(tenant, prompts, language)
        if not pieces:
            return SILENT
        if len(pieces) == 1 and pieces[0][0] == "tone":
            return pieces[0][1]
        if len(pieces) == 1 and pieces[0][0] == "file":
            path = pieces[0][1]
            if self._cache.holds(path):
                return path
            log.error("%s is not there; the caller hears nothing instead", path)
            return SILENT
        known = self._known.get(pieces)
        if known is not None and self._cache.holds(known):
            self._known.move_to_end(pieces)
            return known
        making = self._making.get(pieces)
        if making is None:
            making = asyncio.ensure_future(self._make(pieces))
            self._making[pieces] = making
            making.add_done_callback(lambda _: self._making.pop(pieces, None))
        return await asyncio.shield(making)

    async def prepare(self) -> int:
        """Speak what queues usually say, so that announcing costs no time. Returns how many sentences there are; takes
        a second the first time, a few milliseconds after."""
        said = [piece for prompt in announcing.usual() if (piece := self._piece(0, prompt, "en")) is not None]
        await asyncio.get_running_loop().run_in_executor(self._pool, self._speak, said)
        return len(said)

    def close(self) -> None:
        """End the speaking process and the threads."""
        self._speaker.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------------------------------------- names into pieces

    def _pieces(self, tenant: int, prompts: Sequence[str], language: str) -> tuple[Piece, ...]:
        return tuple(piece for prompt in prompts if (piece := self._piece(tenant, prompt, language)) is not None)

    def _piece(self, tenant: int, prompt: str, language: str) -> Piece | None:
        try:
            name = names.parse(prompt)
        except names.BadName as error:
            log.error("a prompt of tenant %d is left out: %s", tenant, error)
            return None
        match name:
            case names.OfEnterprise(id=prompt_id):
                document = self._document(tenant, prompt_id)
                path = str((document or {}).get("path") or "")
                if not path:
                    log.error("tenant %d has no prompt %d; it is left out", tenant, prompt_id)
                    return None
                return ("file", str(self._var / path))
            case names.Spoken(language=wanted, text=text):
                spoken = language_of(wanted) or language_of(language) or "en"
                return ("say", spoken, default_voice(spoken).id, text)
            case names.Tone(name=tone):
                return ("tone", tone)
            case names.Silence(ms=ms):
                return ("silence", str(ms))
            case names.Installed(name=installed):
                found = self._installed.get(installed) or self._installed.get(
                    f"{installed}_{language_of(language) or 'en'}"
                )
                if found is None:
                    log.error("no prompt is called %s; it is left out", installed)
                    return None
                return ("file", found)

    # --------------------------------------------------------------------------------------------- pieces into files

    async def _make(self, pieces: tuple[Piece, ...]) -> str:
        whole, path = await asyncio.get_running_loop().run_in_executor(self._pool, self._join, pieces)
        if whole:  # what was left out is tried again next time
            self._known[pieces] = path
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return path

    def _join(self, pieces: tuple[Piece, ...]) -> tuple[bool, str]:
        """In a thread: (nothing was left out, the path). A recipe that was joined before costs no reading."""
        try:
            target = self._cache.path(_digest(pieces))
            if self._cache.holds(target):
                return True, target
            self._speak([piece for piece in pieces if piece[0] == "say"])
            if len(pieces) == 1 and pieces[0][0] == "say":
                alone = self._spoken(pieces[0])
                return self._cache.holds(alone), alone if self._cache.holds(alone) else SILENT
            heard = [(piece, audio) for piece in pieces if (audio := self._audio(piece)) is not None]
            if not heard:
                return False, SILENT
            if len(heard) < len(pieces):
                target = self._cache.path(_digest(tuple(piece for piece, _ in heard)))
            self._cache.keep(target, wav.write(Path(target), _with_gaps(heard)))
            return len(heard) == len(pieces), target
        except OSError as error:
            log.error("prompts can't be joined: %s", error)
            return False, SILENT

    def _audio(self, piece: Piece) -> bytes | None:
        """A piece as µ-law; None and a word in the log if it can't be had."""
        kind = piece[0]
        try:
            if kind == "silence":
                return wav.silence(int(piece[1]))
            if kind == "tone":
                return sounds.tone(piece[1])
            path = Path(piece[1] if kind == "file" else self._spoken(piece))
            return sounds.decode_wav(path.read_bytes())
        except (OSError, sounds.BadPrompt) as error:
            log.error("%s is left out: %s", ":".join(piece)[:80], error)
            return None

    def _spoken(self, piece: Piece) -> str:
        return self._cache.path("say-" + _digest((piece,)))

    def _speak(self, pieces: Sequence[Piece]) -> None:
        jobs = [
            Job(piece[3], piece[1], path, voice=piece[2])
            for piece in pieces
            if not self._cache.holds(path := self._spoken(piece))
        ]
        for job, why in zip(jobs, self._speaker.speak(jobs), strict=True):
            if why:
                log.error("%r was not spoken: %s", job.text[:60], why)
            else:
                self._cache.keep(job.path, Path(job.path).stat().st_size)


def _with_gaps(heard: Sequence[tuple[Piece, bytes]]) -> list[bytes]:
    """A short breath between two that are speech, nothing beside tones and silences."""
    out: list[bytes] = []
    before = ""
    for piece, audio in heard:
        if before in ("file", "say") and piece[0] in ("file", "say"):
            out.append(wav.silence(GAP_MS))
        out.append(audio)
        before = piece[0]
    return out


def _digest(pieces: tuple[Piece, ...]) -> str:
    """Names a recipe; of a file its time and size count too, should one be changed in place."""
    digest = hashlib.sha256()
    for piece in pieces:
        stamp = ""
        if piece[0] == "file":
            try:
                state = os.stat(piece[1])  # noqa: PTH116  the path is a string already
                stamp = f"{state.st_mtime_ns}:{state.st_size}"
            except OSError:
                stamp = "missing"
        digest.update("\x1f".join((*piece, stamp)).encode() + b"\x1e")
    return digest.hexdigest()[:40]


class _Cache:
    """The folder of joined files. Another engine may share it: a file is there only if the disk says so."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most = folder, most_bytes
        folder.mkdir(parents=True, exist_ok=True)
        found = sorted((f.stat().st_mtime, str(f), f.stat().st_size) for f in folder.glob("*.wav"))
        self._sizes: OrderedDict[str, int] = OrderedDict((path, size) for _, path, size in found)
        self._bytes = sum(self._sizes.values())
        self._used: dict[str, float] = {}
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    def path(self, name: str) -> str:
        return str(self._folder / f"{name}.wav")

    def holds(self, path: str) -> bool:
        """Whether the file is there; it counts as used."""
        try:
            os.stat(path)  # noqa: PTH116
        except OSError:
            return False
        now = monotonic_s()
        with self._lock:
            self._used[path] = now
            if path in self._sizes:
                self._sizes.move_to_end(path)
            stale = now - self._touched.get(path, -TOUCH_EVERY_S) >= TOUCH_EVERY_S
            if stale:
                self._touched[path] = now
        if stale:  # tells a successor what is in use
            with contextlib.suppress(OSError):
                os.utime(path)
        return True

    def keep(self, path: str, size: int) -> None:
        """Count a new file, and drop the least recently used beyond the bound."""
        dropped: list[str] = []
        with self._lock:
            self._bytes += size - self._sizes.pop(path, 0)
            self._sizes[path] = size
            now = self._used[path] = self._touched[path] = monotonic_s()
            for old in list(self._sizes):
                if self._bytes <= self._most or now - self._used.get(old, -YOUNG_S) < YOUNG_S:
                    break
                self._bytes -= self._sizes.pop(old)
                self._used.pop(old, None)
                self._touched.pop(old, None)
                dropped.append(old)
        for old in dropped:
            Path(old).unlink(missing_ok=True)
