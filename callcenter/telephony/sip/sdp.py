"""Session descriptions of one G.711 audio stream (RFC 4566, 3264, 4733). Pure.

Only PCMU, PCMA and telephone-event are offered and understood: that is what every carrier speaks. Text in, `Sdp` out,
and back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from callcenter.telephony.ports import MediaAddress, Sdp

CODECS = {"pcmu": 0, "pcma": 8}
_BY_PT = {0: "pcmu", 8: "pcma"}
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}
_IPV4 = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\Z")
DEFAULT_DTMF_PT = 101


class UnusableSdp(ValueError):
    """The description has no audio stream that we can take: broken, no audio, no G.711, or no IPv4 address."""


@dataclass(frozen=True)
class SessionId:
    """The `o=` line's id and version; the version must grow with every change (RFC 3264, section 8)."""

    number: int
    version: int = 1

    def next(self) -> SessionId:
        """The same session after a change."""
        return SessionId(self.number, self.version + 1)


def offer(local: Sdp, session: SessionId) -> str:
    """An offer of both codecs, `local.codec` first, and telephone-event with `local.dtmf_pt` (if any)."""
    first = CODECS[local.codec]
    return _write(local, session, [first, 8 - first], local.dtmf_pt, local.direction)


def answer(local: Sdp, remote: Sdp, session: SessionId) -> str:
    """The answer to the offer that `parse` read as `remote`: its codec, its telephone-event, and the direction that
    suits both sides."""
    wanted = _MIRROR[remote.direction]
    direction = wanted if local.direction == "sendrecv" else _meet(local.direction, wanted)
    return _write(local, session, [CODECS[remote.codec]], remote.dtmf_pt, direction)


def _meet(ours: str, allowed: str) -> str:
    sends = ours in ("sendrecv", "sendonly") and allowed in ("sendrecv", "sendonly")
    hears = ours in ("sendrecv", "recvonly") and allowed in ("sendrecv", "recvonly")
    if sends and hears:
        return "sendrecv"
    return "sendonly" if sends else "recvonly" if hears else "inactive"


def _write(local: Sdp, session: SessionId, codecs: list[int], dtmf_pt: int | None, direction: str) -> str:
    ip, port = local.address.ip, local.address.port
    formats = [str(pt) for pt in codecs] + ([str(dtmf_pt)] if dtmf_pt is not None else [])
    lines = [
        "v=0",
        f"o=- {session.number} {session.version} IN IP4 {ip}",
        "s=-",
        f"c=IN IP4 {ip}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(formats)}",
        *(f"a=rtpmap:{pt} {_BY_PT[pt].upper()}/8000" for pt in codecs),
    ]
    if dtmf_pt is not None:
        lines += [f"a=rtpmap:{dtmf_pt} telephone-event/8000", f"a=fmtp:{dtmf_pt} 0-15"]
    lines += ["a=ptime:20", f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"


def parse(text: str) -> Sdp:
    """The first audio stream of `text` that is G.711 over RTP/AVP: its address, its preferred codec of the two, its
    telephone-event payload type and its direction. An address of 0.0.0.0 is the old way of holding and reads as
    "sendonly". Raises UnusableSdp."""
    session_ip, session_direction = "", "sendrecv"
    ip, direction, port, formats = "", "", 0, list[int]()
    names: dict[int, str] = {}
    taken = in_media = False
    for line in text.splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "m":
            if taken:
                break
            in_media = True
            port, formats = _audio_line(value)
            taken = port > 0 and any(pt in _BY_PT for pt in formats)
            ip, direction, names = "", "", {}
        elif kind == "c":
            if in_media:
                ip = _connection(value)
            else:
                session_ip = _connection(value)
        elif kind == "a":
            if value in _DIRECTIONS:
                if in_media:
                    direction = value
                else:
                    session_direction = value
            elif value.startswith("rtpmap:"):
                pt, _, name = value[7:].partition(" ")
                if pt.isascii() and pt.isdigit():
                    names[int(pt)] = name.strip().lower()
    if not taken:
        raise UnusableSdp("no audio stream with PCMU or PCMA")
    address = ip or session_ip
    if not address:
        raise UnusableSdp("no IPv4 address for the audio")
    direction = direction or session_direction
    if address == "0.0.0.0":
        direction = "inactive" if direction in ("recvonly", "inactive") else "sendonly"
    codec = next(_BY_PT[pt] for pt in formats if pt in _BY_PT)
    dtmf = next((pt for pt in formats if names.get(pt, "").startswith("telephone-event/8000")), None)
    return Sdp(MediaAddress(address, port), codec, dtmf, direction)


def _audio_line(value: str) -> tuple[int, list[int]]:
    """(port, payload types) of an `m=` line; port 0 for what we can't take."""
    words = value.split()
    if len(words) < 4 or words[0] != "audio" or words[2] not in ("RTP/AVP", "RTP/AVPF"):
        return 0, []
    number = words[1].partition("/")[0]
    if not (number.isascii() and number.isdigit() and 0 < int(number) < 65536):
        return 0, []
    return int(number), [int(w) for w in words[3:] if w.isascii() and w.isdigit() and int(w) < 128]


def _connection(value: str) -> str:
    """The address of a `c=` line, or "" if it is not IPv4."""
    words = value.split()
    if len(words) != 3 or words[:2] != ["IN", "IP4"]:
        return ""
    host = words[2].partition("/")[0]
    match = _IPV4.match(host)
    if match is None or any(int(part) > 255 for part in match.groups()):
        return ""
    return host
