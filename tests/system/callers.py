"""Callers from outside: SIPp does the signalling of calls that come in, sockets of the test are their telephones.

A caller speaks a tone, presses keys (RFC 4733) and keeps what he hears with the time it came, so that a test can tell
by tones who was heard when. One SIPp process serves a whole group; each of its calls is ended by itself, before or
after the answer, when the test says so: SIPp is told by a MESSAGE of that call's Call-ID.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import selectors
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callcenter.telephony.media import g711
from tests.sip import sipp
from tests.system.headset import loudness

TONE_HZ = 1000.0  # a caller's voice, unless told otherwise
RATE_HZ = 8000
FRAME = 160
PCMU, EVENTS = 0, 101
SO_TIMESTAMPNS = 35  # the kernel's receive time: this process's own delays do not count
_TIMESPEC = struct.Struct("@qq")
SILENT_BYTE = b"\xff"
KEYS = "0123456789*#"
LOUD = 500.0  # amplitude of a tone that is heard; the test's tones have 8000
FAINT = 60.0
_REFUSALS = (403, 404, 408, 480, 486, 488, 500, 503, 603)


def scenario(*, gives_up_ringing: bool = False) -> str:
    """Call [field1] as [field0] with the telephone at [field2]; take what comes; end when told, or at the first 180."""
    body = sipp.sdp(port="[field2]")  # SIPp fills it in
    me = {"to": "[field1]", "caller": "[field0]"}
    log = '<nop><action><log message="[call_number] {}"/></action></nop>'
    # SIPp asks whether a response fits in the order of writing; the first that has no "optional" ends the choice.
    refusals = "".join(f'<recv response="{status}" optional="true" next="6"/>' for status in _REFUSALS)
    port = (
        '<action><ereg regexp="m=audio *([0-9]+)" search_in="msg" assign_to="line,port"/>'
        '<log message="[call_number] answered [$port]"/></action>'
    )
    return sipp.scenario(
        sipp.start(**me, body=body),
        '<recv response="100" optional="true"/>',
        '<recv response="180" optional="true"'
        + (' next="4"' if gives_up_ringing else "")
        + '><action><log message="[call_number] ringing"/></action></recv>',
        '<recv response="183" optional="true"/>',
        '<recv request="MESSAGE" optional="true" next="4"/>',
        refusals,
        f'<recv response="200" rrs="true">{port}</recv>',
        sipp.follow("ACK", **me),
        '<label id="1"/>',
        '<recv request="BYE" optional="true" next="3"/>',
        '<recv request="INVITE" optional="true" next="2"/>',
        '<recv request="MESSAGE"/>',
        sipp.follow("BYE", **me, cseq=2),
        '<recv response="200"/>',
        log.format("hung_up"),
        '<nop next="7"/>',
        '<label id="2"/>',  # a re-INVITE: the same as before
        sipp.send_reply(200, body=body),
        '<recv request="ACK" next="1"/>',
        '<label id="3"/>',
        sipp.send_reply(),
        log.format("ended"),
        '<nop next="7"/>',
        '<label id="4"/>',
        sipp.follow("CANCEL", **me, same_branch=True, tagged=False),
        '<recv response="200"/>',
        '<recv response="487"/>',
        sipp.follow("ACK", **me, same_branch=True),
        log.format("cancelled"),
        '<nop next="7"/>',
        '<label id="6"/>',
        sipp.follow("ACK", **me, same_branch=True),
        log.format("refused"),
        '<label id="7"/>',
        '<pause milliseconds="100"/>\n<Reference variables="line,port"/>',
    )


@dataclass
class Caller:
    """One caller. `state`: calling, ringing, answered, hung_up (by him), ended (by us), cancelled, refused. Times are
    those of time.time()."""

    number: str
    did: str
    hz: float
    socket: socket.socket
    state: str = "calling"
    call_id: str = ""  # SIP's
    answered_at: float | None = None
    over_at: float | None = None
    far: tuple[str, int] | None = None
    heard: list[tuple[float, bytes]] = field(default_factory=list)
    keys: list[tuple[str, int]] = field(default_factory=list)  # (key, frames of it sent)
    muted: bool = False
    _group: Any = None
    _sequence: int = field(default_factory=lambda: random.randrange(1 << 15))
    _frame: int = 0

    @property
    def over(self) -> bool:
        """Whether the call is over, however it ended."""
        return self.state in ("hung_up", "ended", "cancelled", "refused")

    def press(self, keys: str) -> None:
        """Press keys one after the other, 100 ms each with a pause of 80 ms; the voice is silent meanwhile."""
        self.keys.extend((key, 0) for key in keys)

    def hang_up(self) -> None:
        """End the call: CANCEL before the answer, BYE after it."""
        self._group.tell(self)

    def vanish(self) -> None:
        """The cable is pulled: neither a word nor a packet more, of this caller and all of his SIPp process."""
        self._group.vanish()

    def hears(self, hz: float, over_s: float = 0.4) -> bool:
        """Whether the tone `hz` is what has been heard last."""
        return loudest(self.recent(over_s), hz) > LOUD

    def recent(self, over_s: float = 0.4) -> NDArray[np.float64]:
        """The newest `over_s` seconds of what came, packets joined; empty if nothing came lately."""
        now = time.time()
        fresh = [payload for at, payload in self.heard[-int(over_s * 50) :] if now - at < over_s + 1.0]
        return g711.ulaw_to_linear(b"".join(fresh)).astype(np.float64)

    def between(self, begin: float, end: float) -> NDArray[np.float64]:
        """What came between two times, packets joined."""
        came = b"".join(payload for at, payload in list(self.heard) if begin <= at < end)
        return g711.ulaw_to_linear(came).astype(np.float64)

    def until(self, *states: str, timeout_s: float = 10.0) -> Caller:
        """Wait for one of these states."""
        end = time.monotonic() + timeout_s
        while self.state not in states:
            assert time.monotonic() < end, f"{self.number} is {self.state} and not {states}"
            time.sleep(0.01)
        return self

    def until_hears(self, hz: float, timeout_s: float = 10.0, but_not: Sequence[float] = ()) -> Caller:
        """Wait until the tone `hz` is heard and none of `but_not`."""
        end = time.monotonic() + timeout_s
        while not self.hears(hz) or any(self.hears(other) for other in but_not):
            assert time.monotonic() < end, f"{self.number} ({self.state}) does not hear {hz} Hz: {self._spectrum()}"
            time.sleep(0.02)
        return self

    def until_hears_speech(self, but_not: float | Sequence[float], timeout_s: float = 10.0) -> Caller:
        """Wait until something loud is heard that is none of the tones `but_not`."""
        tones = list(but_not) if isinstance(but_not, Sequence) else [but_not]
        end = time.monotonic() + timeout_s
        while True:
            heard = self.recent(0.3)
            loud = float(np.std(heard)) if len(heard) > RATE_HZ // 5 else 0.0
            if loud > LOUD and all(loudest(heard, hz) < loud / 2 for hz in tones):
                return self
            assert time.monotonic() < end, f"{self.number} hears no speech: {self._spectrum()}"
            time.sleep(0.02)

    def _spectrum(self) -> str:
        heard = self.recent(0.5)
        if len(heard) < FRAME:
            return "nothing comes"
        power = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
        peak = float(np.argmax(power)) * RATE_HZ / len(heard)
        return f"{np.std(heard):.0f} loud, most at {peak:.0f} Hz"


def loudest(samples: NDArray[np.float64], hz: float) -> float:
    """The tone's amplitude in the loudest 100 ms of `samples`."""
    step = RATE_HZ // 10
    parts = [samples[i : i + step] for i in range(0, len(samples) - step + 1, step)] or [samples]
    return max(loudness(part, hz) for part in parts)


class _Group:
    """Callers of one SIPp process."""

    def __init__(self, callers: list[Caller], peer: sipp.Sipp) -> None:
        self.callers, self.peer = callers, peer
        self._log = peer.folder / "log.txt"
        self._read = 0
        self.gone = False
        for i, caller in enumerate(callers, 1):
            caller.call_id = f"{i}-{peer.process.pid}@127.0.0.1"
            caller._group = self

    def tell(self, caller: Caller) -> None:
        text = (
            f"MESSAGE sip:{caller.number}@127.0.0.1:{self.peer.port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{random.getrandbits(48):x}\r\nMax-Forwards: 1\r\n"
            f"From: <sip:test@127.0.0.1>\r\nTo: <sip:{caller.number}@127.0.0.1>\r\nCall-ID: {caller.call_id}\r\n"
            "CSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(text.encode(), ("127.0.0.1", self.peer.port))

    def vanish(self) -> None:
        self.gone = True
        os.kill(self.peer.process.pid, signal.SIGKILL)
        for caller in self.callers:
            caller.far = None

    def look(self) -> None:
        """Take in what SIPp has logged."""
        if self.gone or not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            found = re.search(r"(\d+) (ringing|answered|hung_up|ended|cancelled|refused)(?: (\d+))?", line)
            if found is None:
                continue
            caller = self.callers[int(found.group(1)) - 1]
            caller.state = found.group(2)
            if caller.state == "answered":
                caller.answered_at, caller.far = time.time(), ("127.0.0.1", int(found.group(3)))
            elif caller.over:
                caller.over_at, caller.far = time.time(), None


class Callers:
    """All callers of a test: a thread that is their telephones. `to` is where our SIP side listens."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._signalling = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._signalling.start()
        self.groups: list[_Group] = []
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._telephones = threading.Thread(target=self._run, daemon=True)
        self._telephones.start()

    def call(
        self,
        numbers: Sequence[str],
        did: str,
        *,
        hz: float | Sequence[float] = TONE_HZ,
        rate: int = 10,
        gives_up_ringing: bool = False,
    ) -> list[Caller]:
        """Let these call `did`, `rate` a second. `gives_up_ringing`: they hang up as soon as it rings."""
        tones = list(hz) if isinstance(hz, Sequence) else [hz] * len(numbers)
        callers = [Caller(n, did, tone, _telephone()) for n, tone in zip(numbers, tones, strict=True)]
        peer = self._do(self._start(callers, rate, scenario(gives_up_ringing=gives_up_ringing)))
        group = _Group(callers, peer)
        self.groups.append(group)
        for caller in callers:
            self._selector.register(caller.socket, selectors.EVENT_READ, caller)
        return callers

    def call_one(self, number: str, did: str, hz: float = TONE_HZ, *, gives_up_ringing: bool = False) -> Caller:
        """Let this one call."""
        return self.call([number], did, hz=hz, gives_up_ringing=gives_up_ringing)[0]

    async def _start(self, callers: list[Caller], rate: int, steps: str) -> sipp.Sipp:
        lines = [f"{c.number};{c.did};{c.socket.getsockname()[1]}" for c in callers]
        path = Path(tempfile.mkdtemp(prefix="callers-")) / "callers.csv"
        path.write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")
        try:
            return await sipp.Sipp.start(
                steps, calls=len(callers), remote=self._to, rate=rate, timeout_s=900,
                extra=("-inf", str(path), "-l", str(len(callers)), "-trace_logs", "-log_file", "log.txt",
                       "-cid_str", "%u-%p@%s", "-default_behaviors", "bye,abortunexp,pingreply"),
            )  # fmt: skip
        finally:
            self._loop.call_later(5, shutil.rmtree, path.parent, True)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    # ---------------------------------------------------------------------------------------------------- telephones

    def _run(self) -> None:
        voices: dict[float, list[bytes]] = {}
        due = time.monotonic()
        for tick in itertools.count():
            self._hear(0.0)  # however late we are
            while not self._stop.is_set() and (left := due - time.monotonic()) > 0:
                self._hear(left)
            if self._stop.is_set():
                return
            due = max(due + FRAME / RATE_HZ, time.monotonic() - 0.2)  # after a long delay nothing is made up for
            for group in list(self.groups):
                if tick % 2 == 0:
                    group.look()
                for caller in group.callers:
                    if caller.far is not None:
                        if caller.hz not in voices:
                            voices[caller.hz] = _voice(caller.hz)
                        self._speak(caller, voices[caller.hz])

    def _hear(self, wait_s: float) -> None:
        for key, _ in self._selector.select(wait_s):
            caller: Caller = key.data
            try:
                while True:
                    packet, extra, _, _ = caller.socket.recvmsg(2048, socket.CMSG_SPACE(_TIMESPEC.size))
                    if len(packet) >= 12 and packet[1] & 0x7F == PCMU:
                        seconds, nanoseconds = _TIMESPEC.unpack(extra[0][2][: _TIMESPEC.size])
                        caller.heard.append((seconds + nanoseconds / 1e9, packet[12:]))
            except (BlockingIOError, ConnectionRefusedError):
                continue

    def _speak(self, caller: Caller, voice: list[bytes]) -> None:
        assert caller.far is not None
        caller._frame += 1
        if caller.keys:
            key, n = caller.keys[0]
            if n < 9:
                caller.keys[0] = (key, n + 1)
                if n < 5:
                    began = caller._frame - n
                    event = struct.pack("!BBH", KEYS.index(key), 0x0A, (n + 1) * FRAME)
                    self._send(caller, EVENTS, event, began * FRAME, marker=n == 0)
                if n == 4:
                    last = struct.pack("!BBH", KEYS.index(key), 0x8A, 5 * FRAME)
                    for _ in range(3):
                        self._send(caller, EVENTS, last, (caller._frame - n) * FRAME)
                return
            caller.keys.pop(0)
        if not caller.muted:
            self._send(caller, PCMU, voice[caller._frame % len(voice)], caller._frame * FRAME)

    def _send(self, caller: Caller, kind: int, payload: bytes, stamp: int, marker: bool = False) -> None:
        caller._sequence = (caller._sequence + 1) & 0xFFFF
        head = struct.pack("!BBHII", 0x80, kind | (0x80 if marker else 0), caller._sequence, stamp, 0x0CA11E12)
        try:
            caller.socket.sendto(head + payload, caller.far or ("127.0.0.1", 9))
        except OSError:
            return

    def close(self) -> None:
        """End all."""
        self._stop.set()
        self._telephones.join(5)
        for group in self.groups:
            self._do(group.peer.kill())
            for caller in group.callers:
                caller.socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._signalling.join(5)


def _telephone() -> socket.socket:
    """A bound socket below the ephemeral ports."""
    for _ in range(200):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(("127.0.0.1", random.randrange(12000, 20000, 2)))
        except OSError:
            sock.close()
            continue
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return sock
    raise RuntimeError("no free port")


def _voice(hz: float) -> list[bytes]:
    """A second of a tone, or of silence for 0 Hz, as packets of 20 ms. Whole hertz join without a click."""
    t = np.arange(RATE_HZ) / RATE_HZ
    raw = g711.linear_to_ulaw((np.sin(2 * np.pi * hz * t) * 8000).astype(np.int16))
    return [raw[i : i + FRAME] for i in range(0, RATE_HZ, FRAME)]
