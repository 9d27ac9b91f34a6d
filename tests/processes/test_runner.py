"""The runner's own rules: one in a place, ports that stay, the Procfile's programs. The whole of it: tests/system."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from callcenter.config import ROOT
from callcenter.processes import runner


def test_a_second_runner_in_the_same_place_ends_with_a_plain_sentence(tmp_path: Path) -> None:
    claim = runner.hold(tmp_path)
    second = subprocess.run(
        [sys.executable, "-m", "callcenter.processes.runner", "--no-demo"],
        cwd=ROOT, env={**os.environ, "CALLCENTER_VAR": str(tmp_path)}, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert "runs in" in second.stderr and "Traceback" not in second.stderr
    assert not (tmp_path / "ports.json").exists()
    claim.close()
    runner.hold(tmp_path).close()


def test_ports_of_the_last_run_come_first_and_a_taken_one_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEB_PORT", raising=False)
    first = runner.find_ports(tmp_path, {"WEB_PORT": 15100})["WEB_PORT"]
    assert runner.find_ports(tmp_path, {"WEB_PORT": 15900})["WEB_PORT"] == first
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", first))
        assert runner.find_ports(tmp_path, {"WEB_PORT": 15100})["WEB_PORT"] > first
    assert json.loads((tmp_path / "ports.json").read_text())["WEB_PORT"] > first


def test_the_secret_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    secret = runner.secret_key(tmp_path)
    assert len(secret) > 40 and runner.secret_key(tmp_path) == secret
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_media_workers_are_counted_and_the_carrier_comes_only_with_the_demo() -> None:
    names = [p.name for p in runner.procfile(3, carrier=False)]
    assert names[:3] == ["media-0", "media-1", "media-2"]
    assert "democarrier" not in names and "engine" in names
    assert [p.name for p in runner.procfile(1, carrier=True)][-1] == "democarrier"
    assert all(p.command[0] == sys.executable for p in runner.procfile(1, carrier=True))


def test_a_program_that_ends_is_started_again_and_stops_with_the_runner(tmp_path: Path) -> None:
    async def scene() -> None:
        keeper = runner.Runner(tmp_path, os.environ)
        program = runner.Program("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
        await keeper.start(program)
        assert program.process is not None
        first = program.process.pid
        os.kill(first, signal.SIGKILL)
        for _ in range(200):
            if program.starts == 2:
                break
            await asyncio.sleep(0.05)
        second = int((tmp_path / "pids" / "sleeper").read_text())
        assert second != first
        await asyncio.wait_for(keeper.stop(), 15)
        with pytest.raises(ProcessLookupError):
            os.kill(second, 0)

    asyncio.run(scene())
