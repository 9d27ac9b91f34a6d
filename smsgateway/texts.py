"""What a text is, and the states it passes. Pure.

A *send* is what a person asks for: a body and an audience. It becomes one *text* per recipient. A text that a check
refuses is stored as refused; one that waits for a supervisor holds no money; one that is queued has its price reserved.
A carrier process leases queued texts (`submitting`), and marks them so before it sends: a text whose connection died
before the carrier answered is `doubtful`, and what becomes of it is the carrier's `doubt` policy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from callcenter.fsm import Machine


class Kind(StrEnum):
    """Which purse pays, and which carriers can take it."""

    SMS = "sms"
    MMS = "mms"


class Purpose(StrEnum):
    """Why it is sent. Codes go first and at any hour; only marketing heeds opt-outs."""

    CODE = "code"
    SERVICE = "service"
    MARKETING = "marketing"


# Place in the queue of a carrier: less goes first.
RANK: Final = {Purpose.CODE: 0, Purpose.SERVICE: 1, Purpose.MARKETING: 2}


class Source(StrEnum):
    """Where a send comes from: the page, an agent's desk, the API, a recurring rule, a menu, an automatic answer, the
    confirmation of an opt-out, an approval's test."""

    PAGE = "page"
    DESK = "desk"
    API = "api"
    RULE = "rule"
    MENU = "menu"
    ANSWER = "answer"
    OPT_OUT = "opt_out"


class SendState(StrEnum):
    PREPARING = "preparing"  # recipients are read and judged, batch by batch
    APPROVAL = "approval"  # some of its texts wait for a supervisor, none is under way
    SENDING = "sending"  # all are judged; some are queued or with a carrier
    DONE = "done"  # every text has an end, or is with a carrier only for its receipt
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class SendEvent(StrEnum):
    JUDGED = "judged"  # the last recipient was judged, and texts are queued
    HELD = "held"  # the last recipient was judged, and all that pass wait for approval
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EMPTIED = "emptied"  # nothing of it is waiting any more


SEND: Machine[SendState, SendEvent] = Machine(
    "send",
    SendState.PREPARING,
    {
        (SendState.PREPARING, SendEvent.JUDGED): SendState.SENDING,
        (SendState.PREPARING, SendEvent.HELD): SendState.APPROVAL,
        (SendState.PREPARING, SendEvent.EMPTIED): SendState.DONE,
        (SendState.PREPARING, SendEvent.CANCELLED): SendState.CANCELLED,
        (SendState.APPROVAL, SendEvent.APPROVED): SendState.PREPARING,
        (SendState.APPROVAL, SendEvent.REJECTED): SendState.REJECTED,
        (SendState.APPROVAL, SendEvent.CANCELLED): SendState.CANCELLED,
        (SendState.APPROVAL, SendEvent.EMPTIED): SendState.DONE,  # rejected, and the rest of it has gone before
        (SendState.SENDING, SendEvent.EMPTIED): SendState.DONE,
        (SendState.SENDING, SendEvent.HELD): SendState.APPROVAL,
        (SendState.SENDING, SendEvent.APPROVED): SendState.PREPARING,  # what of it waited
        (SendState.SENDING, SendEvent.CANCELLED): SendState.CANCELLED,
    },
    frozenset({SendState.DONE, SendState.CANCELLED, SendState.REJECTED}),
)


class TextState(StrEnum):
    APPROVAL = "approval"
    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    DOUBTFUL = "doubtful"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class TextEvent(StrEnum):
    RELEASED = "released"  # approved, and its price is reserved
    REFUSED = "refused"
    CANCELLED = "cancelled"
    LEASED = "leased"
    RETURNED = "returned"  # throttled, or the carrier did not get it for certain: back in the queue
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LOST = "lost"  # the connection died before the answer
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


TEXT: Machine[TextState, TextEvent] = Machine(
    "text",
    TextState.APPROVAL,
    {
        (TextState.APPROVAL, TextEvent.RELEASED): TextState.QUEUED,
        (TextState.APPROVAL, TextEvent.REFUSED): TextState.REFUSED,
        (TextState.APPROVAL, TextEvent.CANCELLED): TextState.CANCELLED,
        (TextState.QUEUED, TextEvent.LEASED): TextState.SUBMITTING,
        (TextState.QUEUED, TextEvent.REFUSED): TextState.REFUSED,
        (TextState.QUEUED, TextEvent.CANCELLED): TextState.CANCELLED,
        (TextState.QUEUED, TextEvent.EXPIRED): TextState.EXPIRED,
        (TextState.SUBMITTING, TextEvent.RETURNED): TextState.QUEUED,
        (TextState.SUBMITTING, TextEvent.ACCEPTED): TextState.SUBMITTED,
        (TextState.SUBMITTING, TextEvent.REJECTED): TextState.FAILED,
        (TextState.SUBMITTING, TextEvent.LOST): TextState.DOUBTFUL,
        (TextState.DOUBTFUL, TextEvent.RETURNED): TextState.QUEUED,
        (TextState.DOUBTFUL, TextEvent.ACCEPTED): TextState.SUBMITTED,
        (TextState.DOUBTFUL, TextEvent.DELIVERED): TextState.DELIVERED,
        (TextState.DOUBTFUL, TextEvent.FAILED): TextState.FAILED,
        (TextState.SUBMITTED, TextEvent.DELIVERED): TextState.DELIVERED,
        (TextState.SUBMITTED, TextEvent.FAILED): TextState.FAILED,
        (TextState.SUBMITTED, TextEvent.EXPIRED): TextState.EXPIRED,
    },
    frozenset({TextState.DELIVERED, TextState.FAILED, TextState.EXPIRED, TextState.REFUSED, TextState.CANCELLED}),
)
