"""Queues' live documents: published a few times a second at most, however much happens in a queue."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from callcenter.clock import wall_s

if TYPE_CHECKING:
    from callcenter.processes.engine.shell import Engine

log = logging.getLogger(__name__)
EVERY_S = 0.2


class QueueBoards:
    """Documents `queue:{id}`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._changed: set[tuple[int, int]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, tenant: int, queue_id: int) -> None:
        """Publish this queue soon."""
        self._changed.add((tenant, queue_id))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self.publish)

    def publish(self) -> None:
        """Publish all that changed."""
        changed, self._changed = self._changed, set()
        self._timer = None
        now = wall_s()
        for tenant_id, queue_id in changed:
            tenant = self.engine.tenants.get(tenant_id)
            if tenant is None:
                continue
            try:
                view = tenant.floor.queue_view(queue_id, now)
            except Exception:
                log.exception("the board of queue %d can't be made", queue_id)
                continue
            if view is None:
                self.engine.journal.live_gone(tenant_id, f"queue:{queue_id}")
            else:
                self.engine.journal.live(tenant_id, f"queue:{queue_id}", view)
