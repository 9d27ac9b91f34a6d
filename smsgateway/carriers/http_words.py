"""How an HTTP carrier's requests are written and its answers are read, as the operator described them. Pure.

A template holds `{{phone}}`, `{{phone_digits}}` (without the plus), `{{sender}}`, `{{body}}`, `{{id}}`, `{{parts}}`,
`{{encoding}}`, `{{valid_s}}`, `{{now}}` (seconds since the epoch); each is escaped for where it stands. A finder names
a value in what comes back: `data.messages.0.id` in JSON, `msgid` in a form, or `re:` and a pattern with one group.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus
from xml.sax.saxutils import escape

PLACE = re.compile(r"\{\{([a-z_]+)\}\}")
NAMES: Final = frozenset({"phone", "phone_digits", "sender", "body", "id", "parts", "encoding", "valid_s", "now"})
FORMATS: Final = ("json", "form", "xml", "text")
TYPES: Final = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
SIGNATURES: Final = ("none", "hmac_sha256", "hmac_sha1", "md5")
MAX_ANSWER: Final = 200_000
_ESCAPES: Final[Mapping[str, Callable[[str], str]]] = {
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "form": lambda text: quote_plus(text),
    "xml": lambda text: escape(text, {'"': "&quot;", "'": "&apos;"}),
    "text": lambda text: text,
    "url": lambda text: quote(text, safe=""),
    "header": lambda text: re.sub(r"[\r\n\x00]", " ", text),
}


def unknown(template: str) -> list[str]:
    """Placeholders of `template` that nothing fills."""
    return sorted({name for name in PLACE.findall(template) if name not in NAMES})


def render(template: str, values: Mapping[str, str], format_: str) -> str:
    """`template` with `values` put in, each escaped for `format_` (a format, "url" or "header")."""
    escaped = _ESCAPES[format_]
    return PLACE.sub(lambda m: escaped(values.get(m[1], "")), template)


def headers(lines: str, values: Mapping[str, str]) -> dict[str, str]:
    """`Name: value` lines as headers. Raises ValueError naming the line that is none."""
    out: dict[str, str] = {}
    for line in lines.splitlines():
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name.strip()):
            raise ValueError(line)
        out[name.strip()] = render(value.strip(), values, "header")
    return out


def signature(kind: str, secret: str, signed: str) -> str:
    """`signed` under `secret`, in lower-case hex; empty for "none"."""
    match kind:
        case "hmac_sha256":
            return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        case "hmac_sha1":
            return hmac.new(secret.encode(), signed.encode(), hashlib.sha1).hexdigest()
        case "md5":
            return hashlib.md5((signed + secret).encode(), usedforsecurity=False).hexdigest()
    return ""


@dataclass(frozen=True)
class Document:
    """A body that came back, read as far as it can be."""

    text: str
    data: Any = None

    def find(self, finder: str) -> str | None:
        """The value that `finder` names, as text; None if it is not there. An empty finder finds nothing."""
        if not finder:
            return None
        if finder.startswith("re:"):
            found = re.search(finder[3:], self.text)
            return None if found is None else (found[1] if found.re.groups else found[0])
        value = _walk(self.data, finder)
        if value is None or isinstance(value, dict | list):
            return None
        return ("true" if value else "false") if isinstance(value, bool) else str(value)

    def each(self, finder: str) -> list[Document]:
        """The entries of the list that `finder` names, each a document; the document itself without a finder."""
        if not finder:
            return [self]
        value = self.data if finder == "." else _walk(self.data, finder)
        entries = value if isinstance(value, list) else [value]
        return [Document(json.dumps(e, ensure_ascii=False), e) for e in entries if isinstance(e, dict)]


def read(raw: bytes, content_type: str, query: str = "") -> Document:
    """A body (or, if there is none, the query string) as a document. Never raises: what is no JSON and no form is text
    that only `re:` finders read."""
    text = raw[:MAX_ANSWER].decode("utf-8", "replace")
    if not text.strip() and query:
        return Document(query, dict(parse_qsl(query, keep_blank_values=True)))
    if "json" in content_type or text.lstrip()[:1] in ("{", "["):
        try:
            return Document(text, json.loads(text))
        except (ValueError, RecursionError):
            return Document(text)
    if "form" in content_type or re.fullmatch(r"[\w.\[\]-]+=[^<>\s]*(&[\w.\[\]-]+=[^<>\s]*)*", text):
        return Document(text, dict(parse_qsl(text, keep_blank_values=True)))
    return Document(text)


def _walk(data: Any, path: str) -> Any:
    if isinstance(data, dict) and path in data:  # a form's name may hold dots
        return data[path]
    for step in path.split("."):
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def words(text: str) -> tuple[str, ...]:
    """`text` as words between spaces, commas and new lines."""
    return tuple(w for w in re.split(r"[\s,，]+", text) if w)


def meanings(lines: str) -> dict[str, Sequence[str]]:
    """Lines `delivered: DELIVRD 1` as meaning → the carrier's words, in lower case. Raises ValueError naming a line
    without a colon."""
    out: dict[str, Sequence[str]] = {}
    for line in lines.splitlines():
        if line.strip():
            meaning, colon, rest = line.partition(":")
            if not colon:
                raise ValueError(line)
            out[meaning.strip().lower()] = tuple(w.lower() for w in words(rest))
    return out
