"""The npm `smpp` SMSC as a process of a test: an implementation of SMPP that shares nothing with ours."""

from __future__ import annotations

import json
import queue
import random
import subprocess
import threading
from pathlib import Path
from typing import Any

from callcenter.embedded.services import free_port
from tools import npm

FOLDER = Path(__file__).parent / "smsc"


class NpmSmsc:
    """A running SMSC. `settings` as in `smsc.js`; it listens on `port`."""

    def __init__(self, **settings: Any) -> None:
        assert (FOLDER / "node_modules" / "smpp").is_dir(), "run `make test` once: it installs the SMSC"
        given = {"port": free_port(random.randrange(10_000, 31_000)), **settings}
        self.process = subprocess.Popen(
            [str(npm.HOME / "bin" / "node"), "smsc.js", json.dumps(given)],
            cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.port: int = self.wait_for("listening")["port"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._events.put(json.loads(line))

    def wait_for(self, event: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """The next event of that name; others before it are dropped."""
        while True:
            found = self._events.get(timeout=timeout_s)
            if found["event"] == event:
                return found

    def tell(self, command: str, value: Any = None) -> None:
        """A command of `smsc.js`."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({command: value}).encode() + b"\n")
        self.process.stdin.flush()

    def set(self, **settings: Any) -> None:
        """Change settings."""
        self.tell("set", settings)

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to `figures`, `taken` or `seen`."""
        self.tell(command)
        return self.wait_for(command)

    def figures(self) -> dict[str, Any]:
        """What it counted."""
        return self.ask("figures")

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
