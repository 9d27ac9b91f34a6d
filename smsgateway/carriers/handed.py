"""Which texts a process has given to a carrier, and what the carrier said, known even after that process was killed.

A file of each process mapped into memory, a slot a text: its id is written before it is handed over, the answer when it
comes, and both are wiped once the outcome is stored. The pages are the kernel's, so a killed process leaves them as
they were: what was leased and is not in the file was certainly never written, and goes back to the queue; what has its
answer is stored with it; only the rest is in doubt. After a crash of the whole machine the file says nothing
(`boot_id`), and every leased text is in doubt. The process holds a lock on its file, which goes when it dies.
"""

from __future__ import annotations

import fcntl
import mmap
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from smsgateway.carriers.port import Accepted, Lost, Outcome, Rejected

SLOTS: Final = 16_384
_HEAD: Final = 128
_SLOT: Final = 128
_ID: Final = struct.Struct("<q")
_KIND, _LENGTH, _ANSWER = 8, 9, 10  # places in a slot
_MOST: Final = _SLOT - _ANSWER
_ACCEPTED, _REJECTED = 1, 2
_BETWEEN: Final = "\x1f"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def file_of(folder: Path, by: str) -> Path:
    """The file in `folder` of the process that is named `by` in `text_message.leased_by`."""
    return folder / f"texts-{re.sub(r'[^A-Za-z0-9_.-]', '_', by)}.handed"


class Handed:
    """The file of one process. `by`: who it is, as in `text_message.leased_by`."""

    def __init__(self, path: Path, by: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        head = f"{_boot_id()} {by}".encode()[:_HEAD].ljust(_HEAD, b"\x00")
        with fresh.open("wb") as file:
            file.write(head)
            file.truncate(_HEAD + SLOTS * _SLOT)
        self._path = path
        self._file = fresh.open("r+b")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._map = mmap.mmap(self._file.fileno(), 0)
        fresh.replace(path)
        self._free = list(range(SLOTS - 1, -1, -1))
        self._slot_of: dict[int, int] = {}

    def put(self, text_id: int) -> None:
        """`text_id` is handed over now. Raises IndexError when SLOTS are out."""
        slot = self._free.pop()
        self._slot_of[text_id] = slot
        _ID.pack_into(self._map, _HEAD + slot * _SLOT, text_id)

    def answered(self, text_id: int, outcome: Outcome) -> None:
        """What became of `text_id`. An answer that is too long for its slot is left out: the text is in doubt then."""
        slot = self._slot_of.get(text_id)
        if slot is None or not isinstance(outcome, (Accepted, Rejected)):
            return
        kind = _ACCEPTED if isinstance(outcome, Accepted) else _REJECTED
        words = outcome.refs if isinstance(outcome, Accepted) else (outcome.code, outcome.reason[:60])
        raw = _BETWEEN.join(words).encode()
        if len(raw) <= _MOST:
            at = _HEAD + slot * _SLOT
            self._map[at + _ANSWER : at + _ANSWER + len(raw)] = raw
            self._map[at + _LENGTH] = len(raw)
            self._map[at + _KIND] = kind  # last: without it the answer is not there

    def wipe(self, text_id: int) -> None:
        """The outcome of `text_id` is stored, or it was never written."""
        slot = self._slot_of.pop(text_id, None)
        if slot is not None:
            at = _HEAD + slot * _SLOT
            _ID.pack_into(self._map, at, 0)
            self._map[at + _KIND] = 0
            self._free.append(slot)

    @property
    def full(self) -> bool:
        """Whether no other text may be handed over."""
        return not self._free

    def close(self) -> None:
        """Let go of the file; without texts in it nobody needs it any more."""
        self._map.close()
        if not self._slot_of:
            self._path.unlink(missing_ok=True)
        self._file.close()


def of_dead(folder: Path) -> dict[Path, str]:
    """The files in `folder` whose process does not run any more, and its name."""
    out: dict[Path, str] = {}
    for path in folder.glob("texts-*.handed"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                out[path] = _head(file.read(_HEAD))[1]
        except OSError:  # locked, or gone meanwhile
            continue
    return out


def _head(raw: bytes) -> tuple[str, str]:
    """Boot of the machine, and process."""
    boot, _, by = raw.rstrip(b"\x00").decode(errors="replace").partition(" ")
    return boot, by


def left_by_dead(path: Path) -> tuple[str, Mapping[int, Outcome]] | None:
    """Who wrote the file, and each text that was handed over with its outcome (Lost: there was no answer yet); None if
    there is no file, or it is of another boot of the machine."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    boot, by = _head(raw[:_HEAD])
    if len(raw) != _HEAD + SLOTS * _SLOT or not by or not boot or boot != _boot_id():
        return None
    out: dict[int, Outcome] = {}
    for at in range(_HEAD, len(raw), _SLOT):
        (text_id,) = _ID.unpack_from(raw, at)
        if text_id:
            out[text_id] = _read(raw[at : at + _SLOT])
    return by, out


def _read(slot: bytes) -> Outcome:
    words = slot[_ANSWER : _ANSWER + slot[_LENGTH]].decode(errors="replace").split(_BETWEEN)
    if slot[_KIND] == _ACCEPTED:
        return Accepted(tuple(words))
    if slot[_KIND] == _REJECTED and len(words) == 2:
        return Rejected(words[0], words[1])
    return Lost()
