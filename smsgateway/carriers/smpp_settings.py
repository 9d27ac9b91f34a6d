"""The settings of an SMPP carrier (`text_carrier.settings`), declared once. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from smsgateway.carriers import settings as declared
from smsgateway.carriers.refs import NOTATIONS, Notations
from smsgateway.carriers.settings import Setting, SettingKind


@dataclass(frozen=True, slots=True)
class Settings:
    """What a carrier's contract says. Times in seconds; TON and NPI as numbers of the specification.

    `mode`: one connection for both ways, or one each. `binds`: connections (pairs of them) at a time. `ca`: the
    certificates that its TLS is checked against, PEM; empty: the system's. `again_s`: the first wait before connecting
    again; it doubles up to a minute. `long`: how a text of several parts leaves: with a header of an 8 or 16 bit
    reference, as SAR parameters, or whole as message_payload. `gsm7`: its alphabet as octets of the default alphabet,
    or as Latin-1 (what that lacks goes as UCS-2). `ids`: how the answer to a submission and its receipt write the same
    reference. `zone`: of the dates in receipts. `source`: of texts without a sender. `short_digits`: a sender of at
    most so many digits is a short code. `destination_plus`: numbers with their plus; `destination_strip`: such a
    beginning is left out. `join_s`: how long an incoming long text waits for its other parts.
    """

    host: str
    port: int
    system_id: str
    password: str = ""
    system_type: str = ""
    address_range: str = ""
    mode: str = "transceiver"
    binds: int = 1
    tls: bool = False
    ca: str = ""
    enquire_link_s: float = 30.0
    answer_s: float = 60.0
    connect_s: float = 10.0
    again_s: float = 1.0
    throttle_s: float = 1.0
    long: str = "udh8"
    gsm7: str = "default"
    data_coding_gsm7: int = 0
    data_coding_ucs2: int = 8
    receipts: str = "all"
    ids: str = "same"
    zone: str = "UTC"
    validity: str = "absolute"
    service_type: str = ""
    source: str = ""
    short_digits: int = 6
    international_ton: int = 1
    international_npi: int = 1
    national_ton: int = 2
    national_npi: int = 1
    short_ton: int = 3
    short_npi: int = 0
    alphanumeric_ton: int = 5
    alphanumeric_npi: int = 0
    destination_ton: int = 1
    destination_npi: int = 1
    destination_plus: bool = False
    destination_strip: str = ""
    join_s: float = 300.0

    @property
    def notations(self) -> Notations:
        """How both sides write references."""
        return NOTATIONS[self.ids]


_INTEGER, _NUMBER, _TEXT = SettingKind.INTEGER, SettingKind.NUMBER, SettingKind.TEXT


def _octet(name: str, default: int) -> Setting:
    return Setting(name, _INTEGER, default, least=0, most=255, section="behaviour")


def _choice(name: str, *choices: str, section: str = "behaviour") -> Setting:
    return Setting(name, SettingKind.CHOICE, choices[0], choices=choices, section=section)


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("host", _TEXT, required=True),
    Setting("port", _INTEGER, required=True, least=1, most=65535),
    Setting("system_id", _TEXT, required=True),
    Setting("password", SettingKind.SECRET),
    Setting("system_type", _TEXT),
    Setting("address_range", _TEXT),
    _choice("mode", "transceiver", "transmitter_receiver", section="connection"),
    Setting("binds", _INTEGER, 1, least=1, most=16),
    Setting("tls", SettingKind.SWITCH, False),
    Setting("ca", SettingKind.LINES),
    Setting("enquire_link_s", _NUMBER, 30.0, least=1, most=3600),
    Setting("answer_s", _NUMBER, 60.0, least=0.5, most=600),
    Setting("connect_s", _NUMBER, 10.0, least=0.5, most=120),
    Setting("again_s", _NUMBER, 1.0, least=0.05, most=60),
    Setting("throttle_s", _NUMBER, 1.0, least=0.05, most=60, section="behaviour"),
    _choice("long", "udh8", "udh16", "sar", "payload"),
    _choice("gsm7", "default", "latin1"),
    _octet("data_coding_gsm7", 0),
    _octet("data_coding_ucs2", 8),
    _choice("receipts", "all", "failures", "none"),
    _choice("ids", *NOTATIONS),
    Setting("zone", _TEXT, "UTC", section="behaviour"),
    _choice("validity", "absolute", "relative", "none"),
    Setting("service_type", _TEXT, section="behaviour"),
    Setting("source", _TEXT, section="behaviour"),
    Setting("short_digits", _INTEGER, 6, least=0, most=20, section="behaviour"),
    _octet("international_ton", 1),
    _octet("international_npi", 1),
    _octet("national_ton", 2),
    _octet("national_npi", 1),
    _octet("short_ton", 3),
    _octet("short_npi", 0),
    _octet("alphanumeric_ton", 5),
    _octet("alphanumeric_npi", 0),
    _octet("destination_ton", 1),
    _octet("destination_npi", 1),
    Setting("destination_plus", SettingKind.SWITCH, False, section="behaviour"),
    Setting("destination_strip", _TEXT, section="behaviour"),
    Setting("join_s", _NUMBER, 300.0, least=1, most=86_400, section="behaviour"),
)
_PLAIN: Final = r"[\x20-\x7e]{{0,{}}}"
_SHAPES: Final = {  # what SMPP can carry, and the remedy
    "system_id": (_PLAIN.format(15), "15 plain characters at most."),
    "password": (_PLAIN.format(8), "8 plain characters at most, as SMPP has it."),
    "system_type": (_PLAIN.format(12), "12 plain characters at most."),
    "address_range": (_PLAIN.format(40), "40 plain characters at most."),
    "service_type": (_PLAIN.format(5), "5 plain characters at most."),
    "source": (r"\+?[0-9]{1,20}|[\x20-\x7e]{0,11}", "A number, or a name of up to 11 plain characters."),
    "destination_strip": (r"(\+[0-9]{1,6})?", "The beginning of a number with its plus, such as +86."),
}


def faults(given: Mapping[str, object]) -> dict[str, str]:
    """Field → what is wrong, and the remedy."""
    out = declared.faults(SETTINGS, given)
    for name, (shape, remedy) in _SHAPES.items():
        if name not in out and not re.fullmatch(shape, str(given.get(name) or "")):
            out[name] = remedy
    if "zone" not in out:
        try:
            ZoneInfo(str(given.get("zone") or "UTC"))
        except (KeyError, ValueError, OSError):
            out["zone"] = "Give an IANA time zone, such as Asia/Shanghai."
    return out


def read(given: Mapping[str, Any]) -> Settings:
    """The settings. Raises ValueError naming what is wrong."""
    wrong = faults(given)
    if wrong:
        raise ValueError("; ".join(f"{name}: {text}" for name, text in wrong.items()))
    return Settings(**declared.whole(SETTINGS, {k: v for k, v in given.items() if v != ""}))
