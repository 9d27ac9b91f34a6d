"""Texts that waited are judged again before they leave: blacklist, opt-outs and hours may have changed.

What the text says, how often somebody is texted and who pays was settled when it was queued.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from callcenter.db.session import tenant_session
from callcenter.tenancy.models import Enterprise
from crm import blacklist
from crm.phones import time_zone_of
from smsgateway.checks import account, caps, optouts
from smsgateway.checks import blacklist as blacklist_check
from smsgateway.checks.verdict import Hold, Refusal
from smsgateway.sending.world import account_of, opted_out, rules_of
from smsgateway.texts import Purpose


@dataclass(frozen=True, slots=True)
class Waited:
    """A text that is due. `expires_at` in seconds since the epoch."""

    id: int
    tenant_id: int
    phone: str
    purpose: Purpose
    expires_at: float


def rejudge(texts: Sequence[Waited], now: float) -> Mapping[int, Refusal | Hold]:
    """Text → why it must not go, or not now; those that may are not in it. `now`: seconds since the epoch."""
    by_tenant: dict[int, list[Waited]] = {}
    for text in texts:
        by_tenant.setdefault(text.tenant_id, []).append(text)
    out: dict[int, Refusal | Hold] = {}
    for tenant, waited in by_tenant.items():
        out.update(_of_tenant(tenant, waited, now))
    return out


def _of_tenant(tenant: int, texts: Sequence[Waited], now: float) -> Mapping[int, Refusal | Hold]:
    with tenant_session(tenant) as session:
        own = session.get_one(Enterprise, tenant)
        closed = account.check(account_of(own), now)
        phones = [t.phone for t in texts]
        blacklisted = frozenset(blacklist.blocked(session, phones))
        stopped = opted_out(session, [t.phone for t in texts if t.purpose is Purpose.MARKETING])
        rules = rules_of(session)
        zone = own.time_zone
    out: dict[int, Refusal | Hold] = {}
    for text in texts:
        found: Refusal | Hold | None = (
            closed or blacklist_check.check(text.phone, blacklisted) or optouts.check(text.phone, text.purpose, stopped)
        )
        if found is None and text.purpose in rules.purposes and (rules.windows or rules.holidays):
            found = caps.hours(rules, time_zone_of(text.phone) or zone, now, True)
        if found is not None:
            out[text.id] = found
    return out
