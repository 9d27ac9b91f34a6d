"""Secrets at rest: sealed with a key that is made of the installation's SECRET_KEY.

AES-256-GCM; `purpose` is bound into the seal, so that a sealed secret can't be moved to another row. Whoever has the
database alone reads nothing. With another SECRET_KEY nothing can be opened any more.
"""

from __future__ import annotations

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callcenter import config

_VERSION: Final = "v1."
_NONCE: Final = 12


class NoKey(RuntimeError):
    """SECRET_KEY is not set: a fault of how the process was started."""


class CannotOpen(Exception):
    """The text was sealed with another key or for another purpose, or was changed."""


def _cipher() -> AESGCM:
    secret = config.load().secret_key
    if not secret:
        raise NoKey("SECRET_KEY is not set")
    return AESGCM(HKDF(SHA256(), 32, None, b"callcenter secrets at rest").derive(secret.encode()))


def seal(text: str, purpose: str) -> str:
    """`text` as it may be stored. Raises NoKey."""
    nonce = os.urandom(_NONCE)
    sealed = _cipher().encrypt(nonce, text.encode(), purpose.encode())
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def unseal(sealed: str, purpose: str) -> str:
    """The text that `seal` was given. Raises CannotOpen, NoKey."""
    if not sealed.startswith(_VERSION):
        raise CannotOpen("not sealed by this version")
    try:
        raw = base64.urlsafe_b64decode(sealed[len(_VERSION) :])
        return _cipher().decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("another key, another purpose, or changed") from error
