"""Imports what gives a new enterprise its first rows, so that `open_enterprise` runs all hooks.

Features live outside callcenter; they are named, not imported, so that the import rules hold. A name that does not
exist is a defect and stops the opening.
"""

from __future__ import annotations

import importlib

from callcenter.tenancy.actions import open_enterprise as open_enterprise  # for those who open one

HOOK_MODULES: tuple[str, ...] = ("dialer.actions.defaults", "smsgateway.purse.defaults")


def load_hooks() -> None:
    """Import the modules with `@on_enterprise_opened` hooks. Call it once before opening enterprises."""
    for name in HOOK_MODULES:
        importlib.import_module(name)
