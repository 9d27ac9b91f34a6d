"""From a text to the bodies of its submit_sm PDUs, and from short messages back to text. Pure.

Sources: 3GPP TS 23.038 (alphabets), TS 23.040 section 9.2.3.24.1 (concatenation), SMPP 3.4 sections 5.2.5, 5.2.12,
5.2.19 and 7.1.1 (addresses, esm_class, data_coding, times).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from smsutil.codecs import GSM_BASIC_CHARSET, GSM_EXT_CHARSET  # type: ignore[import-untyped]

from smsgateway.carriers import smpp_pdu as pdu
from smsgateway.carriers.port import Outgoing
from smsgateway.carriers.smpp_settings import Settings
from smsgateway.segments import Encoding, encoding

_ESCAPE = 0x1B
_EXTENSION = dict(zip(GSM_EXT_CHARSET, b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", strict=True))
_TO_GSM: Final = {ord(c): chr(i) for i, c in enumerate(GSM_BASIC_CHARSET) if i != _ESCAPE} | {
    ord(c): chr(_ESCAPE) + chr(code) for c, code in _EXTENSION.items()
}
_EXTENSION_OF = {code: c for c, code in _EXTENSION.items()}
_DIGITS = re.compile(r"\+?[0-9]+", re.ASCII)
_CONCATENATED = {"udh8": (0x00, 1), "udh16": (0x08, 2)}  # information element, bytes of its reference
_PAYLOAD_BYTES = 64 * 1024 - 1
_REGISTERED = {"all": 1, "failures": 2, "none": 0}


def to_gsm(text: str) -> bytes:
    """Octets of the GSM default alphabet, one septet each. Raises ValueError for what it lacks."""
    if encoding(text) is not Encoding.GSM7:
        raise ValueError(f"{text[:20]!r} … is not in the GSM alphabet")
    return _gsm(text)


def _gsm(text: str) -> bytes:
    return text.translate(_TO_GSM).encode("latin-1")


def from_gsm(raw: bytes) -> str:
    """Text of unpacked septets; what means nothing becomes a space, as the specification asks."""
    out, wide = [], False
    for octet in raw:
        if wide:
            out.append(_EXTENSION_OF.get(octet, GSM_BASIC_CHARSET[octet] if octet < 128 else " "))
            wide = False
        elif octet == _ESCAPE:
            wide = True
        else:
            out.append(GSM_BASIC_CHARSET[octet] if octet < 128 else " ")
    return "".join(out)


def decode(data_coding: int, raw: bytes, *, default: str = "default") -> str:
    """The text of a short message. `default`: what data_coding 0 is with this carrier (setting `gsm7`)."""
    if data_coding & 0xEC == 0x08 or data_coding == 0x18:  # UCS-2, with or without a class
        return raw[: len(raw) & ~1].decode("utf-16-be", "replace")
    if data_coding == 0x03 or (data_coding == 0 and default == "latin1"):
        return raw.decode("latin-1")
    if data_coding == 0x01:
        return raw.decode("ascii", "replace")
    if data_coding in (0x02, 0x04):
        return raw.decode("latin-1")
    return from_gsm(raw)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text's bytes by part. `tlvs` stand beside each part's own."""

    data_coding: int
    parts: tuple[bytes, ...]


def cut(text: str, most: int, width: Callable[[str], int]) -> list[str]:
    """`text` in pieces of at most `most` units; a character is never cut in two."""
    out, start, units = [], 0, 0
    for i, c in enumerate(text):
        needed = width(c)
        if units + needed > most:
            out.append(text[start:i])
            start, units = i, 0
        units += needed
    return [*out, text[start:]]


def _septets(c: str) -> int:
    return 2 if c in _EXTENSION else 1


def _utf16_units(c: str) -> int:
    return 2 if ord(c) > 0xFFFF else 1


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def encode(text: str, settings: Settings) -> Encoded:
    """The bytes of `text`, cut as `settings.long` needs it: beside a 16-bit reference a part holds one less."""
    less = 1 if settings.long == "udh16" else 0
    if encoding(text) is Encoding.GSM7:
        latin = settings.gsm7 == "latin1"
        try:
            whole = text.encode("latin-1") if latin else _gsm(text)
        except ValueError:  # Greek capitals and € have no place in Latin-1
            return _ucs2(text, settings, less)
        units = len(text) + sum(_septets(c) - 1 for c in text) if latin else len(whole)
        if units <= 160 or settings.long == "payload":
            return Encoded(settings.data_coding_gsm7, (whole,))
        pieces = cut(text, 153 - less, _septets)
        return Encoded(settings.data_coding_gsm7, tuple(p.encode("latin-1") if latin else _gsm(p) for p in pieces))
    return _ucs2(text, settings, less)


def _ucs2(text: str, settings: Settings, less: int) -> Encoded:
    whole = _utf16(text)
    if len(whole) <= 140 or settings.long == "payload":
        return Encoded(settings.data_coding_ucs2, (whole,))
    return Encoded(settings.data_coding_ucs2, tuple(_utf16(p) for p in cut(text, 67 - less, _utf16_units)))


def source_address(sender: str, settings: Settings) -> bytes:
    """TON, NPI and address of a sender: E.164, national number, short code or a name of up to eleven characters.
    Raises ValueError for one that can't be a sender."""
    sender = sender or settings.source
    if not sender:
        return pdu.address(0, 0, "")
    if not _DIGITS.fullmatch(sender):
        name = sender.strip()
        if not 0 < len(name) <= 11 or not name.isascii():
            raise ValueError(f"the sender {sender!r} is no number and no name of up to 11 plain characters")
        return pdu.address(settings.alphanumeric_ton, settings.alphanumeric_npi, name)
    if sender.startswith("+"):
        return pdu.address(settings.international_ton, settings.international_npi, sender[1:])
    if len(sender) <= settings.short_digits:
        return pdu.address(settings.short_ton, settings.short_npi, sender)
    return pdu.address(settings.national_ton, settings.national_npi, sender)


def destination_address(phone: str, settings: Settings) -> bytes:
    """TON, NPI and address of a recipient."""
    strip = settings.destination_strip
    if strip and phone.startswith(strip):
        digits = phone[len(strip) :]
    else:
        digits = phone if settings.destination_plus else phone.removeprefix("+")
    return pdu.address(settings.destination_ton, settings.destination_npi, digits)


def validity_period(expires_at: float, now: float, settings: Settings) -> bytes:
    """When the carrier is to give up, with its terminator; empty if it is not told."""
    if settings.validity == "none" or expires_at <= now:
        return b"\x00"
    if settings.validity == "relative":
        return _relative(int(expires_at - now) // 60)
    return _absolute(int(expires_at) // 60 * 60)


@lru_cache(maxsize=256)
def _absolute(at: int) -> bytes:
    return datetime.fromtimestamp(at, UTC).strftime("%y%m%d%H%M%S000+").encode() + b"\x00"


@lru_cache(maxsize=256)
def _relative(minutes: int) -> bytes:
    days, rest = divmod(min(minutes, 60 * 24 * 30), 60 * 24)
    return f"0000{days:02d}{rest // 60:02d}{rest % 60:02d}00000R".encode() + b"\x00"


class Writer:
    """Writes the submit_sm PDUs of one carrier."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._service_type = pdu.c_string(settings.service_type, 6)
        self._registered = _REGISTERED[settings.receipts]
        self._sources: dict[str, bytes] = {}

    def bodies(self, text: Outgoing, now: float) -> list[bytes]:
        """The bodies for `text`, in the order of its parts. Raises ValueError if it can't be sent."""
        settings = self.settings
        encoded = encode(text.body, settings)
        head = (self._service_type, self._source(text.sender), destination_address(text.phone, settings))
        tail = (validity_period(text.expires_at, now, settings), self._registered, encoded.data_coding)
        parts = encoded.parts
        if len(parts) == 1:
            most = 140 if encoded.data_coding == settings.data_coding_ucs2 else 160
            if settings.long == "payload" and len(parts[0]) > most:
                if len(parts[0]) > _PAYLOAD_BYTES:
                    raise ValueError("the text is longer than a message_payload may be")
                return [pdu.submit_body(*head, 0, *tail, b"", pdu.tlv(pdu.MESSAGE_PAYLOAD, parts[0]))]
            return [pdu.submit_body(*head, 0, *tail, parts[0])]
        if len(parts) > 255:
            raise ValueError(f"the text has {len(parts)} parts; at most 255 can be told apart")
        if settings.long == "sar":
            total = pdu.tlv(pdu.SAR_REF, (text.id & 0xFFFF).to_bytes(2, "big"))
            total += pdu.tlv(pdu.SAR_TOTAL, bytes((len(parts),)))
            return [
                pdu.submit_body(*head, 0, *tail, part, total + pdu.tlv(pdu.SAR_SEQUENCE, bytes((number,))))
                for number, part in enumerate(parts, 1)
            ]
        element, size = _CONCATENATED[settings.long]
        ref = (text.id & (256**size - 1)).to_bytes(size, "big")
        before = bytes((size + 4, element, size + 2)) + ref + bytes((len(parts),))
        return [
            pdu.submit_body(*head, pdu.UDH_INDICATOR, *tail, before + bytes((number,)) + part)
            for number, part in enumerate(parts, 1)
        ]

    def _source(self, sender: str) -> bytes:
        try:
            return self._sources[sender]
        except KeyError:
            if len(self._sources) > 1000:
                self._sources.clear()
            found = self._sources[sender] = source_address(sender, self.settings)
            return found
