"""Begin and end opt-outs. Audited; the checks read the table with each batch, so nothing is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from crm.importing.numbers import sort_typed
from smsgateway.models import OptOut
from smsgateway.sending.cancelling import cancel_for

_BATCH: Final = 5_000
_SHOWN: Final = 1_000  # in an audit entry


class Source(StrEnum):
    """How an opt-out came to be."""

    KEYWORD = "keyword"  # the person texted it
    MANUAL = "manual"
    IMPORT = "import"
    API = "api"


@dataclass(frozen=True)
class Added:
    """What became of a number of texts. `wrong`: the first ones that are no phone numbers, with the reason's code."""

    added: int
    already: int
    rejected: int
    wrong: tuple[tuple[str, str], ...]


def add(
    session: Session, actor: Actor, numbers: Sequence[str], *, country: str, source: Source, note: str = ""
) -> Added:
    """Opt out `numbers`, as written. Wrong ones are left out and told. Raises InvalidInput if there is none to add."""
    given = sort_typed(numbers, country)
    begun = add_good(session, actor, given.good, source=source, note=note)
    wrong = tuple((text, fault) for _, text, fault in given.wrong)
    return Added(begun, len(given.good) - begun, given.rejected, wrong)


def add_good(
    session: Session, actor: Actor, phones: Sequence[str], *, source: Source, note: str = "", file_name: str = ""
) -> int:
    """Opt out `phones` (E.164); returns how many of them were not before."""
    begun = _begin(session, actor, list(phones), source, "", note)
    if begun:
        what: dict[str, object] = {"source": source.value, "numbers": begun[:_SHOWN]}
        if len(begun) > _SHOWN:
            what["how_many"] = len(begun)
        if file_name:
            what["file"] = file_name
        record(session, actor, "create", "opt_out", 0, name=", ".join(begun[:5]), after=what)
    return len(begun)


def stop(session: Session, actor: Actor, phone_e164: str, keyword: str) -> bool:
    """The person at `phone_e164` texted `keyword`: no marketing from now on. Whether that is new."""
    begun = _begin(session, actor, [phone_e164], Source.KEYWORD, keyword, "")
    if begun:
        what = {"source": Source.KEYWORD.value, "keyword": keyword, "numbers": begun}
        record(session, actor, "create", "opt_out", 0, name=phone_e164, after=what)
    return bool(begun)


def resume(session: Session, actor: Actor, phone_e164: str) -> bool:
    """The person at `phone_e164` wants marketing again. Whether there was an opt-out to end."""
    ids = session.scalars(select(OptOut.id).where(OptOut.phone_e164 == phone_e164, OptOut.ended_at.is_(None))).all()
    return end(session, actor, ids) > 0


def end(session: Session, actor: Actor, ids: Sequence[int]) -> int:
    """End opt-outs that run; returns how many. They stay in the list with their end."""
    statement = (
        update(OptOut)
        .where(OptOut.id.in_(ids), OptOut.ended_at.is_(None))
        .values(ended_at=func.now(), ended_by=actor.user_id, updated_at=func.now())
        .returning(OptOut.phone_e164)
    )
    phones = list(session.scalars(statement))
    if phones:
        record(session, actor, "end", "opt_out", 0, name=", ".join(phones[:5]), before={"numbers": phones[:_SHOWN]})
    return len(phones)


def _begin(session: Session, actor: Actor, phones: list[str], source: Source, keyword: str, note: str) -> list[str]:
    """Those of `phones` whose opt-out begins now."""
    begun: list[str] = []
    for at in range(0, len(phones), _BATCH):
        rows = [
            {
                "tenant_id": actor.tenant_id,
                "phone_e164": phone,
                "source": source.value,
                "keyword": keyword,
                "note": note,
                "created_by": actor.user_id,
            }
            for phone in sorted(phones[at : at + _BATCH])
        ]
        statement = insert(OptOut).values(rows)
        statement = statement.on_conflict_do_nothing(
            index_elements=["tenant_id", "phone_e164"], index_where=text("ended_at IS NULL")
        )
        begun += session.scalars(statement.returning(OptOut.phone_e164)).all()
    cancel_for(session, actor.tenant_id, begun, "opt_out")
    return begun
