"""SIPp as carriers under load: one process for each way a call can end, its counters and no log of packets."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tones import socket_on_loopback
from tests.sip import sipp

TALK_MS = 1000
END_S = 5.0
_INVITED = sipp.recv("INVITE", timeout_ms=600_000)
# Of one response before the ACK: after two, SIPp takes a repeated INVITE, lawful after 500 ms, for a fault.
SCENARIOS = {
    "busy": sipp.scenario(_INVITED, sipp.send(486), sipp.recv("ACK")),
    "invalid": sipp.scenario(_INVITED, sipp.send(404), sipp.recv("ACK")),
    "no_answer": sipp.scenario(
        _INVITED, sipp.send(180), sipp.recv("CANCEL", timeout_ms=120_000), sipp.send_reply(),
        sipp.send_to_invite(487), sipp.recv("ACK"),
    ),
    "answer": sipp.scenario(
        _INVITED, sipp.pause(300), sipp.send(200, body=sipp.sdp(), retrans=True), sipp.recv("ACK"),
        sipp.pause(TALK_MS), sipp.request("BYE", cseq=2), sipp.recv(200),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """What SIPp counted of one outcome: calls that came, that went by its scenario to the end, that did not."""

    came: int
    good: int
    failed: int
    retransmissions: int


class SippCarrier:
    """One SIPp process that ends every call as `outcome` says; see SCENARIOS."""

    def __init__(self, outcome: str, folder: Path) -> None:
        self.folder = folder / outcome
        self.folder.mkdir()
        (self.folder / "scenario.xml").write_text(SCENARIOS[outcome])
        with socket_on_loopback() as probe:
            self.port = int(probe.getsockname()[1])
        silent = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [
                "sipp", "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(self.port), "-nostdin", "-trace_stat",
                "-stf", "stat.csv", "-fd", "1", "-timeout", "900", "-trace_err",
                "-error_file", "errors.log",
            ],
            cwd=self.folder, stdin=silent, stdout=silent, stderr=silent, env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip

    def counted(self) -> Counted:
        """The counters as of the last second."""
        rows = list(csv.DictReader((self.folder / "stat.csv").read_text().splitlines(), delimiter=";"))
        names = ("IncomingCall(C)", "SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)")
        return Counted(*(int(rows[-1][n]) for n in names)) if rows else Counted(0, 0, 0, 0)

    def complaint(self) -> str:
        """SIPp's own words about the first call that went wrong, "" if none did."""
        path = self.folder / "errors.log"
        words = path.read_text(errors="replace").splitlines() if path.exists() else []
        return next((line for line in words if "Call-Id" in line), "")

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGUSR1)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def settle(self, expected: int, timeout_s: float = 5.0) -> Counted:
        """The counters once `expected` calls are through, or as they are after `timeout_s`."""
        end = time.monotonic() + timeout_s
        while (counted := self.counted()).good + counted.failed < expected and time.monotonic() < end:
            time.sleep(0.5)
        return counted
