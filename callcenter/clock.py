"""Time, in one place: UTC instants for storage, a monotonic clock for durations."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, timezone-aware, UTC."""
    return datetime.now(UTC)


def wall_s() -> float:
    """Seconds since the epoch, UTC. What facts carry as `at`; never use it for durations across a clock step."""
    return time.time()


def monotonic_s() -> float:
    """Seconds on a clock that never goes back. For timers and durations inside one process."""
    return time.monotonic()


def to_utc(at_s: float) -> datetime:
    """The instant `at_s` (seconds since the epoch) as an aware datetime in UTC."""
    return datetime.fromtimestamp(at_s, UTC)
