"""Settings of the demo carrier, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PHONE_PORTS = 20
"""RTP ports each softphone gets from the end of the carrier's range."""


class BadSetting(ValueError):
    """A variable makes no sense; the text names it."""


@dataclass(frozen=True)
class Settings:
    """`port` is the SIP port; `rtp_first` … `rtp_last` the UDP ports of audio; `accounts` (user → password) may
    register and are called by their user name."""

    var: Path
    host: str = "127.0.0.1"
    port: int = 5090
    rtp_first: int = 28000
    rtp_last: int = 29999
    fast: bool = False
    phones: int = 2
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def sounds_dir(self) -> Path:
        """Where the subscribers' phrases are kept."""
        return self.var / "demo"

    def phone_ports(self, phone: int) -> tuple[int, int]:
        """First and last RTP port of softphone `phone` (0, 1 …)."""
        last = self.rtp_last - phone * PHONE_PORTS
        return last - PHONE_PORTS + 1, last


def settings(env: Mapping[str, str], var: Path) -> Settings:
    """Read `DEMO_CARRIER_…`: HOST, PORT, RTP_MIN, RTP_MAX, FAST (1), PHONES, ACCOUNTS (`user:password,…`). Raises
    BadSetting."""

    def number(name: str, default: int, least: int, most: int) -> int:
        raw = env.get(f"DEMO_CARRIER_{name}", "") or str(default)
        if not (raw.isascii() and raw.isdigit() and least <= int(raw) <= most):
            raise BadSetting(f"DEMO_CARRIER_{name}={raw!r}: give a whole number from {least} to {most}")
        return int(raw)

    pairs = [pair.partition(":") for pair in env.get("DEMO_CARRIER_ACCOUNTS", "").split(",") if pair]
    if any(not user or not password for user, _, password in pairs):
        raise BadSetting("DEMO_CARRIER_ACCOUNTS: give user:password, separated by commas")
    found = Settings(
        var=var,
        host=env.get("DEMO_CARRIER_HOST", "") or "127.0.0.1",
        port=number("PORT", 5090, 1024, 65535),
        rtp_first=number("RTP_MIN", 28000, 1024, 65000),
        rtp_last=number("RTP_MAX", 29999, 1024, 65535),
        fast=env.get("DEMO_CARRIER_FAST") == "1",
        phones=number("PHONES", 2, 0, 10),
        accounts={user: password for user, _, password in pairs},
    )
    if found.rtp_last - found.rtp_first < PHONE_PORTS * (found.phones + 1):
        raise BadSetting("DEMO_CARRIER_RTP_MIN … MAX: leave 20 ports for the carrier and 20 for each phone")
    return found
