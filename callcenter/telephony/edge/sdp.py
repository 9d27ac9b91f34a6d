"""The session descriptions between a browser and the edge: one bundled audio stream of PCMU over DTLS-SRTP.

Pure text work. `parse_offer` takes what matters of a browser's offer and refuses what the edge cannot serve;
`build_answer` writes the answer. Sources: RFC 8866 (SDP), RFC 9429 (JSEP), RFC 8842 (DTLS), RFC 8839 (ICE).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from callcenter.errors import InvalidInput

MAX_OFFER_CHARS = 64_000
PCMU_PAYLOAD_TYPE = 0
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+\Z")
_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+\Z")
_TOKEN = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+\Z")
_DIGESTS = ("sha-256", "sha-384", "sha-512")
_REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True)
class MediaLine:
    """One m-line of an offer, kept so that the answer can mirror it: `kind` audio, video …, its `mid` or ""."""

    kind: str
    profile: str
    formats: tuple[str, ...]
    mid: str


@dataclass(frozen=True)
class BrowserOffer:
    """What of an offer matters. `audio` is the index of the audio line in `lines`; `fingerprints` are (algorithm,
    digest); `setup` is actpass, active or passive; `direction` is the browser's."""

    lines: tuple[MediaLine, ...]
    audio: int
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    setup: str
    direction: str


@dataclass(frozen=True)
class LocalCandidate:
    """An address where the edge receives: one host candidate (RFC 8839)."""

    foundation: str
    priority: int
    ip: str
    port: int


@dataclass(frozen=True)
class LocalSide:
    """The edge's side of an answer. `ssrc` is the one under which the browser will receive audio, None if it is not
    known beforehand; `setup` is active (we begin the DTLS handshake) or passive."""

    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[LocalCandidate, ...]
    setup: str
    ssrc: int | None = None
    cname: str = ""


def _refuse(problem: str) -> InvalidInput:
    return InvalidInput(f"The browser's audio offer cannot be used: {problem}.", fields={"sdp": problem})


def _attribute(lines: Sequence[str], name: str) -> str | None:
    """The first value of `a=name[:value]` in `lines`, or None."""
    for line in lines:
        if line == f"a={name}":
            return ""
        if line.startswith(f"a={name}:"):
            return line[len(name) + 3 :].strip()
    return None


def _media_line(text: str, attributes: Sequence[str]) -> MediaLine:
    parts = text[2:].split()
    if len(parts) < 4 or not parts[1].split("/")[0].isdigit() or any(not _TOKEN.match(p) for p in parts[3:]):
        raise _refuse(f"the line {text[:60]!r} is not a media description")
    mid = _attribute(attributes, "mid") or ""
    if mid and not _TOKEN.match(mid):
        raise _refuse("a=mid is not a token")
    return MediaLine(kind=parts[0], profile=parts[2], formats=tuple(parts[3:]), mid=mid)


def parse_offer(sdp: str) -> BrowserOffer:
    """The browser's offer. Raises InvalidInput (field `sdp`) if it is no SDP, has no PCMU audio over DTLS-SRTP with
    rtcp-mux, or lacks ICE credentials or a fingerprint that is understood."""
    if len(sdp) > MAX_OFFER_CHARS:
        raise _refuse(f"it is longer than {MAX_OFFER_CHARS} characters")
    text = [line.strip() for line in sdp.splitlines() if line.strip()]
    if not text or text[0] != "v=0":
        raise _refuse("it is not a session description (must begin with v=0)")
    starts = [i for i, line in enumerate(text) if line.startswith("m=")]
    if not starts:
        raise _refuse("it describes no media")
    session = text[: starts[0]]
    sections = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    lines = tuple(_media_line(s[0], s[1:]) for s in sections)
    audio = next((i for i, line in enumerate(lines) if line.kind == "audio"), None)
    if audio is None:
        raise _refuse("it has no audio")
    line, own = lines[audio], sections[audio][1:]
    if not line.profile.endswith("RTP/SAVPF") and not line.profile.endswith("RTP/SAVP"):
        raise _refuse(f"the profile {line.profile} is not DTLS-SRTP (UDP/TLS/RTP/SAVPF)")
    if str(PCMU_PAYLOAD_TYPE) not in line.formats:
        raise _refuse("it does not offer PCMU (payload type 0)")
    if _attribute(own, "rtcp-mux") is None:
        raise _refuse("it does not offer rtcp-mux")

    def either(name: str) -> str | None:
        value = _attribute(own, name)
        return value if value is not None else _attribute(session, name)

    ufrag, pwd = either("ice-ufrag") or "", either("ice-pwd") or ""
    if not (4 <= len(ufrag) <= 256 and _ICE_CHARS.match(ufrag) and 22 <= len(pwd) <= 256 and _ICE_CHARS.match(pwd)):
        raise _refuse("its ICE user name or password is missing or malformed")
    fingerprints = []
    for raw in [*own, *session]:
        if raw.startswith("a=fingerprint:"):
            algorithm, _, digest = raw[14:].strip().partition(" ")
            if algorithm.lower() in _DIGESTS and _DIGEST.match(digest.strip()):
                fingerprints.append((algorithm.lower(), digest.strip().upper()))
    if not fingerprints:
        raise _refuse("it has no DTLS fingerprint (sha-256)")
    setup = either("setup") or "actpass"
    if setup not in ("actpass", "active", "passive"):
        raise _refuse(f"a=setup:{setup[:20]} is not known")
    direction = next((d for d in _REVERSED if _attribute(own, d) is not None), "sendrecv")
    return BrowserOffer(lines, audio, ufrag, pwd, tuple(fingerprints), setup, direction)


def answer_setup(offer: BrowserOffer) -> str:
    """Our side of `a=setup`: we begin the handshake unless the browser wants to."""
    return "passive" if offer.setup == "active" else "active"


def build_answer(offer: BrowserOffer, local: LocalSide) -> str:
    """The answer to `offer`: PCMU only, no header extensions, other media lines refused (port 0)."""
    own = offer.lines[offer.audio]
    first = local.candidates[0]
    out = ["v=0", f"o=- {first.port} 2 IN {_family(first.ip)}", "s=-", "t=0 0"]
    if own.mid:
        out.append(f"a=group:BUNDLE {own.mid}")
    out.append("a=msid-semantic:WMS *")
    for index, line in enumerate(offer.lines):
        if index != offer.audio:
            out += [f"m={line.kind} 0 {line.profile} {' '.join(line.formats)}", "c=IN IP4 0.0.0.0", "a=inactive"]
            out += [f"a=mid:{line.mid}"] if line.mid else []
            continue
        out += [
            f"m=audio {first.port} {line.profile} {PCMU_PAYLOAD_TYPE}",
            f"c=IN {_family(first.ip)}",
            f"a=rtcp:{first.port} IN {_family(first.ip)}",
            f"a=rtpmap:{PCMU_PAYLOAD_TYPE} PCMU/8000",
            "a=ptime:20",
            f"a={_REVERSED[offer.direction]}",
        ]
        out += [f"a=mid:{line.mid}"] if line.mid else []
        out += ["a=rtcp-mux", "a=msid:call audio"]
        out += [f"a=ssrc:{local.ssrc} cname:{local.cname}"] if local.ssrc is not None else []
        out += [f"a=ice-ufrag:{local.ice_ufrag}", f"a=ice-pwd:{local.ice_pwd}"]
        out += [f"a=candidate:{c.foundation} 1 udp {c.priority} {c.ip} {c.port} typ host" for c in local.candidates]
        out.append("a=end-of-candidates")
        out += [f"a=fingerprint:{algorithm} {digest}" for algorithm, digest in local.fingerprints]
        out.append(f"a=setup:{local.setup}")
    return "\r\n".join(out) + "\r\n"


def parse_local_side(sdp: str) -> LocalSide:
    """The edge's side out of a description that a gateway such as rtpengine wrote. Raises InvalidInput if it is not
    one of DTLS-SRTP with host candidates."""
    own = parse_offer(sdp)
    candidates = []
    for line in sdp.splitlines():
        part = line.strip().removeprefix("a=candidate:").split()
        if line.startswith("a=candidate:") and len(part) >= 8 and part[1] == "1" and part[2].lower() == "udp":
            candidates.append(LocalCandidate(part[0], int(part[3]), part[4], int(part[5])))
    if not candidates:
        raise _refuse("the gateway named no address for ICE")
    return LocalSide(own.ice_ufrag, own.ice_pwd, own.fingerprints, tuple(candidates), own.setup)


def plain_description(ip: str, port: int) -> str:
    """A description of plain PCMU RTP at `ip`, `port`: what stands for the media process."""
    return (
        f"v=0\r\no=- {port} 1 IN {_family(ip)}\r\ns=-\r\nc=IN {_family(ip)}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {PCMU_PAYLOAD_TYPE}\r\na=rtpmap:{PCMU_PAYLOAD_TYPE} PCMU/8000\r\na=sendrecv\r\n"
    )


def plain_address(sdp: str) -> tuple[str, int]:
    """(ip, port) of the first audio in a plain description. Raises InvalidInput if there is none."""
    ip = re.search(r"^c=IN IP[46] (\S+)", sdp, re.MULTILINE)
    port = re.search(r"^m=audio (\d+) ", sdp, re.MULTILINE)
    if ip is None or port is None or int(port[1]) == 0:
        raise _refuse("the gateway named no address for plain RTP")
    return ip[1], int(port[1])


def _family(ip: str) -> str:
    return f"IP6 {ip}" if ":" in ip else f"IP4 {ip}"
