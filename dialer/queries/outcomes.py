"""Whether an agent's outcome can be meant."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from callcenter.errors import InvalidInput, NotFound
from crm.models import Disposition


def check_outcome(session: Session, disposition_id: int, callback_at: float | None, now: float) -> float | None:
    """The time at which to call back, seconds since the epoch; None if the disposition promises none.

    Raises NotFound for one that is gone or disabled, InvalidInput on `callback_at` if a promise has no time in the
    future.
    """
    row = session.scalars(
        select(Disposition).where(Disposition.id == disposition_id, Disposition.enabled, ~Disposition.system)
    ).one_or_none()
    if row is None:
        raise NotFound("This disposition does not exist any more. Choose another.", code="disposition.gone")
    if not row.callback:
        return None
    if callback_at is None or callback_at <= now:
        sentence = "Choose when to call back, in the future."
        raise InvalidInput(sentence, code="callback_time", fields={"callback_at": sentence})
    return callback_at
