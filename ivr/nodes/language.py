"""Language: in which the caller is spoken to from here on, in later menus and queues too."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.state import Run
from ivr.verb import LANGUAGES, Kind, Verb, setting


@dataclass(frozen=True)
class Language(Verb):
    """`language` for texts, prompts and the queue's announcements."""

    name = "language"
    needs = ()

    language: str = setting(Kind.CHOICE, "en", choices=LANGUAGES)

    def enter(self, run: Run) -> str | None:
        run.speak(self.language)
        return "next"
