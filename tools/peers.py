"""`python -m tools.peers`: the real peers that tests and benchmarks talk to. Installs them where it may."""

from __future__ import annotations

import os
import shutil
import subprocess

# command → Debian package
PEERS = {
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "chromium": "chromium",
    "rtpengine": "rtpengine-daemon",
    "sox": "sox",
}
FONTS = "fonts-noto-cjk"


def missing() -> list[str]:
    """Packages of the peers that are not on this machine."""
    out = [package for command, package in PEERS.items() if shutil.which(command) is None]
    if shutil.which("fc-list") and "CJK" not in subprocess.run(["fc-list"], capture_output=True, text=True).stdout:
        out.append(FONTS)
    return out


def main() -> None:
    """Install what is missing, or say which command does, and fail."""
    packages = missing()
    if not packages:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {' '.join(packages)} …", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        packages = missing()
        if not packages:
            return
    raise SystemExit(f"tests need {', '.join(packages)}; run: sudo apt-get update && sudo {' '.join(command)}")


if __name__ == "__main__":
    main()
