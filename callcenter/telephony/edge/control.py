"""What the engine and the edge process say to each other: frames of `callcenter.wire` over a unix socket.

The client sends requests, the edge answers those that carry a number and tells events to every client. The first
frame of the edge is `Hello`: `epoch` differs after every start of the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from callcenter.telephony.ports import EdgeEvent, EdgeState, MediaAddress


@dataclass(frozen=True)
class SessionInfo:
    """A session that the edge holds: its state, where the media process sends for it (`address`), where the edge
    sends (`target`)."""

    session_id: str
    state: EdgeState
    address: MediaAddress
    target: MediaAddress


@dataclass(frozen=True)
class Request:
    """`op` is "open" (session_id, offer, target), "close" (session_id) or "list". Opened ones get a Reply."""

    number: int
    op: str
    session_id: str = ""
    offer: str = ""
    target: MediaAddress | None = None


@dataclass(frozen=True)
class Failure:
    """Why a request failed: `kind` is "invalid" or "unavailable"."""

    kind: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The answer to request `number`: `answer` and `address` of an open, `sessions` of a list, or `failure`."""

    number: int
    answer: str = ""
    address: MediaAddress | None = None
    sessions: tuple[SessionInfo, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True)
class Message:
    """One frame of the edge: exactly one of its fields is set."""

    hello: str = ""
    reply: Reply | None = None
    event: EdgeEvent | None = None
    sessions: tuple[SessionInfo, ...] = ()
