"""What is known of those who wrote, read for a whole batch at once: a burst of replies costs a few questions, not a few
for each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from callcenter.auth.models import User
from callcenter.numbers.models import DidNumber
from crm.addressbook.models import Contact
from crm.models import Customer
from crm.queries.by_phone import customers_with
from smsgateway.inbound.fold import ANSWERS_WITHIN_H, CONFIRM_EVERY_H, Past
from smsgateway.inbound.keywords import Wish
from smsgateway.inbound.models import InboundText
from smsgateway.models import OptOut
from smsgateway.texts import Source, TextState

ANSWERS_WITHIN_D: Final = 30  # a text that comes later answers nothing
_RECENT: Final = 20
_NOT_GONE: Final = [s.value for s in (TextState.APPROVAL, TextState.QUEUED, TextState.REFUSED, TextState.CANCELLED)]
_AUTOMATIC: Final = frozenset({Source.ANSWER.value, Source.OPT_OUT.value})
_SENT = text("""
SELECT p.phone, m.id, m.send_id, m.created_at, s.sender_id, s.source, u.enabled IS TRUE AS there
FROM unnest(CAST(:phones AS text[])) AS p(phone) CROSS JOIN LATERAL (
  SELECT id, send_id, created_at FROM text_message m
  WHERE m.tenant_id = :tenant AND m.phone_e164 = p.phone AND m.created_at > :since
    AND m.state <> ALL(CAST(:not_gone AS text[]))
  ORDER BY m.created_at DESC, m.id DESC LIMIT :most
) m JOIN text_send s ON s.id = m.send_id LEFT JOIN user_account u ON u.id = s.sender_id
ORDER BY p.phone, m.created_at DESC, m.id DESC
""")


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that went to who writes now. `sender_id`: the user who sent it, and is `there` still."""

    id: int
    send_id: int
    created_at: datetime
    sender_id: int | None
    there: bool


@dataclass
class Known:
    """By number: `sent` the newest first without automatic ones, `did` what texts of the last hours set off."""

    opted_out: set[str]
    ours: set[str]
    sent: dict[str, list[Sent]]
    customers: dict[str, int]
    contacts: dict[str, int]
    names: dict[str, str]
    did: dict[str, list[tuple[str, bool, datetime]]] = field(default_factory=dict)

    def past(self, phone: str, reachable: bool, now: datetime) -> Past:
        """What `fold` wants to know of `phone`."""
        hour = now - timedelta(hours=ANSWERS_WITHIN_H)
        rows = self.did.get(phone, [])
        return Past(
            opted_out=phone in self.opted_out,
            confirmed=frozenset(Wish(did) for did, confirmed, _ in rows if confirmed),
            answers=sum(did == "answer" and at > hour for did, _, at in rows),
            reachable=reachable and phone not in self.ours,
        )

    def note(self, phone: str, did: str, confirmed: bool, now: datetime) -> None:
        """A text of this batch has set something off."""
        if did in (Wish.OUT, Wish.IN):
            (self.opted_out.add if did == Wish.OUT else self.opted_out.discard)(phone)
        self.did.setdefault(phone, []).append((did, confirmed, now))

    def agent(self, phone: str) -> Sent | None:
        """The last text to `phone` that a person sent."""
        return next((s for s in self.sent.get(phone, ()) if s.sender_id is not None), None)


def read(session: Session, phones: Sequence[str], now: datetime) -> Known:
    """What is known of `phones` in the session's enterprise."""
    wanted = list(dict.fromkeys(phones))
    opted_out = select(OptOut.phone_e164).where(OptOut.phone_e164.in_(wanted), OptOut.ended_at.is_(None))
    users = select(User.service_number).where(User.service_number.in_(wanted))
    dids = select(DidNumber.e164).where(DidNumber.e164.in_(wanted))
    known = Known(
        set(session.scalars(opted_out)), {n for n in session.scalars(users.union_all(dids)) if n},
        _sent(session, wanted, now), {}, {}, {},
    )  # fmt: skip
    # Of private contacts nobody but their owner is to know.
    in_book = select(func.contacts_with_phone(bindparam(None, wanted, type_=ARRAY(Text))))
    contacts = select(Contact.id, Contact.name, Contact.phones).where(
        Contact.id.in_(in_book), Contact.owner_id.is_(None)
    )
    customers = select(Customer.id, Customer.name, Customer.phones).where(Customer.id.in_(customers_with(wanted)))
    for query, by_phone in ((contacts, known.contacts), (customers, known.customers)):
        # The oldest wins; a customer's name goes before a contact's.
        for row in sorted(session.execute(query), key=lambda r: -r.id):
            for phone in set(row.phones) & set(wanted):
                by_phone[phone] = row.id
                known.names[phone] = row.name or known.names.get(phone, "")
    within = now - timedelta(hours=max(CONFIRM_EVERY_H, ANSWERS_WITHIN_H))
    rows = session.execute(
        select(InboundText.phone_e164, InboundText.did, InboundText.confirmed, InboundText.created_at).where(
            InboundText.phone_e164.in_(wanted), InboundText.created_at > within,
            or_(InboundText.confirmed, InboundText.did == "answer"),
        )
    )  # fmt: skip
    for phone, did, confirmed, at in rows:
        known.did.setdefault(phone, []).append((did, confirmed, at))
    return known


def _sent(session: Session, phones: Sequence[str], now: datetime) -> dict[str, list[Sent]]:
    given: dict[str, Any] = {
        "phones": list(phones), "tenant": session.info["tenant_id"], "not_gone": _NOT_GONE, "most": _RECENT,
        "since": now - timedelta(days=ANSWERS_WITHIN_D),
    }  # fmt: skip
    out: dict[str, list[Sent]] = {}
    for r in session.execute(_SENT, given):
        if r.source not in _AUTOMATIC:
            out.setdefault(r.phone, []).append(Sent(r.id, r.send_id, r.created_at, r.sender_id, r.there))
    return out
