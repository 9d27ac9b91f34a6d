"""RTP packets as bytes: strict parsing and building. Source: RFC 3550 section 5.1.

Anything that does not fit is None, never an exception: packets come from the network.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEADER = struct.Struct("!HHII")
"""Version to payload type in one word, sequence, timestamp, SSRC."""
HEADER_BYTES = 12
VERSION_WORD = 0x8000
MARKER_WORD = 0x0080
MAX_PACKET_BYTES = 1500

PT_PCMU = 0
PT_PCMA = 8
PAYLOAD_TYPES = {"pcmu": PT_PCMU, "pcma": PT_PCMA}


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """`sequence` 16 bits, `timestamp` 32 bits in samples, `payload` without padding and header extension."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def looks_like_rtcp(data: bytes | bytearray | memoryview) -> bool:
    """Whether a packet on a port shared by both is RTCP. Source: RFC 5761 section 4."""
    return len(data) >= 8 and data[0] >> 6 == 2 and 192 <= data[1] <= 223


def parse(data: bytes | bytearray | memoryview) -> RtpPacket | None:
    """The packet in `data`, or None if it is not a whole, valid RTP packet."""
    size = len(data)
    if not HEADER_BYTES <= size <= MAX_PACKET_BYTES or data[0] >> 6 != 2 or looks_like_rtcp(data):
        return None
    first, second = data[0], data[1]
    start = HEADER_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > size:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = size
    if first & 0x20:
        padding = data[size - 1]
        if padding == 0:
            return None
        end -= padding
    if start > end:
        return None
    _, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    return RtpPacket(second & 0x7F, second >= 0x80, sequence, timestamp, ssrc, bytes(data[start:end]))


def build(packet: RtpPacket) -> bytes:
    """`packet` as bytes, without padding, extension or contributing sources."""
    word = VERSION_WORD | (MARKER_WORD if packet.marker else 0) | packet.payload_type
    return HEADER.pack(word, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload
