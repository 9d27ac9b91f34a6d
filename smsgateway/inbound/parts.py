"""Parts of long texts that come in, kept in the database until all are here; then they are taken as one text.

A part counts as stored when it is committed: only then does its carrier hear that we have it, so that no process can
take parts with it when it dies. What waits longer than its carrier is given is taken as it is, with a mark where
something is missing. A part that comes again changes nothing, not even after its text was taken.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from callcenter.clock import to_utc, utc_now
from callcenter.db.session import platform_session
from smsgateway.carriers.port import Inbound, Part
from smsgateway.inbound import taking
from smsgateway.inbound.models import PartedText
from smsgateway.templates import clean

log = logging.getLogger(__name__)
GAP: Final = "[…]"  # stands for parts that never came
REPEATED_WITHIN: Final = timedelta(minutes=10)  # a part of a taken text that comes again is no new text
WHOLE_AGAIN: Final = timedelta(seconds=5)  # a whole text that was not taken, because its process died, is taken now
FAULTY_AGAIN: Final = timedelta(minutes=5)
LOOK_S: Final = 1.0
MANY: Final = 200
_LOCK_CLASS: Final = 0x7450
_LOCK = text("SELECT pg_advisory_xact_lock(:class, :carrier)")


def take_all(inbounds: Sequence[Inbound], carrier_id: int, *, now: datetime | None = None) -> None:
    """Store what came in over `carrier_id`, whole texts and parts. When this returns all of it is durable. Raises what
    the database raises: then all of it may be taken again."""
    now = now or utc_now()
    pieces = [(i, i.part) for i in inbounds if i.part is not None]
    whole: list[int] = []
    if pieces:
        with platform_session() as session:
            session.execute(_LOCK, {"class": _LOCK_CLASS, "carrier": carrier_id})
            whole = [id_ for i, part in pieces if (id_ := _keep(session, i, part, carrier_id, now)) is not None]
    texts = [i for i in inbounds if i.part is None]
    if texts:
        taking.take_all(texts, carrier_id, now=now)
    if whole:
        with platform_session() as session:
            query = select(PartedText).where(PartedText.id.in_(whole), PartedText.taken_at.is_(None))
            _take(session.scalars(query.order_by(PartedText.id).with_for_update()).all(), now)


def _keep(session: Session, inbound: Inbound, part: Part, carrier_id: int, now: datetime) -> int | None:
    """Store a part. The id of its text, if that is whole now and was not before."""
    number, said = str(part.number), clean(inbound.body)
    sender, to = clean(inbound.sender), clean(inbound.to)
    rows = session.scalars(
        select(PartedText)
        .where(
            PartedText.carrier_id == carrier_id, PartedText.sender == sender, PartedText.ref == part.ref,
            PartedText.to == to, PartedText.total == part.total,
        )
        .order_by(PartedText.id.desc())
        .with_for_update()
    ).all()  # fmt: skip
    open_ = next((r for r in rows if r.taken_at is None), None)
    if open_ is not None and open_.parts.get(number, said) != said:
        open_.due_at = now  # its sender uses the reference again: nothing more comes for the older text
        open_ = None
    elif open_ is None and any(
        r.taken_at is not None and r.taken_at > now - REPEATED_WITHIN and r.parts.get(number) == said for r in rows
    ):
        return None
    if open_ is None:
        at = to_utc(inbound.at) if 0 < inbound.at < 4e9 else now
        open_ = PartedText(
            carrier_id=carrier_id, sender=sender, to=to, ref=part.ref, total=part.total, parts={}, at=at,
            due_at=now + timedelta(seconds=part.wait_s),
        )  # fmt: skip
        session.add(open_)
    open_.parts = {**open_.parts, number: said}
    if len(open_.parts) < part.total:
        session.flush()
        return None
    open_.due_at = min(open_.due_at, now + WHOLE_AGAIN)
    session.flush()
    return open_.id


def _take(rows: Sequence[PartedText], now: datetime) -> None:
    """Take what there is of `rows`, which are locked, as texts. One that died after this and before its commit takes
    the same texts under the same names again, which changes nothing."""
    for carrier_id in dict.fromkeys(r.carrier_id for r in rows):
        own = [r for r in rows if r.carrier_id == carrier_id]
        texts = [Inbound(r.sender, r.to, joined(r.parts, r.total), r.at.timestamp(), ref=f"parts:{r.id}") for r in own]
        taking.take_all(texts, carrier_id, now=now)
        for row in own:
            row.taken_at = now


def joined(parts: Mapping[str, str], total: int) -> str:
    """The text of `parts` by number, with one mark for parts in a row that are missing."""
    out: list[str] = []
    for number in range(1, total + 1):
        said = parts.get(str(number))
        if said is not None:
            out.append(said)
        elif not out or out[-1] is not GAP:
            out.append(GAP)
    return "".join(out)


def give_up(now: datetime, most: int = MANY) -> int:
    """Take texts whose parts have not all come in time; forget those whose parts can't come again. Returns how many
    were due."""
    with platform_session() as session:
        query = (
            select(PartedText)
            .where(PartedText.taken_at.is_(None), PartedText.due_at <= now)
            .order_by(PartedText.due_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = session.scalars(query).all()
        for row in rows:
            if len(row.parts) < row.total:
                log.warning("%d of %d parts of a text have come; it is taken as it is", len(row.parts), row.total)
            try:
                _take([row], now)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                log.exception("a text of parts can't be taken; it is tried again")
                row.due_at = now + FAULTY_AGAIN
        session.execute(delete(PartedText).where(PartedText.taken_at < now - REPEATED_WITHIN))
    return len(rows)


def run(stop: threading.Event) -> None:
    """The loop of a process."""
    while not stop.wait(LOOK_S):
        try:
            while give_up(utc_now()) == MANY:
                pass
        except (OperationalError, InterfaceError) as error:
            log.warning("parts of texts can't be looked through: %s", str(error).splitlines()[0])
