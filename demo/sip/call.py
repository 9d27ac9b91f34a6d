"""A call as the endpoint keeps it (the dialog of RFC 3261 section 12) and what an endpoint tells about it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum

from demo.sip.message import Address, Message, host_of, uri_of
from demo.sip.transactions import Client, ServerInvite


class State(StrEnum):
    """Where a call stands."""

    EARLY = "early"  # no final response yet
    ANSWERED = "answered"  # our 200 went out, its ACK is awaited
    CONFIRMED = "confirmed"
    LEAVING = "leaving"  # our BYE or CANCEL is under way
    ENDED = "ended"


@dataclass(eq=False)
class Call:
    """One call. `number` is the user part that was dialed; `local` and `remote` the From/To values of our requests in
    it; `target` the far end's Contact; `peer` where its requests come from. Only the endpoint changes these."""

    number: str
    call_id: str
    local: str
    remote: str
    local_tag: str
    remote_tag: str
    target: str
    peer: Address
    routes: list[str] = field(default_factory=list)
    local_cseq: int = 0
    remote_cseq: int = 0
    state: State = State.EARLY
    server: ServerInvite | None = None
    reinvite: ServerInvite | None = None
    client: Client | None = None
    ack: bytes = b""
    hang_up_at_ack: bool = False
    cancel_sent: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        return self.call_id, self.local_tag, self.remote_tag

    def next_hop(self) -> Address:
        """Where our requests in this call go: the first route, else the Contact, else where theirs come from."""
        host, port = host_of(uri_of(self.routes[0]) if self.routes else self.target)
        if host.lower() == "localhost":
            return "127.0.0.1", port
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return self.peer
        return host, port

    def request(self, method: str, via: str, cseq: int) -> Message:
        """A request of ours in this call."""
        message = Message(method=method, uri=self.target)
        message.headers = [
            ("via", via),
            *(("route", route) for route in self.routes),
            ("max-forwards", "70"),
            ("from", self.local),
            ("to", self.remote),
            ("call-id", self.call_id),
            ("cseq", f"{cseq} {method}"),
        ]
        return message


@dataclass(frozen=True)
class Event:
    """Something the far end did. `sdp` is "" where the message carried none."""

    call: Call


@dataclass(frozen=True)
class Invited(Event):
    """A call comes in: ring, answer or reject it."""

    sdp: str


@dataclass(frozen=True)
class Acked(Event):
    """Our answer arrived; `sdp` is the far end's answer when the offer was ours."""

    sdp: str


@dataclass(frozen=True)
class Reoffered(Event):
    """A re-INVITE: accept or refuse the offer. Without `sdp` it asks for ours."""

    sdp: str


@dataclass(frozen=True)
class Ended(Event):
    """It is over: `why` is "bye", "cancelled" or "lost" (nothing came back from the far end)."""

    why: str


@dataclass(frozen=True)
class Progressed(Event):
    """A call of ours rings."""

    status: int
    sdp: str


@dataclass(frozen=True)
class Answered(Event):
    """A call of ours was answered."""

    sdp: str


@dataclass(frozen=True)
class Failed(Event):
    """A call of ours was refused with `status` (408: no response at all)."""

    status: int
    reason: str
