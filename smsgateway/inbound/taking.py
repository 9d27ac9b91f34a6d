"""A text that came in is stored once, and what follows from it, before its carrier hears that we have it.

One transaction per enterprise stores the texts, the conversations, the opt-outs with what they cancel, the sends that
answer, the posts to the webhook and what browsers are told. A process that dies before it commits has taken nothing,
and the carrier brings the text again; one that dies after it has taken all of it, and the repetition is found by its
digest.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from callcenter.clock import to_utc, utc_now
from callcenter.db.session import platform_session, tenant_session
from callcenter.errors import NotFound
from callcenter.tenancy.models import Enterprise
from crm.phones import judge
from smsgateway.carriers.port import Inbound
from smsgateway.inbound import whose
from smsgateway.inbound.models import InboundText, UnclaimedText
from smsgateway.inbound.storing import Incoming, store
from smsgateway.templates import MAX_LENGTH, clean

log = logging.getLogger(__name__)
SAME_REF_WITHIN_D: Final = 7
SAME_TEXT_WITHIN_S: Final = 60
_TRIES: Final = 4
_DEADLOCK: Final = frozenset({"40P01", "40001"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a text. `tenant_id` None: of nobody yet. `fresh`: it was not here before; `id`: of the text, or
    of the unclaimed one, if it is fresh."""

    tenant_id: int | None
    id: int | None
    fresh: bool


def take(inbound: Inbound, carrier_id: int) -> Taken:
    """Store one text that came in over `carrier_id`, and do what follows. When this returns it is durable."""
    return take_all([inbound], carrier_id)[0]


def take_all(inbounds: Sequence[Inbound], carrier_id: int, *, now: datetime | None = None) -> list[Taken]:
    """`take` for several, in their order. Raises what the database raises: then some may be stored, and all may be
    taken again."""
    now = now or utc_now()
    texts = [_incoming(i, carrier_id, now) for i in inbounds]
    with platform_session() as session:
        owners = [whose.find(session, t.phone, t.to, carrier_id, now) for t in texts]
    taken: list[Taken | None] = [None] * len(texts)
    for tenant in dict.fromkeys(owners):
        places = [i for i, owner in enumerate(owners) if owner == tenant]
        # Numbers in one order whoever works: two processes never wait for each other.
        places.sort(key=lambda i: (texts[i].phone, i))
        ids = _again(tenant, [texts[i] for i in places], now)
        for place, id_ in zip(places, ids, strict=True):
            taken[place] = Taken(tenant, id_, id_ is not None)
    return [t for t in taken if t is not None]


def digest(inbound: Inbound, carrier_id: int) -> str:
    """What makes a text the same as another: its reference, sender and words. Some carriers use references again."""
    parts = (str(carrier_id), inbound.ref, inbound.sender, inbound.to, inbound.subject, inbound.body)
    media = "\0".join(a.name for a in inbound.media)
    return hashlib.sha256("\0".join((*parts, media)).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _incoming(inbound: Inbound, carrier_id: int, now: datetime) -> Incoming:
    phone = judge(inbound.sender, "").e164 if inbound.sender.startswith("+") else ""
    at = to_utc(inbound.at) if 0 < inbound.at < 4e9 else now
    return Incoming(
        carrier_id=carrier_id,
        ref=clean(inbound.ref)[:200],
        digest=digest(inbound, carrier_id),
        phone=phone or clean(inbound.sender).strip()[:40],
        reachable=bool(phone),
        to=clean(inbound.to).strip()[:40],
        subject=clean(inbound.subject)[:400],
        body=clean(inbound.body)[:MAX_LENGTH],
        media=[{"path": a.path, "type": a.type, "name": clean(a.name)[:200]} for a in inbound.media],
        at=min(at, now),  # carriers' clocks go wrong; nothing comes from the future
    )


def _again(tenant: int | None, texts: list[Incoming], now: datetime) -> list[int | None]:
    """Store, once more after a deadlock with those who send."""
    for turn in range(_TRIES):
        try:
            return _store_unclaimed(texts, now) if tenant is None else _store(tenant, texts, now)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _DEADLOCK or turn == _TRIES - 1:
                raise
            log.warning("texts that came in met a deadlock; they are stored again")
            time.sleep(0.05 * 2**turn)
    raise AssertionError("unreachable")


def _store(tenant: int, texts: list[Incoming], now: datetime) -> list[int | None]:
    with tenant_session(tenant) as session:
        fresh = _fresh(session, InboundText, texts, now)
        rows = store(session, tenant, [t for t, new in zip(texts, fresh, strict=True) if new], now)
        ids = iter(rows)
        return [next(ids) if new else None for new in fresh]


def _store_unclaimed(texts: list[Incoming], now: datetime) -> list[int | None]:
    ids: list[int | None] = []
    with platform_session() as session:
        for t, new in zip(texts, _fresh(session, UnclaimedText, texts, now), strict=True):
            if not new:
                ids.append(None)
                continue
            row = UnclaimedText(
                carrier_id=t.carrier_id, ref=t.ref, digest=t.digest, phone_e164=t.phone, to=t.to, subject=t.subject,
                body=t.body, media=t.media, at=t.at,
            )  # fmt: skip
            session.add(row)
            session.flush()
            ids.append(row.id)
    return ids


def _fresh(
    session: Session, table: type[InboundText] | type[UnclaimedText], texts: list[Incoming], now: datetime
) -> list[bool]:
    """Which of `texts` are not here yet; who stores the same ones meanwhile waits until we are done."""
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM unnest(CAST(:keys AS text[])) AS k")
    session.execute(lock, {"keys": sorted({t.digest for t in texts})})
    since = now - timedelta(days=SAME_REF_WITHIN_D)
    query = select(table.digest, table.created_at).where(
        table.digest.in_({t.digest for t in texts}), table.created_at > since
    )
    known: dict[str, datetime] = {}
    for row in session.execute(query):
        known[row.digest] = max(row.created_at, known.get(row.digest, row.created_at))
    out = []
    for t in texts:
        before = known.get(t.digest)
        same = before is not None and (bool(t.ref) or before > now - timedelta(seconds=SAME_TEXT_WITHIN_S))
        out.append(not same)
        known[t.digest] = now
    return out


def claim(unclaimed_id: int, tenant_id: int) -> int | None:
    """The operator gives an unclaimed text to an enterprise, where it comes in now. Returns its new id; None if
    somebody was quicker. Raises NotFound if there is no such enterprise."""
    now = utc_now()
    with platform_session() as session:
        if session.get(Enterprise, tenant_id) is None:
            raise NotFound("There is no such enterprise.")
        row = session.get(UnclaimedText, unclaimed_id, with_for_update=True)
        if row is None or row.claimed_at is not None:
            return None
        phone = judge(row.phone_e164, "").e164 if row.phone_e164.startswith("+") else ""
        incoming = Incoming(
            row.carrier_id, row.ref, row.digest, row.phone_e164, bool(phone), row.to, row.subject, row.body, row.media,
            at=row.at,
        )  # fmt: skip
        row.enterprise_id, row.claimed_at = tenant_id, now
        session.flush()
        (id_,) = _again(tenant_id, [incoming], now)
    return id_
