"""Where phones are: what a REGISTER asks for, and what becomes of it (RFC 3261, section 10). Pure.

A phone has one place. Whoever registers last with its name and password is the phone; a device that it took the place
of is told so by the Contact of our answer, and can end only its own registration, which it no longer has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from callcenter.telephony.phones import Registration
from callcenter.telephony.sip.dialog import address_of, uri_of
from callcenter.telephony.sip.udp import Address, is_ipv4

SHORTEST_S, USUAL_S, LONGEST_S = 60, 300, 3600
_EXPIRES = re.compile(r";\s*expires\s*=\s*\"?(\d{1,10})", re.IGNORECASE)


@dataclass(frozen=True)
class Wish:
    """A REGISTER as it was read. `contacts` are whole Contact bodies; `expires` that of the header of that name, None
    without; `source` where the packet came from; `rport`: answers and requests are to go back there (RFC 3581)."""

    contacts: tuple[str, ...]
    expires: int | None
    call_id: str
    cseq: int
    source: Address
    rport: bool
    user_agent: str = ""


@dataclass(frozen=True)
class Outcome:
    """`status` of the answer with its `reason`; `now` is the registration from here on (None: none)."""

    status: int
    reason: str
    now: Registration | None


def decide(wish: Wish, before: Registration | None, now: float) -> Outcome:
    """What a proved REGISTER leads to. `now` in seconds since the epoch."""
    if not wish.contacts:
        return Outcome(200, "OK", before)  # a question
    if before is not None and before.call_id == wish.call_id and wish.cseq <= before.cseq:
        return Outcome(500, "CSeq is out of order", before)
    if any(contact.strip() == "*" for contact in wish.contacts):
        if wish.expires != 0 or len(wish.contacts) > 1:
            return Outcome(400, "Contact * goes alone, with Expires 0", before)
        return Outcome(200, "OK", None)
    wanted = [(uri_of(c), _lasts(c, wish.expires)) for c in wish.contacts]
    lasting = next(((uri, lasts) for uri, lasts in wanted if lasts > 0), None)
    if lasting is None:
        ends_ours = before is not None and any(_same_uri(uri, before.contact) for uri, _ in wanted)
        return Outcome(200, "OK", None if ends_ours else before)
    uri, lasts = lasting
    if lasts < SHORTEST_S:
        return Outcome(423, "Interval Too Brief", before)
    try:
        host, port = _reached_at(uri, wish)
    except ValueError:
        return Outcome(400, "Contact is unreadable", before)
    found = Registration(
        uri, host, port, now, now + min(lasts, LONGEST_S), wish.user_agent[:120], wish.call_id, wish.cseq
    )
    if before is not None and found.same_place(before):
        found = replace(found, since=before.since, answers=before.answers)
    return Outcome(200, "OK", found)


def contact_line(registration: Registration, now: float) -> str:
    """The Contact of our answer."""
    return f"<{registration.contact}>;expires={max(0, round(registration.expires_at - now))}"


def _lasts(contact: str, header: int | None) -> int:
    own = _EXPIRES.search(contact.rpartition(">")[2] if ">" in contact else contact)
    if own is not None:
        return int(own[1])
    return USUAL_S if header is None else header


def _same_uri(one: str, other: str) -> bool:
    return one.split(";")[0].lower() == other.split(";")[0].lower()


def _reached_at(uri: str, wish: Wish) -> Address:
    """Where its calls are sent: back to where its packet came from, whatever a NAT made of that; only a phone that asks
    for no such answers (it may send from one port and listen at another) is believed its own port. Raises ValueError
    for a Contact that can't be read."""
    if not re.match(r"sips?:", uri, re.IGNORECASE):
        raise ValueError(uri)
    host, port = address_of(uri)
    if not 0 < port < 65536:
        raise ValueError(uri)
    if not wish.rport and is_ipv4(host) and host == wish.source[0]:
        return host, port
    return wish.source
