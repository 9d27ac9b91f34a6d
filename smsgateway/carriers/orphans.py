"""Texts that were leased of a carrier which nobody will run again by itself: it was disabled, or deleted, and its
process killed. Whoever starts a carrier takes up what its predecessor left; here nobody starts it.

Runs beside the preparer. Where the process was of this machine its journal tells what it had handed over
(`handed.py`); the rest goes back to the queue, from which other carriers take it where a route leads over them.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final

from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError

from callcenter import config
from callcenter.clock import monotonic_s
from callcenter.db.session import platform_session
from smsgateway.carriers import handed, recovering
from smsgateway.carriers.claim import take_for_now
from smsgateway.carriers.lane import policy_of
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.policies import Policy
from smsgateway.sending import progress

log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
ELSEWHERE_S: Final = 60.0  # where a journal is not here, another machine that has it may come first
TIDY_S: Final = 600.0
_LEASED = text("""
WITH RECURSIVE leased (id) AS (
  (SELECT carrier_id FROM text_message WHERE state = 'submitting' ORDER BY carrier_id LIMIT 1)
  UNION ALL
  SELECT (SELECT carrier_id FROM text_message WHERE state = 'submitting' AND carrier_id > leased.id
          ORDER BY carrier_id LIMIT 1)
  FROM leased WHERE leased.id IS NOT NULL
)
SELECT id FROM leased WHERE id IS NOT NULL AND NOT EXISTS (
  SELECT FROM text_carrier c WHERE c.id = leased.id AND c.enabled)
""")
_HOLDERS_OF = text("SELECT DISTINCT leased_by FROM text_message WHERE state = 'submitting' AND carrier_id = :carrier")
_HOLDERS = text("SELECT DISTINCT leased_by FROM text_message WHERE state = 'submitting'")


class Orphans:
    """Looks for them. `folder`: where this machine's processes keep their journals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._since: dict[int, float] = {}  # carriers that were left to the machine that has the journal

    def recover(self, now: float) -> int:
        """Take up what is leased of carriers that are not enabled and that no process runs; `now` in seconds of any
        clock. Returns how many texts it was."""
        with platform_session() as session:
            carriers = list(session.scalars(_LEASED))
        self._since = {c: self._since.get(c, now) for c in carriers}
        done = 0
        for carrier_id in carriers:
            found = self._recover_of(carrier_id, late=now - self._since[carrier_id] >= ELSEWHERE_S)
            if found is None:
                continue
            done += found.texts
            for send_id, tenant_id in found.sends.items():
                try:
                    progress.announce(tenant_id, send_id)
                except (RedisError, OSError) as error:
                    log.warning("a send's progress can't be shown: %s", error)
        return done

    def _recover_of(self, carrier_id: int, *, late: bool) -> recovering.Recovered | None:
        with platform_session() as session:
            if not take_for_now(session, carrier_id):
                return None  # its process still ends what is out
            row = session.get(TextCarrier, carrier_id)
            if row is not None and row.enabled:
                return None
            holders = session.scalars(_HOLDERS_OF, {"carrier": carrier_id}).all()
            if not late and not all(handed.file_of(self.folder, by or "").exists() for by in holders):
                return None
            policy = policy_of(row.doubt, row.refund, row.receipt_wait_h) if row is not None else Policy()
            return recovering.recover(session, {carrier_id: policy}, self.folder)


def tidy(folder: Path) -> int:
    """Delete journals of dead processes that nobody needs any more. Returns how many."""
    dead = handed.of_dead(folder)
    if not dead:
        return 0
    with platform_session() as session:
        needed = set(session.scalars(_HOLDERS))
    gone = [path for path, by in dead.items() if by not in needed]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def run(stop: threading.Event) -> None:
    """The loop of a process."""
    folder, looked = config.load().run_dir, 0.0
    orphans = Orphans(folder)
    while not stop.wait(LOOK_S):
        try:
            orphans.recover(monotonic_s())
            looked += LOOK_S
            if looked >= TIDY_S:
                looked = 0.0
                tidy(folder)
        except (OperationalError, InterfaceError) as error:
            log.warning("what dead processes left can't be looked for: %s", str(error).splitlines()[0])
        except Exception:
            log.exception("what dead processes left can't be taken up; tried again")
