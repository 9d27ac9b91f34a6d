"""What is asked for: the values of a send before anything of it is stored. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

import msgspec

from smsgateway.texts import Kind, Purpose, Source

MAX_KEY: Final = 100
MAX_NUMBERS: Final = 10_000  # typed; a file holds more
MAX_PARTS: Final = 20  # of one text; carriers refuse longer ones, and telephones show them in pieces
MAX_AHEAD_DAYS: Final = 366


@dataclass(frozen=True)
class NewSend:
    """A send as asked for. `audience`: numbers (as typed), file (an upload's id), people ({customer_id, lead_id,
    phone: which of their numbers}), contacts, groups, lists, list_statuses, customers (filter or None); of a recurring
    send birthday or renewal. `media`: ids of uploads. `not_before` without an offset is by the enterprise's clock, and
    with `local_time` by each recipient's. `valid_h`: hours from then on in which it may leave."""

    body: str
    audience: Mapping[str, Any]
    kind: str = Kind.SMS.value
    purpose: str = Purpose.MARKETING.value
    source: Source = Source.API
    subject: str = ""
    signature: str = ""
    media: Sequence[str] = ()
    not_before: datetime | None = None
    local_time: bool = False
    outside_hours: str = "wait"
    valid_h: int = 24
    call_id: str | None = None
    template_id: int | None = None
    rule_id: int | None = None
    stored_media: Sequence[Mapping[str, Any]] = field(default=())  # of a template, as it keeps them

    def fingerprint(self, user_id: int | None) -> str:
        """What tells whether a request with the same key is the same request."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        raw = msgspec.json.encode([user_id, values], order="deterministic")
        return hashlib.sha256(raw).hexdigest()
