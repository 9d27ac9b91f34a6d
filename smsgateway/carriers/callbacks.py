"""Receipts and texts that come to the web process instead of the carrier's own, stored before they are acknowledged.

A receipt whose submission is not stored yet is parked; the carrier's process finds it (`receipts.sweep`).
"""

from __future__ import annotations

from collections.abc import Sequence

from callcenter.clock import wall_s
from callcenter.db.session import platform_session
from smsgateway.carriers import plain, receipts
from smsgateway.carriers.effects import Effects
from smsgateway.carriers.models import TextCarrier
from smsgateway.carriers.policies import Doubt, Policy, Refund
from smsgateway.carriers.port import Inbound, Receipt
from smsgateway.inbound import taking
from smsgateway.sending import progress


def take_receipts(carrier: TextCarrier, told: Sequence[Receipt]) -> None:
    """Store what became of texts of `carrier`. Repetitions change nothing."""
    if not told:
        return
    policy = Policy(Doubt(carrier.doubt), Refund(carrier.refund), carrier.receipt_wait_h * 3600.0)
    effects, now = Effects(), wall_s()
    with platform_session() as session:
        receipts.store(session, [(carrier.id, plain.receipt(r, now)) for r in told], {carrier.id: policy}, effects)
        effects.apply(session)
    for send_id, tenant_id in effects.sends.items():
        progress.announce(tenant_id, send_id)


def take_texts(carrier: TextCarrier, told: Sequence[Inbound]) -> None:
    """Store texts that came in over `carrier`."""
    if told:
        taking.take_all(told, carrier.id)
