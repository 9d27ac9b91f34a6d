"""What the checks are asked about and what they answer. Pure data.

A candidate is one text to one number. The world is what must be known to judge a batch of them. The answer is one of
`Passed`, `Refusal` (final, with check and rule), `Hold` (may go later) and `NeedsApproval` (a person decides).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from smsgateway.texts import Kind, Purpose
from smsgateway.words.hits import Hit


class Check(StrEnum):
    """The checks in their order."""

    ACCOUNT = "account"
    NUMBER = "number"
    BLACKLIST = "blacklist"
    OPT_OUT = "opt_out"
    WORDS = "words"
    CAPS = "caps"
    APPROVAL = "approval"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text to one number. `phone` is E.164; `body` is rendered and signed (of an MMS: subject and text).

    `segments` counts parts for an SMS and is 1 for an MMS. `cost_minor` is its price in minor units, used only where
    the world says what is available.
    """

    phone: str
    body: str
    kind: Kind = Kind.SMS
    purpose: Purpose = Purpose.MARKETING
    segments: int = 1
    cost_minor: int = 0


@dataclass(frozen=True, slots=True)
class Passed:
    """It may go."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """It does not go. `rule` is a code of that check; the sentence for people is `texts.refusal.<check>.<rule>` with
    `params` (numbers, strings). `hits` are the sensitive words, for check `words` only."""

    check: Check
    rule: str
    params: Mapping[str, object] = field(default_factory=dict)
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """It may go at `until` (seconds since the epoch) and is judged again then."""

    until: float
    rule: str


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """A person decides. `rule`: "sender" (this user's texts need approval) or "words" (`hits` says which)."""

    rule: str
    hits: tuple[Hit, ...] = ()


Verdict = Passed | Refusal | Hold | NeedsApproval
PASSED = Passed()


class Words(Protocol):
    """The search for sensitive words (`smsgateway.words.matcher.Matcher`)."""

    def find(self, text: str) -> tuple[Hit, ...]:
        """All hits in `text`, in the order in which they stand there."""


@dataclass(frozen=True, slots=True)
class Account:
    """The enterprise that sends. `valid_until` in seconds since the epoch; None: for ever."""

    enabled: bool = True
    valid_until: float | None = None


@dataclass(frozen=True, slots=True)
class TextRules:
    """Frequency caps and send hours; `windows` and `holidays` as in `callcenter.compliance.calling_window`.

    0 means no limit. Caps count texts to a number over all sends of the enterprise. `purposes`: what caps and hours
    hold for, and which texts count; a code that somebody waits for goes at any hour.
    """

    windows: Sequence[Mapping[str, Any]] = ()
    holidays: Sequence[str] = ()
    texts_24h: int = 0
    texts_30d: int = 0
    purposes: AbstractSet[Purpose] = frozenset({Purpose.MARKETING})


def everywhere(_phone: str) -> bool:
    """The route table that reaches every number."""
    return True


@dataclass(frozen=True, slots=True)
class World:
    """What a batch is judged by. Sets and mappings need only hold what concerns the numbers of the batch.

    `now`: seconds since the epoch. `reachable`: whether some route takes this number. `zones`: known IANA zones by
    number; the others are told by the number itself or, where it does not tell, are `zone`. `wait_for_hours`: outside
    the hours a text waits; otherwise it is refused. `approved`: a person has let this send pass. `available_minor`:
    None leaves the balance to the purse.
    """

    now: float
    words: Words
    account: Account = Account()
    rules: TextRules = TextRules()
    blacklisted: AbstractSet[str] = frozenset()
    opted_out: AbstractSet[str] = frozenset()
    sent_24h: Mapping[str, int] = field(default_factory=dict)
    sent_30d: Mapping[str, int] = field(default_factory=dict)
    reachable: Callable[[str], bool] = everywhere
    zones: Mapping[str, str] = field(default_factory=dict)
    zone: str = "Asia/Shanghai"
    wait_for_hours: bool = True
    sender_needs_approval: bool = False
    approved: bool = False
    available_minor: int | None = None
