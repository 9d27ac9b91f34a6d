"""What a payment provider is to us.

A provider is told what is to be paid and answers with where the payer goes. Later, once or many times, in any order,
it calls us back. `read` believes a callback only by its signature and age; what it says is then compared with our own
order (`callbacks.py`). Providers hold no state and know no database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Payable:
    """An order to be paid. `return_url` is where the payer's browser comes back to, `notify_url` where we are told."""

    number: str
    amount_minor: int
    currency: str  # ISO 4217
    subject: str
    return_url: str
    notify_url: str


@dataclass(frozen=True)
class Callback:
    """A message to us, as it came. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Paid:
    """The provider says that order `number` was paid. `ref` names the payment, the same in each repetition."""

    number: str
    ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Refunded:
    """The provider says that of payment `ref` of order `number` so much has gone back to the payer by now, in all."""

    number: str
    ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Other:
    """A true message that is not about money that came in."""

    what: str


@dataclass(frozen=True)
class Reply:
    """Our answer to a callback."""

    status: int
    body: str
    content_type: str = "text/plain"


class BadCallback(Exception):
    """A message that can't be believed, or read; the text says why, without its content."""


class ProviderAway(Exception):
    """The provider can't be reached or refuses to begin a payment; the text says why."""


class Provider(Protocol):
    """One way to pay."""

    name: str

    def takes(self, currency: str) -> bool:
        """Whether amounts in `currency` can be paid."""

    def start(self, payable: Payable) -> str | None:
        """Begin a payment; gives the address to which the payer's browser goes, None if there is no such page.

        Raises ProviderAway.
        """

    def read(self, callback: Callback, now_s: float) -> Paid | Refunded | Other:
        """What the message says. `now_s`: seconds since the epoch. Raises BadCallback."""

    def reply(self, understood: bool) -> Reply:
        """What the provider wants to hear: understood (never send it again), or not believed."""
