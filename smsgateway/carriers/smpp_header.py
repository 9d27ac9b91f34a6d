"""Where a part stands in its text, in the user data header of SMPP and CMPP, or in SMPP's parameters. Pure."""

from __future__ import annotations

from typing import Final

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.port import Part

_ELEMENTS: Final = {(0x00, 3), (0x08, 4)}  # concatenation with a reference of 8 and of 16 bits: element, size


def place_of(message: pdu.ShortMessage, wait_s: float) -> tuple[Part | None, bytes]:
    """Where the part stands (None: it is whole) and its bytes without the header; `wait_s` as in `Part`. A header that
    makes no sense is left out, and the part taken as a whole text."""
    raw = message.message
    if message.esm_class & pdu.UDH_INDICATOR and raw:
        header, rest = cut(raw)
        return concatenation(header, wait_s), rest
    ref, total, number = (message.tlvs.get(t, b"") for t in (pdu.SAR_REF, pdu.SAR_TOTAL, pdu.SAR_SEQUENCE))
    if len(ref) == 2 and len(total) == len(number) == 1 and 0 < number[0] <= total[0] and total[0] > 1:
        return Part(int.from_bytes(ref, "big"), number[0], total[0], wait_s), raw
    return None, raw


def cut(raw: bytes) -> tuple[bytes, bytes]:
    """The elements of the header that `raw` begins with, and what follows it; nothing, if it is cut short."""
    if not raw or raw[0] >= len(raw):
        return b"", b""
    return raw[1 : raw[0] + 1], raw[raw[0] + 1 :]


def concatenation(header: bytes, wait_s: float) -> Part | None:
    """What a header's elements say of parts; None if nothing that makes sense."""
    at = 0
    while at + 2 <= len(header):
        element, size = header[at], header[at + 1]
        data = header[at + 2 : at + 2 + size]
        if (element, size) in _ELEMENTS and len(data) == size:
            ref, total, number = int.from_bytes(data[:-2], "big"), data[-2], data[-1]
            return Part(ref, number, total, wait_s) if 0 < number <= total and total > 1 else None
        at += 2 + size
    return None
