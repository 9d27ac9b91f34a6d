"""A folder of recordings and rows that point into it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from callcenter.calls.models import Recording
from callcenter.db.session import platform_session
from callcenter.telephony.media.g711 import SAMPLE_RATE, linear_to_ulaw
from callcenter.telephony.media.recording import header
from callcenter.tenancy.models import Enterprise

STARTED = datetime(2026, 3, 9, 23, 59, 58, tzinfo=UTC)


def tone(hz: int, seconds: float, amplitude: int = 16000) -> np.ndarray:
    """A sine as 16-bit samples."""
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * hz * at)).astype(np.int16)


def stereo(left: np.ndarray, right: np.ndarray) -> bytes:
    """Two channels as interleaved µ-law."""
    both = bytearray(2 * len(left))
    both[0::2], both[1::2] = linear_to_ulaw(left), linear_to_ulaw(right)
    return bytes(both)


def write_wav(path: Path, data: bytes, header_bytes: int | None = None, age_s: float = 0.0) -> None:
    """A recording file; `header_bytes` is what its header claims, as a killed writer may leave it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(len(data) if header_bytes is None else header_bytes) + data)
    os.utime(path, (time.time() - age_s, time.time() - age_s))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recordings directory of this test."""
    monkeypatch.setenv("CALLCENTER_VAR", str(tmp_path))
    return tmp_path.resolve() / "recordings"


@pytest.fixture
def tenant(database: object) -> int:
    """An enterprise."""
    with platform_session() as s:
        enterprise = Enterprise(code="a", name="A")
        s.add(enterprise)
        s.flush()
        return enterprise.id


@pytest.fixture
def add_row(tenant: int) -> Callable[..., None]:
    """Add a recording's row: (recording id, call id, path relative to the root, state)."""

    def add(recording_id: str, call_id: str, path: str, state: str = "closed") -> None:
        with platform_session() as s:
            s.add(
                Recording(
                    id=recording_id, tenant_id=tenant, call_id=call_id, path=path, state=state, started_at=STARTED
                )
            )

    return add


def row(recording_id: str) -> Recording:
    """The row as it stands now."""
    with platform_session() as s:
        found = s.get(Recording, recording_id)
        assert found is not None
        return found
