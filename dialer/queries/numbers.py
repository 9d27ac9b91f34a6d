"""Phone numbers as the one who looks may see them."""

from __future__ import annotations

from callcenter.audit.models import Actor
from callcenter.log import mask_numbers

UNMASKED = "numbers.unmasked"


def shown(phone_e164: str, actor: Actor) -> str:
    """The number in full, or with its middle hidden for those who may not see it."""
    return phone_e164 if UNMASKED in actor.permissions else mask_numbers(phone_e164)
