"""Passwords: what one must look like, and argon2id hashes of them.

Hashing takes a tenth of a second of a core and 64 MiB; in the web process call it through `web.http.off_loop`.
"""

from __future__ import annotations

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from callcenter.errors import InvalidInput

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 200
_hasher = PasswordHasher()
# Verified in place of a missing user's hash, so that the answer takes as long as for a known one.
_NOBODY: Final = _hasher.hash("nobody has this password")


def check_new(password: str, *, username: str, field: str = "password") -> None:
    """Raise InvalidInput, naming `field`, if `password` may not be set for `username`."""
    if len(password) < MIN_LENGTH:
        raise InvalidInput(
            f"Give at least {MIN_LENGTH} characters.",
            code="password_too_short",
            fields={field: f"Give at least {MIN_LENGTH} characters."},
            params={"min": MIN_LENGTH},
        )
    if len(password) > MAX_LENGTH:
        raise InvalidInput(
            f"Give at most {MAX_LENGTH} characters.",
            code="password_too_long",
            fields={field: f"Give at most {MAX_LENGTH} characters."},
            params={"max": MAX_LENGTH},
        )
    if password.casefold() == username.casefold():
        raise InvalidInput(
            "The password can't be the user name.",
            code="password_is_username",
            fields={field: "Choose another one: it can't be the user name."},
        )


def hash_password(password: str) -> str:
    """The argon2id hash of `password`, with its parameters and salt."""
    return _hasher.hash(password)


def verify(password: str, stored: str | None) -> bool:
    """Whether `password` fits `stored`; with no stored hash it takes as long and is False."""
    try:
        fits = _hasher.verify(stored or _NOBODY, password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return fits and stored is not None
