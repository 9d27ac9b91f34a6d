"""What subscribers say, as µ-law frames: spoken once per installation, kept under `var/demo/`.

The carrier is up before the voices are: until a phrase is spoken (a second or two after the first start), or where
speech can't be made at all, a murmur stands in for it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path

import numpy as np

from callcenter.errors import AppError
from callcenter.speech import Job, synthesise_many
from demo.sounds import Frames, frames, murmur, read_wav, silence, tone

log = logging.getLogger(__name__)

PHRASES: dict[str, dict[str, str]] = {
    "zh": {
        "hello": "喂，你好。",
        "say0": "请问您是哪里？",
        "say1": "哦，我知道了，您说吧。",
        "say2": "这个多少钱一个月？",
        "say3": "听起来还可以。",
        "say4": "可以先把资料发给我看看吗？",
        "say5": "好的，我考虑一下。",
        "nudge": "喂？听得到吗？",
        "yes": "嗯，是的。",
        "goodbye": "那就这样，再见。",
        "greeting": "您好，您所拨打的用户暂时无法接听您的电话。请在提示音之后留言，录音结束后挂机即可。",
    },
    "en": {
        "hello": "Hello?",
        "say0": "Who is calling, please?",
        "say1": "Oh, I see. Go on.",
        "say2": "How much is it a month?",
        "say3": "That sounds quite all right.",
        "say4": "Could you send me something to read first?",
        "say5": "Good, let me think about it.",
        "nudge": "Hello? Can you hear me?",
        "yes": "Mm, yes.",
        "goodbye": "All right then, goodbye.",
        "greeting": "Hello, you have reached the voice mail. I can't come to the phone right now. "
        "Please leave your name and your number after the tone, and I will call you back.",
    },
}
"""By language and name; `say…` come in turn."""

_VARIANTS = {("zh", "f"): "f2", ("zh", "m"): "", ("en", "f"): "f3", ("en", "m"): "m3"}
BEEP = frames(np.concatenate([silence(0.3), tone(0.6, 1000, level=0.3)]))


class Voices:
    """All phrases of all voices. `get` never blocks; `load` does, and is what `start` runs in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spoken: dict[tuple[str, str, str], Frames] = {}
        self._murmurs = {
            (voice, long): frames(murmur(6.0 if long else 1.2, 105.0 if voice == "m" else 190.0))
            for voice in "fm"
            for long in (False, True)
        }

    def get(self, language: str, voice: str, name: str) -> Frames:
        """The phrase, or a murmur while there is none."""
        return self._spoken.get((language, voice, name)) or self._murmurs[voice, name == "greeting"]

    def path(self, language: str, voice: str, name: str) -> Path:
        """The phrase's file, there or to come. Named by its text and voice, so that a changed one is spoken anew."""
        variant = _VARIANTS[language, voice]
        digest = hashlib.sha256(f"{variant}:{PHRASES[language][name]}".encode()).hexdigest()[:10]
        return self._folder / f"{language}-{voice}-{name}-{digest}.wav"

    @property
    def ready(self) -> bool:
        """Whether every phrase is there as speech."""
        return len(self._spoken) == sum(len(PHRASES[language]) for language, _ in _VARIANTS)

    def start(self) -> threading.Thread:
        """Load in the background."""
        thread = threading.Thread(target=self.load, name="voices", daemon=True)
        thread.start()
        return thread

    def load(self) -> None:
        """Speak what is missing, then read everything. Failures are logged; the murmurs stay."""
        files = {
            (language, voice, name): self.path(language, voice, name)
            for language, voice in _VARIANTS
            for name in PHRASES[language]
        }
        missing = [
            Job(PHRASES[language][name], language, str(path), _VARIANTS[language, voice])
            for (language, voice, name), path in files.items()
            if not path.exists()
        ]
        try:
            synthesise_many(missing)
        except (AppError, OSError) as error:
            log.warning("subscribers murmur instead of speaking: %s", error)
        for key, path in files.items():
            try:
                self._spoken[key] = frames(read_wav(path))
            except (OSError, ValueError, EOFError) as error:
                log.warning("no phrase %s: %s", "-".join(key), error)
