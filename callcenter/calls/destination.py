"""Where a call goes next: one word for it everywhere (numbers, menus, queues' overflow, transfers, parking).

Plain data, so that it lies in settings, in a saved call and in a fact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DestinationKind(StrEnum):
    MENU = "menu"  # id: an IVR flow
    QUEUE = "queue"  # id: an ACD queue
    AGENT = "agent"  # id: a user
    VOICEMAIL = "voicemail"  # id: a user's box; None: the enterprise's (or the queue's that the call came from)
    NUMBER = "number"  # number: E.164, over a trunk
    HANG_UP = "hang_up"
    REFUSE = "refuse"  # only before the answer: 603


@dataclass(frozen=True)
class Destination:
    """`id` as the kind says, `number` E.164 for a number."""

    kind: DestinationKind
    id: int | None = None
    number: str = ""
