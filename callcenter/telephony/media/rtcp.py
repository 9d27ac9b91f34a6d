"""RTCP sender and receiver reports: what both ends know of loss, jitter and round trip. Source: RFC 3550 section 6.4.

Parsing never raises: what does not fit is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PT_SR = 200
PT_RR = 201
PT_SDES = 202
PT_BYE = 203
NTP_EPOCH_S = 2208988800  # seconds from 1900 to 1970
_HEAD = struct.Struct("!BBH")
_SENDER = struct.Struct("!IQIII")
_BLOCK = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream. `fraction_lost` in 1/256 since the last report, `lost` cumulative,
    `highest` the extended sequence number, `jitter` in samples, `last_sr` and `delay_since_sr` in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay_since_sr: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report if `ntp` (64 bits) is given, else a receiver report."""

    ssrc: int
    blocks: tuple[ReportBlock, ...]
    ntp: int | None = None
    timestamp: int = 0
    packets: int = 0
    octets: int = 0


def ntp_time(epoch_s: float) -> int:
    """64-bit NTP time of seconds since 1970."""
    return int((epoch_s + NTP_EPOCH_S) * 4294967296) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits, as reports quote a sender report."""
    return (ntp >> 16) & 0xFFFFFFFF


def round_trip_ms(block: ReportBlock, arrived_ntp: int) -> float | None:
    """Round trip of a report about us that came at `arrived_ntp`; None if it quotes no sender report of ours or the
    clocks make no sense."""
    if block.last_sr == 0:
        return None
    ticks = (middle(arrived_ntp) - block.last_sr - block.delay_since_sr) & 0xFFFFFFFF
    if ticks >= 0x80000000:
        return 0.0 if ticks > 0xFFFFFFFF - 66 else None  # up to a millisecond of rounding is no time travel
    return ticks * 1000 / 65536


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEAD.pack(0x80 | count, kind, len(body) // 4) + body


def build(report: Report, cname: str, bye: bool = False) -> bytes:
    """A compound packet: the report, the source's name, and BYE if the stream ends."""
    blocks = b"".join(
        _BLOCK.pack(
            b.ssrc,
            (min(max(b.fraction_lost, 0), 255) << 24) | (min(max(b.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF),
            b.highest & 0xFFFFFFFF,
            min(b.jitter, 0xFFFFFFFF),
            b.last_sr,
            b.delay_since_sr,
        )
        for b in report.blocks[:31]
    )
    count = min(len(report.blocks), 31)
    ssrc = struct.pack("!I", report.ssrc)
    if report.ntp is None:
        head = _packet(PT_RR, count, ssrc + blocks)
    else:
        sender = _SENDER.pack(
            report.ssrc, report.ntp, report.timestamp, report.packets & 0xFFFFFFFF, report.octets & 0xFFFFFFFF
        )
        head = _packet(PT_SR, count, sender + blocks)
    name = cname.encode()[:255]
    item = ssrc + bytes([1, len(name)]) + name
    item += b"\0" * (4 - len(item) % 4)
    return head + _packet(PT_SDES, 1, item) + (_packet(PT_BYE, 1, ssrc) if bye else b"")


def parse(data: bytes | bytearray | memoryview) -> tuple[list[Report], bool]:
    """The reports of a compound packet, and whether a BYE is in it. Stops at the first part that does not fit."""
    reports: list[Report] = []
    bye = False
    at = 0
    while at + 8 <= len(data):
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data) or not 192 <= kind <= 223:
            break
        report = _report(data, at + 4, end, kind, first & 0x1F)
        if report is not None:
            reports.append(report)
        bye = bye or kind == PT_BYE
        at = end
    return reports, bye


def _report(data: bytes | bytearray | memoryview, start: int, end: int, kind: int, count: int) -> Report | None:
    if kind == PT_SR and end - start >= _SENDER.size:
        ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(data, start)
        return Report(ssrc, _blocks(data, start + _SENDER.size, end, count), ntp, timestamp, packets, octets)
    if kind == PT_RR and end - start >= 4:
        return Report(int.from_bytes(data[start : start + 4], "big"), _blocks(data, start + 4, end, count))
    return None


def _blocks(data: bytes | bytearray | memoryview, start: int, end: int, count: int) -> tuple[ReportBlock, ...]:
    found = []
    for at in range(start, min(end - _BLOCK.size, start + (count - 1) * _BLOCK.size) + 1, _BLOCK.size):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(data, at)
        lost = loss & 0xFFFFFF
        if lost >= 0x800000:
            lost -= 0x1000000
        found.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(found)
