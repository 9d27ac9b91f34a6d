"""Call attempts per second of one `SippyPort` in one process, beside SIPp calling the same SIPp.

    python -m benchmarks.sip [--seconds 60] [--rates 150 50] [--loop uvloop]

Each call is an INVITE that SIPp rings and answers at once, one second of talk, and our BYE. Printed per rate: calls
that failed (must be 0), the time from INVITE to the 200 (p50, p99) and the CPU of the calling process (% of a core),
for the adapter and for SIPp as the caller (the floor), with their ratio. Needs the Debian package sip-tester.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import gc
import os
import resource
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from callcenter.telephony.ports import Cause, LegAnswered, LegEnded, LegTrying, MediaAddress, Sdp, SipEvent, TrunkSpec
from callcenter.telephony.sip.adapter import SippyPort

HOLD_S = 1.0
SETTLE_S = 3.0

ANSWERER = """<?xml version="1.0"?><!DOCTYPE scenario SYSTEM "sipp.dtd"><scenario name="answerer">
<recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 18000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
]]></send>
<recv request="ACK" crlf="true"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


@dataclass(frozen=True)
class Figures:
    """What one caller did at one rate."""

    name: str
    attempts: int
    failed: int
    p50_ms: float
    p99_ms: float
    cpu_percent: float

    def __str__(self) -> str:
        return (
            f"{self.name:14} {self.attempts:6} attempts  {self.failed:3} failed  INVITE to 200: p50 {self.p50_ms:5.1f},"
            f" p99 {self.p99_ms:6.1f} ms  CPU {self.cpu_percent:5.1f} % of a core"
        )


def _free_port() -> int:
    for port in range(10000 + os.getpid() % 5000, 32000, 7):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")


def _percentiles(times_ms: list[float]) -> tuple[float, float]:
    if len(times_ms) < 2:
        return float("nan"), float("nan")
    cuts = statistics.quantiles(times_ms, n=100)
    return cuts[49], cuts[98]


@contextlib.asynccontextmanager
async def _answerer(folder: Path):  # type: ignore[no-untyped-def]
    """SIPp that answers; yields its port."""
    (folder / "answerer.xml").write_text(ANSWERER)
    port = _free_port()
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sf", "answerer.xml", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
        cwd=folder, stdin=silent, stdout=silent, stderr=silent, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    await asyncio.sleep(0.5)
    try:
        yield port
    finally:
        process.kill()
        await process.wait()


class Caller:
    """Originates at a steady rate, hangs up one second after each answer, and keeps the times."""

    def __init__(self, port: SippyPort) -> None:
        self.port = port
        self.trying: dict[str, float] = {}
        self.times_ms: list[float] = []
        self.ended = self.normal = 0
        self.attempts: int | None = None
        self.all_ended = asyncio.Event()

    def await_end_of(self, attempts: int) -> None:
        """Set `all_ended` once so many legs have ended."""
        self.attempts = attempts
        if self.ended >= attempts:
            self.all_ended.set()

    def on_event(self, event: SipEvent) -> None:
        if isinstance(event, LegTrying):
            self.trying[event.leg_id] = event.at
        elif isinstance(event, LegAnswered):
            self.times_ms.append((event.at - self.trying.pop(event.leg_id)) * 1000)
            asyncio.get_running_loop().call_later(HOLD_S, self.port.hangup, event.leg_id)
        elif isinstance(event, LegEnded):
            self.ended += 1
            self.normal += event.cause is Cause.NORMAL and event.by_us
            if self.attempts is not None and self.ended >= self.attempts:
                self.all_ended.set()


async def adapter_figures(rate: float, seconds: float) -> Figures:
    """The adapter, in this process and loop."""
    folder = Path(tempfile.mkdtemp())
    try:
        async with _answerer(folder) as carrier_port:
            port = SippyPort("127.0.0.1", _free_port())
            caller = Caller(port)
            await port.start(caller.on_event)
            port.set_trunks({1: TrunkSpec(1, "127.0.0.1", carrier_port, options_every_s=0)})
            local = Sdp(MediaAddress("127.0.0.1", 20000))
            attempts = round(rate * seconds)
            gc.collect()
            gc.freeze()
            cpu, began = _cpu_s(), time.monotonic()
            for number in range(attempts):
                wait = began + number / rate - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                port.originate(f"leg{number}", 1, f"+8613{number:09}", "+861080001111", local, 20.0)
            cpu, took = _cpu_s() - cpu, time.monotonic() - began
            caller.await_end_of(attempts)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(caller.all_ended.wait(), HOLD_S + SETTLE_S)
            await port.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Figures("SippyPort", attempts, attempts - caller.normal, *_percentiles(caller.times_ms), cpu / took * 100)


def _response_times_ms(folder: Path) -> list[float]:
    """What SIPp's -trace_rtt wrote."""
    lines = [line for path in folder.glob("*_rtt.csv") for line in path.read_text().splitlines()[1:]]
    return [float(line.split(";")[1]) for line in lines if line.count(";") >= 2]


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def sipp_figures(rate: float, seconds: float) -> Figures:
    """The floor: SIPp as the caller, written in C++."""
    folder = Path(tempfile.mkdtemp())
    attempts = round(rate * seconds)
    try:
        async with _answerer(folder) as carrier_port:
            silent = asyncio.subprocess.DEVNULL
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            process = await asyncio.create_subprocess_exec(
                "sipp", f"127.0.0.1:{carrier_port}", "-sn", "uac", "-i", "127.0.0.1", "-p", str(_free_port()),
                "-r", str(rate), "-m", str(attempts), "-d", str(int(HOLD_S * 1000)), "-nostdin", "-trace_rtt",
                "-rtt_freq", "1", "-trace_stat", "-stf", "stat.csv", "-timeout", str(int(seconds + 20)),
                cwd=folder, stdin=silent, stdout=silent, stderr=silent, env={**os.environ, "TERM": "dumb"},
            )  # fmt: skip
            await process.wait()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            row = list(csv.DictReader((folder / "stat.csv").read_text().splitlines(), delimiter=";"))[-1]
            times = _response_times_ms(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = attempts - int(row["SuccessfulCall(C)"])
    return Figures("SIPp (floor)", attempts, failed, *_percentiles(times), cpu / seconds * 100)


def main() -> int:
    """Run and print; returns 1 if a call of the adapter failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each run of the adapter")
    parser.add_argument("--rates", type=float, nargs="+", default=[150.0, 50.0], help="call attempts per second")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    options = parser.parse_args()
    if shutil.which("sipp") is None:
        print("SIPp is missing: apt-get install sip-tester", file=sys.stderr)
        return 2
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    if options.loop == "uvloop":
        new_loop = uvloop.new_event_loop
    failed = 0
    for rate in options.rates:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            ours = runner.run(adapter_figures(rate, options.seconds))
        with asyncio.Runner() as runner:
            floor = runner.run(sipp_figures(rate, min(options.seconds, 20.0)))
        failed += ours.failed
        print(f"{rate:g} call attempts/s, {options.seconds:g} s, {options.loop}")
        print(f"  {ours}\n  {floor}")
        print(f"  CPU of the adapter / SIPp's: {ours.cpu_percent / max(floor.cpu_percent, 0.1):.1f}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
