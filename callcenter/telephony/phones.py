"""SIP phones of agents (desk phones, softphones) as the SIP side and the engine speak of them. Pure.

A phone registers with us by its user name and password; what it registered is its `Registration`: the one place where
it can be called. The events' `leg_id` begins with "phone.".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import md5

from callcenter.telephony.ports import Sdp, SipEvent

PREFIX = "phone."  # of the ids of legs of agents' phones


def realm_of(username: str) -> str:
    """The digest realm that a phone's user name belongs to: the enterprise's code in it ("acme-104217" → "acme"). It
    follows from the name alone, so that a challenge tells nothing of which names there are."""
    return username.rpartition("-")[0]


def ha1_of(username: str, password: str) -> str:
    """What is kept of a password (RFC 2617: MD5 of name, realm and password, in hex)."""
    text = f"{username}:{realm_of(username)}:{password}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class PhoneSpec:
    """A phone that may register. `ha1` as `ha1_of`."""

    phone_id: int
    username: str
    ha1: str = field(repr=False)


@dataclass(frozen=True)
class Registration:
    """Where a phone is. `contact` is its URI, `host` and `port` what its packets come from (a NAT's outside, say) and
    ours go to; times are seconds since the epoch: `since` when it came to this place, `expires_at` when it is forgotten
    unless it registers again. `answers`: whether it answered our last OPTIONS, None before the first."""

    contact: str
    host: str
    port: int
    since: float
    expires_at: float
    user_agent: str = ""
    call_id: str = ""
    cseq: int = 0
    answers: bool | None = None

    def same_place(self, other: Registration | None) -> bool:
        """Whether both name one device at one address."""
        return other is not None and (self.contact, self.host, self.port, self.user_agent) == (
            other.contact, other.host, other.port, other.user_agent,
        )  # fmt: skip


@dataclass(frozen=True)
class PhoneRegistered(SipEvent):
    """A phone registered, renewed it, moved, stopped or began to answer; `registration` None: it is gone."""

    leg_id: str
    at: float
    phone_id: int
    registration: Registration | None


@dataclass(frozen=True)
class PhoneCall(SipEvent):
    """A registered phone dials: its INVITE, proved by its password. Answer it with `SipPort.accept` or `reject`."""

    leg_id: str
    at: float
    phone_id: int
    to_number: str
    sdp: Sdp
