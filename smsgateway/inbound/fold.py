"""What a text that came in means, and what is done about it. Pure.

The order: a wish for no more, or for more again; else the first automatic answer whose words it has; else it is for a
person. Nothing answers by itself more often than the limits allow, so that two machines never talk to each other:
a wish is confirmed only if it changed something, and once in a day; automatic answers stop after a few in an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from smsgateway.inbound.keywords import Keywords, Match, Wish, matched

CONFIRM_EVERY_H: Final = 24
ANSWERS_WITHIN_H: Final = 1


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """An automatic answer: `template_id` is sent to who writes one of `words`."""

    id: int
    match: Match
    words: tuple[str, ...]
    template_id: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one enterprise. `out_reply` and `in_reply` confirm a wish; empty: it is not confirmed."""

    keywords: Keywords = field(default_factory=Keywords)
    rules: tuple[AnswerRule, ...] = ()
    out_reply: str = ""
    in_reply: str = ""
    answers_per_hour: int = 3


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of who wrote. `confirmed`: wishes confirmed within `CONFIRM_EVERY_H`; `answers`: automatic ones
    within `ANSWERS_WITHIN_H`; `reachable`: it is a number that a text can go to, and none of ours."""

    opted_out: bool = False
    confirmed: frozenset[Wish] = frozenset()
    answers: int = 0
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class Folded:
    """What to do. `changes`: the opt-out begins or ends. `confirm`: a text to send, empty for none. `rule`: the answer
    to send; `limited`: it would be sent, had it not been too often. `for_people`: it counts as unread, and rings."""

    wish: Wish | None = None
    keyword: str = ""
    changes: bool = False
    confirm: str = ""
    rule: AnswerRule | None = None
    limited: bool = False
    for_people: bool = True


def fold(body: str, settings: Settings, past: Past) -> Folded:
    """What to do about `body`."""
    found = settings.keywords.recognise(body)
    if found is not None:
        changes = past.opted_out == (found.wish is Wish.IN)
        reply = settings.out_reply if found.wish is Wish.OUT else settings.in_reply
        confirms = changes and past.reachable and found.wish not in past.confirmed
        # "Start" of somebody who never stopped is an answer to something: a person reads it.
        people = found.wish is Wish.IN and not changes
        return Folded(found.wish, found.keyword, changes, reply if confirms else "", for_people=people)
    for rule in settings.rules:
        word = matched(rule.match, rule.words, body)
        if word is not None:
            limited = past.answers >= settings.answers_per_hour or not past.reachable
            return Folded(keyword=word, rule=None if limited else rule, limited=limited)
    return Folded()
