"""Codes of the second factor, pure: six digits that change every 30 s (RFC 6238, HMAC-SHA1), and recovery codes.

A step is the number of 30 s intervals since the epoch. A code fits in its own step and in the one before and after,
for clocks that differ and for slow fingers; whoever stores the step of the last accepted code accepts none twice.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from hmac import compare_digest
from typing import Final

import pyotp

STEP_S: Final = 30
WINDOW: Final = 1  # steps before and after
DIGITS: Final = 6
RECOVERY_CODES: Final = 10
ISSUER: Final = "Call centre"
# No 0 and O, no 1, I and L: they are typed from paper. 16 of these 31 are 79 bits, so that a plain hash is enough.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_RECOVERY_LENGTH: Final = 16


def new_secret() -> str:
    """A shared secret, 160 bits in base 32, as RFC 4226 advises."""
    return pyotp.random_base32(32)


def address(secret: str, username: str, enterprise: str) -> str:
    """The `otpauth:` address that an authenticator app reads from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{username}@{enterprise}", issuer_name=ISSUER)


def matching_step(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """The step whose code is `code`, if it is near `now` (aware) and later than `last_step`; None if none fits."""
    if re.fullmatch(rf"[0-9]{{{DIGITS}}}", code) is None:
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    present = int(now.timestamp()) // STEP_S
    found = None
    for step in range(present - WINDOW, present + WINDOW + 1):  # all of them, so that the time taken tells nothing
        if compare_digest(totp.generate_otp(step), code) and step > last_step:
            found = step
    return found


def plain(code: str) -> str:
    """A code as it was meant: without spaces and hyphens, in small letters, digits of any script as 0 to 9."""
    kept = re.sub(r"[\s\-]", "", code).lower()
    return "".join(str(int(c)) if c.isdecimal() else c for c in kept)


def new_recovery_codes(choice: Callable[[str], str] = secrets.choice) -> list[str]:
    """Ten codes for the day the phone is gone, in groups of four: `ab23-cd45-ef67-gh89`."""
    codes = ["".join(choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
    return ["-".join(code[i : i + 4] for i in range(0, _RECOVERY_LENGTH, 4)) for code in codes]


def recovery_hash(user_id: int, code: str) -> str:
    """What is stored of a recovery code of `user_id`."""
    return hashlib.sha256(f"{user_id}:{plain(code)}".encode()).hexdigest()
