"""The two far ends of these tests: the carrier as a process of its own, and SIPp as its caller."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from callcenter.config import ROOT
from tests.ports import WORKER
from tests.sip.sipp import Sipp, SippResult, follow, pause, recv, scenario, sdp, send_reply, start

_SIP_PORTS = 70
"""The carrier's and, at 20 ports' distance, its softphones'."""
FIELD = "[field0]"
_INVITE = start(to=FIELD, caller="4000", body=sdp().replace("m=audio 18000", "m=audio [rtp_port]"))
_ACK_OF_REFUSAL = """<send><![CDATA[
ACK sip:[field0]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: <sip:4000@[local_ip]:[local_port]>;tag=[pid]F[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>"""
"""Its Via is that of the INVITE: an ACK of a refusal belongs to the same transaction."""


def free_port(span: int = 1) -> int:
    """The first of `span` successive UDP ports of 127.0.0.1 that are free now, below the ephemeral ones. Single ports
    and blocks lie apart, and where the search begins depends on the process, so that test runs rarely meet."""
    first, last = (26000, 31000) if span == 1 else (16000, 26000)
    width = last - first - span
    begin = (os.getpid() * 37 + WORKER * width // 2) % width
    for i in range(0, width, max(2, span)):
        port = first + (begin + i) % width & ~1
        if all(_is_free(port + k) for k in range(span)):
            return port
    raise AssertionError(f"no {span} free UDP ports from {first} to {last}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class CarrierProcess:
    """`python -m callcenter.processes.democarrier` on free ports. `log` is the file of its standard error."""

    def __init__(self, folder: Path, *, phones: int = 0, rtp_ports: int = 600, **env: str) -> None:
        self.port = free_port(span=_SIP_PORTS + rtp_ports)
        rtp = self.port + _SIP_PORTS
        self.log = folder / "carrier.log"
        settings = {
            "CALLCENTER_VAR": str(folder),
            "DEMO_CARRIER_PORT": str(self.port),
            "DEMO_CARRIER_RTP_MIN": str(rtp),
            "DEMO_CARRIER_RTP_MAX": str(rtp + rtp_ports - 1),
            "DEMO_CARRIER_PHONES": str(phones),
            **env,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "callcenter.processes.democarrier"],
                cwd=ROOT,
                env={**os.environ, **settings},
                stderr=log,
            )
        try:
            self.wait_for("demo carrier on", 10.0)
        except AssertionError:
            self.stop()
            raise

    def wait_for(self, text: str, seconds: float, times: int = 1) -> None:
        """Wait until the log holds `text` `times` times."""
        until = time.monotonic() + seconds
        while self.log.read_text().count(text) < times:
            assert self.process.poll() is None, f"the carrier ended: {self.log.read_text()}"
            assert time.monotonic() < until, f"no {text!r} within {seconds} s: {self.log.read_text()}"
            time.sleep(0.02)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError("the carrier did not stop within 10 s") from None


def talk(hold_ms: int) -> str:
    """The call is answered, held for `hold_ms`, and hung up by the caller."""
    return scenario(*answered(), pause(hold_ms), follow("BYE", to=FIELD, cseq=2), recv(200))


def held(talk_ms: int, hold_ms: int, again_ms: int) -> str:
    """The call is answered, put on hold by a re-INVITE, taken back by another, and hung up."""
    steps = [*answered(), pause(talk_ms)]
    for cseq, direction, ms in ((2, "sendonly", hold_ms), (3, "sendrecv", again_ms)):
        body = sdp(direction=direction).replace("m=audio 18000", "m=audio [rtp_port]")
        contact = "Contact: <sip:4000@[local_ip]:[local_port]>"
        steps += [follow("INVITE", to=FIELD, cseq=cseq, body=body, headers=contact), recv(200, save=True)]
        steps += [follow("ACK", to=FIELD, cseq=cseq), pause(ms)]
    return scenario(*steps, follow("BYE", to=FIELD, cseq=4), recv(200))


def left(within_ms: int) -> str:
    """The call is answered, and hung up by the subscriber `within_ms`."""
    return scenario(*answered(), recv("BYE", timeout_ms=within_ms), send_reply(200))


def refused(status: int) -> str:
    """The call ends with `status` before any answer."""
    return scenario(*_dialed(), recv(status), _ACK_OF_REFUSAL)


def cancelled(after_ms: int, *, ringing: int = 180) -> str:
    """The call rings for `after_ms`, is cancelled, and ends with 487."""
    cancel = follow("CANCEL", to=FIELD, same_branch=True, tagged=False).replace(
        "branch=[branch-2]", "branch=[branch-4]"
    )
    return scenario(_INVITE, recv(100), recv(ringing), pause(after_ms), cancel, recv(200), recv(487), _ACK_OF_REFUSAL)


def _dialed() -> list[str]:
    return [_INVITE, recv(100, optional=True), recv(180, optional=True), recv(183, optional=True)]


def answered() -> list[str]:
    """The steps up to the ACK of the answer."""
    return [*_dialed(), recv(200, save=True), follow("ACK", to=FIELD)]


async def call(
    carrier: CarrierProcess,
    steps: str,
    numbers: Sequence[str],
    *,
    rtp_port: int,
    calls: int = 1,
    rate: int = 10,
    timeout_s: int = 20,
    extra: tuple[str, ...] = (),
) -> SippResult:
    """Run SIPp as the caller of `numbers`, its audio at `rtp_port`. Fails the test when SIPp counts a failure."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as numbered:
        numbered.write("SEQUENTIAL\n" + "".join(f"{number}\n" for number in numbers))
        numbered.flush()
        options = ("-inf", numbered.name, "-key", "rtp_port", str(rtp_port), "-l", str(calls), *extra)
        sipp = await Sipp.start(
            steps, calls=calls, remote=("127.0.0.1", carrier.port), rate=rate, timeout_s=timeout_s, extra=options
        )
        result = await sipp.finish(timeout_s + 5)
    assert (result.successful, result.failed) == (calls, 0), result.errors[-3000:] or result.messages[-3000:]
    return result


def audio_socket() -> socket.socket:
    """A bound UDP socket where a test hears (and speaks) RTP."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", free_port()))
    sock.setblocking(False)
    return sock


def heard(sock: socket.socket) -> list[bytes]:
    """The RTP packets that came to `sock` since it was last asked."""
    packets = []
    while True:
        try:
            packets.append(sock.recv(2048))
        except BlockingIOError:
            return packets
