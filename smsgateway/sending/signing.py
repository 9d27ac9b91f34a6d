"""What an enterprise signs its texts with, 【…】, and whether a sender may write something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from callcenter.audit.models import Actor, record
from callcenter.errors import InvalidInput
from callcenter.tenancy.models import Enterprise
from smsgateway import templates

_SIGNATURE: Final = "text_signature"  # keys of the enterprise's settings
_REQUIRED: Final = "text_signature_required"
_CHECK: Final = "Check the marked fields."
_WRONG: Final = f"At most {templates.MAX_SIGNATURE} characters, without brackets and braces."


@dataclass(frozen=True)
class Signing:
    """`usual`: what texts are signed with unless the sender writes something else; `required`: none may. `own` is what
    the enterprise chose; empty: its name."""

    usual: str
    required: bool
    own: str = ""

    def of(self, asked: str) -> str:
        """The signature of a text for which `asked` was given. Raises InvalidInput with the field `signature`."""
        signature = templates.clean(asked).strip().strip("【】").strip()
        if len(signature) > templates.MAX_SIGNATURE or any(c in signature for c in "【】\n{}"):
            raise InvalidInput(_CHECK, fields={"signature": _WRONG})
        if not self.required:
            return signature
        if signature not in ("", self.usual):
            raise InvalidInput(
                _CHECK, code="signature_required", params={"signature": self.usual},
                fields={"signature": f"Your enterprise signs all its texts 【{self.usual}】. Leave it so."},
            )  # fmt: skip
        return self.usual

    def signed(self, body: str, signature: str) -> str:
        """`body` with `signature`, which came from `of`."""
        return templates.signed(body, signature, always=self.required)


def signing_of(session: Session, tenant_id: int) -> Signing:
    """How the enterprise signs."""
    return _read(session.get_one(Enterprise, tenant_id))


def signature_of(session: Session, tenant_id: int) -> str:
    """What the enterprise signs its texts with, unless a sender writes another one."""
    return signing_of(session, tenant_id).usual


def change(session: Session, actor: Actor, *, signature: str | None = None, required: bool | None = None) -> Signing:
    """Change what is given; an empty signature is the enterprise's name again. Raises InvalidInput."""
    own = session.get_one(Enterprise, actor.tenant_id, with_for_update=True)
    before = _read(own)
    settings: dict[str, Any] = dict(own.settings)
    if signature is not None:
        settings[_SIGNATURE] = Signing("", False).of(signature)
    if required is not None:
        settings[_REQUIRED] = required
    own.settings = settings
    after = _read(own)
    if after != before:
        record(session, actor, "update", "text_signature", own.id, name=after.usual, before=_told(before),
               after=_told(after))  # fmt: skip
    return after


def _read(own: Enterprise) -> Signing:
    chosen = str(own.settings.get(_SIGNATURE) or "")
    name = re.sub(r"[【】{}\s]+", " ", chosen or own.name).strip()[: templates.MAX_SIGNATURE].strip()
    return Signing(name, bool(own.settings.get(_REQUIRED)) and name != "", chosen)


def _told(signing: Signing) -> dict[str, Any]:
    return {"signature": signing.usual, "required": signing.required}
