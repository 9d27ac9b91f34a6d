"""Identifiers that are unique without asking anybody and sort by the time they were made.

A call, a fact, a command and a recording are named before any database hears of them, so their ids are made here:
26 characters of Crockford base 32, the first ten the milliseconds since the epoch, the rest random (the ULID layout,
https://github.com/ulid/spec).
"""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {c: i for i, c in enumerate(_ALPHABET)}
ID_LENGTH = 26


def new_id(at_s: float | None = None) -> str:
    """A new id: 26 characters, sortable by creation time, 80 random bits.

    `at_s` is the creation time in seconds since the epoch; now if left out.
    """
    ms = int((time.time() if at_s is None else at_s) * 1000)
    value = (ms << 80) | int.from_bytes(os.urandom(10), "big")
    out = [""] * ID_LENGTH
    for i in range(ID_LENGTH - 1, -1, -1):
        out[i] = _ALPHABET[value & 31]
        value >>= 5
    return "".join(out)


def created_at_s(id_: str) -> float:
    """When `id_` was made, seconds since the epoch. Raises ValueError if it is no id of ours."""
    if len(id_) != ID_LENGTH or any(c not in _VALUES for c in id_):
        raise ValueError(f"not an id: {id_!r}")
    value = 0
    for c in id_[:10]:
        value = (value << 5) | _VALUES[c]
    return value / 1000
