"""The files of this checkout that are committed: what the tests of the house read."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@lru_cache(maxsize=1)
def committed() -> tuple[Path, ...]:
    """Every committed file that is there, absolute."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, timeout=30).stdout
    paths = (ROOT / name for name in listed.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def name_of(path: Path) -> str:
    """`path` as it is written in a message: relative to the checkout."""
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str | None:
    """What is in the file; None if it is not text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None
