"""How values cross process borders: msgspec-encoded frozen dataclasses.

Two encodings: JSON for what lies in Redis or the database (a person may read it), MessagePack behind a four-byte
big-endian length for the local sockets between engine, media and edge.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_LENGTH = struct.Struct(">I")
MAX_FRAME_BYTES = 8 * 1024 * 1024


def to_json(value: object) -> bytes:
    """`value` (dataclass, dict, list …) as compact JSON."""
    return msgspec.json.encode(value)


def from_json(raw: bytes | str, kind: type[T]) -> T:
    """JSON → `kind`. Raises msgspec.ValidationError naming the field that does not fit."""
    return msgspec.json.decode(raw, type=kind)


def plain(value: object) -> Any:
    """`value` as dicts, lists, strings and numbers only."""
    return msgspec.to_builtins(value)


def convert(value: object, kind: type[T]) -> T:
    """Plain data → `kind`, checked. Raises msgspec.ValidationError."""
    return msgspec.convert(value, type=kind)


def frame(value: object) -> bytes:
    """`value` as one frame for a local socket."""
    body = msgspec.msgpack.encode(value)
    return _LENGTH.pack(len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> Any:
    """The next frame of `reader` as plain data.

    Raises asyncio.IncompleteReadError when the peer has gone, ValueError on a frame that is too long.
    """
    head = await reader.readexactly(4)
    (size,) = _LENGTH.unpack(head)
    if size > MAX_FRAME_BYTES:
        raise ValueError(f"frame of {size} bytes; at most {MAX_FRAME_BYTES}")
    return msgspec.msgpack.decode(await reader.readexactly(size))
