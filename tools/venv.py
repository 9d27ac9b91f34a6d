"""`python3 -m tools.venv FOLDER`: a virtual environment with pip, also where the system's Python lacks ensurepip."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(folder: str) -> None:
    """Make it, or end with the one command that is missing."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is run by whatever `python3` is there)
        found = sys.version.split()[0]
        raise SystemExit(f"Python 3.11 or newer is needed; this is {found}. Try: make PYTHON=python3.12")
    for command in ([sys.executable, "-m", "venv", folder], [sys.executable, "-m", "virtualenv", "-q", folder]):
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
    if not _without_pip(folder):
        name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise SystemExit(f"this Python can't make virtual environments; install {name} (or virtualenv) and try again")


def _without_pip(folder: str) -> bool:
    """A bare environment, with the pip that the system's Python has installed into it."""
    made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=False)
    if made.returncode != 0:
        return False
    python = str(Path(folder) / "bin" / "python")
    filled = subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "pip"], check=False)
    return filled.returncode == 0


if __name__ == "__main__":
    main(sys.argv[1])
