"""What a carrier's protocol is to the dispatcher. Pure types; asyncio is the shells' affair.

The dispatcher (`smsgateway.carriers.dispatch`) leases texts, hands each to `Carrier.submit` with at most `window` of
them out at a time, and stores what comes back. A protocol knows neither database nor purse.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from smsgateway.texts import Kind


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of an MMS: `path` of the file, MIME `type`, `name` shown."""

    path: str
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text to be sent now. `sender` may be empty: the carrier's own then. `encoding`: gsm7, ucs2."""

    id: int
    phone: str  # E.164
    sender: str
    kind: Kind
    body: str
    encoding: str
    segments: int
    expires_at: float  # seconds since the epoch
    subject: str = ""
    media: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier took it: one reference per part, normalised (`refs.normalise`), in the order of the parts."""

    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The carrier said no, for good. `code` as on the wire; `reason` in plain English."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The carrier did not take it for now, and certainly has not sent it: throttled, queue full, never written."""

    code: str
    wait_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Lost:
    """It was written, and the connection ended before the answer: nobody knows."""

    refs: tuple[str, ...] = ()  # of parts that were answered


Outcome = Accepted | Rejected | Returned | Lost


class ReceiptStatus(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNDER_WAY = "under_way"  # accepted, en route, buffered: not final
    READ = "read"  # of an MMS


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a part. `ref` normalised; `at` seconds since the epoch (now, if the carrier does not say)."""

    ref: str
    status: ReceiptStatus
    code: str
    at: float


@dataclass(frozen=True, slots=True)
class Part:
    """Where a part stands in a longer text: `number` from 1 to `total`; `ref` is the sender's name for the text. It
    waits `wait_s` seconds for the others."""

    ref: int
    number: int
    total: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Inbound:
    """A text that somebody sent to one of our numbers, or a `part` of one, as the carrier brought it. `ref` names it
    for the carrier (a repeated one is the same text); empty if it has no name."""

    sender: str  # E.164 if it can be made so
    to: str
    body: str
    at: float
    ref: str = ""
    subject: str = ""
    media: tuple[Attachment, ...] = ()
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Of a carrier's connections: `up` if texts can leave; `detail` in plain English; `binds` up / wanted."""

    up: bool
    detail: str
    binds_up: int
    binds: int


@dataclass(frozen=True)
class Listener:
    """Where a carrier tells what comes by itself. `receipt` and `inbound` return when it is stored: only then may the
    carrier be told that we have it."""

    receipt: Callable[[Receipt], Awaitable[None]]
    inbound: Callable[[Inbound], Awaitable[None]]
    health: Callable[[Health], None]


class Carrier(Protocol):
    """A connected protocol. All methods are called in one event loop."""

    async def start(self) -> None:
        """Connect, and keep connected until `stop`. Returns at once; health is told to the listener."""

    async def submit(self, text: Outgoing) -> Outcome:
        """Send `text`. Returns when the carrier has answered for every part, or can't any more. Never raises for what
        a carrier or a network does."""

    async def stop(self, grace_s: float) -> None:
        """Take no more, wait for what is out for `grace_s`, and disconnect."""
