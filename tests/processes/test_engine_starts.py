"""What the engine loads when it starts: callers wait meanwhile."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.promise("P4")
def test_the_engine_loads_no_database_nor_web_library() -> None:
    words = "import sys, callcenter.processes.engine.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60)
    assert not {"sqlalchemy", "psycopg", "flask", "aiortc", "av"} & set(loaded.stdout.split())
