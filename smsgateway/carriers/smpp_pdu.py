"""PDUs of SMPP 3.4 as bytes, strictly read. Pure. Source: SMPP v3.4 issue 1.2 (sections 3.2, 4, 5.3).

A PDU is a header (length, command, status, sequence number: 32 bits each, big-endian) and a body of C-octet strings,
integers and TLVs. What does not fit raises `Malformed`; nothing is guessed. Numbers of commands, states and tags come
from `smpplib.consts`; its codec takes a body that ends too early for a shorter one, and costs several times as much
(docs/adr/0016).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from smpplib import consts  # type: ignore[import-untyped]
from smpplib.command_codes import commands  # type: ignore[import-untyped]

HEADER: Final = struct.Struct(">IIII")
HEADER_BYTES: Final = 16
MAX_BYTES: Final = 128 * 1024  # message_payload is at most 64 KiB
RESPONSE: Final = 0x80000000

BIND_RECEIVER: Final[int] = commands["bind_receiver"]
BIND_TRANSMITTER: Final[int] = commands["bind_transmitter"]
BIND_TRANSCEIVER: Final[int] = commands["bind_transceiver"]
SUBMIT_SM: Final[int] = commands["submit_sm"]
DELIVER_SM: Final[int] = commands["deliver_sm"]
DATA_SM: Final[int] = commands["data_sm"]
UNBIND: Final[int] = commands["unbind"]
ENQUIRE_LINK: Final[int] = commands["enquire_link"]
ALERT_NOTIFICATION: Final[int] = commands["alert_notification"]
GENERIC_NACK: Final[int] = commands["generic_nack"]
BINDS: Final = frozenset({BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER})

OK: Final[int] = consts.SMPP_ESME_ROK
_TAGS = consts.OPTIONAL_PARAMS
RECEIPTED_MESSAGE_ID: Final[int] = _TAGS["receipted_message_id"]
MESSAGE_STATE: Final[int] = _TAGS["message_state"]
NETWORK_ERROR_CODE: Final[int] = _TAGS["network_error_code"]
MESSAGE_PAYLOAD: Final[int] = _TAGS["message_payload"]
SAR_REF: Final[int] = _TAGS["sar_msg_ref_num"]
SAR_TOTAL: Final[int] = _TAGS["sar_total_segments"]
SAR_SEQUENCE: Final[int] = _TAGS["sar_segment_seqnum"]

UDH_INDICATOR: Final = 0x40  # in esm_class
_TLV: Final = struct.Struct(">HH")


class Malformed(ValueError):
    """The bytes are no PDU, or its body is not as the specification says. `status`: what to answer with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Pdu:
    """A frame, its body unread."""

    command: int
    status: int
    sequence: int
    body: bytes


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """The body of submit_sm, deliver_sm or data_sm. Strings are latin-1; `message` is short_message, or the
    message_payload where that is given."""

    source: str
    source_ton: int
    destination: str
    esm_class: int
    data_coding: int
    message: bytes
    tlvs: Mapping[int, bytes] = field(default_factory=dict)


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """A whole PDU."""
    return HEADER.pack(HEADER_BYTES + len(body), command, status, sequence) + body


class Splitter:
    """Cuts a stream of bytes into PDUs. `broken`: a length that can't be true; nothing after it can be read."""

    def __init__(self) -> None:
        self._held = b""
        self.broken: Malformed | None = None

    def feed(self, data: bytes) -> list[Pdu]:
        """The PDUs that are complete now."""
        if self.broken:
            return []
        held = self._held + data if self._held else data
        out, at, end = [], 0, len(held)
        unpack = HEADER.unpack_from
        while end - at >= HEADER_BYTES:
            length, command, status, sequence = unpack(held, at)
            if not HEADER_BYTES <= length <= MAX_BYTES:
                self.broken = Malformed(f"a PDU of {length} bytes", consts.SMPP_ESME_RINVCMDLEN)
                break
            if end - at < length:
                break
            out.append(Pdu(command, status, sequence, held[at + HEADER_BYTES : at + length]))
            at += length
        self._held = held[at:]
        return out


def c_string(value: str, most: int) -> bytes:
    """A C-octet string of at most `most` bytes with its terminator. Raises ValueError."""
    raw = value.encode("latin-1")
    if len(raw) >= most or b"\x00" in raw:
        raise ValueError(f"{value!r} is longer than {most - 1} characters, or has a NUL")
    return raw + b"\x00"


def tlv(tag: int, value: bytes) -> bytes:
    """An optional parameter."""
    return _TLV.pack(tag, len(value)) + value


def bind_body(system_id: str, password: str, system_type: str, address_range: str) -> bytes:
    """The body of a bind."""
    return (
        c_string(system_id, 16) + c_string(password, 9) + c_string(system_type, 13)
        + bytes((0x34, 0, 0)) + c_string(address_range, 41)
    )  # fmt: skip


def address(ton: int, npi: int, digits: str) -> bytes:
    """A source or destination address."""
    return bytes((ton, npi)) + c_string(digits, 21)


def submit_body(
    service_type: bytes,
    source: bytes,
    destination: bytes,
    esm_class: int,
    validity: bytes,
    registered_delivery: int,
    data_coding: int,
    message: bytes,
    tlvs: bytes = b"",
) -> bytes:
    """The body of a submit_sm. `service_type` and `validity` with their terminators; addresses as of `address`."""
    return b"".join((
        service_type, source, destination, bytes((esm_class, 0, 0)), b"\x00", validity,
        bytes((registered_delivery, 0, data_coding, 0, len(message))), message, tlvs,
    ))  # fmt: skip


class _Reader:
    def __init__(self, body: bytes, at: int = 0) -> None:
        self.body, self.at = body, at

    def string(self, most: int) -> str:
        end = self.body.find(0, self.at, self.at + most)
        if end < 0:
            raise Malformed(f"a string of more than {most - 1} bytes, or without its end", consts.SMPP_ESME_RINVMSGLEN)
        out = self.body[self.at : end].decode("latin-1")
        self.at = end + 1
        return out

    def octets(self, count: int) -> bytes:
        if len(self.body) - self.at < count:
            raise Malformed("the body ends too early", consts.SMPP_ESME_RINVCMDLEN)
        out = self.body[self.at : self.at + count]
        self.at += count
        return out

    def tlvs(self) -> dict[int, bytes]:
        out: dict[int, bytes] = {}
        while self.at < len(self.body):
            tag, length = _TLV.unpack(self.octets(4))
            out[tag] = self.octets(length)
        return out


# service_type, source (type of number, plan, address), destination, esm_class, protocol, priority, two times,
# registered_delivery, replace, data_coding, default message, length. One match reads it several times as fast as steps.
_SHORT_MESSAGE = re.compile(
    rb"[^\x00]{0,5}\x00(.).([^\x00]{0,20})\x00..([^\x00]{0,20})\x00(.)..[^\x00]{0,16}\x00[^\x00]{0,16}\x00..(.).(.)",
    re.DOTALL,
)


def short_message(body: bytes) -> ShortMessage:
    """The body of submit_sm or deliver_sm. Raises Malformed."""
    match = _SHORT_MESSAGE.match(body)
    if match is None:
        raise Malformed("the body ends too early, or an address is too long", consts.SMPP_ESME_RINVCMDLEN)
    ton, source, destination, esm_class, data_coding, length = match.groups()
    read = _Reader(body, match.end())
    message = read.octets(length[0])
    tlvs = read.tlvs() if read.at < len(body) else {}
    return ShortMessage(
        source.decode("latin-1"), ton[0], destination.decode("latin-1"), esm_class[0], data_coding[0],
        message or tlvs.get(MESSAGE_PAYLOAD, b""), tlvs,
    )  # fmt: skip


def data_message(body: bytes) -> ShortMessage:
    """The body of data_sm. Raises Malformed."""
    read = _Reader(body)
    read.string(6)
    source_ton, _npi = read.octets(2)
    source = read.string(65)
    read.octets(2)
    destination = read.string(65)
    esm_class, _registered, data_coding = read.octets(3)
    tlvs = read.tlvs()
    return ShortMessage(source, source_ton, destination, esm_class, data_coding, tlvs.get(MESSAGE_PAYLOAD, b""), tlvs)


def message_id(body: bytes) -> str:
    """The reference in the body of a submit_sm_resp; empty if there is none. A missing terminator is let pass."""
    raw, _, _ = body.partition(b"\x00")
    return raw[:200].decode("latin-1")


def status_text(status: int) -> str:
    """What a command_status means, in plain English."""
    return str(consts.DESCRIPTIONS.get(status) or f"status {status:#010x}")


def status_code(status: int) -> str:
    """A command_status as it is shown: hexadecimal, as in carriers' documents."""
    return f"0x{status:08X}"
