"""rtpengine as the peer of `benchmarks.media`: started, told of calls by its ng protocol, ended.

ng protocol: bencoded dictionaries over UDP behind a cookie. Source: the manual of rtpengine 10.5.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def bencode(value: Any) -> bytes:
    """Strings, whole numbers, lists and dictionaries as bencode."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    pairs = sorted((k.encode(), v) for k, v in value.items())
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in pairs) + b"e"


def bdecode(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The value at `at` and the place after it; strings as text."""
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2], strict=True))), at + 1
    colon = data.index(b":", at)
    size = int(data[at:colon])
    return data[colon + 1 : colon + 1 + size].decode(errors="replace"), colon + 1 + size


def _sdp(port: int) -> str:
    lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0")
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv", ""))


def _media_port(sdp: str) -> int:
    return next(int(line.split()[1]) for line in sdp.splitlines() if line.startswith("m=audio"))


class Rtpengine:
    """A running rtpengine that records pcap into `directory`; `prepare` runs in the new process first."""

    def __init__(
        self, directory: Path, ng_port: int, port_min: int, port_max: int, prepare: Callable[[], None]
    ) -> None:
        program = shutil.which("rtpengine")
        if program is None:
            raise SystemExit("rtpengine is not installed (apt-get install --no-install-recommends rtpengine-daemon)")
        (directory / "pcaps").mkdir(parents=True)
        (directory / "metadata").mkdir()
        self._ng = ("127.0.0.1", ng_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(1.0)
        self._log = (directory / "log").open("wb")
        self.process = subprocess.Popen(
            [
                program, "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=4",
                "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{ng_port}", f"--port-min={port_min}",
                f"--port-max={port_max}", "--recording-method=pcap", f"--recording-dir={directory}",
                "--recording-format=raw", f"--pidfile={directory}/pid",
            ],
            stderr=self._log,
            preexec_fn=prepare,
        )  # fmt: skip
        self._number = 0
        deadline = time.monotonic() + 10
        while True:
            try:
                self.ask({"command": "ping"})
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"rtpengine does not answer; see {directory}/log") from None
                time.sleep(0.1)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request and its answer. Raises OSError without one, RuntimeError if it is an error."""
        self._number += 1
        cookie = b"c%d" % self._number
        self._socket.sendto(cookie + b" " + bencode(request), self._ng)
        while True:
            data = self._socket.recv(65536)
            if data.startswith(cookie + b" "):
                answer: dict[str, Any] = bdecode(data, len(cookie) + 1)[0]
                if answer.get("result") == "error":
                    raise RuntimeError(answer.get("error-reason"))
                return answer

    def call(self, number: int, far_port: int) -> tuple[int, int]:
        """A recorded call between two far ends on `far_port`; the ports to which each has to send."""
        names = {"call-id": f"call{number}", "from-tag": f"a{number}", "record call": "yes"}
        replace = ["origin", "session-connection"]
        offer = self.ask({"command": "offer", "sdp": _sdp(far_port), "replace": replace, **names})
        answer = self.ask(
            {"command": "answer", "sdp": _sdp(far_port), "replace": replace, "to-tag": f"b{number}", **names}
        )
        return _media_port(answer["sdp"]), _media_port(offer["sdp"])

    def recorded_bytes(self, directory: Path) -> int:
        """Size of all pcap files."""
        return sum(f.stat().st_size for f in (directory / "pcaps").iterdir())

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, 9)
            self.process.wait(5)
        self._socket.close()
        self._log.close()
