"""`python -m tools.build_ui`: builds the interface if anything it is made of has changed since the last build."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tools.npm import npm

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "web" / "ui"
MARK = UI / "dist" / ".built-from"
# The interface's own files, and the Python that the API's description (and so the generated types) comes from.
SOURCES = (
    *("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "index.html"),
    *("src/**/*", "public/**/*", "scripts/*"),
)


def fingerprint() -> str:
    """A digest of everything the build depends on."""
    digest = hashlib.sha256()
    files = [p for pattern in SOURCES for p in UI.glob(pattern)]
    files += [p for folder in ("web/api", "web/schemas") for p in (ROOT / folder).glob("*.py")]
    for path in sorted(p for p in files if p.is_file() and p.name != "schema.d.ts"):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def main() -> None:
    """Install the packages if the lock file changed, then build."""
    now = fingerprint()
    if MARK.exists() and MARK.read_text() == now:
        return
    lock = UI / "package-lock.json"
    installed = UI / "node_modules" / ".installed"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        print("installing the interface's packages (once) …", flush=True)
        npm("ci", "--no-audit", "--no-fund", "--loglevel=error", folder=UI)
        installed.touch()
    print("building the interface …", flush=True)
    npm("run", "--silent", "build", folder=UI)
    MARK.write_text(now)


if __name__ == "__main__":
    main()
