"""Expressions over a menu's variables: read once, computed without eval, bounded in size. Pure.

    order_total * 1.06          length(code) == 4 and starts(code, "9")
    "Nr. " + code               not caller_vip or calls_24h > 2

Values are text, numbers and truth. Text that looks like a number is one where a number is wanted (keyed digits are
text); a variable that is not set is an empty text. `+` adds numbers, and joins as soon as one side is no number;
comparisons are of numbers if both sides are, otherwise of text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ivr.prompts import words

MOST_CHARACTERS = 500
MOST_DEPTH = 40
MOST_RESULT = 2000  # characters of a text that is made

Value = str | float | bool


class BadExpression(ValueError):
    """It can't be read; the text says where and why."""


class CannotCompute(ValueError):
    """It can be read, but not computed from these values: a division by nothing, a text where a number is wanted."""


_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<name>[a-z][a-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|[-+*/%<>(),]))"
)
_KEYWORDS = frozenset({"and", "or", "not", "true", "false"})
_BINDING: Final = {
    "or": 1, "and": 2, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_NOT = 3
_MINUS = 7


@dataclass(frozen=True)
class Expression:
    """`reads`: the variables in it."""

    reads: frozenset[str]
    _compute: Callable[[Mapping[str, object]], Value]

    def value(self, variables: Mapping[str, object]) -> Value:
        """What it comes to. Raises CannotCompute."""
        found = self._compute(variables)
        return found[:MOST_RESULT] if isinstance(found, str) else found


@lru_cache(maxsize=2048)
def parse(source: str) -> Expression:
    """Raises BadExpression."""
    if len(source) > MOST_CHARACTERS:
        raise BadExpression(f"it is longer than {MOST_CHARACTERS} characters")
    reader = _Reader(list(_tokens(source)))
    node = reader.expression(0, 0)
    if reader.kind != "end":
        raise BadExpression(f"unexpected {reader.text}")
    return Expression(frozenset(reader.reads), node)


def truth(value: Value) -> bool:
    """Empty text, "0", "false" and zero are false."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no")
    return bool(value)


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    at = 0
    source = source.rstrip()
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            raise BadExpression(f"unexpected {source[at:].strip()[:10]}")
        kind, text = found.lastgroup or "", found[found.lastgroup or 0]
        yield ("word" if text in _KEYWORDS else kind), text
        at = found.end()
    yield "end", "the end"


_Compute = Callable[[Mapping[str, object]], Value]


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._at = tokens, 0
        self.reads: set[str] = set()

    @property
    def kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def text(self) -> str:
        return self._tokens[self._at][1]

    def expression(self, binding: int, depth: int) -> _Compute:
        if depth > MOST_DEPTH:
            raise BadExpression("it is nested too deeply")
        left = self._first(depth)
        while self.kind in ("sign", "word") and _BINDING.get(self.text, 0) > binding:
            sign = self._next()
            left = _joined(sign, left, self.expression(_BINDING[sign], depth + 1))
        return left

    def _first(self, depth: int) -> _Compute:
        kind, text = self.kind, self._next()
        if kind == "number":
            number = float(text)
            return lambda _: number
        if kind == "text":
            inside = text[1:-1]
            return lambda _: inside
        if kind == "word" and text in ("true", "false"):
            return lambda _: text == "true"
        if kind == "word" and text == "not":
            denied = self.expression(_NOT, depth + 1)
            return lambda v: not truth(denied(v))
        if text == "-" and kind == "sign":
            turned = self.expression(_MINUS, depth + 1)
            return lambda v: -_number(turned(v))
        if text == "(" and kind == "sign":
            inner = self.expression(0, depth + 1)
            self._expect(")")
            return inner
        if kind == "name":
            return self._call(text, depth) if self.text == "(" and self.kind == "sign" else self._variable(text)
        raise BadExpression(f"unexpected {text}")

    def _variable(self, name: str) -> _Compute:
        self.reads.add(name)
        return lambda v: _plain(v.get(name, ""))

    def _call(self, name: str, depth: int) -> _Compute:
        if name not in _FUNCTIONS:
            raise BadExpression(f"there is no function {name}")
        wanted, function = _FUNCTIONS[name]
        self._expect("(")
        given = [self.expression(0, depth + 1)]
        while self.kind == "sign" and self.text == ",":
            self._next()
            given.append(self.expression(0, depth + 1))
        self._expect(")")
        if len(given) != wanted:
            raise BadExpression(f"{name} takes {wanted}, not {len(given)}")
        return lambda v: function(*(g(v) for g in given))

    def _next(self) -> str:
        text = self.text
        if self.kind != "end":
            self._at += 1
        return text

    def _expect(self, sign: str) -> None:
        if self.kind != "sign" or self.text != sign:
            raise BadExpression(f"{sign} is missing before {self.text}")
        self._next()


def _joined(sign: str, a: _Compute, b: _Compute) -> _Compute:
    if sign == "and":
        return lambda v: truth(a(v)) and truth(b(v))
    if sign == "or":
        return lambda v: truth(a(v)) or truth(b(v))
    compute = _SIGNS[sign]
    return lambda v: compute(a(v), b(v))


def _plain(value: object) -> Value:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    return ""


def _as_number(value: Value) -> float | None:
    if isinstance(value, str):
        try:
            found = float(value) if len(value) <= 40 and "_" not in value else math.nan
        except ValueError:
            return None
        return found if math.isfinite(found) else None
    return float(value)


def _number(value: Value) -> float:
    found = _as_number(value)
    if found is None:
        raise CannotCompute(f"{str(value)[:40]!r} is no number")
    return found


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise CannotCompute("the result is too great")
    return value


def _add(a: Value, b: Value) -> Value:
    x, y = _as_number(a), _as_number(b)
    return _finite(x + y) if x is not None and y is not None else (words(a) + words(b))[:MOST_RESULT]


def _divide(a: Value, b: Value) -> Value:
    if _number(b) == 0:
        raise CannotCompute("a division by nothing")
    return _finite(_number(a) / _number(b))


def _rest(a: Value, b: Value) -> Value:
    if _number(b) == 0:
        raise CannotCompute("a division by nothing")
    return _finite(_number(a) % _number(b))


def _order(a: Value, b: Value) -> int:
    x, y = _as_number(a), _as_number(b)
    if x is not None and y is not None:
        return (x > y) - (x < y)
    p, q = words(a), words(b)
    return (p > q) - (p < q)


_SIGNS: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "+": _add,
    "-": lambda a, b: _finite(_number(a) - _number(b)),
    "*": lambda a, b: _finite(_number(a) * _number(b)),
    "/": _divide,
    "%": _rest,
    "==": lambda a, b: _order(a, b) == 0,
    "!=": lambda a, b: _order(a, b) != 0,
    "<": lambda a, b: _order(a, b) < 0,
    "<=": lambda a, b: _order(a, b) <= 0,
    ">": lambda a, b: _order(a, b) > 0,
    ">=": lambda a, b: _order(a, b) >= 0,
}


def _count(value: Value) -> int:
    return max(0, min(MOST_RESULT, int(_number(value))))


_FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Value]]]] = {
    "length": (1, lambda a: float(len(words(a)))),
    "left": (2, lambda a, n: words(a)[: _count(n)]),
    "right": (2, lambda a, n: words(a)[-_count(n) :] if _count(n) else ""),
    "upper": (1, lambda a: words(a).upper()),
    "lower": (1, lambda a: words(a).lower()),
    "number": (1, lambda a: _number(a)),
    "text": (1, lambda a: words(a)),
    "round": (2, lambda a, n: float(round(_number(a), min(9, _count(n))))),
    "contains": (2, lambda a, b: words(b) in words(a)),
    "starts": (2, lambda a, b: words(a).startswith(words(b))),
    "ends": (2, lambda a, b: words(a).endswith(words(b))),
}
FUNCTIONS: Final = {name: wanted for name, (wanted, _) in _FUNCTIONS.items()}
