"""Request limits per address and per API token, counted in Valkey so that all web processes share them."""

from __future__ import annotations

import os

from flask import Response
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

# A whole shift signs in from one address at nine o'clock, so only failures count.
SIGN_IN_FAILURES = "60 per minute"
# Of each API token: requests a second, and how many at once after a pause.
TOKEN_PER_S = max(0.1, float(os.environ.get("API_TOKEN_PER_S", "20")))
TOKEN_BURST = max(1, int(os.environ.get("API_TOKEN_BURST", "100")))


def failed(response: Response) -> bool:
    """Whether a sign-in was refused."""
    return response.status_code >= 400


limiter = Limiter(
    get_remote_address,
    in_memory_fallback_enabled=True,
    headers_enabled=False,
    key_prefix="limits",
)
