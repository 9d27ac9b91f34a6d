"""Session descriptions with one audio stream of G.711, offered and answered (RFC 3264, RFC 4566)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from demo.sip.message import Address

PCMU, PCMA = 0, 8
_NAMES = {PCMU: "PCMU", PCMA: "PCMA"}
_MIRROR = {"sendonly": "recvonly", "recvonly": "sendonly", "sendrecv": "sendrecv", "inactive": "inactive"}


class BadSdp(ValueError):
    """No audio stream with a codec of ours: 488."""


@dataclass(frozen=True)
class Audio:
    """One side of the stream. `payload_type` is PCMU or PCMA, `dtmf` the RFC 4733 payload type or None, `direction`
    as its author sees it. An address of 0.0.0.0 is the old way to hold and reads as inactive."""

    address: Address
    payload_type: int = PCMU
    dtmf: int | None = 101
    direction: str = "sendrecv"

    def write(self, version: int = 1) -> str:
        """The description; `version` rises with every change of it."""
        ip, port = self.address
        types = [self.payload_type] + ([self.dtmf] if self.dtmf is not None else [])
        lines = [
            "v=0",
            f"o=carrier 1 {version} IN IP4 {ip}",
            "s=-",
            f"c=IN IP4 {ip}",
            "t=0 0",
            f"m=audio {port} RTP/AVP {' '.join(map(str, types))}",
            f"a=rtpmap:{self.payload_type} {_NAMES[self.payload_type]}/8000",
        ]
        if self.dtmf is not None:
            lines += [f"a=rtpmap:{self.dtmf} telephone-event/8000", f"a=fmtp:{self.dtmf} 0-15"]
        return "\r\n".join([*lines, "a=ptime:20", f"a={self.direction}", ""])

    def answered_from(self, local: Address) -> Audio:
        """Our answer to this offer, media at `local`."""
        return Audio(local, self.payload_type, self.dtmf, _MIRROR[self.direction])


def read(text: str) -> Audio:
    """The audio stream of `text`, the author's first G.711 codec chosen. Raises BadSdp."""
    lines = [(line[0], line[2:].strip()) for line in re.split(r"\r?\n", text) if len(line) > 2 and line[1] == "="]
    at = next((i for i, (k, v) in enumerate(lines) if k == "m" and v.startswith("audio ")), None)
    if at is None:
        raise BadSdp("no audio stream")
    end = next((i for i, (k, _) in enumerate(lines) if k == "m" and i > at), len(lines))
    first = next((i for i, (k, _) in enumerate(lines) if k == "m"), at)
    session, stream = lines[:first], lines[at:end]
    media = re.fullmatch(r"audio (\d{1,5})(?:/\d+)? RTP/AVP ([\d ]+)", stream[0][1], re.ASCII)
    if not media or not 0 < int(media[1]) < 65536:
        raise BadSdp("the audio stream is refused or not RTP/AVP")
    connection = [v for k, v in [*stream, *session] if k == "c"]
    where = re.fullmatch(r"IN IP4 (\d{1,3}(?:\.\d{1,3}){3})(?:/\d+)?", connection[0], re.ASCII) if connection else None
    if not where or not _is_ipv4(where[1]):
        raise BadSdp("no IPv4 address")
    offered = [int(t) for t in media[2].split()]
    codec = next((t for t in offered if t in _NAMES), None)
    if codec is None:
        raise BadSdp("no G.711 codec")
    names = {k: v for a in stream if a[0] == "a" for k, v in re.findall(r"rtpmap:(\d+) (.+)", a[1], re.ASCII)}
    dtmf = next((t for t in offered if names.get(str(t), "").lower().startswith("telephone-event/8000")), None)
    direction = next((v for k, v in [*stream, *session] if k == "a" and v in _MIRROR), "sendrecv")
    return Audio((where[1], int(media[1])), codec, dtmf, "inactive" if where[1] == "0.0.0.0" else direction)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
