"""The settings of an SMPP carrier (`text_carrier.settings`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from smsgateway.carriers.refs import NOTATIONS, Notations

Port = Annotated[int, Meta(ge=1, le=65535)]
Octet = Annotated[int, Meta(ge=0, le=255)]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a carrier's contract says. Times in seconds; TON and NPI as numbers of the specification.

    `mode`: one connection for both ways, or one each. `binds`: connections (pairs of them) at a time. `ca`: the
    certificates that its TLS is checked against, PEM; empty: the system's. `long`: how a text of several parts leaves:
    with a header of an 8 or 16 bit reference, as SAR parameters, or whole as message_payload. `gsm7`: its alphabet as
    octets of the default alphabet, or as Latin-1 (what that lacks goes as UCS-2). `ids`: how the answer to a
    submission and its receipt write the same reference. `zone`: of the dates in receipts.
    """

    host: str
    port: Port
    system_id: Annotated[str, Meta(min_length=1, max_length=15, pattern=r"^[\x21-\x7e]+$")]
    password: Annotated[str, Meta(max_length=8, pattern=r"^[\x20-\x7e]*$")] = ""
    system_type: Annotated[str, Meta(max_length=12, pattern=r"^[\x20-\x7e]*$")] = ""
    address_range: Annotated[str, Meta(max_length=40, pattern=r"^[\x20-\x7e]*$")] = ""
    mode: Literal["transceiver", "transmitter_receiver"] = "transceiver"
    binds: Annotated[int, Meta(ge=1, le=16)] = 1
    tls: bool = False
    ca: str = ""
    enquire_link_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    answer_s: Annotated[float, Meta(ge=0.5, le=600)] = 60.0
    connect_s: Annotated[float, Meta(ge=0.5, le=120)] = 10.0
    again_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0  # first wait before connecting again; doubles up to a minute
    throttle_s: Annotated[float, Meta(ge=0.05, le=60)] = 1.0
    long: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    gsm7: Literal["default", "latin1"] = "default"
    data_coding_gsm7: Octet = 0
    data_coding_ucs2: Octet = 8
    receipts: Literal["all", "failures", "none"] = "all"
    ids: Literal["same", "hex_then_decimal", "decimal_then_hex"] = "same"
    zone: str = "UTC"
    validity: Literal["absolute", "relative", "none"] = "absolute"
    service_type: Annotated[str, Meta(max_length=5, pattern=r"^[\x20-\x7e]*$")] = ""
    source: Annotated[str, Meta(max_length=20, pattern=r"^[\x20-\x7e]*$")] = ""  # for texts without a sender
    short_digits: Annotated[int, Meta(ge=0, le=20)] = 6  # a sender of at most so many digits is a short code
    international_ton: Octet = 1
    international_npi: Octet = 1
    national_ton: Octet = 2
    national_npi: Octet = 1
    short_ton: Octet = 3
    short_npi: Octet = 0
    alphanumeric_ton: Octet = 5
    alphanumeric_npi: Octet = 0
    destination_ton: Octet = 1
    destination_npi: Octet = 1
    destination_plus: bool = False  # the number with its plus
    destination_strip: Annotated[str, Meta(pattern=r"^(\+[0-9]{1,6})?$")] = ""  # such a beginning is left out
    join_s: Annotated[float, Meta(ge=1, le=86400)] = 300.0  # an incoming long text whose other parts do not come

    @property
    def notations(self) -> Notations:
        """How both sides write references."""
        return NOTATIONS[self.ids]


_TYPES = get_type_hints(Settings, include_extras=True)
_NEEDED = ("host", "port", "system_id")


def faults(settings: Mapping[str, object]) -> dict[str, str]:
    """Field → what is wrong, and the remedy."""
    out = {name: "This is needed." for name in _NEEDED if not settings.get(name)}
    for name, value in settings.items():
        if name not in _TYPES:
            out[name] = "There is no such setting; leave it out."
        elif name not in out:
            try:
                msgspec.convert(value, _TYPES[name])
            except msgspec.ValidationError as error:
                out[name] = str(error)
    if "zone" not in out:
        try:
            ZoneInfo(str(settings.get("zone") or "UTC"))
        except (KeyError, ValueError, OSError):
            out["zone"] = "Give an IANA time zone, such as Asia/Shanghai."
    return out


def read(settings: Mapping[str, Any]) -> Settings:
    """The settings. Raises ValueError naming what is wrong."""
    wrong = faults(settings)
    if wrong:
        raise ValueError("; ".join(f"{name}: {text}" for name, text in wrong.items()))
    known = {f.name for f in fields(Settings)}
    return Settings(**{k: msgspec.convert(v, _TYPES[k]) for k, v in settings.items() if k in known})
