"""SIP messages, read and written (RFC 3261 sections 7 and 20). Tolerant in what it takes, plain in what it writes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Address = tuple[str, int]

MAX_DATAGRAM = 65535

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
    "s": "subject",
    "e": "content-encoding",
}
_WRITTEN = {
    "via": "Via",
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
}
_REQUEST_LINE = re.compile(r"([A-Z0-9.!%*_+`'~-]+) (\S+) SIP/2\.0")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?")
_LISTS = frozenset({"via", "contact", "route", "record-route", "require", "supported", "allow"})


class BadMessage(ValueError):
    """The datagram is not a SIP message, or lacks what an answer needs. The text says what is wrong."""


@dataclass
class Message:
    """A request (`method`, `uri`) or a response (`status`, `reason`). Header names are lower case, full form; values of
    list headers are split at commas. `source` is where it came from."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    source: Address = ("", 0)

    def get(self, name: str) -> str:
        """The first value of header `name` (lower case), "" without one."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of header `name` in order."""
        return [value for key, value in self.headers if key == name]

    @property
    def call_id(self) -> str:
        return self.get("call-id")

    @property
    def cseq(self) -> int:
        return int(self.get("cseq").split()[0])

    @property
    def cseq_method(self) -> str:
        return self.get("cseq").split()[1]

    @property
    def from_tag(self) -> str:
        return parameter(self.get("from"), "tag")

    @property
    def to_tag(self) -> str:
        return parameter(self.get("to"), "tag")

    @property
    def branch(self) -> str:
        return parameter(self.get("via"), "branch")

    @property
    def sdp(self) -> str:
        """The body as text when it is a session description, else ""."""
        kind = self.get("content-type").split(";")[0].strip().lower()
        return self.body.decode("utf-8", "replace") if kind == "application/sdp" else ""

    def encode(self) -> bytes:
        """The message on the wire, Content-Length set."""
        first = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{_name(k)}: {v}" for k, v in self.headers if k != "content-length")]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


def parse(datagram: bytes, source: Address = ("", 0)) -> Message:
    """Read one datagram. Raises BadMessage for anything that can't be answered or matched."""
    head, _, body = datagram.lstrip(b"\r\n").partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
    message = Message(source=source)
    if request := _REQUEST_LINE.fullmatch(lines[0]):
        message.method, message.uri = request.groups()
    elif response := _STATUS_LINE.fullmatch(lines[0]):
        message.status, message.reason = int(response[1]), response[2] or ""
    else:
        raise BadMessage("neither a request nor a response")
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadMessage("a header line without a colon")
        key = name.strip().lower()
        key = _COMPACT.get(key, key)
        values = _split(value) if key in _LISTS else [value]
        message.headers.extend((key, v.strip()) for v in values)
    message.body = _cut(message, body)
    _check(message)
    return message


def parameter(value: str, name: str) -> str:
    """Header parameter `name` of `value` (those after the `>` of a name-addr), "" without one."""
    _, _, after = value.rpartition(">")
    for part in (after if ">" in value else value).split(";")[1:]:
        key, _, given = part.partition("=")
        if key.strip().lower() == name:
            return given.strip().strip('"')
    return ""


def has_parameter(value: str, name: str) -> bool:
    """Whether `value` carries parameter `name`, with or without a value."""
    return any(part.partition("=")[0].strip().lower() == name for part in value.split(";")[1:])


def uri_of(value: str) -> str:
    """The URI in a From, To, Contact, Route value: `"A" <sip:b@c;d>;tag=e` → `sip:b@c;d`."""
    match = re.search(r"<([^>]*)>", value)
    return match[1] if match else value.split(";")[0].strip()


def user_of(uri: str) -> str:
    """The user part of a URI, without password and parameters: `sip:+8613900000001;npdi@host` → `+8613900000001`."""
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return ""
    if scheme.lower() == "tel":
        return rest.split(";")[0]
    user, at, _ = rest.rpartition("@")
    return re.split("[:;]", user)[0] if at else ""


def host_of(uri: str, default_port: int = 5060) -> Address:
    """Host and port of a URI; the port is `default_port` when it names none or a wrong one."""
    rest = uri.partition(":")[2].rpartition("@")[2]
    host, _, port = re.split("[;?>]", rest)[0].partition(":")
    return host, int(port) if port.isascii() and port.isdigit() and 0 < int(port) < 65536 else default_port


def response_to(request: Message, status: int, reason: str, to_tag: str = "") -> Message:
    """A response with what RFC 3261 8.2.6.2 copies from the request, `received` and `rport` filled in (RFC 3581)."""
    answer = Message(status=status, reason=reason)
    for i, via in enumerate(request.all("via")):
        if i == 0:
            host, port = request.source
            via = re.sub(r";\s*rport(?=;|$)", f";rport={port}", via)
            via += f";received={host}" if "received" not in via and request.source[0] else ""
        answer.headers.append(("via", via))
    answer.headers.extend(("record-route", value) for value in request.all("record-route"))
    to = request.get("to")
    answer.headers.append(("from", request.get("from")))
    answer.headers.append(("to", to if not to_tag or request.to_tag else f"{to};tag={to_tag}"))
    answer.headers.append(("call-id", request.call_id))
    answer.headers.append(("cseq", request.get("cseq")))
    return answer


def reply_address(request: Message) -> Address:
    """Where a response to `request` goes: its source, at the Via's port unless it asked for rport (18.2.2)."""
    via = request.get("via")
    if has_parameter(via, "rport"):
        return request.source
    sent_by = via.split(";")[0].split()[-1]
    return request.source[0], host_of("sip:" + sent_by)[1]


def _name(key: str) -> str:
    return _WRITTEN.get(key) or "-".join(part.capitalize() for part in key.split("-"))


def _split(value: str) -> list[str]:
    """`value` at its commas outside quotes and angle brackets."""
    parts, start, quoted, bracketed = [], 0, False, False
    for i, c in enumerate(value):
        if c == '"':
            quoted = not quoted
        elif c in "<>" and not quoted:
            bracketed = c == "<"
        elif c == "," and not quoted and not bracketed:
            parts.append(value[start:i])
            start = i + 1
    return [*parts, value[start:]]


def _cut(message: Message, body: bytes) -> bytes:
    length = message.get("content-length")
    if not length:
        return body
    if not (length.isascii() and length.isdigit()) or int(length) > len(body):
        raise BadMessage("Content-Length does not fit the datagram")
    return body[: int(length)]


def _check(message: Message) -> None:
    for needed in ("via", "from", "to", "call-id", "cseq"):
        if not message.get(needed):
            raise BadMessage(f"no {needed} header")
    if not re.fullmatch(r"\d{1,10}\s+\S+", message.get("cseq"), re.ASCII):
        raise BadMessage("CSeq is not a number and a method")
    if message.method and message.cseq_method != message.method:
        raise BadMessage("CSeq names another method")
    if not re.match(r"SIP\s*/\s*2\.0\s*/\s*\w+\s+\S+", message.get("via"), re.IGNORECASE):
        raise BadMessage("Via is malformed")
