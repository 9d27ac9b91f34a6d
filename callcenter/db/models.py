"""Importing this module registers every table of the house; migrations and tests use it."""

from __future__ import annotations

import importlib

from callcenter.db.base import Base

# Features live outside callcenter; they are named, not imported, so that the import rules hold.
MODEL_MODULES = (
    "callcenter.db.outbox",
    "callcenter.tenancy.models",
    "callcenter.auth.models",
    "callcenter.audit.models",
    "callcenter.compliance.models",
    "callcenter.telephony.models",
    "callcenter.numbers.models",
    "callcenter.acd.models",
    "callcenter.prompts.models",
    "crm.models",
    "crm.addressbook.models",
    "crm.knowledge.models",
    "ivr.models",
    "dialer.models",
    "callcenter.calls.models",
    "callcenter.metrics.models",
    "smsgateway.models",
    "smsgateway.purse.models",
    "smsgateway.carriers.models",
    "smsgateway.inbound.models",
)


def load_all() -> type[Base]:
    """Register all tables and return the base that holds their metadata."""
    for name in MODEL_MODULES:
        importlib.import_module(name)
    return Base
