"""An agent without a browser: the product's HTTP API, its socket, and an aiortc peer that speaks a tone.

What Chromium does in the browser tests, a dozen of these do at once where only the signalling and the audio matter.
"""

from __future__ import annotations

import asyncio
import fractions
import threading
import time
from typing import Any

import numpy as np
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from tests.web.serving import Socket, Visitor

RATE_HZ = 8000
FRAME = 160
LOUD = 500.0  # amplitude of a tone that is heard; the voices have 8000


class _Tone(AudioStreamTrack):
    """A sine at `hz`, 20 ms a frame."""

    def __init__(self, hz: float) -> None:
        super().__init__()
        self._hz, self._at, self._began = hz, 0, time.monotonic()

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(max(0.0, self._began + self._at / RATE_HZ - time.monotonic()))
        t = (np.arange(FRAME) + self._at) / RATE_HZ
        samples = (np.sin(2 * np.pi * self._hz * t) * 8000).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self._at, fractions.Fraction(1, RATE_HZ)
        self._at += FRAME
        return frame


class Headset:
    """One signed-in agent. `heard` collects what arrives (int16, 8 kHz)."""

    def __init__(self, address: str, enterprise: str, username: str, password: str, hz: float = 440.0) -> None:
        self.visitor = Visitor(address)
        self.visitor.sign_in(enterprise, username, password)
        self.me: dict[str, Any] = self.visitor.call("GET", "/api/auth/me")[1]["user"]
        self.hz = hz
        self.heard: list[np.ndarray[Any, Any]] = []
        self.document: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._peer: RTCPeerConnection | None = None
        self._stop = threading.Event()
        self._socket: Socket | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                socket = self._socket = self.visitor.socket()
                topic = f"agent:{self.me['id']}"
                self.document = socket.subscribe(topic).get(topic) or {}
                while not self._stop.is_set():
                    try:
                        self.document = socket.doc(1.0)["doc"]
                    except TimeoutError:
                        continue
            except Exception:  # the web process is being killed under us: come back as a browser does
                time.sleep(0.3)

    def post(self, path: str, body: Any = None) -> Any:
        """POST; raises AssertionError with the answer unless it succeeded."""
        status, answer = self.visitor.call("POST", path, body if body is not None else {})
        assert status < 300, (path, status, answer)
        return answer

    def connect(self) -> None:
        """Connect the phone, as the softphone does."""
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result(20)

    async def _connect(self) -> None:
        if self._peer is not None:
            await self._peer.close()
        peer = self._peer = RTCPeerConnection()
        transceiver = peer.addTransceiver(_Tone(self.hz), direction="sendrecv")
        pcmu = [c for c in RTCRtpSender.getCapabilities("audio").codecs if c.mimeType == "audio/PCMU"]
        transceiver.setCodecPreferences(pcmu)

        @peer.on("track")
        def on_track(track: Any) -> None:
            self._hearing = asyncio.ensure_future(self._hear(track))

        await peer.setLocalDescription(await peer.createOffer())
        offer = {"sdp": peer.localDescription.sdp}
        answer = await asyncio.to_thread(self.post, "/api/phone/offer", offer)
        await peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def _hear(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                self.heard.append(frame.to_ndarray().reshape(-1))
        except MediaStreamError:
            return

    def available(self) -> None:
        """Connect and take calls."""
        self.connect()
        self.until(lambda d: d.get("phone", {}).get("state") == "connected", "phone connected")
        self.post("/api/agent/state", {"state": "available"})

    def until(self, holds: Any, what: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until the agent's document satisfies `holds`."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.document and holds(self.document):
                return self.document
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {timeout_s} s; {self.document}")

    def hears(self, hz: float, over_s: float = 0.4) -> float:
        """How loud the tone `hz` is in what arrives from now on, in the loudest 100 ms of `over_s` seconds."""
        self.heard.clear()
        time.sleep(over_s)
        came = np.concatenate(self.heard).astype(float) if self.heard else np.zeros(1)
        step = RATE_HZ // 10
        return max(loudness(came[i : i + step], hz) for i in range(0, max(1, len(came) - step + 1), step))

    def until_hears(self, hz: float, timeout_s: float = 8.0) -> None:
        """Wait until the tone `hz` is heard."""
        end = time.monotonic() + timeout_s
        while self.hears(hz, 0.2) < LOUD:
            assert time.monotonic() < end, f"{self.me['username']} does not hear {hz} Hz; {self.document}"

    def die(self) -> None:
        """As a browser whose machine was switched off: nothing is said good-bye to."""
        self._stop.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._listener.join(5)
        if self._socket is not None:
            self._socket.close()
        self._peer = None

    def work(self, disposition_id: int, stop: threading.Event, talk_s: float = 2.0) -> int:
        """Take calls, talk a while, set the outcome, until `stop`; returns how many."""
        done: set[str] = set()
        while not stop.is_set():
            document, call = self.document, self.document.get("call") or {}
            state = document.get("state")
            try:
                if (
                    state == "on_call"
                    and call.get("state") == "talking"
                    and time.time() - call["connected_at"] > talk_s
                ):
                    self.visitor.call("POST", "/api/agent/call/hangup", {})
                elif state == "wrap_up" and call.get("call_id"):
                    body = {"call_id": call["call_id"], "disposition_id": disposition_id, "note": "tested"}
                    if self.visitor.call("POST", "/api/agent/call/disposition", body)[0] < 300:
                        done.add(call["call_id"])
                elif document.get("phone", {}).get("state") in ("off", "interrupted"):
                    self.connect()
                elif state in ("offline", "paused"):
                    self.visitor.call("POST", "/api/agent/state", {"state": "available"})
            except (OSError, AssertionError, TimeoutError):
                pass  # a process is being killed under us: try again, as a person does
            time.sleep(0.1)
        return len(done)

    def close(self) -> None:
        """Leave."""
        self._stop.set()
        if self._peer is not None:
            asyncio.run_coroutine_threadsafe(self._peer.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


def loudness(samples: np.ndarray[Any, Any], hz: float, rate: int = RATE_HZ) -> float:
    """Amplitude of the tone `hz` in `samples` (Goertzel by correlation)."""
    if len(samples) == 0:
        return 0.0
    t = np.arange(len(samples)) / rate
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hz * t))))
