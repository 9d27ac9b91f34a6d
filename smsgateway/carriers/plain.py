"""What carriers say, as it can be stored and shown: without control characters and halves of surrogate pairs, which no
database takes, and with times that can be. Pure. References are made so by `refs.normalise`."""

from __future__ import annotations

from dataclasses import replace

from smsgateway.carriers.port import Outcome, Receipt, Rejected, Returned
from smsgateway.templates import clean

_FAR = 4e9  # seconds since the epoch: no carrier means that


def outcome(said: Outcome) -> Outcome:
    """`said`, with words that can be stored."""
    match said:
        case Rejected(code, reason):
            return Rejected(clean(code), clean(reason))
        case Returned(code):
            return replace(said, code=clean(code))
    return said


def receipt(said: Receipt, now: float) -> Receipt:
    """`said`, with words that can be stored, and not of a time to come."""
    at = said.at if 0 < said.at <= now < _FAR else now
    return replace(said, code=clean(said.code), at=at)
