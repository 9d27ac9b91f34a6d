"""Carriers for system tests: SIPp processes, one for each outcome, reached by the prefix of the number."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np

from callcenter.telephony.media import g711
from tests.sip import sipp

TONE_HZ = 1000.0
BRIEF_S = 24.0
# outcome → prefix of the numbers that end so
PREFIXES = {
    "answer": "+861390001", "busy": "+861390002", "no_answer": "+861390003", "invalid": "+861390004",
    "echo": "+861390005", "brief": "+861390006",
}  # fmt: skip


def numbers(outcome: str, n: int) -> list[str]:
    """`n` numbers whose calls end in `outcome`."""
    return [f"{PREFIXES[outcome]}{i:04d}" for i in range(n)]


def tone_file(folder: Path) -> Path:
    """Ten seconds of a 1 kHz tone as raw µ-law."""
    t = np.arange(8000 * 10) / 8000
    samples = (np.sin(2 * np.pi * TONE_HZ * t) * 8000).astype(np.int16)
    path = folder / "tone.ulaw"
    path.write_bytes(g711.linear_to_ulaw(samples))
    return path


def scenarios(tone: Path, ring_ms: int = 300, *, echo: bool = False) -> dict[str, str]:
    """A SIPp scenario for each outcome. `echo`: also a callee who says what he hears, one call at a
    time, and one who hangs up after BRIEF_S."""
    media = sipp.sdp(port="[rtpstream_audio_port]")  # SIPp fills it in
    stream = f'<nop><action><exec rtp_stream="{tone},-1,0,PCMU/8000"/></action></nop>'
    invited = sipp.recv("INVITE", timeout_ms=600_000)
    more = {}
    if echo:
        heard = sipp.sdp(port="[media_port]")
        more["echo"] = sipp.scenario(
            invited, sipp.send(180), sipp.pause(ring_ms), sipp.send(200, body=heard, retrans=True), sipp.recv("ACK"),
            sipp.recv("BYE", timeout_ms=120_000), sipp.send_reply(),
        )  # fmt: skip
        more["brief"] = sipp.scenario(
            invited, sipp.send(180), sipp.pause(ring_ms), sipp.send(200, body=media, retrans=True), sipp.recv("ACK"),
            stream, sipp.pause(int(BRIEF_S * 1000)), sipp.request("BYE", cseq=2), sipp.recv(200),
        )  # fmt: skip
    return more | {
        "answer": sipp.scenario(
            invited, sipp.send(180), sipp.pause(ring_ms), sipp.send(200, body=media, retrans=True),
            sipp.recv("ACK"), stream, sipp.recv("BYE", timeout_ms=120_000), sipp.send_reply(),
        ),
        "busy": sipp.scenario(invited, sipp.send(180), sipp.send(486), sipp.recv("ACK")),
        "no_answer": sipp.scenario(
            invited, sipp.send(180), sipp.recv("CANCEL", timeout_ms=120_000), sipp.send_reply(),
            sipp.send_to_invite(487), sipp.recv("ACK"),
        ),
        "invalid": sipp.scenario(invited, sipp.send(404), sipp.recv("ACK")),
    }  # fmt: skip


class Carriers:
    """The SIPp processes, in a loop of their own."""

    def __init__(self, folder: Path, ring_ms: int = 300, *, echo: bool = False) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.running: dict[str, sipp.Sipp] = {}
        for i, (outcome, steps) in enumerate(scenarios(tone_file(folder), ring_ms, echo=echo).items()):
            media = ("-mp", str(28000 + 500 * i), *(("-rtp_echo",) if outcome == "echo" else ()))
            self.running[outcome] = self._do(
                sipp.Sipp.start(steps, calls=100_000, timeout_s=900, extra=("-aa", *media))
            )

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def port(self, outcome: str) -> int:
        """Where to call for an outcome."""
        return self.running[outcome].port

    def invited(self) -> dict[str, list[str]]:
        """Number → Call-IDs of the INVITEs that SIPp has seen for it (retransmissions counted once)."""
        out: dict[str, list[str]] = {}
        for peer in self.running.values():
            for message in peer.messages().split("----------------------------------------------- "):
                start = re.search(r"message received .*?\n\nINVITE sip:([^@;>]+)@", message, re.S)
                call_id = re.search(r"^Call-ID: *(\S+)", message, re.M | re.I)
                if start and call_id:
                    ids = out.setdefault(start.group(1), [])
                    if call_id.group(1) not in ids:
                        ids.append(call_id.group(1))
        return out

    def close(self) -> None:
        """End all."""
        for peer in self.running.values():
            self._do(peer.kill())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
