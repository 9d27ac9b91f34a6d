"""Recordings come to rest whatever is killed on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from callcenter.recordings import audio
from callcenter.recordings.store import path_of, recover, store
from callcenter.telephony.media.recording import parse_header
from tests.recordings.conftest import row, stereo, tone, write_wav

pytestmark = pytest.mark.usefixtures("database")
SECOND = stereo(tone(440, 1), tone(1000, 1))


@pytest.mark.promise("V3")
def test_a_closed_recording_moves_to_its_day_with_true_header_length_and_checksum(
    root: Path, tenant: int, add_row: Callable[..., None]
) -> None:
    add_row("R1", "C1", "live/R1.wav")
    write_wav(root / "live/R1.wav", SECOND, header_bytes=100)
    assert store("R1") == "stored"
    found = row("R1")
    assert found.path == f"store/{tenant}/2026/03/09/C1.wav"
    assert not (root / "live/R1.wav").exists()
    raw = (root / found.path).read_bytes()
    info = parse_header(raw)
    assert info is not None and info.data_bytes == len(SECOND)
    assert (found.size_bytes, found.seconds, found.sha256) == (len(raw), 1.0, hashlib.sha256(raw).hexdigest())


def test_storing_again_changes_nothing(root: Path, add_row: Callable[..., None]) -> None:
    add_row("R1", "C1", "live/R1.wav")
    write_wav(root / "live/R1.wav", SECOND)
    store("R1")
    before = row("R1").sha256
    assert store("R1") == "stored"
    assert row("R1").sha256 == before
    assert store("unknown") == ""


@pytest.mark.parametrize("kill_at", ["os.fsync", "pathlib.Path.mkdir", "pathlib.Path.replace", "hashlib.sha256"])
def test_a_kill_at_any_step_is_made_good_by_the_next_try(
    root: Path, tmp_path: Path, add_row: Callable[..., None], kill_at: str
) -> None:
    add_row("R1", "C1", "live/R1.wav")
    write_wav(root / "live/R1.wav", SECOND, header_bytes=0)
    module, name = kill_at.split(".", 1)
    # The child dies with SIGKILL right before the step, and for the rename also right after it.
    script = f"""
import {module}, os, signal
from callcenter.db.models import load_all
from callcenter.recordings.store import store
load_all()
true = {kill_at}
def dies(*a, **k):
    if {name!r} == "Path.replace": true(*a, **k)
    os.kill(os.getpid(), signal.SIGKILL)
{kill_at} = dies
store("R1")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "CALLCENTER_VAR": str(tmp_path)}, timeout=30
    )
    assert done.returncode == -9
    assert row("R1").state == "closed"
    assert store("R1") == "stored"
    assert audio.read(path_of(row("R1"))).seconds == 1.0
    assert [p.name for p in root.rglob("*.wav")] == ["C1.wav"]


def test_two_recordings_of_one_call_keep_apart(root: Path, add_row: Callable[..., None]) -> None:
    for name in ("R1", "R2"):
        add_row(name, "C1", f"live/{name}.wav")
        write_wav(root / f"live/{name}.wav", SECOND if name == "R1" else SECOND * 2)
    assert store("R2") == store("R1") == "stored"
    assert (row("R1").seconds, row("R2").seconds) == (1.0, 2.0)
    assert row("R1").path != row("R2").path


def test_a_file_in_the_way_is_never_overwritten(root: Path, tenant: int, add_row: Callable[..., None]) -> None:
    add_row("R1", "C1", "live/R1.wav")
    write_wav(root / "live/R1.wav", SECOND)
    write_wav(root / f"store/{tenant}/2026/03/09/C1.wav", SECOND * 3)
    assert store("R1") == "stored"
    assert row("R1").seconds == 1.0
    assert audio.read(root / f"store/{tenant}/2026/03/09/C1.wav").seconds == 3.0


def test_recovery_finishes_what_nobody_writes_any_more_and_leaves_the_rest(
    root: Path, add_row: Callable[..., None]
) -> None:
    add_row("R1", "C1", "live/R1.wav", "growing")
    write_wav(root / "live/R1.wav", SECOND, header_bytes=0, age_s=90)
    add_row("R2", "C2", "live/R2.wav", "growing")
    write_wav(root / "live/R2.wav", SECOND, age_s=5)
    add_row("R3", "C3", "live/R3.wav", "closed")
    assert recover() == ["R1", "R3"]
    assert [row(r).state for r in ("R1", "R2", "R3")] == ["stored", "growing", "lost"]
    assert recover() == []


def test_a_file_that_turns_up_after_it_was_given_up_is_stored(root: Path, add_row: Callable[..., None]) -> None:
    add_row("R1", "C1", "live/R1.wav")
    assert store("R1") == "lost"
    write_wav(root / "live/R1.wav", SECOND)
    assert store("R1") == "stored"


def test_a_path_that_leads_outside_is_refused(root: Path, tmp_path: Path, add_row: Callable[..., None]) -> None:
    write_wav(tmp_path / "secret.wav", SECOND)
    add_row("R1", "C1", "../secret.wav")
    with pytest.raises(audio.RecordingMissing):
        store("R1")
    assert (tmp_path / "secret.wav").exists()


def test_a_long_recording_is_stored_in_less_than_its_own_time(root: Path, add_row: Callable[..., None]) -> None:
    add_row("R1", "C1", "live/R1.wav")
    write_wav(root / "live/R1.wav", SECOND * 1200)
    began = time.monotonic()
    assert store("R1") == "stored"
    assert time.monotonic() - began < 10
