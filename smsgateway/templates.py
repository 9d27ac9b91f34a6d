"""Bodies with placeholders: parsed once, rendered for each recipient. Pure.

`{{name}}` stands for a fact about the recipient, `{{field.policy_no}}` for a field of the enterprise's own, and
`{{name|customer}}` gives "customer" where there is no name. What a value holds is put in as it is and never looked at
again: no value, however hostile, is a template. `{{{{` and `}}}}` write two braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from callcenter.errors import InvalidInput

MAX_LENGTH: Final = 10_000  # characters of a rendered body
MAX_PLACEHOLDERS: Final = 100
MAX_SIGNATURE: Final = 30

# What can be filled in for every recipient. Own fields of contacts and customers are `field.<key>`.
FIELDS: Final = (
    "name",
    "first_name",
    "last_name",
    "company",
    "phone",
    "birthday",
    "agent",
    "agent_phone",
    "enterprise",
    "date",
)
_TOKEN = re.compile(r"\{{4}|\}{4}|\{\{([^{}\n]{0,200})\}\}|\{\{|\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(?:\.[A-Za-z0-9_]{1,60})?")
_SIGNED = re.compile(r"\s*【[^【】\n]{1,30}】")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a template. `at`: position of the placeholder, from 0.

    Codes: `unknown` (no such field), `malformed` (braces that do not match, or no name), `too_many`, `too_long`.
    """

    code: str
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place to fill in: `name` as in `FIELDS` or `field.<key>`, `fallback` where there is no value."""

    name: str
    fallback: str
    at: int


@dataclass(frozen=True)
class Template:
    """A parsed body: text and placeholders in turn."""

    pieces: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The places to fill in, in order."""
        return tuple(p for p in self.pieces if isinstance(p, Placeholder))

    @property
    def personal(self) -> bool:
        """Whether it differs from recipient to recipient."""
        return any(isinstance(p, Placeholder) for p in self.pieces)

    def render(self, values: Mapping[str, str]) -> str:
        """The body for one recipient, cut at `MAX_LENGTH` + 1 characters: the checks see that it is too long."""
        out: list[str] = []
        left = MAX_LENGTH + 1
        for piece in self.pieces:
            text = piece if isinstance(piece, str) else clean(values.get(piece.name) or "") or piece.fallback
            out.append(text if len(text) <= left else text[:left])
            left -= len(text)
            if left <= 0:
                break
        return "".join(out)

    def missing(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Placeholders that stay empty with these values."""
        return tuple(
            dict.fromkeys(
                p.name for p in self.placeholders if not p.fallback and not clean(values.get(p.name) or "").strip()
            )
        )


def clean(value: str) -> str:
    """`value` as it may stand in a text: without control characters and halves of surrogate pairs."""
    return _UNSEEN.sub("", value) if not value.isprintable() else value


def examine(body: str, own: frozenset[str] = frozenset()) -> tuple[Template, tuple[Fault, ...]]:
    """Parse `body` and say all that is wrong with it. `own`: keys of the enterprise's own fields."""
    pieces: list[str | Placeholder] = []
    faults: list[Fault] = []
    if len(body) > MAX_LENGTH:
        return Template((body[: MAX_LENGTH + 1],)), (Fault("too_long", MAX_LENGTH, ""),)
    done = 0
    for token in _TOKEN.finditer(body):
        if token.start() > done:
            pieces.append(body[done : token.start()])
        done = token.end()
        if len(token[0]) == 4 and token[1] is None:
            pieces.append(token[0][:2])
            continue
        if token[1] is None:
            faults.append(Fault("malformed", token.start(), token[0]))
            continue
        name, _, fallback = token[1].partition("|")
        name = name.strip()
        if _NAME.fullmatch(name) is None:
            faults.append(Fault("malformed", token.start(), token[0][:60]))
            continue
        first, _, key = name.partition(".")
        if not (name in FIELDS or (first == "field" and key in own)):
            faults.append(Fault("unknown", token.start(), name))
            continue
        pieces.append(Placeholder(name, clean(fallback).strip(), token.start()))
        if len(pieces) > 2 * MAX_PLACEHOLDERS:
            faults.append(Fault("too_many", token.start(), name))
            break
    if done < len(body):
        pieces.append(body[done:])
    return Template(tuple(pieces)), tuple(faults)


@lru_cache(maxsize=512)
def parse(body: str, own: frozenset[str] = frozenset()) -> Template:
    """Parse `body`. Raises InvalidInput (code `template`, params `faults`) that names every fault and its place."""
    template, faults = examine(body, own)
    if faults:
        raise InvalidInput(
            "The text has placeholders that can't be filled in.",
            code="template",
            fields={"body": sentence(faults[0])},
            params={"faults": [{"code": f.code, "at": f.at, "text": f.text} for f in faults]},
        )
    return template


def sentence(fault: Fault) -> str:
    """`fault` in plain English, with its remedy."""
    match fault.code:
        case "unknown":
            return f"There is no field “{fault.text}” (character {fault.at + 1}). Choose one from the list."
        case "malformed":
            return f"The braces at character {fault.at + 1} do not hold a field. Write {{{{name}}}}."
        case "too_many":
            return f"A text can have at most {MAX_PLACEHOLDERS} placeholders."
        case _:
            return f"A text can have at most {MAX_LENGTH:,} characters."


def signed(body: str, signature: str, *, always: bool = False) -> str:
    """`body` with 【signature】 in front, unless it already starts with a signature in such brackets; `always`: with
    this very one."""
    name = signature.strip().strip("【】").strip()
    there = body.lstrip().startswith(f"【{name}】") if always else _SIGNED.match(body)
    return body if not name or there else f"【{name}】{body}"
