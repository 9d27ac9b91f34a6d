"""What can be played: WAV files and generated tones, as µ-law at 8 kHz mono.

Pure: bytes in, bytes out; `worker.py` reads files and keeps the result. Tones are those of ITU-T E.180 in their most
common form (425 Hz).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callcenter.telephony.media import g711
from callcenter.telephony.media.g711 import FRAME_SAMPLES, SAMPLE_RATE, SILENCE
from callcenter.telephony.media.recording import parse_header

WAVE_PCM, WAVE_ALAW, WAVE_MULAW = 1, 6, 7
_KEYPAD_HZ = {
    digit: (row, column)
    for row, digits in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for digit, column in zip(digits, (1209, 1336, 1477, 1633), strict=True)
}


class BadPrompt(ValueError):
    """A prompt that cannot be played: not a WAV, or not 8 kHz mono PCM16 or G.711."""


def decode_wav(data: bytes) -> bytes:
    """A WAV file's audio as µ-law. Raises BadPrompt saying what is wrong."""
    info = parse_header(data)
    if info is None:
        raise BadPrompt("not a WAV file")
    if info.rate != SAMPLE_RATE or info.channels != 1:
        raise BadPrompt(f"{info.rate} Hz with {info.channels} channels; give 8000 Hz mono")
    audio = data[info.data_start : info.data_start + info.data_bytes]
    if info.format == WAVE_MULAW:
        return audio
    if info.format == WAVE_ALAW:
        return audio.translate(g711.ALAW_TO_ULAW)
    if info.format == WAVE_PCM and info.bits == 16:
        return g711.linear_to_ulaw(np.frombuffer(audio[: len(audio) // 2 * 2], "<i2").astype(np.int16))
    raise BadPrompt(f"format {info.format} with {info.bits} bits; give PCM16, A-law or µ-law")


def _sine(frequencies_hz: tuple[float, ...], ms: int, peak: int = 6000) -> NDArray[np.int16]:
    t = np.arange(SAMPLE_RATE * ms // 1000) / SAMPLE_RATE
    wave = sum((np.sin(2 * np.pi * f * t) for f in frequencies_hz), np.zeros_like(t))
    samples: NDArray[np.int16] = (peak / len(frequencies_hz) * wave).astype(np.int16)
    return samples


def _silence(ms: int) -> bytes:
    return bytes([SILENCE]) * (SAMPLE_RATE * ms // 1000)


def tone(name: str) -> bytes:
    """A named source as µ-law. Raises BadPrompt if there is no such name.

    "tone:ringback" (1 s in 5), "tone:busy" (0.35 s in 0.7), "tone:beep" (once, 0.3 s of 1 kHz), "silence" (1 s).
    """
    if name == "tone:ringback":
        return g711.linear_to_ulaw(_sine((425,), 1000)) + _silence(4000)
    if name == "tone:busy":
        return g711.linear_to_ulaw(_sine((425,), 350)) + _silence(350)
    if name == "tone:beep":
        return g711.linear_to_ulaw(_sine((1000,), 300))
    if name == "silence":
        return _silence(1000)
    raise BadPrompt(f"no such tone: {name}")


def is_generated(source: str) -> bool:
    """Whether `source` names a tone and no file."""
    return source == "silence" or source.startswith("tone:")


def keypad_audio(digits: str) -> bytes:
    """In-band DTMF of `digits`, 100 ms on and 60 ms apart: for a far end without RFC 4733. Source: ITU-T Q.23."""
    parts = [g711.linear_to_ulaw(_sine(_KEYPAD_HZ[d], 100, peak=12000)) + _silence(60) for d in digits.upper()]
    return b"".join(parts)


@dataclass(slots=True)
class Play:
    """A running play: `audio` in µ-law, `at` the next sample. `mix` leaves what the room says audible beneath."""

    play_id: str
    audio: bytes
    loop: bool = False
    mix: bool = False
    at: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing is left to play."""
        return not self.audio or (not self.loop and self.at >= len(self.audio))

    def next_frame(self) -> bytes:
        """The next 20 ms, filled up with silence at the end, going round if it loops."""
        frame = self.audio[self.at : self.at + FRAME_SAMPLES]
        self.at += FRAME_SAMPLES
        if len(frame) < FRAME_SAMPLES:
            if self.loop and self.audio:
                while len(frame) < FRAME_SAMPLES:
                    self.at = FRAME_SAMPLES - len(frame)
                    frame += self.audio[: self.at]
            else:
                frame += bytes([SILENCE]) * (FRAME_SAMPLES - len(frame))
        return frame
