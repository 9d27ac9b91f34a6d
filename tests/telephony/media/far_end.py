"""Far ends for the media tests: plain UDP sockets that send a tone and keep what they hear, and a worker process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from callcenter.telephony import ports
from callcenter.telephony.media import g711, rtp
from callcenter.telephony.media.client import MediaClient
from callcenter.telephony.ports import MediaAddress

ROOT = Path(__file__).resolve().parents[3]


def tone(hz: float, seconds: float = 1.0, peak: int = 8000) -> bytes:
    """µ-law of a sine; whole periods in a second for whole hertz, so it can be looped."""
    t = np.arange(int(8000 * seconds)) / 8000
    return g711.linear_to_ulaw((peak * np.sin(2 * np.pi * hz * t)).astype(np.int16))


def level(samples: np.ndarray, hz: float) -> float:
    """Amplitude of `hz` in 16-bit samples (Goertzel, as one dot product)."""
    if len(samples) == 0:
        return 0.0
    t = np.arange(len(samples)) / 8000
    return float(2 * abs(np.dot(samples.astype(float), np.exp(-2j * np.pi * hz * t))) / len(samples))


def free_range(pairs: int) -> tuple[int, int]:
    """An even UDP port range on loopback, free just now, below the ephemeral ports."""
    for _ in range(200):
        first = random.randrange(10000, 31000, 2)
        held = []
        try:
            for port in range(first, first + 2 * pairs):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                held.append(s)
                s.bind(("127.0.0.1", port))
            return first, first + 2 * pairs - 1
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free UDP ports")


@dataclass
class Heard:
    at: float
    packet: rtp.RtpPacket


class FarEnd(asyncio.DatagramProtocol):
    """Sends `hz` as 20 ms packets while `talking`; `heard` keeps all that came."""

    def __init__(self, hz: float, codec: str = "pcmu", ssrc: int = 0) -> None:
        self.hz = hz
        self.codec = codec
        self.audio = tone(hz)
        self.ssrc = ssrc or random.getrandbits(32)
        self.sequence = random.getrandbits(15)
        self.timestamp = random.getrandbits(31)
        self.heard: list[Heard] = []
        self.talking = True
        self.target: MediaAddress | None = None
        self.skip: Callable[[int], bool] = lambda n: False
        self._at = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self, host: str = "127.0.0.1") -> FarEnd:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.transport, _ = await loop.create_datagram_endpoint(
                    lambda: self, local_addr=(host, random.randrange(10000, 31000, 2))
                )
                break
            except OSError:
                continue
        ip, port = self.transport.get_extra_info("sockname")
        self.address = MediaAddress(ip, port)
        return self

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        packet = rtp.parse(data)
        if packet is not None:
            self.heard.append(Heard(time.monotonic(), packet))

    def talk(self, target: MediaAddress) -> None:
        self.target = target
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        due = time.monotonic()
        n = 0
        while True:
            if self.talking and self.target is not None:
                if not self.skip(n):
                    self.send_audio()
                else:
                    self.sequence += 1
                    self.timestamp += 160
                    self._at = (self._at + 160) % len(self.audio)
            else:
                self.timestamp += 160
                self._at = (self._at + 160) % len(self.audio)
            n += 1
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def send_audio(self) -> None:
        frame = self.audio[self._at : self._at + 160]
        self._at = (self._at + 160) % len(self.audio)
        if self.codec == "pcma":
            frame = frame.translate(g711.ULAW_TO_ALAW)
        self.send(rtp.PAYLOAD_TYPES[self.codec], frame)
        self.timestamp += 160

    def send(self, pt: int, payload: bytes, marker: bool = False, timestamp: int | None = None) -> None:
        assert self.target is not None
        self.sequence += 1
        stamp = self.timestamp if timestamp is None else timestamp
        packet = rtp.RtpPacket(pt, marker, self.sequence & 0xFFFF, stamp & 0xFFFFFFFF, self.ssrc, payload)
        self.transport.sendto(rtp.build(packet), (self.target.ip, self.target.port))

    def since(self, at: float) -> list[rtp.RtpPacket]:
        return [h.packet for h in self.heard if h.at >= at]

    def hears(self, hz: float, since: float) -> float:
        """Level of `hz` in the audio that came since then."""
        parts = []
        for packet in self.since(since):
            if packet.payload_type == rtp.PT_PCMU:
                parts.append(g711.ulaw_to_linear(packet.payload))
            elif packet.payload_type == rtp.PT_PCMA:
                parts.append(g711.alaw_to_linear(packet.payload))
        return level(np.concatenate(parts), hz) if parts else 0.0

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.transport.close()


@dataclass
class Bench:
    """A worker process, its client and the events it told."""

    var: Path
    client: MediaClient
    port_range: tuple[int, int]
    process: subprocess.Popen[bytes] | None = None
    events: list[ports.MediaEvent] = field(default_factory=list)
    far_ends: list[FarEnd] = field(default_factory=list)

    @property
    def socket_path(self) -> Path:
        return self.var / "run" / "media-0.sock"

    def start_worker(self) -> None:
        environment = {
            **os.environ,
            "CALLCENTER_VAR": str(self.var),
            "MEDIA_WORKERS": "1",
            "MEDIA_IP": "127.0.0.1",
            "MEDIA_PORT_MIN": str(self.port_range[0]),
            "MEDIA_PORT_MAX": str(self.port_range[1]),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.processes.media", "0"], cwd=ROOT, env=environment
        )

    def kill_worker(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5)

    async def end_worker(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, 10)

    async def far_end(self, port_id: str, hz: float, *, codec: str = "pcmu", near: str = "", **port: object) -> FarEnd:
        """A far end that talks to a new port `port_id`, which sends to it."""
        far = await FarEnd(hz, codec).open()
        self.far_ends.append(far)
        address = await self.client.create_port(port_id, near=near, codec=codec, **port)
        self.client.update_port(port_id, remote=far.address)
        far.talk(address)
        return far

    def told(self, kind: type[ports.MediaEvent]) -> list[ports.MediaEvent]:
        return [e for e in self.events if isinstance(e, kind)]

    async def until(self, what: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Wait for `what()` to be true; fails after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not what():
            assert time.monotonic() < deadline, f"not within {timeout_s} s; events: {self.events[-10:]}"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def bench(tmp: Path, pairs: int = 40) -> AsyncIterator[Bench]:
    """A running worker with a connected client."""
    table = Bench(tmp, MediaClient([tmp / "run" / "media-0.sock"]), free_range(pairs))
    table.start_worker()
    try:
        await table.client.start(table.events.append)
        yield table
    finally:
        await table.client.stop()
        for far in table.far_ends:
            await far.close()
        if table.process is not None and table.process.poll() is None:
            table.process.kill()
            table.process.wait(5)


def read_recording(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of a recording as 16-bit samples, by the sizes in its header."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    assert int.from_bytes(data[4:8], "little") <= len(data) - 8
    at = data.index(b"data")
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    audio = data[at + 8 : at + 8 + size]
    return g711.ulaw_to_linear(audio[0::2]), g711.ulaw_to_linear(audio[1::2])
