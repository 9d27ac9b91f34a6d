"""An authenticator app for tests: RFC 6238 with nothing but the standard library, and none of the product's code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct


def code_at(secret: str, seconds: float, digits: int = 6) -> str:
    """The code of `secret` (base 32) at `seconds` since the epoch."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.new(key, struct.pack(">Q", int(seconds) // 30), hashlib.sha1).digest()
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)
