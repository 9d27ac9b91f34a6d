"""CMPP 2.0 and 3.0 PDUs to bytes and back (China Mobile's peer-to-peer protocol). Pure.

Source: China Mobile, CMPP 2.0 (2002) and CMPP 3.0 (2004), chapters 7 and 8. All integers are big-endian; strings are
padded with zero bytes. 3.0 differs in the lengths of numbers and results, and in fields at the end.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

HEADER: Final = struct.Struct("!III")
MAX_LENGTH: Final = 4096
MAX_CONTENT: Final = 140
RESPONSE: Final = 0x80000000


class Version(IntEnum):
    """As CONNECT carries it."""

    V2 = 0x20
    V3 = 0x30


class Command(IntEnum):
    CONNECT = 1
    TERMINATE = 2
    SUBMIT = 4
    DELIVER = 5
    ACTIVE_TEST = 8


# Result of SUBMIT_RESP → what it says.
RESULTS: Final = {
    1: "malformed message", 2: "wrong command", 3: "sequence number repeated", 4: "wrong length", 5: "wrong tariff",
    6: "message too long", 7: "wrong service code", 8: "flow control", 9: "number not served here", 10: "wrong Src_Id",
    11: "wrong Msg_src", 12: "wrong payer", 13: "wrong destination",
}  # fmt: skip
FLOW_CONTROL: Final = 8
# Status of CONNECT_RESP → what it says.
REFUSALS: Final = {1: "malformed", 2: "source address not allowed", 3: "wrong secret", 4: "version too high"}


class Malformed(Exception):
    """Bytes that are no PDU."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """`command` with the response bit."""

    command: int
    sequence: int
    body: bytes


def pdu(command: int, sequence: int, body: bytes = b"") -> bytes:
    """A whole PDU."""
    return HEADER.pack(HEADER.size + len(body), command, sequence) + body


class Splitter:
    """Cuts a stream into PDUs. After `Malformed` the stream can't be read on."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Pdu]:
        """PDUs that are whole now. Raises Malformed."""
        self._rest += data
        at = 0
        try:
            while len(self._rest) - at >= HEADER.size:
                length, command, sequence = HEADER.unpack_from(self._rest, at)
                if not HEADER.size <= length <= MAX_LENGTH:
                    raise Malformed(f"a PDU of {length} bytes")
                if len(self._rest) - at < length:
                    break
                body = self._rest[at + HEADER.size : at + length]
                at += length
                yield Pdu(command, sequence, body)
        finally:
            self._rest = self._rest[at:]


def _field(text: str, size: int) -> bytes:
    raw = text.encode("ascii", "replace")
    if len(raw) > size:
        raise ValueError(f"{text[:30]!r} is longer than {size} characters")
    return raw.ljust(size, b"\x00")


def _text(raw: bytes) -> str:
    return raw.split(b"\x00", 1)[0].decode("latin-1").strip()


def authenticator(sp_id: str, secret: str, stamp: str) -> bytes:
    """AuthenticatorSource; `stamp` is MMDDhhmmss."""
    raw = sp_id.encode("ascii", "replace") + bytes(9) + secret.encode() + stamp.encode()
    return hashlib.md5(raw, usedforsecurity=False).digest()


def connect(sp_id: str, secret: str, version: Version, stamp: str) -> bytes:
    """Body of CONNECT."""
    return _field(sp_id, 6) + authenticator(sp_id, secret, stamp) + bytes([version]) + struct.pack("!I", int(stamp))


def connect_answer(body: bytes, version: Version) -> int:
    """Status of CONNECT_RESP. A gateway of the other version answers in its own length. Raises Malformed."""
    if len(body) == 18:
        return body[0]
    if len(body) == 21:
        return int.from_bytes(body[:4], "big")
    raise Malformed(f"an answer to CONNECT of {len(body)} bytes, version {version:#x}")


@dataclass(frozen=True, slots=True)
class Submit:
    """One part of a text. `content` with its header if `udhi`. Numbers without the plus."""

    total: int
    number: int
    receipt: bool
    service_id: str
    sp_id: str
    source: str
    destination: str
    format: int
    content: bytes
    udhi: bool
    fee_type: str = "01"
    fee_code: str = "000000"
    fee_user: int = 2  # the SP pays
    valid: str = ""  # YYMMDDhhmmss032+: absolute, in the gateway's zone


def submit(s: Submit, version: Version) -> bytes:
    """Body of SUBMIT. Raises ValueError for what does not fit."""
    if len(s.content) > 160:
        raise ValueError("the part is too long")
    wide = 32 if version is Version.V3 else 21
    out = [
        bytes(8), bytes([s.total, s.number, 1 if s.receipt else 0, 0]), _field(s.service_id, 10), bytes([s.fee_user]),
        bytes(wide),
    ]  # fmt: skip
    if version is Version.V3:
        out.append(b"\x00")
    out += [
        bytes([0, 1 if s.udhi else 0, s.format]), _field(s.sp_id, 6), _field(s.fee_type, 2), _field(s.fee_code, 6),
        _field(s.valid, 17), bytes(17), _field(s.source, 21), b"\x01", _field(s.destination, wide),
    ]  # fmt: skip
    if version is Version.V3:
        out.append(b"\x00")
    out += [bytes([len(s.content)]), s.content, bytes(20 if version is Version.V3 else 8)]
    return b"".join(out)


def submit_answer(body: bytes) -> tuple[int, int]:
    """(Msg_Id, result) of SUBMIT_RESP. Raises Malformed."""
    if len(body) not in (9, 12):
        raise Malformed(f"an answer to SUBMIT of {len(body)} bytes")
    return int.from_bytes(body[:8], "big"), int.from_bytes(body[8:], "big")


@dataclass(frozen=True, slots=True)
class Deliver:
    """A text from a subscriber, or a receipt if `is_receipt`."""

    msg_id: int
    to: str
    sender: str
    udhi: bool
    format: int
    is_receipt: bool
    content: bytes


def deliver(body: bytes, version: Version) -> Deliver:
    """DELIVER. Raises Malformed."""
    wide = 32 if version is Version.V3 else 21
    after = 8 + 21 + 10 + 3 + wide + (1 if version is Version.V3 else 0)
    if len(body) < after + 2:
        raise Malformed(f"a DELIVER of {len(body)} bytes")
    udhi, form = body[40], body[41]
    is_receipt, length = body[after], body[after + 1]
    content = body[after + 2 : after + 2 + length]
    if len(content) < length:
        raise Malformed("a DELIVER that is shorter than its content")
    return Deliver(
        int.from_bytes(body[:8], "big"), _text(body[8:29]), _text(body[42 : 42 + wide]), bool(udhi), form,
        is_receipt == 1, content,
    )  # fmt: skip


def deliver_answer(msg_id: int, result: int, version: Version) -> bytes:
    """Body of DELIVER_RESP."""
    return msg_id.to_bytes(8, "big") + result.to_bytes(4 if version is Version.V3 else 1, "big")


@dataclass(frozen=True, slots=True)
class Report:
    """A receipt. `stat` such as DELIVRD; `done` YYMMDDhhmm in the gateway's zone."""

    msg_id: int
    stat: str
    done: str
    phone: str


def report(content: bytes) -> Report:
    """The content of a DELIVER that is a receipt. Raises Malformed."""
    if len(content) < 8 + 7 + 10 + 10:
        raise Malformed(f"a receipt of {len(content)} bytes")
    return Report(
        int.from_bytes(content[:8], "big"), _text(content[8:15]), _text(content[25:35]), _text(content[35:-4])
    )
