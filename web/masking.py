"""Phone numbers for those whose roles do not show them in full."""

from __future__ import annotations

import re
from typing import Any

from flask import g
from marshmallow import fields

_E164 = re.compile(r"\+\d{7,15}")
PERMISSION = "numbers.unmasked"


def mask_phone(number: str) -> str:
    """`number` with its middle hidden: +8613812345678 → +86138••••678."""
    return f"{number[: max(3, len(number) - 8)]}••••{number[-3:]}"


def mask_within(text: str) -> str:
    """`text` with every number that stands in it masked, as long as it was: positions in it stay what they are."""

    def hide(found: re.Match[str]) -> str:
        number = found[0]
        begin = max(3, len(number) - 8)
        return f"{number[:begin]}{'•' * (len(number) - 3 - begin)}{number[-3:]}"

    return _E164.sub(hide, text)


def masked(document: Any) -> Any:
    """A copy of plain `document` in which every string that is a phone number is masked."""
    if isinstance(document, str):
        return mask_phone(document) if _E164.fullmatch(document) else document
    if isinstance(document, dict):
        return {k: masked(v) for k, v in document.items()}
    if isinstance(document, list | tuple):
        return [masked(v) for v in document]
    return document


class PhoneField(fields.String):
    """A phone number of somebody outside the enterprise: masked on the way out for those who may not see it."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        text = super()._serialize(value, attr, obj, **kwargs)
        who = g.get("identity")
        if text is None or who is None or PERMISSION in who.permissions:
            return text
        return mask_phone(text)


class BodyField(fields.String):
    """A text that may hold phone numbers, such as one that placeholders were filled into: masked as `PhoneField` is."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        text = super()._serialize(value, attr, obj, **kwargs)
        who = g.get("identity")
        if text is None or who is None or PERMISSION in who.permissions:
            return text
        return mask_within(text)
