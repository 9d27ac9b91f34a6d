"""What batches of one enterprise and sender have in common, kept for a second: many small sends ask for it once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor
from callcenter.auth.access import visible_user_ids
from callcenter.auth.models import User
from callcenter.clock import monotonic_s
from callcenter.tenancy.models import Enterprise
from crm.queries.fields import field_defs
from smsgateway.checks.verdict import Account, TextRules
from smsgateway.sending.audience import Whose
from smsgateway.sending.world import account_of, rules_of

KEPT_S: Final = 1.0
_MOST: Final = 1000
Key = tuple[int, int | None, bool]
_lock = threading.Lock()
_kept: dict[Key, tuple[float, Facts]] = {}


@dataclass(frozen=True)
class Facts:
    """`fields`: keys of the enterprise's own fields. `whose`: what the sender may reach, as it is now."""

    account: Account
    rules: TextRules
    enterprise: str
    zone: str
    fields: frozenset[str]
    sender_name: str
    sender_number: str
    whose: Whose

    def common(self) -> dict[str, str]:
        """Placeholders that are the same for all recipients."""
        return {
            "agent": self.sender_name,
            "agent_phone": self.sender_number,
            "enterprise": self.enterprise,
            "date": datetime.now(UTC).astimezone(ZoneInfo(self.zone)).date().isoformat(),
        }


def facts_of(session: Session, tenant_id: int, sender_id: int | None, *, system: bool) -> Facts:
    """The facts, at most a second old. Without a sender: a `system` send reaches all but private contacts, that of
    somebody who is gone nothing that has an owner."""
    key, now = (tenant_id, sender_id, system), monotonic_s()
    with _lock:
        kept = _kept.get(key)
    if kept is not None and now - kept[0] < KEPT_S:
        return kept[1]
    own = session.get_one(Enterprise, tenant_id)
    sender = session.get(User, sender_id) if sender_id is not None else None
    if sender_id is not None:
        whose = Whose(tenant_id, sender_id, visible_user_ids(session, Actor(tenant_id, sender_id, "")))
    else:
        whose = Whose(tenant_id, 0, None if system else frozenset())
    found = Facts(
        account=account_of(own), rules=rules_of(session), enterprise=own.name, zone=own.time_zone,
        fields=frozenset(field_defs(session)), sender_name=sender.name if sender is not None else "",
        sender_number=(sender.service_number or "") if sender is not None else "", whose=whose,
    )  # fmt: skip
    with _lock:
        if len(_kept) >= _MOST:
            _kept.clear()
        _kept[key] = (now, found)
    return found


def forget() -> None:
    """Read everything anew at the next question."""
    with _lock:
        _kept.clear()
