"""Regular expressions that a menu may judge keyed digits by: those that are quick on every input. Pure.

Python's matcher tries again and again where repetitions lie inside each other; a pattern an enterprise wrote must not
hold up the engine. So repetitions may not be nested, there are few of them, and nothing looks back or ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as sre  # type: ignore[attr-defined]  # private: held by tests/ivr
from re import _parser  # type: ignore[attr-defined]  # private: held by tests/ivr
from typing import Any

MOST_CHARACTERS = 100
MOST_REPEATS = 4
_REPEATS = frozenset({sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT})
_PLAIN = frozenset({sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY, sre.AT})


class BadPattern(ValueError):
    """Says why a pattern can't be used."""


def check_pattern(pattern: str) -> None:
    """Raises BadPattern."""
    if len(pattern) > MOST_CHARACTERS:
        raise BadPattern(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        re.compile(pattern)
        repeats = _repeats(_parser.parse(pattern), inside=False)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(str(error)) from error
    if repeats > MOST_REPEATS:
        raise BadPattern(f"it has more than {MOST_REPEATS} repetitions of varying length")


def _repeats(parsed: Iterable[tuple[Any, Any]], *, inside: bool) -> int:
    """How many repetitions of varying length there are. `inside`: of one itself."""
    count = 0
    for kind, value in parsed:
        if kind in _REPEATS:
            low, high, body = value
            if low != high and inside:
                raise BadPattern("a repetition lies inside another")
            count += (low != high) + _repeats(body, inside=True)
        elif kind is sre.SUBPATTERN:
            count += _repeats(value[-1], inside=inside)
        elif kind is sre.BRANCH:
            if inside:
                raise BadPattern("a choice lies inside a repetition")
            count += sum(_repeats(one, inside=False) for one in value[1])
        elif kind not in _PLAIN:
            raise BadPattern("it may hold characters, classes, groups, choices and repetitions only")
    return count
