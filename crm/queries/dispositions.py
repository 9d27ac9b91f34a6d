"""An outcome as calls and histories show it."""

from __future__ import annotations

from typing import Any

from crm.models import Disposition


def disposition_of(disposition: Disposition | None) -> dict[str, Any] | None:
    """Its names in both languages, and whether it was a sale or a no."""
    if disposition is None:
        return None
    return {
        "id": disposition.id,
        "name": disposition.name,
        "name_zh": disposition.name_zh,
        "sale": disposition.sale,
        "negative": disposition.not_interested or disposition.do_not_call or disposition.wrong_number,
    }
