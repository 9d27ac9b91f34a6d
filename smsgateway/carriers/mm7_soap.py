"""MM7: SOAP messages with their attachments, to bytes and back. Pure.

Source: 3GPP TS 23.140 release 6, annex L (schema REL-6-MM7-1-4). Parts are joined by hand: the standard library's
`email` package changes line ends in what it takes for text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
MM7: Final = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"
VERSION: Final = "6.8.0"
SUCCESS: Final = range(1000, 2000)
# Status codes that say: not now.
TEMPORARY: Final = frozenset({3003, 3004})
MAX_XML: Final = 256 * 1024
MOST_NESTED: Final = 16  # multiparts in one body


class Malformed(Exception):
    """What came is no MM7 message."""


@dataclass(frozen=True)
class Part:
    """An attachment as bytes. `id` is its Content-ID without brackets."""

    id: str
    type: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Submit:
    """An MMS to one number, in E.164."""

    transaction: str
    vasp_id: str
    vas_id: str
    sender: str
    to: str
    subject: str
    service_code: str
    linked: str
    expires: str  # ISO 8601
    parts: Sequence[Part]


@dataclass(frozen=True)
class Answer:
    """What a response says."""

    code: int
    text: str
    message_id: str


@dataclass(frozen=True)
class Incoming:
    """What an MMSC tells us. `kind`: DeliverReq, DeliveryReportReq, ReadReplyReq."""

    kind: str
    transaction: str
    message_id: str
    status: str
    sender: str
    to: str
    subject: str
    at: str
    text: str
    parts: tuple[Part, ...]


def _envelope(transaction: str, body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<env:Envelope xmlns:env="{SOAP}"><env:Header>'
        f'<mm7:TransactionID xmlns:mm7="{MM7}" env:mustUnderstand="1">{escape(transaction)}</mm7:TransactionID>'
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def _element(name: str, value: str) -> str:
    return f"<{name}>{escape(value)}</{name}>" if value else ""


def submit(message: Submit, boundary: str) -> tuple[str, bytes]:
    """Content type and body of a SubmitReq with its parts."""
    sender = _element("VASPID", message.vasp_id) + _element("VASID", message.vas_id)
    if message.sender:
        sender += f"<SenderAddress><ShortCode>{escape(message.sender)}</ShortCode></SenderAddress>"
    content = '<Content href="cid:mms" allowAdaptations="true"/>' if message.parts else ""
    body = (
        f'<SubmitReq xmlns="{MM7}"><MM7Version>{VERSION}</MM7Version>'
        f"<SenderIdentification>{sender}</SenderIdentification>"
        f"<Recipients><To><Number>{escape(message.to)}</Number></To></Recipients>"
        + _element("ServiceCode", message.service_code)
        + _element("LinkedID", message.linked)
        + _element("ExpiryDate", message.expires)
        + "<DeliveryReport>true</DeliveryReport><ReadReply>true</ReadReply>"
        + _element("Subject", message.subject)
        + content
        + "</SubmitReq>"
    )
    soap = _part("text/xml; charset=utf-8", "soap", "", _envelope(message.transaction, body))
    inner = f"{boundary}-mms"
    pieces = [_part(p.type, p.id, p.name, p.content) for p in message.parts]
    mms = _part(f'multipart/related; boundary="{inner}"; start="<smil>"', "mms", "", _join(pieces, inner))
    kind = f'multipart/related; type="text/xml"; start="<soap>"; boundary="{boundary}"'
    return kind, _join([soap, mms] if pieces else [soap], boundary)


def _part(kind: str, content_id: str, name: str, content: bytes) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-ID: <{content_id}>\r\n"
    if name:
        head += f"Content-Location: {_plain(name)}\r\n"
    if not kind.startswith("multipart/"):
        head += "Content-Transfer-Encoding: binary\r\n"
    return head.encode() + b"\r\n" + content


def _join(parts: Sequence[bytes], boundary: str) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:60]


def smil(parts: Sequence[Part]) -> Part:
    """Pages that show `parts`: each picture with the text behind it."""
    pages: list[list[Part]] = []
    for part in parts:
        if part.type.startswith("image/") or not pages:
            pages.append([])
        pages[-1].append(part)
    shown = []
    for page in pages:
        inside = "".join(
            f"<{'img' if p.type.startswith('image/') else 'text'} src={quoteattr('cid:' + p.id)} "
            f'region="{"Image" if p.type.startswith("image/") else "Text"}"/>'
            for p in page
        )
        shown.append(f'<par dur="8000ms">{inside}</par>')
    layout = (
        '<layout><root-layout width="320" height="480"/><region id="Image" width="320" height="320" top="0" left="0" '
        'fit="meet"/><region id="Text" width="320" height="160" top="320" left="0"/></layout>'
    )
    text = f"<smil><head>{layout}</head><body>{''.join(shown)}</body></smil>"
    return Part("smil", "application/smil", "show.smil", text.encode())


def _parse(raw: bytes) -> ElementTree.Element:
    """The envelope without its attributes. A document type is refused by the parser itself: no encoding hides it, and
    no entity is ever defined. Raises Malformed."""
    if len(raw) > MAX_XML:
        raise Malformed("the envelope is too long")
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")

    def start(name: str, _attributes: object) -> None:
        builder.start("{" + name if "}" in name else name, {})

    def end(name: str) -> None:
        builder.end(name)

    def refuse(*_: object) -> None:
        raise Malformed("a document type is not taken")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(raw, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:  # unknown encodings, and no element
        raise Malformed(f"no XML: {error}") from None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _find(root: ElementTree.Element, *names: str) -> ElementTree.Element | None:
    """The first element called by one of `names`, whatever its namespace: MMSCs differ in theirs."""
    return next((e for e in root.iter() if _local(e) in names), None)


def _value(root: ElementTree.Element, *names: str) -> str:
    found = _find(root, *names)
    return "" if found is None else "".join(found.itertext()).strip()


def answer(raw: bytes, content_type: str) -> Answer:
    """A SubmitRsp, an RSErrorRsp or a SOAP fault. Raises Malformed."""
    envelope, _ = _split(raw, content_type)
    root = _parse(envelope)
    code = _value(root, "StatusCode")
    if not code.isdecimal() or len(code) > 9:
        fault = _value(root, "faultstring")
        if fault:
            return Answer(4000, fault[:200], "")
        raise Malformed("an answer without a StatusCode")
    return Answer(int(code), _value(root, "StatusText", "Details")[:200], _value(root, "MessageID"))


def incoming(raw: bytes, content_type: str) -> Incoming:
    """What an MMSC posts. Raises Malformed."""
    envelope, parts = _split(raw, content_type)
    root = _parse(envelope)
    body = _find(root, "Body")
    message = None if body is None else next(iter(body), None)
    if message is None or _local(message) not in ("DeliverReq", "DeliveryReportReq", "ReadReplyReq"):
        raise Malformed("neither a message nor a report")
    recipient = _find(message, "Recipient", "Recipients")
    sender = _find(message, "Sender")
    texts = [_decoded(p) for p in parts if p.type == "text/plain"]
    return Incoming(
        _local(message),
        _value(root, "TransactionID"),
        _value(message, "MessageID") or _value(message, "LinkedID"),
        _value(message, "MMStatus"),
        "" if sender is None else "".join(sender.itertext()).strip(),
        "" if recipient is None else "".join(recipient.itertext()).strip(),
        _value(message, "Subject"),
        _value(message, "Date", "TimeStamp"),
        "\n".join(texts),
        tuple(p for p in parts if p.type not in ("text/plain", "application/smil")),
    )


def response(to: Incoming, code: int = 1000, text: str = "Success") -> bytes:
    """What we answer an MMSC."""
    name = to.kind.removesuffix("Req") + "Rsp"
    status = f"<Status><StatusCode>{code}</StatusCode>{_element('StatusText', text)}</Status>"
    return _envelope(to.transaction, f'<{name} xmlns="{MM7}"><MM7Version>{VERSION}</MM7Version>{status}</{name}>')


def _split(raw: bytes, content_type: str) -> tuple[bytes, list[Part]]:
    """The envelope, and all other leaves. Raises Malformed."""
    if "multipart/" not in content_type.lower():
        return raw, []
    if raw.lower().count(b"multipart/") > MOST_NESTED:  # the library looks at each line once for each of them
        raise Malformed("parts in parts in parts")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    leaves: list[Part] = []
    envelope: bytes | None = None
    try:
        for leaf in _leaves(BytesParser(policy=HTTP).parsebytes(head + raw)):
            payload = leaf.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
            kind = leaf.get_content_type()
            if envelope is None and kind in ("text/xml", "application/soap+xml", "application/xml"):
                envelope = content
                continue
            charset = leaf.get_content_charset() or "utf-8"
            if kind == "text/plain":
                content = _to_utf8(content, charset)
            content_id = str(leaf.get("Content-ID", "")).strip("<> ")
            name = str(leaf.get("Content-Location", "") or leaf.get_filename() or content_id or "part")
            leaves.append(Part(content_id, kind, _plain(name), content))
    except Exception as error:  # the library raises whatever it likes on headers that are broken on purpose
        raise Malformed(f"a multipart that can't be read: {type(error).__name__}") from None
    if envelope is None:
        raise Malformed("no envelope")
    return envelope, leaves


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold no others; of parts in parts, as far as they make sense."""
    found: list[Message] = [message]
    while found:
        one = found.pop()
        inside = one.get_payload() if one.is_multipart() else None
        if isinstance(inside, list):
            found += [p for p in reversed(inside) if isinstance(p, Message)]
        else:
            yield one


def _to_utf8(content: bytes, charset: str) -> bytes:
    try:
        return content.decode(charset, "replace").encode("utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace").encode()


def _decoded(part: Part) -> str:
    return part.content.decode("utf-8", "replace").strip()
