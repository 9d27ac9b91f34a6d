"""An office with queues and numbers: what tests of calls that come in share."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from callcenter.acd.models import Queue, QueueMember
from callcenter.auth.models import User
from callcenter.db.outbox import settings_changed
from callcenter.db.session import engine, tenant_session
from callcenter.numbers.models import DidNumber
from tests.system.office import Office, until

NUMBER = "+862155550199"


@dataclass
class Reception:
    """Queue `queue_id` with all agents as members, and NUMBER that leads to it. `queue` are its other values."""

    office: Office
    queue: dict[str, Any] = field(default_factory=dict)
    queue_id: int = 0

    def build(self) -> Reception:
        """Write it; returns when the engine's settings have it."""
        before = os.environ.get("DATABASE_URL")
        os.environ["DATABASE_URL"] = self.office.installation.database_url
        try:
            self._fill()
        finally:
            engine().dispose()
            del os.environ["DATABASE_URL"]
            if before is not None:
                os.environ["DATABASE_URL"] = before
        cfg = f"cfg:{self.office.tenant}"
        redis = self.office.installation.redis()
        until(lambda: any(k.startswith(b"number:") for k in redis.hkeys(cfg)), "the number's settings")
        time.sleep(0.5)
        return self

    def _fill(self) -> None:
        with tenant_session(self.office.tenant) as session:
            values = {"name": "Sales", "wrap_up_s": 2, "ring_s": 6, "record": "always", **self.queue}
            queue = Queue(**values)
            session.add(queue)
            session.flush()
            self.queue_id = queue.id
            for user in session.scalars(select(User).where(User.username.like("agent%"))):
                session.add(QueueMember(queue_id=queue.id, user_id=user.id))
            to = {"kind": "queue", "id": queue.id, "number": ""}
            number = DidNumber(e164=NUMBER, name="Main", open_to=to, closed_to=to)
            session.add(number)
            session.flush()
            settings_changed(session, "queue", queue.id)
            settings_changed(session, "number", number.id)

    def board(self) -> dict[str, Any]:
        """The queue's live document."""
        raw = self.office.installation.redis().hget(f"live:{self.office.tenant}", f"queue:{self.queue_id}")
        return json.loads(raw) if raw else {}
