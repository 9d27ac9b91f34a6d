"""Which texts a process has given to a carrier, known even after that process was killed.

A file mapped into memory, eight bytes a text: a text's id is written before it is handed over and wiped once its
outcome is stored. The pages are the kernel's, so a killed process leaves them as they were: what was leased and is not
in the file was certainly never written, and goes back to the queue without a doubt. After a crash of the whole machine
the file says nothing (`same_boot`), and every leased text is in doubt.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final

SLOTS: Final = 16_384
_HEAD: Final = 128
_ID: Final = struct.Struct("<q")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def _boot_id() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


class Handed:
    """The file of one process. `by`: who it is, as in `text_message.leased_by`."""

    def __init__(self, path: Path, by: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        head = f"{_boot_id()} {by}".encode()[:_HEAD].ljust(_HEAD, b"\x00")
        with fresh.open("wb") as file:
            file.write(head)
            file.truncate(_HEAD + SLOTS * _ID.size)
        with fresh.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        fresh.replace(path)
        self._free = list(range(SLOTS))
        self._slot_of: dict[int, int] = {}

    def put(self, text_id: int) -> None:
        """`text_id` is handed over now. Raises IndexError when SLOTS are out."""
        slot = self._free.pop()
        self._slot_of[text_id] = slot
        _ID.pack_into(self._map, _HEAD + slot * _ID.size, text_id)

    def wipe(self, text_id: int) -> None:
        """The outcome of `text_id` is stored, or it was never written."""
        slot = self._slot_of.pop(text_id, None)
        if slot is not None:
            _ID.pack_into(self._map, _HEAD + slot * _ID.size, 0)
            self._free.append(slot)

    @property
    def full(self) -> bool:
        """Whether no other text may be handed over."""
        return not self._free

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


def left_by_dead(path: Path) -> tuple[str, frozenset[int]] | None:
    """Who wrote the file and the ids in it; None if there is none, or it is of another boot of the machine."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    boot, _, by = raw[:_HEAD].rstrip(b"\x00").decode(errors="replace").partition(" ")
    if len(raw) != _HEAD + SLOTS * _ID.size or not by or not boot or boot != _boot_id():
        return None
    ids = (_ID.unpack_from(raw, _HEAD + slot * _ID.size)[0] for slot in range(SLOTS))
    return by, frozenset(i for i in ids if i)
